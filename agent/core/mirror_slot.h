// One place of the mirror table while it is worked on: keeps sums and row counts of the state in
// step with what is written.
#pragma once

#include "agent/core/apply_context.h"
#include "agent/core/mirror.h"

namespace dirsync {

// Whether the source still has the entry: such rows are in the sum (R24).
inline bool IsCounted(MirrorStatus status) {
  return status == MirrorStatus::kApplied || status == MirrorStatus::kQuarantined;
}

// Not thread-safe. Between Uncount and Put the row may be changed freely.
struct MirrorSlot {
  storage::Rank rank = storage::kRecipientRank;
  EntryId id;           // the origin's
  bool exists = false;  // the table has the row
  MirrorRow row;
  RowSum sum;  // of the row, as Put wrote it last; zero for rows that are not in the sum

  // Reads the row of (rank, id).
  Result<> Load(const ApplyContext& context, storage::Rank at, const EntryId& of);
  // Takes what the row contributes out of the state's sum and counts.
  void Uncount(ApplyContext& context) const;
  // Writes the row and adds what it contributes. REQUIRES: Uncount was called, if it exists.
  void Put(ApplyContext& context);
  // Writes the row when neither status, class nor told state changed.
  void PutAsCounted(ApplyContext& context) const;
  // Removes the row. REQUIRES: Uncount was called.
  void Erase(ApplyContext& context);
  // Moves the row to another rank; the caller then writes it.
  void MoveTo(ApplyContext& context, storage::Rank to);
};

}  // namespace dirsync
