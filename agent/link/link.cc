#include "agent/link/link.h"

#include <algorithm>
#include <utility>

#include "agent/link/link_state.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::size_t kEventsKept = 1000;
constexpr std::size_t kDeferredMost = 64;
constexpr Duration kGreetAgain = std::chrono::seconds(10);
// A full copy's ranges wait no longer for others to share their commit. What Tick does is due by
// tens of seconds, and waits with them.
constexpr Duration kStepLives = std::chrono::seconds(2);

}  // namespace

Link::Link(Store& store, LinkSettings settings)
    : state_(std::make_unique<State>(store, std::move(settings))) {
  state_->started = store.world().Now();
}
Link::~Link() = default;

void Link::State::Say(Message message) {
  said_at = Now();
  out.push_back(std::move(message));
}

void Link::State::Tell(std::string kind, const std::string& instance, std::string text,
                       ErrorCode code) {
  if (events.size() < kEventsKept)
    events.push_back({std::move(kind), instance, std::move(text), code});
}

Result<std::vector<Message>> Link::State::Take(Result<> done) {
  std::vector<Message> messages = std::exchange(out, {});
  if (!done) return std::unexpected(done.error());
  return messages;
}

// The instances as they are stored now: commands may have changed them.
Result<> Link::State::Refresh() {
  DIRSYNC_TRY(loaded, LoadMembership(store.storage()));
  membership = std::move(loaded);
  DIRSYNC_TRY(instances, ListInstances(store.storage()));
  std::set<std::string> exporting;
  std::set<std::string> importing;
  paused.clear();
  for (InstanceSettings& instance : instances) {
    if (!UsesBroker(instance.transport)) continue;
    if (instance.paused) {
      paused.push_back(instance);
      continue;
    }
    const std::string folded = FoldName(instance.name);
    if (instance.imports) {
      DIRSYNC_TRY(number, FindNumber(store.storage(), "import/" + folded));
      DIRSYNC_TRY(reader, number ? LoadReader(store.storage(), *number)
                                 : Result<std::optional<ReaderState>>(std::nullopt));
      if (reader && reader->source == SourceKind::kStream) {
        importing.insert(folded);
        ImportLink& link = imports[folded];
        link.settings = instance;
        link.number = *number;
        link.stream = reader->stream;
      }
    }
    if (instance.exports) {
      exporting.insert(folded);
      greet_now = greet_now || (phase == LinkPhase::kOpen && !exports.contains(folded));
      exports[folded].settings = std::move(instance);
    }
  }
  std::erase_if(exports, [&](const auto& row) { return !exporting.contains(row.first); });
  for (auto& [name, link] : imports)
    if (!importing.contains(name) && phase == LinkPhase::kOpen)
      Say(Unsubscribe{link.stream, false});
  std::erase_if(imports, [&](const auto& row) { return !importing.contains(row.first); });
  return {};
}

Result<std::vector<Message>> Link::Connected() {
  State& state = *state_;
  const auto greet = [&]() -> Result<> {
    DIRSYNC_CHECK(state.SettleCopies());
    state.phase = LinkPhase::kGreeting;
    return state.Greet();
  };
  return state.Take(greet());
}

Result<std::vector<Message>> Link::Handle(const Message& message) {
  State& state = *state_;
  const auto handle = [&]() -> Result<> {
    if (!std::holds_alternative<dirsync::Range>(message)) DIRSYNC_CHECK(state.SettleCopies());
    return state.Dispatch(message);
  };
  return state.Take(handle());
}

