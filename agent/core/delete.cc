#include "agent/core/delete.h"

#include "agent/core/gate.h"
#include "agent/core/landing.h"
#include "agent/core/review.h"

namespace dirsync {
namespace {

constexpr std::string_view kAfterRollback = "the source was rolled back: every delete is held";
constexpr std::string_view kNotEmptyHere = "the container still has entries here";

void Hold(ApplyContext& context, MirrorSlot& slot, const Entry& entry, std::string reason) {
  HeldRow held;
  held.number = context.state.number;
  held.id = slot.id;
  held.local = slot.row.local;
  held.entry_class = slot.row.told.entry_class;
  held.version = context.version;
  held.name = context.NameOf(entry);
  held.reason = std::move(reason);
  held.time = context.input.now;
  context.Plan("hold", held.name, held.reason);
  context.transaction.Put(storage::HeldKey(held.number, held.id), EncodeHeld(held));
  slot.Uncount(context);
  slot.row.status = MirrorStatus::kHeld;
  slot.row.version = context.version;
  slot.row.time = context.input.now;
  slot.row.absent = false;
  slot.Put(context);
  ++context.counts.held;
}

// Rows of an entry that the source no longer tells; `buried`: nobody else tells it either.
Result<> EraseRows(ApplyContext& context, MirrorSlot& slot, bool buried) {
  slot.Uncount(context);
  slot.Erase(context);
  ForgetWaiting(context, slot.id);
  if (slot.row.status == MirrorStatus::kHeld)
    context.transaction.Delete(storage::HeldKey(context.state.number, slot.id));
  if (slot.row.local.is_zero()) return {};
  if (buried) return context.EraseOwners(slot.row.local);
  context.transaction.Delete(storage::OwnerKey(slot.row.local, context.state.number));
  return {};
}

}  // namespace

Result<std::uint64_t> DeleteMeter::Left(const ApplyContext& context, EntryClass entry_class) {
  const auto known = left_.find(entry_class);
  if (known != left_.end()) return known->second;
  DIRSYNC_TRY(left, DeletesLeft(context.transaction, context.input.settings, context.state,
                                entry_class, context.input.now));
  left_[entry_class] = left;
  return left;
}

Result<std::string> DeleteMeter::ReasonToHold(const ApplyContext& context, EntryClass entry_class) {
  if (hold_all_ || context.state.hold_all_deletes) return std::string(kAfterRollback);
  DIRSYNC_TRY(left, Left(context, entry_class));
  const auto hold = context.state.hold_deletes.find(entry_class);
  const bool whole_run = hold != context.state.hold_deletes.end() && hold->second;
  if (!whole_run && passed_[entry_class] < left) return std::string();
  const auto rows = context.state.rows.find(entry_class);
  const auto run = totals_.by_class.find(entry_class);
  const std::uint64_t deletes = run == totals_.by_class.end() ? 1 : run->second.deletes;
  const std::uint64_t all = rows == context.state.rows.end() ? 0 : rows->second;
  return "run deletes " + std::to_string(deletes) + " of " + std::to_string(all) + " (" +
         std::string(ClassName(entry_class)) + "); " + std::to_string(left) +
         " may pass in 24 hours";
}

Result<> DeleteMeter::Flush(ApplyContext& context) {
  for (const auto& [entry_class, deletes] : passed_) {
    if (deletes == 0) continue;
    DIRSYNC_CHECK(
        CountDeletes(context.transaction, context.state, entry_class, deletes, context.input.now));
  }
  passed_.clear();
  left_.clear();
  return {};
}

Result<> ApplyDelete(ApplyContext& context, DeleteMeter& meter, MirrorSlot& slot,
                     std::string_view name) {
  DIRSYNC_TRY(entry, HeldEntry(context, slot.id, slot.row));
  if (entry) {
    DIRSYNC_TRY(shared, context.HasOtherOwner(slot.row.local));
    if (shared) entry.reset();
  }
  if (!entry) {
    // Nothing of it is in the directory, or another stream still tells it: no delete here.
    DIRSYNC_CHECK(EraseRows(context, slot, false));
    ++context.counts.unchanged;
    context.Plan("delete", name, "nothing is removed here: it is not here, or told by others too");
    return {};
  }
  const EntryClass entry_class = slot.row.told.entry_class;
  DIRSYNC_TRY(reason, meter.ReasonToHold(context, entry_class));
  if (reason.empty() && entry->entry_class == EntryClass::kContainer) {
    DIRSYNC_TRY(children, context.entries.HasChildren(entry->id));
    if (children) reason = kNotEmptyHere;
  }
  if (!reason.empty()) {
    Hold(context, slot, *entry, std::move(reason));
    return {};
  }
  context.Plan("delete", context.input.plan ? context.NameOf(*entry) : std::string());
  DIRSYNC_CHECK(context.entries.Bury(entry->id));
  DIRSYNC_CHECK(EraseRows(context, slot, true));
  meter.Passed(entry_class);
  ++context.counts.deleted;
  return {};
}

void ForgetWaiting(ApplyContext& context, const EntryId& id) {
  if (context.any_wanted) context.transaction.Delete(storage::WantedKey(context.state.number, id));
  if (context.any_quarantine)
    context.transaction.Delete(storage::QuarantineKey(context.state.number, id));
}

Result<> Drop(ApplyContext& context, MirrorSlot& slot) {
  DIRSYNC_TRY(entry, HeldEntry(context, slot.id, slot.row));
  if (entry) {
    DIRSYNC_TRY(shared, context.HasOtherOwner(slot.row.local));
    if (shared) entry.reset();
  }
  if (entry) {
    DIRSYNC_CHECK(context.entries.Bury(entry->id));
    ++context.counts.deleted;
  }
  return EraseRows(context, slot, entry.has_value());
}

}  // namespace dirsync
