#include "broker/page/counter_sums.h"

namespace dirsync {
namespace {

// A counter that is lower than before began again.
std::uint64_t Grown(std::uint64_t now, std::uint64_t before) {
  return now >= before ? now - before : now;
}

}  // namespace

void CounterSums::Update(const BrokerStats& stats) {
  for (const StreamStats& stream : stats.streams) {
    const std::string name = stream.stream.ToString();
    for (const auto& [outcome, count] : stream.rejected) {
      std::uint64_t& before = last_rejected_[{name, outcome}];
      rejected_[outcome] += Grown(count, before);
      before = count;
    }
    auto& last = last_[name];
    for (const ReaderStats& reader : stream.readers) {
      const std::array<std::uint64_t, kCounters> now = {
          reader.delivered_batches, reader.redelivered_batches, reader.nacks, reader.ranges,
          reader.report ? reader.report->applied : 0};
      auto& before = last[reader.site];
      ReaderCounters& sums = readers_[reader.site];
      sums.delivered += Grown(now[0], before[0]);
      sums.redelivered += Grown(now[1], before[1]);
      sums.nacks += Grown(now[2], before[2]);
      sums.ranges += Grown(now[3], before[3]);
      sums.applied += Grown(now[4], before[4]);
      before = now;
    }
  }
}

}  // namespace dirsync
