// What a broker is told by its configuration: bounds and the organisation it serves.
#pragma once

#include <cstdint>
#include <string>

#include "proto/base/ids.h"
#include "proto/base/limits.h"

namespace dirsync {

struct BrokerSettings {
  std::string organization;    // empty: that of the first site that is approved
  PublicKey organization_key;  // signs the roster
  // Retention (R21): beyond either bound a reader that lags loses its hold on a stream's log.
  // At most limits::kReaderBytes, whatever is set.
  std::uint64_t reader_bytes_max = limits::kReaderBytes;
  std::int64_t reader_seconds_max = 30LL * 24 * 3600;
  // Of all logs together: beyond, PUBLISH is answered QUOTA.
  std::uint64_t log_bytes_max = 16 * limits::kGiB;
  std::uint64_t window_bytes = limits::kPublishWindow;
  std::uint64_t credit_bytes_max = limits::kCreditBytes;
  std::uint32_t heartbeat_seconds = limits::kHeartbeatSeconds;
  std::uint32_t silence_seconds = limits::kSessionSilenceSeconds;
  std::uint32_t sessions_max = limits::kSessions;
  auto operator<=>(const BrokerSettings&) const = default;
};

}  // namespace dirsync
