// Mirror rows that a full copy did not list: they go through the gate, in bounded pieces.
#pragma once

#include "agent/core/apply_context.h"

namespace dirsync {

// Sets state.hold_deletes by what would be deleted of each class.
Result<> JudgeAbsent(ApplyContext& context);

// Deletes or holds at most limits::kBulkRows of them: recipients first, then containers, deepest
// first; state.full is the progress. `hold_all`: after a rollback none is deleted. False: commit
// and call again.
Result<bool> DropAbsent(ApplyContext& context, bool hold_all);

}  // namespace dirsync
