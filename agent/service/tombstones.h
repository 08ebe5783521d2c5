// Tombstones whose time of grace is over (R25).
#pragma once

#include "agent/service/store.h"

namespace dirsync {

// Removes for good what was deleted more than limits::kTombstoneSeconds ago, at most
// limits::kStepRows entries, in the caller's transaction; returns how many rows went. From then on
// an entry that returns is a new one. Storage errors. Called with each run that is recorded, and
// by an agent once an hour.
Result<std::size_t> PurgeTombstones(storage::Transaction& transaction, Instant now);

}  // namespace dirsync
