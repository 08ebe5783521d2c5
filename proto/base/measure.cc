#include "proto/base/measure.h"

#include <array>

namespace dirsync {

std::string DurationText(Duration duration) {
  constexpr std::int64_t kMinute = 60;
  constexpr std::int64_t kHour = 60 * kMinute;
  constexpr std::int64_t kDay = 24 * kHour;
  const std::int64_t seconds = duration.count() < 0 ? 0 : duration.count() / 1000;
  if (seconds < kMinute) return std::to_string(seconds) + " s";
  if (seconds < kHour) return std::to_string(seconds / kMinute) + " min";
  if (seconds < 2 * kDay) return std::to_string(seconds / kHour) + " h";
  return std::to_string(seconds / kDay) + " days";
}

std::string BytesText(std::uint64_t bytes) {
  static constexpr std::array<std::string_view, 6> kUnits = {"B",   "KiB", "MiB",
                                                             "GiB", "TiB", "PiB"};
  constexpr std::uint64_t kStep = 1024;
  std::size_t unit = 0;
  std::uint64_t tenths = 0;
  while (bytes >= kStep && unit + 1 < kUnits.size()) {
    tenths = bytes % kStep * 10 / kStep;
    bytes /= kStep;
    ++unit;
  }
  std::string text = std::to_string(bytes);
  if (unit > 0 && bytes < 10) text += "." + std::to_string(tenths);
  return text.append(" ").append(kUnits[unit]);
}

std::string CountText(std::uint64_t count, std::string_view singular, std::string_view plural) {
  std::string text = std::to_string(count);
  for (std::size_t at = text.size(); at > 3;) {
    at -= 3;
    text.insert(at, 1, ',');
  }
  text += " ";
  if (count == 1) return text.append(singular);
  return plural.empty() ? text.append(singular) + "s" : text.append(plural);
}

}  // namespace dirsync
