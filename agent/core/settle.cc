// One entry against what was told of it.
#include <utility>

#include "agent/core/capture_step.h"
#include "agent/directory/index_rows.h"

namespace dirsync {
namespace {

bool IsContainer(const Entry& entry) { return entry.entry_class == EntryClass::kContainer; }

// Of a row in memory besides its bytes: node of the transaction's map, heap blocks.
constexpr std::size_t kRowOverhead = 128;

}  // namespace

Result<> CaptureStep::LoadContainers() {
  if (told_containers_) return {};
  told_containers_.emplace();
  const auto cursor =
      transaction_.Scan(storage::StreamRange(storage::Table::kTold, state_.number).first,
                        storage::ToldKey(state_.number, storage::kRecipientRank, EntryId{}));
  for (; cursor->Valid(); cursor->Next()) {
    const std::string_view key = cursor->Key();
    const char rank = key[key.size() - EntryId{}.bytes.size() - 1];
    told_containers_->emplace(IdAtEnd(key), static_cast<storage::Rank>(rank));
  }
  return cursor->status();
}

Result<std::optional<ToldAt>> CaptureStep::FindTold(const EntryId& id) {
  DIRSYNC_CHECK(LoadContainers());
  ToldAt told;
  if (const auto at = told_containers_->find(id); at != told_containers_->end())
    told.rank = at->second;
  DIRSYNC_TRY(row, transaction_.Get(storage::ToldKey(state_.number, told.rank, id)));
  if (!row) return std::nullopt;
  DIRSYNC_CHECK(DecodeToldInto(*row, told.row));
  return std::optional<ToldAt>(std::move(told));
}

Result<> CaptureStep::Settle(const EntryId& id, const Entry* entry, const ToldAt* told,
                             bool wanted) {
  if (entry != nullptr) {
    DIRSYNC_TRY(in_scope, scope_->TellInto(*entry, whole_));
    if (in_scope) return SettleInScope(*entry, told, wanted);
  }
  if (told == nullptr) return {};
  if (told->row.state.entry_class == EntryClass::kContainer) {
    containers_left_ = true;
    return {};
  }
  return TellDelete(id, *told);
}

Result<> CaptureStep::SettleInScope(const Entry& entry, const ToldAt* told, bool wanted) {
  DIRSYNC_TRY(rank, scope_->RankOf(entry));
  if (IsContainer(entry)) NoteContainer(entry, rank, told);
  if (told != nullptr && !wanted && IsStateOf(state_.terms.hash_key, whole_, told->row.state)) {
    if (told->rank != rank) Rekey(entry.id, rank, *told);
    return {};
  }
  DIRSYNC_CHECK(EnsureParent());
  return TellWhole(entry, rank, told, wanted);
}

// What stands in a container has no row of its own among the changes when the container moves.
void CaptureStep::NoteContainer(const Entry& entry, storage::Rank rank, const ToldAt* told) {
  if (told == nullptr) {
    if (entry.usn_created <= horizon_) compare_needed_ = true;
  } else if (told->rank != rank || told->row.state.parent != whole_.parent) {
    containers_moved_ = true;
  }
}

// A run that is cut must not tell an entry before its container.
Result<> CaptureStep::EnsureParent() {
  const EntryId parent = whole_.parent;
  if (parent.is_zero() || builder_.Holds(parent)) return {};
  DIRSYNC_CHECK(LoadContainers());
  if (told_containers_->contains(parent)) return {};
  Change kept = std::move(whole_);
  DIRSYNC_TRY(entry, entries_.Get(parent));
  if (!entry)
    return Fail(ErrorCode::kCorrupt, "capture entry " + kept.id.hex() + ": its container is gone");
  DIRSYNC_TRY(told, FindTold(parent));
  DIRSYNC_CHECK(Settle(parent, &*entry, told ? &*told : nullptr, false));
  whole_ = std::move(kept);
  return {};
}

Result<> CaptureStep::TellWhole(const Entry& entry, storage::Rank rank, const ToldAt* told,
                                bool wanted) {
  const HashKey& key = state_.terms.hash_key;
  StateInto(key, whole_, fresh_.state);
  fresh_.version = {state_.epoch.counter, 1};
  fresh_.time = input_.now;
  fresh_.name = whole_.name;
  fresh_.container = entry.parent;
  ToldEffect effect;
  effect.rank = rank;
  effect.row = EncodeTold(fresh_);
  effect.sum = SumOf(key, entry.id, fresh_.state);
  bool retarget = false;
  if (told != nullptr) {
    effect.before = told->rank;
    effect.sum_before = SumOf(key, entry.id, told->row.state);
    retarget = told->row.state.target_hash != fresh_.state.target_hash;
  }
  if (IsFirstScan()) {
    PutFirstScan(entry.id, std::move(effect));
    return {};
  }
  if (told == nullptr || wanted) {
    whole_.wanted = wanted;
    Put(std::move(whole_), std::move(effect), retarget);
    return {};
  }
  std::optional<Change> change = Difference(told->row.state, fresh_.state, whole_);
  if (!change) return {};
  if (change->kind == ChangeKind::kRename) {
    DIRSYNC_TRY(before, scope_->DnBelow(told->row.container, told->row.name));
    change->old_dn = std::move(before);
  }
  Put(std::move(*change), std::move(effect), retarget);
  return {};
}

Result<> CaptureStep::TellDelete(const EntryId& id, const ToldAt& told) {
  ToldEffect effect;
  effect.before = told.rank;
  effect.sum_before = SumOf(state_.terms.hash_key, id, told.row.state);
  if (IsFirstScan()) {
    PutFirstScan(id, std::move(effect));
    return {};
  }
  Change change;
  change.kind = ChangeKind::kDelete;
  change.id = id;
  change.entry_class = told.row.state.entry_class;
  change.parent = told.row.state.parent;
  change.name = told.row.name;
  DIRSYNC_TRY(dn, scope_->DnBelow(told.row.container, told.row.name));
  change.dn = std::move(dn);
  Put(std::move(change), std::move(effect), false);
  return {};
}

void CaptureStep::Put(Change change, ToldEffect effect, bool retarget) {
  builder_.Add(std::move(change), std::move(effect), retarget);
}

void CaptureStep::PutFirstScan(const EntryId& id, ToldEffect effect) {
  if (effect.before) {
    transaction_.Delete(storage::ToldKey(state_.number, *effect.before, id));
    if (*effect.before != storage::kRecipientRank) told_containers_->erase(id);
    state_.sum.Subtract(effect.sum_before);
    --state_.rows;
  }
  bytes_ += kRowOverhead + effect.row.size();
  if (effect.row.empty()) return;
  state_.sum.Add(effect.sum);
  ++state_.rows;
  if (effect.rank != storage::kRecipientRank) told_containers_->insert_or_assign(id, effect.rank);
  transaction_.Put(storage::ToldKey(state_.number, effect.rank, id), std::move(effect.row));
}

// The row as it is, at its new place in the order of a full copy: nothing is told.
void CaptureStep::Rekey(const EntryId& id, storage::Rank rank, const ToldAt& told) {
  transaction_.Delete(storage::ToldKey(state_.number, told.rank, id));
  transaction_.Put(storage::ToldKey(state_.number, rank, id), EncodeTold(told.row));
  if (told.rank != storage::kRecipientRank) told_containers_->erase(id);
  if (rank != storage::kRecipientRank) told_containers_->insert_or_assign(id, rank);
}

}  // namespace dirsync
