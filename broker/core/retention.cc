// How long the log is kept (R21): until all registered readers have acked, within bounds.
#include "broker/core/broker_state.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

bool Behind(const Position& a, const Position& b) {
  return Version{a.epoch.counter, a.sequence} < Version{b.epoch.counter, b.sequence};
}

}  // namespace

Result<> Broker::State::ReleaseHold(BrokerStep& step, BrokerStream& stream, BrokerReader& reader,
                                    const std::string& why) {
  reader.hold.holds = false;
  StoreHold(step, stream, reader);
  Event(step, "needs-ranges", reader.site, stream.log.stream.ToString(),
        reader.site + " " + why + ": its place in the log is given up; it will take a full copy");
  if (BrokerSession* producer = SessionOf(FoldName(stream.log.stream.site)); producer != nullptr)
    step.Say(producer->id, Ack{stream.log.stream, reader.site, reader.hold.acked, {}, true});
  return {};
}

Result<> Broker::State::Retain(BrokerStep& step, BrokerStream& stream) {
  const LogState& log = stream.log;
  if (log.batches == 0) return {};
  Position lowest = log.tail;
  for (auto& [site, reader] : stream.readers) {
    if (!reader.hold.holds || sites[site].entry.state != SiteState::kActive) continue;
    if (Behind(reader.hold.from, log.tail)) {
      const std::uint64_t lag = log.total - std::min(log.total, reader.hold.total);
      if (lag > settings.reader_bytes_max) {
        DIRSYNC_CHECK(ReleaseHold(step, stream, reader,
                                  "is " + std::to_string(lag / limits::kMiB) + " MiB behind"));
        continue;
      }
      DIRSYNC_TRY(oldest, StreamLog::After(step.transaction, log, reader.hold.from));
      if (oldest && oldest->time + std::chrono::seconds(settings.reader_seconds_max) < step.now) {
        DIRSYNC_CHECK(ReleaseHold(step, stream, reader, "has not read for too long"));
        continue;
      }
    }
    if (Behind(reader.hold.from, lowest)) lowest = reader.hold.from;
  }
  if (stream.readers.empty()) return {};
  DIRSYNC_CHECK(StreamLog::Trim(step.transaction, stream.log, lowest));
  return {};
}

}  // namespace dirsync
