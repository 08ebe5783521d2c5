// Everything with everything: the entries in scope against the told table.
#include <algorithm>
#include <set>
#include <utility>

#include "agent/core/capture_step.h"
#include "agent/directory/entry_record.h"
#include "agent/directory/index_rows.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::size_t kIdBytes = EntryId{}.bytes.size();

// The first key behind `key`.
std::string Behind(std::string key) {
  key.push_back('\0');
  return key;
}

}  // namespace

Result<std::vector<std::pair<storage::Rank, EntryId>>> CaptureStep::ContainersInScope() {
  std::vector<std::pair<storage::Rank, EntryId>> found;
  if (!scope_->subs()) return found;
  std::set<EntryId> met;
  std::vector<EntryId> open = scope_->roots();
  while (!open.empty()) {
    const EntryId above = open.back();
    open.pop_back();
    const std::string key = storage::ContainerKey(above, EntryId{});
    const auto [lower, upper] = storage::PrefixRange(key.substr(0, key.size() - kIdBytes));
    const auto cursor = transaction_.Scan(lower, upper);
    for (; cursor->Valid(); cursor->Next()) {
      const EntryId id = IdAtEnd(cursor->Key());
      DIRSYNC_TRY(entry, entries_.Get(id));
      if (!entry || !met.insert(id).second) continue;
      ++rows_read_;
      DIRSYNC_TRY(in_scope, scope_->TellInto(*entry, whole_));
      if (!in_scope) continue;
      DIRSYNC_TRY(rank, scope_->RankOf(*entry));
      found.emplace_back(rank, id);
      open.push_back(id);
    }
    DIRSYNC_CHECK(cursor->status());
    if (found.size() > limits::kContainers)
      return Fail(ErrorCode::kTooLarge, "capture " + Printable(input_.settings.name) +
                                            ": more than " + std::to_string(limits::kContainers) +
                                            " containers in scope");
  }
  std::ranges::sort(found);
  return found;
}

Result<> CaptureStep::CompareContainers() {
  containers_compared_ = true;
  const bool everything = state_.compare && state_.compare->stage == CompareStage::kContainers;
  DIRSYNC_TRY(containers, ContainersInScope());
  for (const auto& [rank, id] : containers) {
    if (builder_.Holds(id)) continue;
    DIRSYNC_TRY(entry, entries_.Get(id));
    DIRSYNC_TRY(told, FindTold(id));
    DIRSYNC_CHECK(Settle(id, &*entry, told ? &*told : nullptr, false));
  }
  // What came into the scope is met by the rest of this compare.
  if (everything) compare_needed_ = false;
  return {};
}

Result<> CaptureStep::CompareRecipients() {
  CompareJob& job = *state_.compare;
  SetHorizon();
  std::string first_entry = storage::EntryKey(job.after);
  std::string first_told = storage::ToldKey(state_.number, storage::kRecipientRank, job.after);
  if (!job.after.is_zero()) {
    first_entry = Behind(std::move(first_entry));
    first_told = Behind(std::move(first_told));
  }
  const auto entries =
      transaction_.Scan(first_entry, storage::TableRange(storage::Table::kEntry).second);
  const auto told = transaction_.Scan(
      first_told, storage::StreamRange(storage::Table::kTold, state_.number).second);
  while (entries->Valid() || told->Valid()) {
    if (IsFull() || compare_needed_) {
      more_ = true;
      return {};
    }
    // Ids side by side; at an end the other table alone goes on.
    std::optional<std::string_view> entry_row;
    std::optional<std::string_view> told_row;
    const EntryId entry_id = entries->Valid() ? IdAtEnd(entries->Key()) : EntryId{};
    const EntryId told_id = told->Valid() ? IdAtEnd(told->Key()) : EntryId{};
    const bool take_entry = entries->Valid() && (!told->Valid() || entry_id <= told_id);
    const bool take_told = told->Valid() && (!entries->Valid() || told_id <= entry_id);
    if (take_entry) entry_row = entries->Value();
    if (take_told) told_row = told->Value();
    const EntryId id = take_entry ? entry_id : told_id;
    rows_read_ += (take_entry ? 1 : 0) + (take_told ? 1 : 0);
    DIRSYNC_CHECK(CompareRow(id, entry_row, told_row));
    job.after = id;
    if (take_entry) entries->Next();
    if (take_told) told->Next();
  }
  DIRSYNC_CHECK(entries->status());
  DIRSYNC_CHECK(told->status());
  state_.mark = std::max(state_.mark, job.usn_at_start);
  job.stage = CompareStage::kRest;
  return {};
}

Result<> CaptureStep::CompareRow(const EntryId& id, std::optional<std::string_view> entry_row,
                                 std::optional<std::string_view> told_row) {
  if (builder_.Holds(id)) return {};
  const Entry* entry = nullptr;
  if (entry_row) {
    DIRSYNC_CHECK(DecodeEntryInto(id, *entry_row, entry_));
    entry = &entry_;
  }
  if (told_row) {
    told_.rank = storage::kRecipientRank;
    DIRSYNC_CHECK(DecodeToldInto(*told_row, told_.row));
    return Settle(id, entry, &told_, false);
  }
  // Containers were compared before; one that came since has its row among the changes.
  if (entry->entry_class == EntryClass::kContainer) return {};
  DIRSYNC_CHECK(LoadContainers());
  if (!told_containers_->contains(id)) return Settle(id, entry, nullptr, false);
  DIRSYNC_TRY(told, FindTold(id));
  return Settle(id, entry, told ? &*told : nullptr, false);
}

Result<> CaptureStep::DeleteContainers() {
  DIRSYNC_CHECK(LoadContainers());
  std::vector<EntryId> ids;
  for (const auto& [id, rank] : *told_containers_) ids.push_back(id);
  for (const EntryId& id : ids) {
    if (builder_.Holds(id)) continue;
    DIRSYNC_TRY(entry, entries_.Get(id));
    bool in_scope = false;
    if (entry) {
      DIRSYNC_TRY(told_as, scope_->TellInto(*entry, whole_));
      in_scope = told_as;
    }
    if (in_scope) continue;
    DIRSYNC_TRY(told, FindTold(id));
    if (told) DIRSYNC_CHECK(TellDelete(id, *told));
  }
  return {};
}

}  // namespace dirsync
