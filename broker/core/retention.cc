// How long the log is kept (R21): until all registered readers have acked, within bounds.
#include <algorithm>
#include <tuple>

#include "broker/core/broker_state.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr Duration kAgeEvery = std::chrono::minutes(1);
constexpr Duration kRoomEvery = std::chrono::seconds(1);
// Who came on within this time, or has nothing older to read, is healthy: a full log waits for it.
constexpr Duration kHealthy = std::chrono::minutes(10);

}  // namespace

void Broker::State::ReleaseHold(BrokerStep& step, BrokerStream& stream, BrokerReader& reader,
                                const std::string& why) {
  reader.hold.holds = false;
  StoreHold(step, stream, reader);
  Warn(step, FoldName(reader.site), "needs-ranges", stream.log.stream.ToString(),
       reader.site + " " + why + ": its place in the log is given up; it will take a full copy");
  if (BrokerSession* producer = SessionOf(stream.producer); producer != nullptr)
    step.Say(producer->id, Ack{stream.log.stream, reader.site, reader.hold.acked, {}, true});
}

void Broker::State::CountKept(const BrokerStream& stream, std::uint64_t before) {
  for (std::uint64_t* kept : {&log_bytes, &kept_of[stream.producer]}) {
    *kept += stream.log.bytes();
    *kept -= before;
  }
}

bool Broker::State::IsFull(const std::string& producer) const {
  if (producer.empty()) return log_bytes >= settings.log_bytes_max;
  const auto kept = kept_of.find(producer);
  return kept != kept_of.end() && kept->second >= settings.log_bytes_max / limits::kSiteShare;
}

Result<bool> Broker::State::Trim(BrokerStep& step, BrokerStream& stream, const Position& position) {
  const std::uint64_t before = stream.log.bytes();
  DIRSYNC_TRY(changed, StreamLog::Trim(step.transaction, stream.log, position));
  CountKept(stream, before);
  return changed;
}

Result<> Broker::State::Retain(BrokerStep& step, BrokerStream& stream) {
  if (stream.log.batches() > 0) {
    if (!IsActive(stream.producer)) {
      // Nobody may read it any more.
      DIRSYNC_CHECK(Trim(step, stream, stream.log.tail));
    } else if (stream.readers.empty()) {
      DIRSYNC_CHECK(TrimUnread(step, stream));
    } else {
      DIRSYNC_TRY(lowest, LowestHold(step, stream));
      DIRSYNC_CHECK(Trim(step, stream, lowest));
    }
  }
  DIRSYNC_CHECK(StreamLog::Sweep(step.transaction, stream.log));
  return {};
}

// Behind which everything is acked by those who count; who is too far behind counts no more.
Result<Position> Broker::State::LowestHold(BrokerStep& step, BrokerStream& stream) {
  const LogState& log = stream.log;
  const bool look = stream.aged + kAgeEvery <= step.now;
  if (look) stream.aged = step.now;
  Position lowest = log.tail;
  for (auto& [site, reader] : stream.readers) {
    const Position& from = reader.hold.from;
    if (!reader.hold.holds || !IsActive(site) || !Behind(from, log.tail)) continue;
    const std::uint64_t lag = log.total - std::min(log.total, reader.hold.total);
    if (lag > settings.reader_bytes_max) {
      ReleaseHold(step, stream, reader, "is " + std::to_string(lag / limits::kMiB) + " MiB behind");
      continue;
    }
    if (look) {
      DIRSYNC_TRY(oldest, StreamLog::After(step.transaction, log, from));
      if (oldest && oldest->time + std::chrono::seconds(settings.reader_seconds_max) < step.now) {
        ReleaseHold(step, stream, reader, "has not read for too long");
        continue;
      }
    }
    if (Behind(from, lowest)) lowest = from;
  }
  return lowest;
}

// Readers may come that stand here by files: it is kept as for one, within the same bounds.
Result<> Broker::State::TrimUnread(BrokerStep& step, BrokerStream& stream) {
  const bool look = stream.aged + kAgeEvery <= step.now;
  if (look) stream.aged = step.now;
  for (std::size_t steps = 0; steps < limits::kStepRows / 8; ++steps) {
    const bool large = stream.log.bytes() > settings.reader_bytes_max;
    if (!large && !look) return {};
    DIRSYNC_TRY(oldest, StreamLog::After(step.transaction, stream.log, stream.log.base));
    if (!oldest) return {};
    const bool old = oldest->time + std::chrono::seconds(settings.reader_seconds_max) < step.now;
    if (!large && !old) return {};
    DIRSYNC_CHECK(Trim(step, stream, oldest->position));
  }
  return {};
}

Result<bool> Broker::State::IsStuck(const BrokerStep& step, const BrokerStream& stream,
                                    const BrokerReader& reader) const {
  if (std::max(reader.moved, started) + kHealthy > step.now) return false;
  DIRSYNC_TRY(oldest, StreamLog::After(step.transaction, stream.log, reader.hold.from));
  return oldest && oldest->time + kHealthy <= step.now;
}

Result<> Broker::State::MakeRoomWhereFull(BrokerStep& step) {
  if (IsFull("")) DIRSYNC_CHECK(MakeRoom(step, ""));
  for (const auto& [producer, kept] : kept_of)
    if (IsFull(producer)) DIRSYNC_CHECK(MakeRoom(step, producer));
  return {};
}

// The log is full, or what one site may fill of it: what nobody reads goes first, then the holds of
// readers that do not come on, the largest first. Healthy ones keep theirs, and their producers
// wait.
Result<> Broker::State::MakeRoom(BrokerStep& step, const std::string& producer) {
  Instant& last = roomed[producer];
  if (last + kRoomEvery > step.now && last <= step.now) return {};
  last = step.now;
  std::vector<std::tuple<std::uint64_t, BrokerStream*, BrokerReader*>> stuck;
  for (auto& [name, stream] : streams) {
    const bool counts = producer.empty() || stream.producer == producer;
    if (!counts || stream.log.batches() == 0) continue;
    DIRSYNC_CHECK(Retain(step, stream));
    if (stream.readers.empty()) DIRSYNC_CHECK(Trim(step, stream, stream.log.tail));
    for (auto& [site, reader] : stream.readers) {
      if (!reader.hold.holds || !IsActive(site) || !Behind(reader.hold.from, stream.log.tail))
        continue;
      DIRSYNC_TRY(is_stuck, IsStuck(step, stream, reader));
      if (is_stuck)
        stuck.emplace_back(stream.log.total - std::min(stream.log.total, reader.hold.total),
                           &stream, &reader);
    }
  }
  std::ranges::stable_sort(
      stuck, [](const auto& a, const auto& b) { return std::get<0>(a) > std::get<0>(b); });
  for (auto& [lag, stream, reader] : stuck) {
    if (!IsFull(producer)) break;
    ReleaseHold(step, *stream, *reader, "does not read, and the log is full");
    DIRSYNC_TRY(lowest, LowestHold(step, *stream));
    DIRSYNC_CHECK(Trim(step, *stream, lowest));
  }
  return {};
}

}  // namespace dirsync
