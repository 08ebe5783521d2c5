#include "broker/core/broker.h"

#include <algorithm>

#include "broker/core/broker_state.h"
#include "proto/base/text.h"
#include "proto/trust/roster.h"

namespace dirsync {
namespace {

constexpr std::size_t kReasons = 256;  // different ones of those that the loop counts

template <class Visit>
Result<> EachRow(const storage::ReadView& view, storage::Table table, Visit&& visit) {
  const auto [lower, upper] = storage::TableRange(table);
  auto cursor = view.Scan(lower, upper);
  for (; cursor->Valid(); cursor->Next()) DIRSYNC_CHECK(visit(cursor->Key(), cursor->Value()));
  return cursor->status();
}

// A producer's outbox is bounded too: beyond, it would stop before its reader loses its hold.
BrokerSettings WithinLimits(BrokerSettings settings) {
  settings.reader_bytes_max =
      std::min<std::uint64_t>(settings.reader_bytes_max, limits::kReaderBytes);
  return settings;
}

}  // namespace

bool MustSync(const Message& message) {
  return !std::holds_alternative<Ack>(message) && !std::holds_alternative<Credit>(message) &&
         !std::holds_alternative<Ping>(message) && !std::holds_alternative<Nack>(message) &&
         !std::holds_alternative<AgentReport>(message) &&
         !std::holds_alternative<dirsync::Range>(message) &&
         !std::holds_alternative<AdminRequest>(message) &&
         !std::holds_alternative<AdminReply>(message) && !std::holds_alternative<Bye>(message);
}

Broker::Broker(std::unique_ptr<State> state) : state_(std::move(state)) {}
Broker::~Broker() = default;

Result<std::unique_ptr<Broker>> Broker::Open(const storage::ReadView& view,
                                             const BrokerSettings& settings, IdSource& ids) {
  auto state = std::make_unique<State>(WithinLimits(settings), ids);
  DIRSYNC_CHECK(state->Open(view));
  return std::unique_ptr<Broker>(new Broker(std::move(state)));
}

Result<> Broker::State::Open(const storage::ReadView& view) {
  DIRSYNC_TRY(logs, StreamLog::Open(view));
  std::map<storage::StreamNumber, BrokerStream*> by_number;
  for (LogState& log : logs) {
    BrokerStream& stream = streams[log.stream];
    stream.log = std::move(log);
    stream.producer = FoldName(stream.log.stream.site);
    by_number[stream.log.number] = &stream;
    last_number = std::max(last_number, stream.log.number);
    CountKept(stream, 0);
  }
  DIRSYNC_CHECK(EachRow(view, storage::Table::kLogReader,
                        [&](std::string_view key, std::string_view row) -> Result<> {
                          DIRSYNC_TRY(hold, DecodeHold(row));
                          const auto stream = by_number.find(storage::StreamOfKey(key));
                          if (stream == by_number.end()) return {};
                          BrokerReader& reader = stream->second->readers[FoldName(hold.site)];
                          reader.site = hold.site;
                          reader.hold = std::move(hold);
                          const Position& acked = reader.hold.acked;
                          reader.reached = {acked.epoch.counter, acked.sequence};
                          return {};
                        }));
  DIRSYNC_TRY(roster, ListRoster(view));
  for (const RosterEntry& entry : roster) Know(entry);
  for (const RosterEntry& entry : roster)
    if (entry.state == SiteState::kActive) Know(entry);
  DIRSYNC_CHECK(EachRow(view, storage::Table::kEvent,
                        [&](std::string_view, std::string_view row) -> Result<> {
                          DIRSYNC_TRY(event, DecodeEvent(row));
                          next_event = event.number + 1;
                          events.push_front(std::move(event));
                          return {};
                        }));
  DIRSYNC_TRY(door_row, view.Get(storage::MetaKey("door")));
  if (door_row) {
    DIRSYNC_TRY(opened, DecodeDoor(*door_row));
    door_until = opened.until;
  }
  if (settings.organization.empty() && !sites.empty())
    settings.organization = sites.begin()->second.entry.organization;
  return {};
}

Result<> Broker::Handle(storage::Transaction& transaction, const Incoming& incoming, Instant now,
                        std::vector<Outgoing>& out) {
  BrokerStep step{transaction, now, out};
  const std::size_t before = out.size();
  DIRSYNC_CHECK(state_->Take(step, incoming));
  state_->CountOut(out, before);
  return {};
}

Result<> Broker::State::Take(BrokerStep& step, const Incoming& incoming) {
  if (started == Instant{}) started = step.now;
  const auto known = site_of.find(incoming.key);
  const std::string site = known == site_of.end() ? "" : known->second;
  if (!IsActive(site)) {
    Refuse(step, incoming.session, site, ErrorCode::kNotPermitted,
           "the key is not that of an active site");
    return {};
  }
  auto found = sessions.find(incoming.session);
  if (found != sessions.end() && found->second.key != incoming.key) {
    Refuse(step, incoming.session, site, ErrorCode::kNotPermitted, "the session is another site's");
    return {};
  }
  if (found == sessions.end()) {
    if (std::holds_alternative<Bye>(incoming.message)) return {};
    if (!std::holds_alternative<Hello>(incoming.message)) {
      // Of a session that this broker has forgotten: it must greet again.
      ++refusals["HELLO"];
      step.Say(incoming.session, Bye{ErrorCode::kUnreachable, "say HELLO first", 0}, true);
      return {};
    }
    if (sessions.size() >= settings.sessions_max) {
      Refuse(step, incoming.session, site, ErrorCode::kBusy, "too many sessions");
      return {};
    }
    found = sessions.emplace(incoming.session, BrokerSession{}).first;
    found->second.id = incoming.session;
    found->second.key = incoming.key;
  }
  BrokerSession& session = found->second;
  session.heard = step.now;
  sites[site].heard = step.now;
  if (const auto* hello = std::get_if<Hello>(&incoming.message); hello != nullptr) {
    // Who greets again and again, and takes none of the answers.
    if (!HasRoom(session)) {
      Refuse(step, session.id, site, ErrorCode::kBusy, "too much waits for this site already");
      return {};
    }
    return TakeHello(step, session, *hello);
  }
  return Dispatch(step, session, incoming.message);
}

Result<> Broker::State::Dispatch(BrokerStep& step, BrokerSession& session, const Message& message) {
  // Neither says that WELCOME has arrived.
  if (const auto* m = std::get_if<Ping>(&message)) {
    if (!m->answer) step.Say(session.id, Ping{true});
    return {};
  }
  if (std::holds_alternative<Bye>(message)) {
    Forget(session.id);
    return {};
  }
  DIRSYNC_CHECK(Confirm(step, session));
  if (const auto* m = std::get_if<Publish>(&message)) return TakePublish(step, session, *m);
  if (const auto* m = std::get_if<Ack>(&message)) return TakeAck(step, session, *m);
  if (const auto* m = std::get_if<Credit>(&message)) {
    AddCredit(session, m->bytes);
    return {};
  }
  if (const auto* m = std::get_if<Subscribe>(&message)) return TakeSubscribe(step, session, *m);
  if (const auto* m = std::get_if<Unsubscribe>(&message)) return TakeUnsubscribe(step, session, *m);
  if (const auto* m = std::get_if<Nack>(&message)) return TakeNack(step, session, *m);
  if (const auto* m = std::get_if<GetRange>(&message)) return TakeGetRange(step, session, *m);
  if (const auto* m = std::get_if<dirsync::Range>(&message)) return TakeRange(step, session, *m);
  if (const auto* m = std::get_if<Fetch>(&message)) return TakeFetch(step, session, *m);
  if (const auto* m = std::get_if<RosterNews>(&message)) return TakeRosterBack(step, session, *m);
  if (const auto* m = std::get_if<AdminRequest>(&message)) return TakeAdmin(step, session, *m);
  if (const auto* m = std::get_if<AdminReply>(&message)) return TakeAdminReply(step, session, *m);
  if (const auto* m = std::get_if<AgentReport>(&message)) {
    AgentReport report = *m;
    if (report.instances.size() > limits::kReportInstances)
      report.instances.resize(limits::kReportInstances);
    sites[session.site].report = std::move(report);
    return {};
  }
  Refuse(step, session.id, session.site, ErrorCode::kNotPermitted,
         std::string(MessageName(message)) + " is not an agent's to say");
  return {};
}

void Broker::Gone(SessionId session, Instant) { state_->Forget(session); }

Result<> Broker::Tick(storage::Transaction& transaction, Instant now, std::vector<Outgoing>& out) {
  State& state = *state_;
  BrokerStep step{transaction, now, out};
  if (state.started == Instant{}) state.started = now;
  state.EndSilent(step);
  for (auto& [name, stream] : state.streams) {
    DIRSYNC_CHECK(state.Retain(step, stream));
    state.CountWaiting(stream, now);
    state.TellOwed(step, stream);
  }
  DIRSYNC_CHECK(state.MakeRoomWhereFull(step));
  if (state.door_until != Instant{} && state.door_until < now) DIRSYNC_CHECK(state.CloseDoor(step));
  state.Announce(out);
  return {};
}

void Broker::Apply(const BrokerSettings& settings) {
  const std::string organization = state_->settings.organization;
  const PublicKey key = state_->settings.organization_key;
  state_->settings = WithinLimits(settings);
  if (state_->settings.organization.empty()) state_->settings.organization = organization;
  if (state_->settings.organization_key.is_zero()) state_->settings.organization_key = key;
}

void Broker::SetReadOnly(bool read_only, std::string reason) {
  state_->read_only = read_only;
  state_->read_only_reason = std::move(reason);
}

void Broker::SetDiskFree(std::uint64_t bytes) { state_->disk_free = bytes; }

void Broker::CountRefusal(std::string_view reason) {
  std::string name(reason.substr(0, 64));
  if (!state_->refusals.contains(name) && state_->refusals.size() >= kReasons) name = "OTHER";
  ++state_->refusals[name];
}

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
