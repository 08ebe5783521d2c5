// What is wrong here and what cures it.
#pragma once

#include <string>
#include <vector>

#include "broker/core/link_state.h"
#include "cli/context.h"

namespace dirsync::cli {

struct Finding {
  Severity severity = Severity::kNotice;
  std::string text;
  std::string fix;  // a command or a sentence
  std::string at;   // site; empty: here
};

// The worst first; links in the same state for the same reason are one finding. Errors:
// LookAround's.
Result<std::vector<Finding>> Diagnose(Context& context);

}  // namespace dirsync::cli
