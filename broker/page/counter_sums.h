// Sums of counters that never fall, although what they are summed over comes and goes: a reader
// that is forgotten takes its own counters away, and an agent that starts again begins at 0.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "broker/core/broker_stats.h"

namespace dirsync {

struct ReaderCounters {
  std::uint64_t delivered = 0, redelivered = 0, nacks = 0, ranges = 0, applied = 0;
};

// Not thread-safe.
class CounterSums {
 public:
  // Adds what was counted since the last call.
  void Update(const BrokerStats& stats);
  const std::map<std::string, ReaderCounters>& readers() const { return readers_; }  // by site
  const std::map<PublishOutcome, std::uint64_t>& rejected() const { return rejected_; }

 private:
  static constexpr std::size_t kCounters = 5;
  // By stream, then by reader: names of streams are long and alike.
  std::map<std::string, std::map<std::string, std::array<std::uint64_t, kCounters>>> last_;
  std::map<std::pair<std::string, PublishOutcome>, std::uint64_t> last_rejected_;
  std::map<std::string, ReaderCounters> readers_;
  std::map<PublishOutcome, std::uint64_t> rejected_;
};

}  // namespace dirsync
