// A delete by the source: the entry goes, or is held for a person (R4, R5, R25).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "agent/core/apply_context.h"
#include "agent/core/mirror_slot.h"
#include "proto/model/batch.h"

namespace dirsync {

// What the gate lets pass of one apply; counts what passed. Not thread-safe.
class DeleteMeter {
 public:
  // `totals`: what the source says that the run deletes, for the reason that people read.
  // `hold_all`: after a rollback of the source nothing passes.
  explicit DeleteMeter(RunTotals totals, bool hold_all = false)
      : totals_(std::move(totals)), hold_all_(hold_all) {}

  // Empty: the delete may pass (and is then counted with Passed). Else why it is held.
  Result<std::string> ReasonToHold(const ApplyContext& context, EntryClass entry_class);
  void Passed(EntryClass entry_class) { ++passed_[entry_class]; }
  // Counts what passed in the caller's transaction (R5); to be called before it is committed.
  Result<> Flush(ApplyContext& context);

 private:
  Result<std::uint64_t> Left(const ApplyContext& context, EntryClass entry_class);

  RunTotals totals_;
  bool hold_all_ = false;
  std::map<EntryClass, std::uint64_t> left_;    // as of the last Flush
  std::map<EntryClass, std::uint64_t> passed_;  // since
};

// The source no longer tells the entry of `slot`, which exists. `name`: its DN at the source.
Result<> ApplyDelete(ApplyContext& context, DeleteMeter& meter, MirrorSlot& slot,
                     std::string_view name);
// Drops what waited for the entry's content: wanted and quarantine rows.
void ForgetWaiting(ApplyContext& context, const EntryId& id);

// Removes the entry here, if no other stream has it, and its rows, past the gate.
// Errors: kNotEmpty (a container with entries).
Result<> Drop(ApplyContext& context, MirrorSlot& slot);

}  // namespace dirsync
