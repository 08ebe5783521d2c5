// Time as a value: there is no now() here on purpose; the loop passes it in.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace dirsync {

// Milliseconds since 1970-01-01 UTC.
using Instant = std::chrono::sys_time<std::chrono::milliseconds>;
using Duration = std::chrono::milliseconds;

inline std::int64_t ToMillis(Instant t) { return t.time_since_epoch().count(); }
inline Instant FromMillis(std::int64_t ms) { return Instant(Duration(ms)); }

// "2026-11-22T20:12:00Z" (seconds; UTC). Locale-free.
std::string FormatTime(Instant t);

}  // namespace dirsync
