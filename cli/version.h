// The version of this program, from the build.
#pragma once

#include <string_view>

#ifndef DIRSYNC_VERSION
#define DIRSYNC_VERSION "0"
#endif

namespace dirsync::cli {
inline constexpr std::string_view kVersion = DIRSYNC_VERSION;
}  // namespace dirsync::cli