// Between HELLO and WELCOME comes what the broker said in the session before. Its answers mean
// nothing any more: a SUBSCRIBED that were believed would never be said again. And until WELCOME is
// stored nothing may be said: the broker would take it for a sign that it has been.
bool Link::State::WaitsForWelcome(const Message& message) {
  if (phase != LinkPhase::kGreeting) return false;
  const bool asks =
      std::holds_alternative<GetRange>(message) || std::holds_alternative<AdminRequest>(message);
  if (asks && deferred.size() < kDeferredMost) deferred.push_back(message);
  return asks || std::holds_alternative<Streams>(message) ||
         std::holds_alternative<Subscribed>(message) || std::holds_alternative<Deliver>(message) ||
         std::holds_alternative<Published>(message) ||
         std::holds_alternative<dirsync::Range>(message) || std::holds_alternative<Nack>(message);
}

Result<> Link::State::Dispatch(const Message& message) {
  if (WaitsForWelcome(message)) return {};
  if (const auto* m = std::get_if<Deliver>(&message)) return TakeDeliver(*m);
  if (const auto* m = std::get_if<Published>(&message)) return TakePublished(*m);
  if (const auto* m = std::get_if<Ack>(&message)) return TakeReaderAck(*m);
  if (const auto* m = std::get_if<Welcome>(&message)) return TakeWelcome(*m);
  if (const auto* m = std::get_if<Streams>(&message)) return TakeStreams(*m);
  if (const auto* m = std::get_if<Subscribed>(&message)) return TakeSubscribed(*m);
  if (const auto* m = std::get_if<GetRange>(&message)) return ServeRange(*m);
  if (const auto* m = std::get_if<dirsync::Range>(&message)) return TakeRange(*m);
  if (const auto* m = std::get_if<RosterNews>(&message)) return TakeRosterNews(*m);
  if (const auto* m = std::get_if<AdminRequest>(&message)) return TakeRequest(*m);
  if (const auto* m = std::get_if<AdminReply>(&message)) {
    const auto asked = std::ranges::find(questions, m->nonce, &Question::nonce);
    if (asked != questions.end()) asked->reply = *m;
    return {};
  }
  if (const auto* m = std::get_if<Bye>(&message)) {
    const bool refused = m->code == ErrorCode::kNotPermitted || m->code == ErrorCode::kCloned ||
                         m->code == ErrorCode::kFenced || m->code == ErrorCode::kUnknownVersion;
    phase = refused ? LinkPhase::kRefused : LinkPhase::kOffline;
    reason = {m->code, "the broker says: " + Printable(m->text), ""};
    if (refused) Tell("refused", "", reason.message, m->code);
    return {};
  }
  if (const auto* m = std::get_if<Ping>(&message)) {
    if (!m->answer) Say(Ping{true});
    return {};
  }
  if (const auto* m = std::get_if<Nack>(&message)) {
    // Of a FETCH: the log has no such batch, so nothing is proved.
    Tell("refused", "", "the broker cannot show batch " + std::to_string(m->position.sequence),
         m->code);
    return {};
  }
  return {};
}

// What was committed here since the last call: settings, entries to be told, cursors to be acked.
Result<> Link::State::LookAround() {
  DIRSYNC_CHECK(Refresh());
  DIRSYNC_CHECK(DropLeft());
  DIRSYNC_CHECK(CaptureExports());
  if (phase != LinkPhase::kOpen) return {};
  if (greet_now) {
    phase = LinkPhase::kGreeting;
    return Greet();
  }
  for (auto& [name, link] : exports) DIRSYNC_CHECK(PublishWaiting(link));
  DIRSYNC_CHECK(LookAtPolicies());
  for (auto& [name, link] : imports) DIRSYNC_CHECK(AckCursor(link, false));
  looked_at = store.commits();
  return {};
}

Result<std::vector<Message>> Link::Pump() {
  State& state = *state_;
  const auto pump = [&]() -> Result<> {
    if (!state.HasOpenStep() || state.looked_at != state.store.commits()) {
      DIRSYNC_CHECK(state.SettleCopies());
      DIRSYNC_CHECK(state.LookAround());
    }
    for (auto& [name, link] : state.imports) DIRSYNC_CHECK(state.ApplyPending(link));
    return {};
  };
  return state.Take(pump());
}

