#include "broker/core/histogram.h"

#include <algorithm>

namespace dirsync {

void Histogram::Count(std::uint64_t value, std::uint64_t times) {
  const auto bound = std::ranges::lower_bound(bounds_, value);
  counts_[static_cast<std::size_t>(bound - bounds_.begin())] += times;
  count_ += times;
  sum_ += value * times;
}

}  // namespace dirsync
