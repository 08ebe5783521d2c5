#include "proto/daemon/repeat_filter.h"

#include "proto/base/limits.h"

namespace dirsync {
namespace {

constexpr auto kWindow = std::chrono::minutes(1);

}  // namespace

bool RepeatFilter::Pass(const std::string& line, Instant now) {
  auto found = seen_.find(line);
  if (found == seen_.end()) {
    // Too many different lines to remember: they are told, for nothing repeats there.
    if (seen_.size() >= limits::kRepeatsKept) return true;
    found = seen_.emplace(line, Seen{now, 0}).first;
  }
  return ++found->second.times <= limits::kRepeatsTold;
}

std::vector<RepeatFilter::Untold> RepeatFilter::Take(Instant now) {
  std::vector<Untold> untold;
  for (auto it = seen_.begin(); it != seen_.end();) {
    const Seen& seen = it->second;
    // A clock that went back ends the minute too.
    if (now != kEnd && now >= seen.since && now - seen.since < kWindow) {
      ++it;
      continue;
    }
    if (seen.times > limits::kRepeatsTold)
      untold.push_back({it->first, seen.times - limits::kRepeatsTold});
    it = seen_.erase(it);
  }
  return untold;
}

}  // namespace dirsync
