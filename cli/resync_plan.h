// What a resync of a site would do: which site takes which stream whole.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/loop/agent_control.h"

namespace dirsync::cli {

// One stream, taken whole by one reader.
struct ResyncJob {
  std::string reader;
  StreamName stream;
  std::uint64_t entries = 0;  // as far as this site knows; 0 = it does not
};

// Streams of `site` to all readers, and the streams that `site` reads; with `only`, between `site`
// and these. A reader that does not read a stream will say so. Errors: kNotJoined, kNotFound (no
// such active site), kNotPermitted (another site's resync is for admin sites to ask).
Result<std::vector<ResyncJob>> PlanResync(AgentControl& agent, const std::string& site,
                                          const std::vector<std::string>& only);

}  // namespace dirsync::cli
