// What `dirsync` alone shows: where things stand and what to do next.
#pragma once

#include "cli/context.h"

namespace dirsync::cli {

Result<int> PrintOverview(Context& context);

}  // namespace dirsync::cli