Result<std::vector<Message>> Link::Tick() {
  State& state = *state_;
  const auto tick = [&]() -> Result<> {
    const Instant now = state.Now();
    if (state.HasOpenStep() && now < state.step_at + kStepLives) return {};
    DIRSYNC_CHECK(state.SettleCopies());
    if (state.phase != LinkPhase::kOpen) return {};
    if (state.greet_again && state.greeted_at + kGreetAgain <= now) {
      state.phase = LinkPhase::kGreeting;
      return state.Greet();
    }
    for (auto& [name, link] : state.exports) {
      DIRSYNC_CHECK(state.SayCanary(link));
      DIRSYNC_CHECK(state.PublishWaiting(link));
    }
    for (auto& [name, link] : state.imports) DIRSYNC_CHECK(state.LookAgain(link));
    if (state.reported_at + state.settings.report_every <= now) {
      state.reported_at = now;
      state.Say(Report());
    } else if (state.said_at + state.heartbeat <= now) {
      state.Say(Ping{});
    }
    return {};
  };
  return state.Take(tick());
}

void Link::Lost() {
  State& state = *state_;
  if (state.phase != LinkPhase::kRefused) state.phase = LinkPhase::kOffline;
  state.Forget();
}

void Link::Unreachable(const Error& why) {
  State& state = *state_;
  if (state.phase == LinkPhase::kRefused) return;
  state.phase = why.code == ErrorCode::kNotPermitted ? LinkPhase::kRefused : LinkPhase::kOffline;
  state.reason = why;
}

// A new greeting begins everything anew at the broker: subscriptions, credit, what is answered.
void Link::State::Forget() {
  streams.clear();
  roster_said.clear();
  roster_compared = false;
  deferred.clear();
  for (auto& [name, link] : exports) {
    link.next = 0;
    link.awaiting.clear();
    link.in_flight = 0;
    link.rewind.reset();
    link.stalled.reset();
    link.full.reset();
  }
  for (auto& [name, link] : imports) {
    link.subscribed = false;
    link.ask_at = {};
    link.acked = {};
    link.stalled.reset();
    if (link.copy) link.copy->request = 0;
  }
}

Result<std::vector<Message>> Link::TakeFull(const std::string& instance) {
  State& state = *state_;
  const auto take = [&]() -> Result<> {
    DIRSYNC_CHECK(state.SettleCopies());
    DIRSYNC_CHECK(state.Refresh());
    const auto link = state.imports.find(FoldName(instance));
    if (link == state.imports.end())
      return Fail(ErrorCode::kNotFound,
                  "take " + Printable(instance) + " whole: no import that reads a broker's stream",
                  "dirsync instance list");
    link->second.copy_wanted = true;
    link->second.copy_by_person = true;
    link->second.copy_asked_here = true;
    link->second.stalled.reset();
    if (state.phase != LinkPhase::kOpen) return {};
    return state.StartCopy(link->second);
  };
  return state.Take(take());
}

Result<std::vector<Message>> Link::Ask(const std::string& target, std::vector<std::string> words) {
  return state_->Take(state_->Ask(target, std::move(words)));
}

std::vector<StreamName> Link::streams() const {
  std::vector<StreamName> names;
  for (const auto& [name, log] : state_->streams) names.push_back(name);
  return names;
}
bool Link::has_work() const {
  return std::ranges::any_of(
      state_->imports, [](const auto& row) { return row.second.copy && row.second.copy->pending; });
}
LinkPhase Link::phase() const { return state_->phase; }
Error Link::reason() const { return state_->reason; }
std::vector<LinkEvent> Link::TakeEvents() { return std::exchange(state_->events, {}); }
std::optional<AdminReply> Link::TakeReply(const Nonce& question) {
  const auto asked = std::ranges::find(state_->questions, question, &Question::nonce);
  return asked == state_->questions.end() ? std::nullopt : std::exchange(asked->reply, {});
}

}  // namespace dirsync
