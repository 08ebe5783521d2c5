// Quarantined changes whose obstacle may have gone: an address was freed, a container has come.
#pragma once

#include "agent/core/apply_context.h"

namespace dirsync {

// Lands what can land now of the quarantine's ADDRESS_TAKEN and NO_PARENT rows, until nothing more
// does; the first limits::kBulkRows of them are tried. A person who left and came back under a new
// id has the same address: the new entry is told before the old one's delete. Two who swapped
// addresses wait for each other: they land together.
Result<> RetryWaiting(ApplyContext& context);

}  // namespace dirsync
