// Whether a log holds what its producer told: numbers, chain, digests, signatures.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "broker/core/stream_log.h"

namespace dirsync {

struct LogCheck {
  std::uint64_t batches = 0;        // looked at
  std::uint64_t bytes = 0;          // likewise
  std::uint64_t other_key = 0;      // of them, signed by another key than the roster has now
  std::vector<std::string> faults;  // what is wrong, at most kFaultsMost
  static constexpr std::size_t kFaultsMost = 100;
};

// Batches behind `from` (state.base, or the position of a mark) up to the tail. Of each: the digest
// of its bytes is the one that the log has; its number and its predecessor's digest follow; the
// signature is of the roster's key for the site. `stop` is asked between steps. Errors: kIo,
// kInterrupted. What is wrong with the log itself is a fault, not an error.
Result<LogCheck> CheckLog(const storage::ReadView& view, const LogState& state,
                          const Position& from, const std::function<bool()>& stop);

// Where a check of the last `batches` begins.
Result<Position> LastBatches(const storage::ReadView& view, const LogState& state,
                             std::uint64_t batches);

}  // namespace dirsync
