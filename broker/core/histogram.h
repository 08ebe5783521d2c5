// How often something took how long, or was how large: counts by bounds, as Prometheus adds them
// up.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace dirsync {

// Grows only, and is as large as its bounds are many. Not thread-safe.
class Histogram {
 public:
  // `bounds` rise and stay where they are: constants.
  explicit Histogram(std::span<const std::uint64_t> bounds)
      : bounds_(bounds), counts_(bounds.size() + 1) {}

  // `value` was seen `times` times; a value that is a bound counts below it.
  void Count(std::uint64_t value, std::uint64_t times = 1);

  std::span<const std::uint64_t> bounds() const { return bounds_; }
  // Of the values up to each bound and above the one before; at its end, of those above the last.
  const std::vector<std::uint64_t>& counts() const { return counts_; }
  std::uint64_t count() const { return count_; }
  std::uint64_t sum() const { return sum_; }

 private:
  std::span<const std::uint64_t> bounds_;
  std::vector<std::uint64_t> counts_;
  std::uint64_t count_ = 0;
  std::uint64_t sum_ = 0;
};

}  // namespace dirsync
