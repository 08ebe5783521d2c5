#include "broker/core/broker.h"

#include <algorithm>

#include "broker/core/broker_state.h"
#include "proto/base/text.h"
#include "proto/trust/roster.h"

namespace dirsync {
namespace {

constexpr std::size_t kEventsKept = 1000;
constexpr Duration kWarnEvery = std::chrono::minutes(1);

template <class Visit>
Result<> EachRow(const storage::ReadView& view, storage::Table table, Visit&& visit) {
  const auto [lower, upper] = storage::TableRange(table);
  auto cursor = view.Scan(lower, upper);
  for (; cursor->Valid(); cursor->Next()) DIRSYNC_CHECK(visit(cursor->Key(), cursor->Value()));
  return cursor->status();
}

}  // namespace

Broker::Broker(std::unique_ptr<State> state) : state_(std::move(state)) {}
Broker::~Broker() = default;

Result<std::unique_ptr<Broker>> Broker::Open(const storage::ReadView& view,
                                             const BrokerSettings& settings, IdSource& ids) {
  auto state = std::make_unique<State>(settings, ids);
  DIRSYNC_CHECK(state->Open(view));
  return std::unique_ptr<Broker>(new Broker(std::move(state)));
}

Result<> Broker::State::Open(const storage::ReadView& view) {
  DIRSYNC_TRY(logs, StreamLog::Open(view));
  std::map<storage::StreamNumber, BrokerStream*> by_number;
  for (LogState& log : logs) {
    BrokerStream& stream = streams[log.stream];
    stream.log = std::move(log);
    by_number[stream.log.number] = &stream;
  }
  DIRSYNC_CHECK(EachRow(view, storage::Table::kLogReader,
                        [&](std::string_view key, std::string_view row) -> Result<> {
                          DIRSYNC_TRY(hold, DecodeHold(row));
                          const auto number = storage::StreamOfKey(key);
                          if (!by_number.contains(number)) return {};
                          BrokerReader& reader = by_number[number]->readers[FoldName(hold.site)];
                          reader.site = hold.site;
                          reader.hold = std::move(hold);
                          return {};
                        }));
  DIRSYNC_TRY(roster, ListRoster(view));
  for (RosterEntry& entry : roster) {
    const std::string folded = FoldName(entry.site);
    site_of[entry.transport_key] = folded;
    sites[folded].entry = std::move(entry);
  }
  DIRSYNC_CHECK(EachRow(view, storage::Table::kEvent,
                        [&](std::string_view, std::string_view row) -> Result<> {
                          DIRSYNC_TRY(event, DecodeEvent(row));
                          next_event = event.number + 1;
                          events.push_front(std::move(event));
                          return {};
                        }));
  if (settings.organization.empty() && !sites.empty())
    settings.organization = sites.begin()->second.entry.organization;
  return {};
}

BrokerSession* Broker::State::SessionOf(std::string_view folded_site) {
  const auto site = sites.find(std::string(folded_site));
  if (site == sites.end() || site->second.session == 0) return nullptr;
  const auto session = sessions.find(site->second.session);
  return session == sessions.end() ? nullptr : &session->second;
}

BrokerStream* Broker::State::StreamOf(const StreamName& name) {
  const auto stream = streams.find(name);
  return stream == streams.end() ? nullptr : &stream->second;
}

void Broker::State::Event(BrokerStep& step, std::string kind, std::string site, std::string stream,
                          std::string text) {
  BrokerEvent event{next_event++,    step.now,          std::move(kind),
                    std::move(site), std::move(stream), std::move(text)};
  step.transaction.Put(storage::EventKey(event.number), EncodeEvent(event));
  events.push_front(std::move(event));
  while (events.size() > kEventsKept) {
    step.transaction.Delete(storage::EventKey(events.back().number));
    events.pop_back();
  }
}

// Counted always; told to people once a minute and site.
void Broker::State::Refuse(BrokerStep& step, SessionId session, const std::string& site,
                           ErrorCode code, const std::string& text) {
  ++refusals[std::string(InfoOf(code).text)];
  const auto known = sites.find(site);
  if (known == sites.end() || known->second.warned + kWarnEvery <= step.now) {
    if (known != sites.end()) known->second.warned = step.now;
    const bool repeated = known == sites.end() && !events.empty() &&
                          events.front().kind == "refused" && events.front().site.empty() &&
                          events.front().time + kWarnEvery > step.now;
    if (!repeated)
      Event(step, "refused", known == sites.end() ? "" : known->second.entry.site, "",
            std::string(InfoOf(code).text) + ": " + text);
  }
  End(step, session, code, text);
}

void Broker::State::End(BrokerStep& step, SessionId session, ErrorCode code, std::string text) {
  const bool wait =
      code == ErrorCode::kCloned || code == ErrorCode::kNotPermitted || code == ErrorCode::kFenced;
  step.Say(session, Bye{code, std::move(text), wait ? 30U : 1U}, true);
  Forget(session);
}

void Broker::State::Forget(SessionId session) {
  door.erase(session);
  const auto found = sessions.find(session);
  if (found == sessions.end()) return;
  const auto site = sites.find(found->second.site);
  if (site != sites.end() && site->second.session == session) site->second.session = 0;
  for (auto& [name, stream] : streams) {
    const auto reader = stream.readers.find(found->second.site);
    if (reader == stream.readers.end() || reader->second.session != session) continue;
    reader->second.session = 0;
    reader->second.range_request.reset();
  }
  sessions.erase(found);
}

Result<> Broker::Handle(storage::Transaction& transaction, const Incoming& incoming, Instant now,
                        std::vector<Outgoing>& out) {
  BrokerStep step{transaction, now, out};
  State& state = *state_;
  if (state.started == Instant{}) state.started = now;
  const auto site = state.site_of.find(incoming.key);
  if (site == state.site_of.end() || state.sites[site->second].entry.state != SiteState::kActive) {
    state.Refuse(step, incoming.session, site == state.site_of.end() ? "" : site->second,
                 ErrorCode::kNotPermitted, "the key is not that of an active site");
    return {};
  }
  auto found = state.sessions.find(incoming.session);
  if (found == state.sessions.end()) {
    if (std::holds_alternative<Bye>(incoming.message)) return {};
    if (!std::holds_alternative<Hello>(incoming.message)) {
      // Of a session that this broker has forgotten: it must greet again.
      step.Say(incoming.session, Bye{ErrorCode::kUnreachable, "say HELLO first", 0}, true);
      return {};
    }
    if (state.sessions.size() >= state.settings.sessions_max) {
      state.Refuse(step, incoming.session, site->second, ErrorCode::kBusy, "too many sessions");
      return {};
    }
    found = state.sessions.emplace(incoming.session, BrokerSession{}).first;
    found->second.id = incoming.session;
    found->second.key = incoming.key;
  }
  BrokerSession& session = found->second;
  if (session.key != incoming.key) {
    state.Refuse(step, incoming.session, site->second, ErrorCode::kNotPermitted,
                 "the session is another site's");
    return {};
  }
  session.heard = now;
  state.sites[site->second].heard = now;
  if (const auto* hello = std::get_if<Hello>(&incoming.message))
    return state.TakeHello(step, session, *hello);
  return state.Dispatch(step, session, incoming.message);
}

Result<> Broker::State::Dispatch(BrokerStep& step, BrokerSession& session, const Message& message) {
  DIRSYNC_CHECK(Confirm(step, session));
  if (const auto* m = std::get_if<Publish>(&message)) return TakePublish(step, session, *m);
  if (const auto* m = std::get_if<Ack>(&message)) return TakeAck(step, session, *m);
  if (const auto* m = std::get_if<Credit>(&message)) {
    session.credit = std::min(session.credit + std::min(m->bytes, settings.credit_bytes_max),
                              settings.credit_bytes_max);
    return {};
  }
  if (const auto* m = std::get_if<Subscribe>(&message)) return TakeSubscribe(step, session, *m);
  if (const auto* m = std::get_if<Unsubscribe>(&message)) return TakeUnsubscribe(step, session, *m);
  if (const auto* m = std::get_if<Nack>(&message)) return TakeNack(step, session, *m);
  if (const auto* m = std::get_if<GetRange>(&message)) return TakeGetRange(step, session, *m);
  if (const auto* m = std::get_if<dirsync::Range>(&message)) return TakeRange(step, session, *m);
  if (const auto* m = std::get_if<Fetch>(&message)) return TakeFetch(step, session, *m);
  if (const auto* m = std::get_if<AdminRequest>(&message)) return TakeAdmin(step, session, *m);
  if (const auto* m = std::get_if<AdminReply>(&message)) return TakeAdminReply(step, session, *m);
  if (const auto* m = std::get_if<AgentReport>(&message)) {
    sites[session.site].report = *m;
    return {};
  }
  if (const auto* m = std::get_if<Ping>(&message)) {
    if (!m->answer) step.Say(session.id, Ping{true});
    return {};
  }
  if (std::holds_alternative<Bye>(message)) {
    Forget(session.id);
    SayStreamsToAll(step);
    return {};
  }
  Refuse(step, session.id, session.site, ErrorCode::kNotPermitted,
         std::string(MessageName(message)) + " is not an agent's to say");
  return {};
}

Result<bool> Broker::Pump(const storage::ReadView& view, Instant, std::uint64_t bytes,
                          std::vector<Outgoing>& out) {
  State& state = *state_;
  if (state.sessions.empty()) return false;
  // Each session in turn, beginning behind the one that was served last.
  auto next = state.sessions.upper_bound(state.turn);
  bool more = false;
  for (std::size_t i = 0; i < state.sessions.size(); ++i) {
    if (next == state.sessions.end()) next = state.sessions.begin();
    BrokerSession& session = next->second;
    ++next;
    if (session.site.empty() || session.credit == 0) continue;
    if (bytes == 0) return true;
    DIRSYNC_TRY(left, state.Deliver(view, session, bytes, out));
    more = more || left;
    state.turn = session.id;
  }
  return more;
}

void Broker::Gone(SessionId session, Instant) { state_->Forget(session); }

Result<> Broker::Tick(storage::Transaction& transaction, Instant now, std::vector<Outgoing>& out) {
  State& state = *state_;
  BrokerStep step{transaction, now, out};
  if (state.started == Instant{}) state.started = now;
  std::vector<SessionId> silent;
  for (const auto& [id, session] : state.sessions)
    if (session.heard + std::chrono::seconds(state.settings.silence_seconds) < now)
      silent.push_back(id);
  for (const SessionId id : silent) state.Forget(id);
  for (auto& [name, stream] : state.streams) {
    DIRSYNC_CHECK(state.Retain(step, stream));
    state.CountMinute(stream, now, 0, 0);
  }
  if (!silent.empty()) state.SayStreamsToAll(step);
  return {};
}

void Broker::Apply(const BrokerSettings& settings) {
  const std::string organization = state_->settings.organization;
  const PublicKey key = state_->settings.organization_key;
  state_->settings = settings;
  if (state_->settings.organization.empty()) state_->settings.organization = organization;
  if (state_->settings.organization_key.is_zero()) state_->settings.organization_key = key;
}

void Broker::SetReadOnly(bool read_only, std::string reason) {
  state_->read_only = read_only;
  state_->read_only_reason = std::move(reason);
}

void Broker::SetDiskFree(std::uint64_t bytes) { state_->disk_free = bytes; }

void Broker::CountRefusal(std::string_view reason) { ++state_->refusals[std::string(reason)]; }

std::vector<SessionId> Broker::Sessions() const {
  std::vector<SessionId> sessions;
  for (const auto& [id, session] : state_->sessions)
    if (!session.site.empty()) sessions.push_back(id);
  return sessions;
}

std::set<TransportKey> Broker::ActiveKeys() const {
  std::set<TransportKey> keys;
  for (const auto& [name, site] : state_->sites)
    if (site.entry.state == SiteState::kActive) keys.insert(site.entry.transport_key);
  return keys;
}

std::uint64_t Broker::roster_generation() const { return state_->generation; }

}  // namespace dirsync
