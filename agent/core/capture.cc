#include "agent/core/capture.h"

#include <algorithm>
#include <utility>

#include "agent/core/capture_step.h"
#include "agent/directory/index_rows.h"
#include "proto/base/bytes.h"

namespace dirsync {

Result<CapturedRun> Capture(storage::Transaction& transaction, const CaptureInput& input,
                            ProducerState& state, IdSource& ids) {
  return CaptureStep(transaction, input, state).Run(ids);
}

Result<CapturedRun> CaptureStep::Run(IdSource& ids) {
  DIRSYNC_CHECK(Begin());
  DIRSYNC_CHECK(Work());
  if (compare_needed_) DIRSYNC_CHECK(StartCompare());
  CapturedRun run = builder_.Take(ids.NextRunId());
  run.more = more_ || compare_needed_;
  run.rows_read = rows_read_;
  run.without_address = scope_->without_address();
  return run;
}

Result<> CaptureStep::Begin() {
  DIRSYNC_TRY(scope, Scope::Make(entries_, input_.profile, input_.settings));
  scope_ = scope;
  const HashKey key = state_.terms.hash_key;
  state_.terms = scope_->terms();
  state_.terms.hash_key = key;
  const bool other_scope = state_.scope != scope_->digest();
  if (other_scope || (input_.compare_all && !state_.compare)) DIRSYNC_CHECK(StartCompare());
  return {};
}

void CaptureStep::SetHorizon() {
  const bool walking = state_.compare && state_.compare->stage == CompareStage::kRecipients;
  horizon_ = walking ? state_.compare->usn_at_start : state_.mark;
}

Result<> CaptureStep::Work() {
  SetHorizon();
  if (!IsFirstScan()) DIRSYNC_CHECK(AnswerWants());
  if (state_.compare && state_.compare->stage == CompareStage::kContainers) {
    DIRSYNC_CHECK(CompareContainers());
    state_.compare->stage = CompareStage::kRecipients;
  }
  if (state_.compare && state_.compare->stage == CompareStage::kRecipients) {
    DIRSYNC_CHECK(CompareRecipients());
    if (more_) return {};
  }
  if (compare_needed_) return {};
  return WalkChanges();
}

// A job under way begins anew: what it has told stays told, so nothing is told twice.
Result<> CaptureStep::StartCompare() {
  DIRSYNC_TRY(usn, entries_.LastUsn());
  const bool never_told = !state_.seen && state_.sequence == 0 && state_.scope.is_zero();
  CompareJob job;
  job.usn_at_start = usn;
  job.first_scan = never_told || IsFirstScan();
  state_.compare = job;
  state_.scope = scope_->digest();
  return {};
}

Result<> CaptureStep::AnswerWants() {
  const auto [lower, upper] = storage::StreamRange(storage::Table::kWanted, state_.number);
  const auto cursor = transaction_.Scan(lower, upper);
  for (; cursor->Valid(); cursor->Next()) {
    if (IsFull()) {
      more_ = true;
      break;
    }
    ++rows_read_;
    DIRSYNC_CHECK(AnswerWant(IdAtEnd(cursor->Key())));
    transaction_.Delete(std::string(cursor->Key()));
  }
  return cursor->status();
}

Result<> CaptureStep::AnswerWant(const EntryId& id) {
  if (builder_.Holds(id)) return {};
  DIRSYNC_TRY(entry, entries_.Get(id));
  DIRSYNC_TRY(told, FindTold(id));
  if (entry || told) {
    DIRSYNC_CHECK(Settle(id, entry ? &*entry : nullptr, told ? &*told : nullptr, true));
    if (containers_moved_ && !containers_compared_) DIRSYNC_CHECK(CompareContainers());
  }
  // Of what left the scope the walk over the changes tells; never told = the reader drops it.
  if (told || builder_.Holds(id)) return {};
  // It may be here and hidden: its name is not told.
  Change change;
  change.kind = ChangeKind::kDelete;
  change.id = id;
  change.name = id.hex();
  DIRSYNC_TRY(dn, scope_->DnBelow(EntryId{}, change.name));
  change.dn = std::move(dn);
  Put(std::move(change), {}, false);
  return {};
}

Result<> CaptureStep::WalkChanges() {
  DIRSYNC_TRY(purged, entries_.MaxPurgedUsn());
  if (purged > state_.mark) {
    // Tombstones went before they were read: only absence tells of them.
    compare_needed_ = true;
    return {};
  }
  SetHorizon();
  DIRSYNC_TRY(at_end, WalkRows());
  if (compare_needed_) return {};
  if (!at_end) {
    more_ = true;
    if (containers_left_ && !state_.compare)
      state_.compare = CompareJob{state_.mark, false, CompareStage::kRest, {}};
    return {};
  }
  if (containers_left_ || state_.compare) DIRSYNC_CHECK(DeleteContainers());
  state_.compare.reset();
  return {};
}

Result<bool> CaptureStep::WalkRows() {
  const std::string upper = storage::TableRange(storage::Table::kUsn).second;
  const auto cursor = transaction_.Scan(storage::UsnKey(state_.mark + 1), upper);
  for (; cursor->Valid(); cursor->Next()) {
    if (IsFull()) return false;
    ++rows_read_;
    RowReader key(cursor->Key().substr(1));
    const Usn usn = key.U64Big();
    DIRSYNC_TRY(id, ParseIdValue("usn", cursor->Value()));
    DIRSYNC_CHECK(SettleChanged(id));
    if (compare_needed_) return false;
    state_.mark = usn;
  }
  DIRSYNC_CHECK(cursor->status());
  // Drawn numbers without a row are of changes that later ones covered.
  DIRSYNC_TRY(last, entries_.LastUsn());
  state_.mark = std::max(state_.mark, last);
  return true;
}

Result<> CaptureStep::SettleChanged(const EntryId& id) {
  if (builder_.Holds(id)) return {};
  DIRSYNC_TRY(entry, entries_.Get(id));
  DIRSYNC_TRY(told, FindTold(id));
  const bool container = entry && entry->entry_class == EntryClass::kContainer;
  DIRSYNC_CHECK(Settle(id, entry ? &*entry : nullptr, told ? &*told : nullptr, false));
  const bool left = told && told->row.state.entry_class == EntryClass::kContainer &&
                    !builder_.Holds(id) && containers_left_;
  // What stands in a container that lives on elsewhere left the scope with it, unstamped.
  if (left && container && !entry->is_deleted()) {
    DIRSYNC_TRY(still_told, scope_->TellInto(*entry, whole_));
    if (!still_told) compare_needed_ = true;
  }
  if (containers_moved_ && !containers_compared_) DIRSYNC_CHECK(CompareContainers());
  return {};
}

}  // namespace dirsync
