#include "agent/core/change_apply.h"

#include "agent/core/entry_content.h"
#include "agent/core/told.h"
#include "agent/core/upsert.h"

namespace dirsync {
namespace {

bool IsWhole(const Change& change) { return change.kind == ChangeKind::kAdd || change.wanted; }

}  // namespace

// Where the row of the change is, or will be.
Result<> ChangeApply::Locate(const Change& change) {
  if (change.entry_class != EntryClass::kContainer)
    return slot_.Load(context_, storage::kRecipientRank, change.id);
  if (!ranks_.loaded()) DIRSYNC_CHECK(ranks_.Load(context_.transaction, context_.state.number));
  const std::optional<storage::Rank> known = ranks_.Find(change.id);
  // Below a container that was never told it stands at the top until a full copy says better.
  return slot_.Load(context_, known.value_or(ranks_.Below(change.parent).value_or(1)), change.id);
}

// A container told under another parent: its row and those of all containers below it are keyed by
// their depth.
Result<> ChangeApply::MoveContainer(const Change& change) {
  if (!slot_.exists) {
    ranks_.Set(change.id, slot_.rank, change.parent);
    return {};
  }
  const storage::Rank rank = ranks_.Below(change.parent).value_or(slot_.rank);
  const bool same = rank == slot_.rank;
  slot_.MoveTo(context_, rank);
  ranks_.Set(change.id, rank, change.parent);
  if (same) return {};
  MirrorSlot below;
  for (const EntryId& id : ranks_.Descendants(change.id)) {
    if (id == change.id) continue;
    DIRSYNC_CHECK(below.Load(context_, *ranks_.Find(id), id));
    if (!below.exists) continue;
    below.MoveTo(context_, ranks_.Below(below.row.told.parent).value_or(below.rank));
    below.PutAsCounted(context_);
    ranks_.Set(id, below.rank, below.row.told.parent);
  }
  return {};
}

Result<> ChangeApply::Upsert(const Change& change) {
  const bool whole = IsWhole(change);
  const bool container = change.entry_class == EntryClass::kContainer;
  const bool placed = whole || (slot_.exists && change.kind == ChangeKind::kRename);
  if (container && placed) DIRSYNC_CHECK(MoveContainer(change));
  if (!whole) return ApplyPart(context_, slot_, change);
  ToldState told = StateOf(context_.source.hash_key, change);
  DIRSYNC_TRY(wanted, context_.IsWanted(change.id));
  const bool repeated = !change.wanted && !wanted && slot_.exists &&
                        slot_.row.status == MirrorStatus::kApplied && slot_.row.told == told &&
                        KeepsOutRight(context_, slot_.row);
  if (!repeated) return ApplyWhole(context_, slot_, change, std::move(told));
  slot_.row.version = context_.version;
  slot_.row.time = context_.input.now;
  slot_.row.absent = false;
  slot_.PutAsCounted(context_);
  ForgetWaiting(context_, change.id);
  ++context_.counts.unchanged;
  return {};
}

Result<> ChangeApply::Apply(const Change& change) {
  if (change.unknown_kind != 0) return KeepUnknown(context_, change);
  DIRSYNC_CHECK(Locate(change));
  if (slot_.exists && slot_.row.version >= context_.version) {
    ++context_.counts.unchanged;
    return {};
  }
  if (change.kind != ChangeKind::kDelete || change.wanted) return Upsert(change);
  if (!slot_.exists) {
    ForgetWaiting(context_, change.id);
    ++context_.counts.unchanged;
    return {};
  }
  DIRSYNC_CHECK(ApplyDelete(context_, meter_, slot_, change.dn));
  if (!slot_.exists) ranks_.Erase(change.id);
  return {};
}

}  // namespace dirsync
