// The check that stops wrong mass deletes (R5).
#pragma once

#include <cstdint>
#include <map>

#include "agent/core/instance.h"
#include "agent/core/reader_state.h"
#include "proto/base/time.h"
#include "proto/model/batch.h"

namespace dirsync {

// Deletes of `entry_class` that may still pass now: budget (settings.max_deletes, else
// max(limits::kDeletesAlways, limits::kDeletesPercent of the rows)) less those of 24 hours.
Result<std::uint64_t> DeletesLeft(const storage::ReadView& view, const InstanceSettings& settings,
                                  const ReaderState& state, EntryClass entry_class, Instant now);
// Counts deletes that were applied, in the caller's commit; hours out of the window are dropped.
Result<> CountDeletes(storage::Transaction& transaction, const ReaderState& state,
                      EntryClass entry_class, std::uint64_t deletes, Instant now);

enum class GateVerdict : std::uint8_t {
  kPass,     // apply; deletes of the classes in state.hold_deletes are held
  kSuspect,  // retargets of more than the budget: stop before the run, cursor unmoved (R4)
};
// Judges a run once, before its first write: sets state.run and state.hold_deletes.
Result<GateVerdict> JudgeRun(const storage::ReadView& view, const InstanceSettings& settings,
                             const RunTotals& totals, ReaderState& state, Instant now);

}  // namespace dirsync
