// Entries of one stream that wait for each other's addresses: two people swap theirs, or more pass
// them round. One by one none of them can move; together they can.
#pragma once

#include "agent/core/apply_context.h"

namespace dirsync {

// Lands those quarantined ADDRESS_TAKEN rows whose obstacles are all among themselves; of the first
// limits::kBulkRows rows. True if anything landed; false: nothing was written.
Result<bool> LandExchanged(ApplyContext& context);

}  // namespace dirsync
