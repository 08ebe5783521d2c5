// Deliveries: within credit, in order, a turn for each session and each of its streams.
#include <algorithm>

#include "broker/core/broker_state.h"
#include "storage/storage_error.h"

namespace dirsync {
namespace {

constexpr std::uint64_t kTurnBytes = 1 * limits::kMiB;  // of one stream, before the next has a turn

}  // namespace

// Goes on with the turn of a stream, or begins that of the next one that has something to send.
// Whether anything was sent. A batch larger than what is left of the credit is sent, and owed.
Result<bool> Broker::State::Deliver(const storage::ReadView& view, BrokerSession& session,
                                    std::uint64_t& bytes, std::vector<Outgoing>& out) {
  if (session.turn_left == 0 || !session.waiting.contains(session.turn)) {
    auto next = session.waiting.upper_bound(session.turn);
    if (next == session.waiting.end()) next = session.waiting.begin();
    session.turn = *next;
    session.turn_left = kTurnBytes;
  }
  BrokerStream& stream = *session.reads.at(session.turn);
  BrokerReader& reader = stream.readers.at(session.site);
  const std::uint64_t room =
      std::min({static_cast<std::uint64_t>(session.credit), bytes, session.turn_left});
  const std::size_t before = out.size();
  auto batches = StreamLog::Read(view, stream.log, reader.sent, room, &recent);
  if (!batches) {
    const ErrorCode code = batches.error().code;
    if (IsStorageError(code)) return std::unexpected(batches.error());
    // The log went on without it, or began anew: it must say where it stands.
    Detach(stream, reader);
    session.turn_left = 0;
    const bool gone = code == ErrorCode::kNeedsRanges;
    reader.refused = gone ? SubscribeOutcome::kNeedsRanges : SubscribeOutcome::kTruncated;
    out.push_back({session.id, Subscribed{stream.log.stream, *reader.refused,
                                          stream.log.incarnation, stream.log.tail}});
    return true;
  }
  for (LogBatch& batch : *batches) {
    const std::uint64_t size = batch.payload->size();
    session.credit -= static_cast<std::int64_t>(size);
    bytes -= std::min(bytes, size);
    session.turn_left -= std::min(session.turn_left, size);
    ++reader.delivered;
    const Version at{batch.position.epoch.counter, batch.position.sequence};
    if (reader.furthest < at) {
      reader.furthest = at;
    } else {
      ++reader.redelivered;
    }
    reader.sent = batch.position;
    out.push_back({session.id, dirsync::Deliver{stream.log.stream, stream.log.incarnation,
                                                batch.position, std::move(batch.payload)}});
  }
  CountOut(out, before);
  if (reader.sent == stream.log.tail) session.waiting.erase(stream.log.number);
  if (reader.sent == stream.log.tail || batches->empty()) session.turn_left = 0;
  return !batches->empty();
}

Result<bool> Broker::Pump(const storage::ReadView& view, Instant, std::uint64_t bytes,
                          std::vector<Outgoing>& out) {
  State& state = *state_;
  const std::size_t before = out.size();
  state.Announce(out);
  state.CountOut(out, before);
  DIRSYNC_CHECK(state.ServeFetches(view, out));
  // Those for whom `view` has nothing yet wait for the next pump.
  std::set<SessionId> idle;
  while (idle.size() < state.ready.size()) {
    // Each session in turn; a turn that `bytes` cut short goes on.
    auto next = state.ready.find(state.turn);
    if (next == state.ready.end() || state.sessions.at(*next).turn_left == 0)
      next = state.ready.upper_bound(state.turn);
    if (next == state.ready.end()) next = state.ready.begin();
    state.turn = *next;
    if (idle.contains(*next)) continue;
    if (bytes == 0) return true;
    BrokerSession& session = state.sessions.at(*next);
    if (!state.HasRoom(session)) {
      state.ready.erase(session.id);
      state.held_up.insert(session.id);
      continue;
    }
    bool sent = false;
    // Its streams, until one of them has something in `view`.
    for (std::size_t tries = session.waiting.size(); tries > 0 && !sent; --tries) {
      if (session.waiting.empty()) break;
      DIRSYNC_TRY(some, state.Deliver(view, session, bytes, out));
      sent = some;
    }
    if (session.waiting.empty() || session.credit <= 0)
      state.ready.erase(session.id);
    else if (!sent)
      idle.insert(session.id);
  }
  return false;
}

}  // namespace dirsync
