// What waits for each session: so much and no more, so that who takes nothing costs little, and a
// flood for somebody else is refused to who sends it.
#include <algorithm>

#include "broker/core/broker_state.h"

namespace dirsync {
namespace {

constexpr std::uint64_t kHeaderCost = 256;                    // of a message without lists, about
constexpr std::uint64_t kLookBytes = limits::kPeerBytes / 8;  // below, nobody need look

std::uint64_t ListBytes(const Ack& message) { return message.wants.size() * sizeof(EntryId); }
std::uint64_t ListBytes(const AdminReply& message) { return message.text.size(); }
std::uint64_t ListBytes(const AdminRequest& message) {
  std::uint64_t bytes = 0;
  for (const std::string& word : message.words) bytes += word.size();
  return bytes;
}
std::uint64_t ListBytes(const RosterNews& message) {
  std::uint64_t bytes = 0;
  for (const SignedRosterEntry& entry : message.entries) bytes += entry.bytes.size() + 80;
  return bytes;
}
std::uint64_t ListBytes(const Streams& message) {
  std::uint64_t bytes = 0;
  for (const Streams::Log& log : message.logs) bytes += WeightOf(log.stream);
  return bytes;
}
std::uint64_t ListBytes(const Welcome& message) {
  std::uint64_t bytes = 0;
  for (const Welcome::Log& log : message.produced)
    bytes += WeightOf(log.stream) + log.readers.size() * kHeaderCost;
  return bytes;
}
template <class Kind>
std::uint64_t ListBytes(const Kind& message) {
  if constexpr (requires { message.payload; }) return message.payload ? message.payload->size() : 0;
  return 0;
}

}  // namespace

std::uint64_t CostOf(const Message& message) {
  return limits::kMessageCost + kHeaderCost +
         std::visit([](const auto& kind) { return ListBytes(kind); }, message);
}

bool Broker::State::HasRoom(const BrokerSession& session) const {
  return session.under_way + limits::kMessageBytes <= limits::kPeerBytes;
}

void Broker::State::CountOut(const std::vector<Outgoing>& out, std::size_t from) {
  for (std::size_t i = from; i < out.size(); ++i) {
    const auto session = sessions.find(out[i].session);
    if (session == sessions.end()) continue;
    session->second.under_way += CostOf(out[i].message);
    if (session->second.under_way >= kLookBytes) loaded.insert(session->first);
  }
}

void Broker::SetUnderWay(SessionId id, std::uint64_t bytes) {
  State& state = *state_;
  if (bytes < kLookBytes) state.loaded.erase(id);
  const auto found = state.sessions.find(id);
  if (found == state.sessions.end()) return;
  BrokerSession& session = found->second;
  session.under_way = bytes;
  if (!state.HasRoom(session) || state.held_up.erase(id) == 0) return;
  if (session.credit > 0 && !session.waiting.empty()) state.ready.insert(id);
  if (!session.fetches.empty()) state.fetching.insert(id);
}

std::vector<SessionId> Broker::Loaded() const {
  return {state_->loaded.begin(), state_->loaded.end()};
}

bool Broker::IsHeldUp() const { return !state_->held_up.empty(); }

// Batches that producers asked for while there was no room.
Result<> Broker::State::ServeFetches(const storage::ReadView& view, std::vector<Outgoing>& out) {
  for (const SessionId id : std::exchange(fetching, {})) {
    const auto found = sessions.find(id);
    if (found == sessions.end()) continue;
    BrokerSession& session = found->second;
    while (!session.fetches.empty() && HasRoom(session)) {
      const Fetch fetch = std::move(session.fetches.begin()->second);
      session.fetches.erase(session.fetches.begin());
      DIRSYNC_TRY(answer, AnswerFetch(view, session, fetch));
      out.push_back({id, std::move(answer)});
      CountOut(out, out.size() - 1);
    }
    if (!session.fetches.empty()) held_up.insert(id);
  }
  return {};
}

// An ack that found no room at its producer is told once there is: where the reader stands by now.
void Broker::State::TellOwed(BrokerStep& step, BrokerStream& stream) {
  const BrokerSession* producer = SessionOf(stream.producer);
  for (auto& [site, reader] : stream.readers) {
    if (!reader.owed || producer == nullptr || !HasRoom(*producer)) continue;
    reader.owed = false;
    step.Say(producer->id,
             Ack{stream.log.stream, reader.site, reader.hold.acked, {}, !reader.hold.holds});
  }
}

}  // namespace dirsync
