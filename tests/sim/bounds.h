// I6: every table stays as small as it was promised to be. Looked at from outside, row by row.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/deployment.h"

namespace dirsync::sim {

// What is larger than it may be in the site's store; empty = all bounds hold.
std::vector<std::string> BrokenBounds(Site& site);
// Tombstones that a run just made should have removed; asked right after a run that was recorded.
std::vector<std::string> OldTombstones(Site& site);

}  // namespace dirsync::sim
