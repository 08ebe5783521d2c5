// Producers: PUBLISH into the log, FETCH out of it.
#include "broker/core/broker_state.h"
#include "proto/base/text.h"
#include "proto/codec/batch_codec.h"

namespace dirsync {
namespace {

constexpr std::uint32_t kRetrySeconds = 5;

bool IsRefusal(PublishOutcome outcome) {
  return outcome != PublishOutcome::kStored && outcome != PublishOutcome::kDuplicate;
}

}  // namespace

// Only own streams, and only what this site has signed; who signed what is in the header.
bool Broker::State::MayPublish(const BrokerSession& session, const Publish& publish,
                               const BrokerStream* known) {
  const RosterEntry& entry = sites[session.site].entry;
  if (publish.stream.organization != entry.organization || !publish.payload) return false;
  if (known != nullptr) {
    if (known->producer != session.site) return false;
  } else {
    if (FoldName(publish.stream.site) != session.site || publish.stream.instance.empty())
      return false;
    std::size_t own = 0;
    for (const auto& [name, stream] : streams) own += stream.producer == session.site ? 1 : 0;
    if (own >= limits::kStreamsPerSite) return false;
  }
  const auto header = PeekBatch(*publish.payload);
  return !header || header->signer == entry.signing_key;
}

Result<> Broker::State::TakePublish(BrokerStep& step, BrokerSession& session,
                                    const Publish& publish) {
  BrokerStream* known = StreamOf(publish.stream);
  if (!MayPublish(session, publish, known)) {
    const std::string outcome(PublishOutcomeName(PublishOutcome::kUnauthorized));
    CountRefused(step, session, outcome, publish.stream, "PUBLISH of what is not its own");
    if (known != nullptr && known->producer == session.site)
      ++known->rejected[PublishOutcome::kUnauthorized];
    step.Say(session.id,
             Published{publish.stream, publish.position, PublishOutcome::kUnauthorized});
    return {};
  }
  if (known != nullptr) return Store(step, session, publish, *known);
  // A stream is remembered only once something of it is stored.
  BrokerStream fresh;
  fresh.log.stream = publish.stream;
  fresh.log.number = last_number + 1;
  fresh.producer = session.site;
  DIRSYNC_CHECK(Store(step, session, publish, fresh));
  if (fresh.log.tail.epoch.counter == 0) return {};
  last_number = fresh.log.number;
  streams.emplace(publish.stream, std::move(fresh));
  news.insert(publish.stream);
  return {};
}

Result<> Broker::State::Store(BrokerStep& step, BrokerSession& session, const Publish& publish,
                              BrokerStream& stream) {
  for (const std::string& whose : {std::string(), stream.producer})
    if (IsFull(whose)) DIRSYNC_CHECK(MakeRoom(step, whose));
  const bool full = IsFull("") || IsFull(stream.producer);
  const LogState before = stream.log;
  // What is there already is a repeat, even where nothing more is taken: so it is judged first.
  storage::Transaction append(step.transaction);
  DIRSYNC_TRY(answer,
              StreamLog::Append(append, stream.log, publish, ids.NextIncarnationId(), step.now));
  ++stream.received;
  if (answer.outcome == PublishOutcome::kStored && (read_only || full)) {
    stream.log = before;
    answer.outcome = read_only ? PublishOutcome::kReadOnly : PublishOutcome::kQuota;
    answer.retry_seconds = kRetrySeconds;
  }
  if (answer.outcome == PublishOutcome::kStored) {
    step.transaction.Absorb(append);
    const auto header = PeekBatch(*publish.payload);
    const std::uint64_t size = publish.payload->size();
    ++stream.stored;
    stream.stored_bytes += size;
    stream.stored_changes += header->changes;
    CountKept(stream, before.bytes());
    recent.Put(stream.log.number, publish.position, publish.payload);
    CountMinute(stream, step.now, header->changes, size);
    TellBegun(step, before, stream);
    Wake(stream);
  } else if (answer.outcome == PublishOutcome::kDuplicate) {
    ++stream.duplicates;
  }
  if (IsRefusal(answer.outcome)) {
    ++stream.rejected[answer.outcome];
    CountRefused(step, session, std::string(PublishOutcomeName(answer.outcome)), publish.stream,
                 "PUBLISH of " + std::to_string(publish.position.sequence));
  }
  step.Say(session.id, std::move(answer));
  return {};
}

// A log that began, or began anew, and a new epoch: readers that stopped before a fork, or wait for
// a lost log, look again.
void Broker::State::TellBegun(BrokerStep& step, const LogState& before, BrokerStream& stream) {
  const LogState& log = stream.log;
  const std::string name = log.stream.ToString();
  if (before.incarnation != log.incarnation) {
    const std::string at = std::to_string(log.tail.sequence);
    Note(step, stream.producer, "new-incarnation", name,
         before.tail.epoch.counter == 0
             ? "the log begins at " + at
             : "the log stood at " + std::to_string(before.tail.sequence) + " and begins anew at " +
                   at);
    // Where it begins is said to be held by all, or by nobody: who is behind it takes a full copy.
    for (auto& [site, reader] : stream.readers) {
      if (!reader.hold.holds || !Behind(reader.hold.from, log.base)) continue;
      reader.hold.holds = false;
      StoreHold(step, stream, reader);
    }
  }
  if (before.tail.epoch.counter != 0 && before.tail.epoch != log.tail.epoch)
    Note(step, stream.producer, "new-epoch", name,
         "epoch " + std::to_string(log.tail.epoch.counter) + " follows epoch " +
             std::to_string(before.tail.epoch.counter));
  if (before.tail.epoch.counter == 0) return;  // not in `streams` yet
  if (before.incarnation != log.incarnation || before.tail.epoch != log.tail.epoch)
    news.insert(log.stream);
}

Result<> Broker::State::TakeFetch(BrokerStep& step, BrokerSession& session, const Fetch& fetch) {
  const BrokerStream* stream = StreamOf(fetch.stream);
  const bool own = stream != nullptr && stream->producer == session.site;
  if (!own) CountRefused(step, session, "FETCH", fetch.stream, "of a stream that is not its own");
  if (own && !HasRoom(session)) {
    session.fetches[stream->log.number] = fetch;
    held_up.insert(session.id);
    return {};
  }
  DIRSYNC_TRY(answer, AnswerFetch(step.transaction, session, fetch));
  step.Say(session.id, std::move(answer));
  return {};
}

Result<Message> Broker::State::AnswerFetch(const storage::ReadView& view,
                                           const BrokerSession& session, const Fetch& fetch) {
  const BrokerStream* stream = StreamOf(fetch.stream);
  if (stream != nullptr && stream->producer == session.site) {
    DIRSYNC_TRY(batch, StreamLog::Find(view, stream->log, fetch.position));
    if (batch)
      return dirsync::Deliver{fetch.stream, stream->log.incarnation, batch->position,
                              batch->payload};
  }
  return Nack{fetch.stream, fetch.position, ErrorCode::kNotFound, "not in the log"};
}

}  // namespace dirsync
