// The check that stops wrong mass deletes and mass retargets (R4, R5).
#pragma once

#include <cstdint>
#include <expected>
#include <map>
#include <string>

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
  kSuspect,  // more retargets than may pass: stop before them, cursor unmoved (R4)
};
// The error of a run or copy that a person here has rejected, with the way on: REFUSED.
std::unexpected<Error> Rejected(const std::string& what, const StreamName& stream);

// Judges a run once, by what it declares, before its first write: sets state.run,
// state.hold_deletes, and begins state.retargets. As many entries of a class may be given another
// address in 24 hours as may be deleted, of whatever runs and copies. An approval ends with the run
// that it was for. While anything waits for a person (state.suspect), every run is suspect.
Result<GateVerdict> JudgeRun(const storage::ReadView& view, const InstanceSettings& settings,
                             const RunTotals& totals, ReaderState& state, Instant now);

// Counts, in the caller's commit, the entries to which a batch of state.run really gave another
// address. kSuspect: the run gives more of them than the gate let pass, whatever it declared;
// nothing of the batch may be written then.
Result<GateVerdict> CountRetargets(storage::Transaction& transaction,
                                   const InstanceSettings& settings,
                                   const std::map<EntryClass, std::uint64_t>& retargets,
                                   ReaderState& state, Instant now);
// Likewise one entry of a full copy that nobody here asked for. An approved copy may do anything;
// while a run or copy waits or is rejected, none gives any entry another address unseen.
Result<GateVerdict> CountCopied(storage::Transaction& transaction, const InstanceSettings& settings,
                                EntryClass entry_class, ReaderState& state, Instant now);

}  // namespace dirsync
