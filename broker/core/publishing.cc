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

// Only a site's own streams, signed by its own key.
bool Broker::State::MayPublish(const BrokerSession& session, const Publish& publish) {
  const RosterEntry& entry = sites[session.site].entry;
  if (publish.stream.organization != entry.organization || !publish.payload ||
      FoldName(publish.stream.site) != session.site)
    return false;
  if (StreamOf(publish.stream) == nullptr) {
    std::size_t own = 0;
    for (const auto& [name, stream] : streams) own += FoldName(name.site) == session.site ? 1 : 0;
    if (own >= limits::kStreamsPerSite) return false;
  }
  const auto header = PeekBatch(*publish.payload);
  return !header || header->signer == entry.signing_key;
}

Result<> Broker::State::TakePublish(BrokerStep& step, BrokerSession& session,
                                    const Publish& publish) {
  BrokerStream* known = StreamOf(publish.stream);
  std::optional<PublishOutcome> refused;
  if (!MayPublish(session, publish)) {
    refused = PublishOutcome::kUnauthorized;
  } else if (read_only) {
    refused = PublishOutcome::kReadOnly;
  } else if (IsFull()) {
    refused = PublishOutcome::kQuota;
  }
  if (refused) {
    ++refusals[std::string(PublishOutcomeName(*refused))];
    if (known != nullptr) ++known->rejected[*refused];
    const bool later = *refused != PublishOutcome::kUnauthorized;
    step.Say(session.id,
             Published{publish.stream, publish.position, *refused, 0, later ? kRetrySeconds : 0});
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
  DIRSYNC_TRY(answer, StreamLog::Append(step.transaction, stream.log, publish,
                                        ids.NextIncarnationId(), step.now));
  CountPublish(step, stream, before, publish, answer.outcome);
  const bool begins =
      before.tail.epoch != stream.log.tail.epoch || before.incarnation != stream.log.incarnation;
  if (known == nullptr && answer.outcome == PublishOutcome::kStored)
    streams.emplace(publish.stream, std::move(fresh));
  step.Say(session.id, std::move(answer));
  // Readers that stopped before a fork, or wait for a lost log, look again.
  if (begins) SayStreamsToAll(step);
  return {};
}

void Broker::State::CountPublish(BrokerStep& step, BrokerStream& stream, const LogState& before,
                                 const Publish& publish, PublishOutcome outcome) {
  const std::string site = Printable(publish.stream.site);
  const std::string name = publish.stream.ToString();
  const std::string at = std::to_string(publish.position.sequence);
  ++stream.received;
  if (outcome == PublishOutcome::kDuplicate) {
    ++stream.duplicates;
    return;
  }
  if (outcome != PublishOutcome::kStored) {
    ++stream.rejected[outcome];
    ++refusals[std::string(PublishOutcomeName(outcome))];
    if (outcome == PublishOutcome::kConflict || outcome == PublishOutcome::kFenced)
      Event(step, "refused", site, name, std::string(PublishOutcomeName(outcome)) + " at " + at);
    return;
  }
  const auto header = PeekBatch(*publish.payload);
  ++stream.stored;
  stream.stored_bytes += publish.payload->size();
  stream.stored_changes += header->changes;
  CountMinute(stream, step.now, header->changes, publish.payload->size());
  if (before.incarnation != stream.log.incarnation)
    Event(step, "new-incarnation", site, name,
          before.tail.epoch.counter == 0
              ? "the log begins at " + at
              : "the log stood at " + std::to_string(before.tail.sequence) +
                    " and begins anew at " + at);
  if (before.tail.epoch.counter != 0 && before.tail.epoch != publish.position.epoch)
    Event(step, "new-epoch", site, name,
          "epoch " + std::to_string(publish.position.epoch.counter) + " follows epoch " +
              std::to_string(before.tail.epoch.counter));
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
