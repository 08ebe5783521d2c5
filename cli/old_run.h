// Carries out command lines in the old spelling.
#pragma once

#include <span>
#include <string>

#include "cli/context.h"

namespace dirsync::cli {

Result<int> RunOldSpelling(Context& context, std::span<const std::string> words);

}  // namespace dirsync::cli
