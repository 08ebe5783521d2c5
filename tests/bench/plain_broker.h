// The real broker over the real store, with a socket in the clear: what encryption costs is seen
// beside it. Nothing but benchmarks speaks without CURVE.
#pragma once

#include <string>

namespace dirsync::bench {

// Serves sites "Site1" to "Site<sites>", whose connections are named so, until it is killed; says
// its address in the file `ready`.
int RunPlainBroker(const std::string& folder, int sites, const std::string& ready);

}  // namespace dirsync::bench
