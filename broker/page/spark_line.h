// A day of one number as a small drawing, with its peak in words: readable without seeing it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "broker/core/broker_stats.h"

namespace dirsync {

// Inline SVG of `values` (oldest first, one a minute, the last at `end`), with a sentence below.
// Each column is the largest of ten minutes. `unit`: "changes a minute".
std::string SparkLine(const std::vector<std::uint64_t>& values, Instant end, std::string_view label,
                      std::string_view unit);

}  // namespace dirsync
