// Producers: PUBLISH into the log, FETCH out of it.
#include "broker/core/broker_state.h"
#include "proto/base/text.h"
#include "proto/codec/batch_codec.h"

namespace dirsync {
namespace {

constexpr std::uint32_t kRetrySeconds = 5;

}  // namespace

bool Broker::State::IsFull() const {
  std::uint64_t kept = 0;
  for (const auto& [name, stream] : streams) kept += stream.log.total - stream.log.base_total;
  return kept >= settings.log_bytes_max;
}

Result<> Broker::State::TakePublish(BrokerStep& step, BrokerSession& session,
                                    const Publish& publish) {
  Published answer{publish.stream, publish.position, PublishOutcome::kUnauthorized, 0, 0};
  const RosterEntry& entry = sites[session.site].entry;
  std::size_t own = 0;
  for (const auto& [name, stream] : streams) own += FoldName(name.site) == session.site ? 1 : 0;
  BrokerStream* known = StreamOf(publish.stream);
  bool allowed = publish.stream.organization == entry.organization &&
                 FoldName(publish.stream.site) == session.site && publish.payload &&
                 (known != nullptr || own < limits::kStreamsPerSite);
  if (allowed) {
    const auto header = PeekBatch(*publish.payload);
    allowed = !header || header->signer == entry.signing_key;
  }
  if (!allowed) {
    ++refusals[std::string(PublishOutcomeName(answer.outcome))];
    if (known != nullptr) ++known->rejected[answer.outcome];
    step.Say(session.id, std::move(answer));
    return {};
  }
  if (read_only || IsFull()) {
    answer.outcome = read_only ? PublishOutcome::kReadOnly : PublishOutcome::kQuota;
    answer.retry_seconds = kRetrySeconds;
    ++refusals[std::string(PublishOutcomeName(answer.outcome))];
    if (known != nullptr) ++known->rejected[answer.outcome];
    step.Say(session.id, std::move(answer));
    return {};
  }
  // A stream is remembered only once something of it is stored.
  BrokerStream fresh;
  if (known == nullptr) {
    fresh.log.stream = publish.stream;
    for (const auto& [name, stream] : streams)
      fresh.log.number = std::max(fresh.log.number, stream.log.number);
    ++fresh.log.number;
  }
  BrokerStream& stream = known != nullptr ? *known : fresh;
  const LogState before = stream.log;
  DIRSYNC_TRY(stored, StreamLog::Append(step.transaction, stream.log, publish,
                                        ids.NextIncarnationId(), step.now));
  ++stream.received;
  if (stored.outcome == PublishOutcome::kStored) {
    const auto header = PeekBatch(*publish.payload);
    ++stream.stored;
    stream.stored_bytes += publish.payload->size();
    stream.stored_changes += header->changes;
    CountMinute(stream, step.now, header->changes, publish.payload->size());
    if (before.incarnation != stream.log.incarnation)
      Event(step, "new-incarnation", entry.site, publish.stream.ToString(),
            before.tail.epoch.counter == 0
                ? "the log begins at " + std::to_string(publish.position.sequence)
                : "the log stood at " + std::to_string(before.tail.sequence) +
                      " and begins anew at " + std::to_string(publish.position.sequence));
    if (before.tail.epoch.counter != 0 && before.tail.epoch != publish.position.epoch)
      Event(step, "new-epoch", entry.site, publish.stream.ToString(),
            "epoch " + std::to_string(publish.position.epoch.counter) + " follows epoch " +
                std::to_string(before.tail.epoch.counter));
  } else if (stored.outcome == PublishOutcome::kDuplicate) {
    ++stream.duplicates;
  } else {
    ++stream.rejected[stored.outcome];
    ++refusals[std::string(PublishOutcomeName(stored.outcome))];
    if (stored.outcome == PublishOutcome::kConflict || stored.outcome == PublishOutcome::kFenced)
      Event(step, "refused", entry.site, publish.stream.ToString(),
            std::string(PublishOutcomeName(stored.outcome)) + " at " +
                std::to_string(publish.position.sequence));
  }
  const bool is_new = known == nullptr && stored.outcome == PublishOutcome::kStored;
  const bool begins =
      before.tail.epoch != stream.log.tail.epoch || before.incarnation != stream.log.incarnation;
  if (is_new) streams.emplace(publish.stream, std::move(fresh));
  step.Say(session.id, std::move(stored));
  // Readers that stopped before a fork, or wait for a lost log, look again.
  if (begins) SayStreamsToAll(step);
  return {};
}

Result<> Broker::State::TakeFetch(BrokerStep& step, BrokerSession& session, const Fetch& fetch) {
  const BrokerStream* stream = StreamOf(fetch.stream);
  if (stream != nullptr && FoldName(fetch.stream.site) == session.site) {
    DIRSYNC_TRY(batch, StreamLog::Find(step.transaction, stream->log, fetch.position));
    if (batch) {
      step.Say(session.id, dirsync::Deliver{fetch.stream, stream->log.incarnation, batch->position,
                                            batch->payload});
      return {};
    }
  }
  step.Say(session.id, Nack{fetch.stream, fetch.position, ErrorCode::kNotFound, "not in the log"});
  return {};
}

}  // namespace dirsync
