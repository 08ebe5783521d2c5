// Writes a told entry into the directory here, or says why it cannot stand there.
#pragma once

#include <cstdint>
#include <optional>

#include "agent/core/apply_context.h"
#include "agent/core/mirror.h"
#include "proto/model/change.h"

namespace dirsync {

enum class LandingEffect : std::uint8_t { kAdded, kAdopted, kModified, kRenamed, kUnchanged };

// Where a told entry came to stand here.
struct Landing {
  EntryId local;
  JoinedBy joined = JoinedBy::kCreated;
  bool renamed = false;  // a suffix was needed
  LandingEffect effect = LandingEffect::kAdded;
};

// Whether an error of a landing keeps the entry out instead of ending the import.
bool IsRefusal(ErrorCode code);

// A whole entry. `row` is its mirror row, if it has one; `stood` how the live entry of the row is
// to be taken, null: as it stands. Refusals: kAddressTaken, kNoTarget, kNoParent, kBadValue; then
// nothing is written but, at most, the import container.
Result<Landing> LandWhole(ApplyContext& context, const Change& change, const MirrorRow* row,
                          const Entry* stood = nullptr);

// A kModify or kRename, all kSet, onto the live entry `current`. Refusals as above.
Result<Landing> LandPart(ApplyContext& context, const Change& change, const MirrorRow& row,
                         const Entry& current);

// The live entry that `row` stands for here; nullopt when it is gone or not the origin's.
Result<std::optional<Entry>> HeldEntry(const ApplyContext& context, const EntryId& id,
                                       const MirrorRow& row);

}  // namespace dirsync
