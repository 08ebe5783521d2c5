// Asks every reader of a resync to take its stream whole, and waits until each has said how it
// ended.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "agent/service/run.h"
#include "cli/resync_plan.h"

namespace dirsync::cli {

// What came of one job.
struct ResyncOutcome {
  ResyncJob job;
  bool ended = false;
  ErrorCode code = ErrorCode::kAlreadyApplied;  // kAlreadyApplied: all entries are equal
  std::string text;                             // as of Link::EqualText
  std::uint64_t done = 0;
  std::uint64_t total = 0;
};

struct ResyncOptions {
  std::function<void(const Progress&)> progress;
  std::function<bool()> interrupted;
  // A site that says nothing for so long is given up.
  Duration patience = std::chrono::minutes(2);
};

// Readers are asked again when they fall silent or a session ends: one that was killed goes on
// where it stopped. A site that does not read a stream is left out of the outcomes. Errors:
// kInterrupted (the readers go on by themselves), storage errors.
Result<std::vector<ResyncOutcome>> RunResync(AgentControl& agent, std::vector<ResyncJob> jobs,
                                             const ResyncOptions& options);

}  // namespace dirsync::cli
