// Readers: subscriptions, deliveries within credit, acks.
#include <algorithm>

#include "broker/core/broker_state.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::uint64_t kTurnBytes = 1 * limits::kMiB;  // of one stream, before the next has a turn

bool Behind(const Position& a, const Position& b) {
  return Version{a.epoch.counter, a.sequence} < Version{b.epoch.counter, b.sequence};
}

}  // namespace

void Broker::State::StoreHold(BrokerStep& step, const BrokerStream& stream,
                              const BrokerReader& reader) const {
  step.transaction.Put(storage::LogReaderKey(stream.log.number, FoldName(reader.site)),
                       EncodeHold(reader.hold));
}

// Registered at its first word; from then on its ack holds the log (B13).
BrokerReader& Broker::State::ReaderOf(BrokerStep& step, BrokerStream& stream,
                                      const std::string& site) {
  const auto [found, is_new] = stream.readers.try_emplace(site);
  BrokerReader& reader = found->second;
  if (is_new) {
    reader.site = sites[site].entry.site;
    reader.hold = {reader.site, {}, stream.log.tail, stream.log.total, step.now, true};
    StoreHold(step, stream, reader);
  }
  return reader;
}

Result<> Broker::State::TakeSubscribe(BrokerStep& step, BrokerSession& session,
                                      const Subscribe& subscribe) {
  Subscribed answer{subscribe.stream, SubscribeOutcome::kNotFound, {}, {}};
  BrokerStream* stream = StreamOf(subscribe.stream);
  const auto producer = sites.find(FoldName(subscribe.stream.site));
  if (stream == nullptr || FoldName(subscribe.stream.site) == session.site ||
      producer == sites.end() || producer->second.entry.state != SiteState::kActive) {
    if (stream != nullptr) ++refusals["SUBSCRIBE"];
    step.Say(session.id, std::move(answer));
    return {};
  }
  answer.incarnation = stream->log.incarnation;
  answer.tail = stream->log.tail;
  BrokerReader& reader = ReaderOf(step, *stream, session.site);
  reader.session = 0;
  auto batches = StreamLog::Read(step.transaction, stream->log, subscribe.cursor, 0);
  if (batches) {
    answer.outcome = SubscribeOutcome::kGoesOn;
    reader.session = session.id;
    reader.sent = subscribe.cursor;
    DIRSYNC_TRY(mark, StreamLog::Mark(step.transaction, stream->log, subscribe.cursor));
    reader.hold.holds = true;
    // Where the reader is, it says itself: its store may have been put back.
    reader.hold.acked = subscribe.cursor;
    reader.hold.from = subscribe.cursor;
    if (mark) reader.hold.total = mark->total;
    reader.refused.reset();
  } else if (batches.error().code == ErrorCode::kNeedsRanges) {
    answer.outcome = SubscribeOutcome::kNeedsRanges;
    // What comes from now on is kept until it has its full copy.
    reader.hold.from = stream->log.tail;
    reader.hold.total = stream->log.total;
    reader.hold.holds = true;
  } else if (batches.error().code == ErrorCode::kLogTruncated) {
    answer.outcome = SubscribeOutcome::kTruncated;
  } else if (batches.error().code == ErrorCode::kFork) {
    answer.outcome = SubscribeOutcome::kFork;
    Event(step, "fork", reader.site, subscribe.stream.ToString(), batches.error().message);
  } else {
    return std::unexpected(batches.error());
  }
  if (answer.outcome != SubscribeOutcome::kGoesOn) reader.refused = answer.outcome;
  StoreHold(step, *stream, reader);
  step.Say(session.id, std::move(answer));
  return {};
}

Result<> Broker::State::TakeUnsubscribe(BrokerStep& step, BrokerSession& session,
                                        const Unsubscribe& message) {
  BrokerStream* stream = StreamOf(message.stream);
  if (stream == nullptr) return {};
  const auto reader = stream->readers.find(session.site);
  if (reader == stream->readers.end()) return {};
  reader->second.session = 0;
  if (!message.forget) return {};
  step.transaction.Delete(storage::LogReaderKey(stream->log.number, session.site));
  stream->readers.erase(reader);
  return {};
}

