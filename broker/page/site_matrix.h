// Who tells whom, as one table: a row for each site that tells, a column for each that reads.
#pragma once

#include "broker/page/frame.h"

namespace dirsync {

// Up to this many sites a cell has words; beyond, a sign, and words only where something is wrong.
inline constexpr std::size_t kWordySites = 12;

// Of all active sites; a sentence if there is no link.
void AddMatrix(Html& html, const PageSnapshot& snapshot);

}  // namespace dirsync
