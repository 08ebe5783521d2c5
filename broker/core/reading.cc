// Readers: who is registered, where each of them stands, what it has acked.
#include <algorithm>

#include "broker/core/broker_state.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

// nullopt: of storage; the loop must stop.
std::optional<SubscribeOutcome> OutcomeOf(const Error& error) {
  if (error.code == ErrorCode::kNeedsRanges) return SubscribeOutcome::kNeedsRanges;
  if (error.code == ErrorCode::kLogTruncated) return SubscribeOutcome::kTruncated;
  if (error.code == ErrorCode::kFork) return SubscribeOutcome::kFork;
  return std::nullopt;
}

// Who asks again for what it had already does not come on: a full log waits for it no longer.
void ComeOn(BrokerReader& reader, const Position& position, Instant now) {
  const Version at{position.epoch.counter, position.sequence};
  if (!(reader.reached < at)) return;
  reader.reached = at;
  reader.moved = now;
}

}  // namespace

void Broker::State::StoreHold(BrokerStep& step, const BrokerStream& stream,
                              const BrokerReader& reader) const {
  step.transaction.Put(storage::LogReaderKey(stream.log.number, FoldName(reader.site)),
                       EncodeHold(reader.hold));
}

// Registered at its first word; from then on the log is kept for it (B13).
BrokerReader& Broker::State::ReaderOf(BrokerStep& step, BrokerStream& stream,
                                      const std::string& site) {
  const auto [found, is_new] = stream.readers.try_emplace(site);
  BrokerReader& reader = found->second;
  if (is_new) {
    reader.site = sites[site].entry.site;
    reader.moved = step.now;
    reader.hold = {reader.site, {}, stream.log.tail, stream.log.total, step.now, true};
    StoreHold(step, stream, reader);
  }
  return reader;
}

Result<> Broker::State::TakeSubscribe(BrokerStep& step, BrokerSession& session,
                                      const Subscribe& subscribe) {
  BrokerStream* stream = StreamOf(subscribe.stream);
  if (stream == nullptr || stream->producer == session.site || !IsActive(stream->producer)) {
    if (stream != nullptr)
      CountRefused(step, session, "SUBSCRIBE", subscribe.stream,
                   stream->producer == session.site ? "its own stream"
                                                    : "its producer is not an active site");
    step.Say(session.id, Subscribed{subscribe.stream, SubscribeOutcome::kNotFound, {}, {}});
    return {};
  }
  BrokerReader& reader = ReaderOf(step, *stream, session.site);
  Detach(*stream, reader);
  SubscribeOutcome outcome = SubscribeOutcome::kGoesOn;
  auto mark = StreamLog::Stand(step.transaction, stream->log, subscribe.cursor);
  if (mark) {
    // Where the reader is, it says itself: its store may have been put back.
    reader.hold.acked = reader.hold.from = subscribe.cursor;
    reader.hold.total = mark->total;
    reader.hold.holds = true;
    ComeOn(reader, subscribe.cursor, step.now);
    reader.refused.reset();
    reader.sent = subscribe.cursor;
    Attach(*stream, reader, session);
  } else if (const auto refused = OutcomeOf(mark.error()); refused) {
    outcome = *refused;
    SubscribeRefused(step, *stream, reader, outcome, mark.error().message);
  } else {
    return std::unexpected(mark.error());
  }
  StoreHold(step, *stream, reader);
  step.Say(session.id,
           Subscribed{subscribe.stream, outcome, stream->log.incarnation, stream->log.tail});
  return {};
}

void Broker::State::SubscribeRefused(BrokerStep& step, BrokerStream& stream, BrokerReader& reader,
                                     SubscribeOutcome outcome, const std::string& text) {
  reader.refused = outcome;
  const std::string site = FoldName(reader.site);
  const std::string name = stream.log.stream.ToString();
  if (outcome == SubscribeOutcome::kFork) Warn(step, site, "fork", name, text);
  if (outcome == SubscribeOutcome::kTruncated) Warn(step, site, "log-behind", name, text);
  if (outcome != SubscribeOutcome::kNeedsRanges) return;
  // What comes from now on is kept until it has its full copy; what is kept for that already, stays
  // so: it may be asking again in the middle of one.
  const bool kept = reader.hold.holds && !Behind(reader.hold.from, stream.log.base);
  if (kept) return;
  reader.hold.from = stream.log.tail;
  reader.hold.total = stream.log.total;
  reader.hold.holds = true;
}