Result<> Broker::State::TakeAck(BrokerStep& step, BrokerSession& session, const Ack& ack) {
  BrokerStream* stream = StreamOf(ack.stream);
  if (stream == nullptr || FoldName(ack.stream.site) == session.site) {
    ++refusals["ACK"];
    return {};
  }
  BrokerReader& reader = ReaderOf(step, *stream, session.site);
  reader.last_ack = step.now;
  if (Behind(stream->log.tail, ack.position)) {
    // Of what came by file, or invented: the log learns of it when its producer tells it.
    ++refusals["ACK_AHEAD"];
  } else if (Behind(reader.hold.acked, ack.position)) {
    DIRSYNC_TRY(mark, StreamLog::Mark(step.transaction, stream->log, ack.position));
    if (mark) {
      reader.hold.acked = ack.position;
      if (Behind(reader.hold.from, ack.position)) {
        reader.hold.from = ack.position;
        reader.hold.total = mark->total;
      }
      StoreHold(step, *stream, reader);
    } else if (!Behind(ack.position, stream->log.base)) {
      ++refusals["ACK_UNKNOWN"];
    }
  }
  if (BrokerSession* producer = SessionOf(FoldName(ack.stream.site)); producer != nullptr) {
    Ack forwarded = ack;
    forwarded.reader = reader.site;
    forwarded.needs_ranges = false;
    step.Say(producer->id, std::move(forwarded));
  }
  return {};
}

Result<> Broker::State::TakeNack(BrokerStep& step, BrokerSession& session, const Nack& nack) {
  BrokerStream* stream = StreamOf(nack.stream);
  if (stream == nullptr) return {};
  const auto reader = stream->readers.find(session.site);
  if (reader == stream->readers.end()) return {};
  ++reader->second.nacks;
  reader->second.session = 0;
  Event(step, "nack", reader->second.site, nack.stream.ToString(),
        std::string(InfoOf(nack.code).text) + " at " + std::to_string(nack.position.sequence) +
            ": " + Printable(nack.text));
  return {};
}

// What the session's credit allows, of each of its streams a turn. Whether something is left that
// only `bytes` held back.
Result<bool> Broker::State::Deliver(const storage::ReadView& view, BrokerSession& session,
                                    std::uint64_t& bytes, std::vector<Outgoing>& out) {
  bool left = false;
  for (auto& [name, stream] : streams) {
    const auto found = stream.readers.find(session.site);
    if (found == stream.readers.end() || found->second.session != session.id) continue;
    BrokerReader& reader = found->second;
    if (reader.sent == stream.log.tail) continue;
    const std::uint64_t room = std::min({session.credit, bytes, kTurnBytes});
    if (room == 0) return bytes == 0;
    auto batches = StreamLog::Read(view, stream.log, reader.sent, room);
    if (!batches) {
      // The log began anew under it: it must say where it stands.
      if (batches.error().code == ErrorCode::kCorrupt || batches.error().code == ErrorCode::kIo)
        return std::unexpected(batches.error());
      reader.session = 0;
      out.push_back(
          {session.id,
           Subscribed{name, SubscribeOutcome::kTruncated, stream.log.incarnation, stream.log.tail},
           false});
      continue;
    }
    for (LogBatch& batch : *batches) {
      const std::uint64_t size = batch.payload->size();
      session.credit -= std::min(session.credit, size);
      bytes -= std::min(bytes, size);
      ++reader.delivered;
      if (Behind(reader.furthest, batch.position)) {
        reader.furthest = batch.position;
      } else {
        ++reader.redelivered;
      }
      reader.sent = batch.position;
      out.push_back(
          {session.id,
           dirsync::Deliver{name, stream.log.incarnation, batch.position, std::move(batch.payload)},
           false});
    }
    left = left || (reader.sent != stream.log.tail && session.credit > 0);
  }
  return left;
}

}  // namespace dirsync
