// Durations, sizes and counts as people read them. Locale-free, whole numbers only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/base/time.h"

namespace dirsync {

// The largest unit that fits, cut: "0 s", "59 s", "12 min", "3 h", "45 days". Negative is "0 s".
std::string DurationText(Duration duration);

// "512 B", "1.5 KiB", "12 MiB": at most three digits, cut.
std::string BytesText(std::uint64_t bytes);

// "1 batch", "1,234 batches"; `plural` defaults to `singular` + "s".
std::string CountText(std::uint64_t count, std::string_view singular, std::string_view plural = {});

}  // namespace dirsync