Result<> Broker::State::TakeUnsubscribe(BrokerStep& step, BrokerSession& session,
                                        const Unsubscribe& message) {
  BrokerStream* stream = StreamOf(message.stream);
  if (stream == nullptr) return {};
  const auto reader = stream->readers.find(session.site);
  if (reader == stream->readers.end()) return {};
  Detach(*stream, reader->second);
  if (!message.forget) return {};
  step.transaction.Delete(storage::LogReaderKey(stream->log.number, session.site));
  stream->readers.erase(reader);
  return {};
}

// Each entry that is wanted is told whole to all readers. What is too much is wanted again, later.
bool Broker::State::MayWant(BrokerReader& reader, std::size_t count, Instant now) {
  const Duration window = std::chrono::seconds(limits::kWantSeconds);
  if (reader.wants_since > now || reader.wants_since + window <= now) {
    reader.wants_since = now;
    reader.wants = 0;
  }
  if (reader.wants + count > limits::kWantIds) return false;
  reader.wants += count;
  return true;
}

Result<> Broker::State::TakeAck(BrokerStep& step, BrokerSession& session, const Ack& ack) {
  BrokerStream* stream = StreamOf(ack.stream);
  if (stream == nullptr || stream->producer == session.site || !IsActive(stream->producer)) {
    CountRefused(step, session, "ACK", ack.stream, "of no stream that it reads");
    return {};
  }
  const LogState& log = stream->log;
  if (Behind(log.tail, ack.position)) {
    // The log learns of it when its producer tells it; until then nobody can say what it is.
    CountRefused(step, session, "ACK_AHEAD", ack.stream,
                 "acks " + std::to_string(ack.position.sequence) + ", the log ends at " +
                     std::to_string(log.tail.sequence));
    return {};
  }
  DIRSYNC_TRY(mark, StreamLog::Mark(step.transaction, log, ack.position));
  if (!mark && Behind(log.base, ack.position)) {
    CountRefused(step, session, "ACK_UNKNOWN", ack.stream,
                 "acks another batch " + std::to_string(ack.position.sequence));
    return {};
  }
  BrokerReader& reader = ReaderOf(step, *stream, session.site);
  ReaderHold& hold = reader.hold;
  reader.last_ack = step.now;
  if (mark && Behind(hold.acked, ack.position)) {
    hold.acked = ack.position;
    ComeOn(reader, ack.position, step.now);
    CountAck(session.site, step.now - mark->time);
    const bool back = !hold.holds && log.total - mark->total <= settings.reader_bytes_max;
    if (back || Behind(hold.from, ack.position)) {
      hold.from = ack.position;
      hold.total = mark->total;
    }
    hold.holds = hold.holds || back;
    StoreHold(step, *stream, reader);
  }
  const BrokerSession* producer = SessionOf(stream->producer);
  reader.owed = producer != nullptr && !HasRoom(*producer);
  if (producer != nullptr && !reader.owed) {
    Ack forwarded = ack;
    if (!MayWant(reader, ack.wants.size(), step.now)) {
      forwarded.wants.clear();
      ++refusals["WANTS"];
    }
    forwarded.reader = reader.site;
    forwarded.needs_ranges = !hold.holds;
    step.Say(producer->id, std::move(forwarded));
  }
  return {};
}

Result<> Broker::State::TakeNack(BrokerStep& step, BrokerSession& session, const Nack& nack) {
  BrokerStream* stream = StreamOf(nack.stream);
  const bool reads = stream != nullptr && stream->readers.contains(session.site);
  if (!reads) {
    CountRefused(step, session, "NACK", nack.stream, "of no stream that it reads");
    return {};
  }
  BrokerReader& reader = stream->readers.at(session.site);
  ++reader.nacks;
  Detach(*stream, reader);
  Warn(step, session.site, "nack", nack.stream.ToString(),
       std::string(InfoOf(nack.code).text) + " at " + std::to_string(nack.position.sequence) +
           ": " + Printable(nack.text));
  return {};
}

}  // namespace dirsync
