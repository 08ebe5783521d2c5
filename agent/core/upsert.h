// A told change lands: the entry here, its mirror row, and what waits for a person.
#pragma once

#include "agent/core/apply_context.h"
#include "agent/core/mirror_slot.h"
#include "proto/model/change.h"

namespace dirsync {

// Each of these counts and plans what it did; errors are those of the storage. What cannot land is
// quarantined, which is no error.

// A whole entry, as an upsert. `told` is StateOf(change).
Result<> ApplyWhole(ApplyContext& context, MirrorSlot& slot, const Change& change, ToldState told);
// A kModify or kRename. What is not held whole is asked for (R3), never dropped.
Result<> ApplyPart(ApplyContext& context, MirrorSlot& slot, const Change& change);
// Tries again what a quarantined row waits with; `change` is what was refused at the row's version.
// False: it still cannot land, nothing was written. `stood`: how its entry stood here before the
// caller took something from it; null: as it stands.
Result<bool> LandWaiting(ApplyContext& context, MirrorSlot& slot, const Change& change,
                         const Entry* stood = nullptr);
// A kind that this version does not know: kept beside the row, which stays as it is.
Result<> KeepUnknown(ApplyContext& context, const Change& change);

}  // namespace dirsync
