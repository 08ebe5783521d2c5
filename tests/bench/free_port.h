// A port for a peer that cannot be told to take any.
#pragma once

#include <string>

namespace dirsync::bench {

// Free on loopback a moment ago.
std::string FreePort();

}  // namespace dirsync::bench
