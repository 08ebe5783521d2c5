#include "agent/core/absent_rows.h"

#include <vector>

#include "agent/core/delete.h"
#include "agent/core/gate.h"
#include "agent/core/mirror_place.h"
#include "proto/base/limits.h"

namespace dirsync {
namespace {

using storage::kRecipientRank;
using storage::MirrorKey;

constexpr EntryClass kClasses[] = {EntryClass::kContainer, EntryClass::kMailbox,
                                   EntryClass::kCustomRecipient, EntryClass::kDistributionList};

// What the run's reasons say: deletes of each class that the copy asks for.
RunTotals TotalsOf(const std::map<EntryClass, std::uint64_t>& absent) {
  RunTotals totals;
  for (const auto& [entry_class, count] : absent) totals.by_class[entry_class].deletes = count;
  return totals;
}

// Rows that are marked and have an entry here, by class.
Result<std::map<EntryClass, std::uint64_t>> CountAbsent(const ApplyContext& context) {
  std::map<EntryClass, std::uint64_t> absent;
  MirrorRow row;
  const auto range = storage::StreamRange(storage::Table::kMirror, context.state.number);
  auto cursor = context.transaction.Scan(range.first, range.second);
  for (; cursor->Valid(); cursor->Next()) {
    DIRSYNC_CHECK(DecodeMirrorInto(cursor->Value(), row));
    if (row.absent && !row.local.is_zero()) ++absent[row.told.entry_class];
  }
  DIRSYNC_CHECK(cursor->status());
  return absent;
}

Result<> DropRow(ApplyContext& context, DeleteMeter& meter, const MirrorPlace& place,
                 MirrorRow row) {
  MirrorSlot slot;
  slot.rank = place.rank;
  slot.id = place.id;
  slot.exists = true;
  slot.row = std::move(row);
  return ApplyDelete(context, meter, slot, place.id.hex());
}

// Recipients behind the progress; false when `left` came to zero before the end.
Result<bool> DropRecipients(ApplyContext& context, DeleteMeter& meter, std::size_t& left) {
  FullJob& job = *context.state.full;
  if (job.rank != 0 && job.rank != kRecipientRank) return true;
  std::string from = MirrorKey(context.state.number, kRecipientRank, job.after);
  if (job.rank == kRecipientRank) from.push_back('\0');
  job.rank = kRecipientRank;
  auto cursor = context.transaction.Scan(
      from, storage::StreamRange(storage::Table::kMirror, context.state.number).second);
  MirrorRow row;
  for (; cursor->Valid(); cursor->Next()) {
    if (left == 0) return false;
    DIRSYNC_TRY(place, PlaceOf(cursor->Key()));
    DIRSYNC_CHECK(DecodeMirrorInto(cursor->Value(), row));
    if (row.absent) {
      DIRSYNC_CHECK(DropRow(context, meter, place, row));
      --left;
    }
    job.after = place.id;
  }
  DIRSYNC_CHECK(cursor->status());
  job.rank = kRecipientRank - 1;
  return true;
}

// Containers, deepest first. What was dealt with is no longer marked.
Result<bool> DropContainers(ApplyContext& context, DeleteMeter& meter, std::size_t& left) {
  std::vector<std::pair<MirrorPlace, MirrorRow>> absent;  // at most limits::kContainers
  auto cursor =
      context.transaction.Scan(MirrorKey(context.state.number, 0, EntryId{}),
                               MirrorKey(context.state.number, kRecipientRank, EntryId{}));
  for (; cursor->Valid(); cursor->Next()) {
    DIRSYNC_TRY(place, PlaceOf(cursor->Key()));
    DIRSYNC_TRY(row, DecodeMirror(cursor->Value()));
    if (row.absent) absent.emplace_back(place, std::move(row));
  }
  DIRSYNC_CHECK(cursor->status());
  for (; !absent.empty(); absent.pop_back()) {
    if (left == 0) return false;
    DIRSYNC_CHECK(DropRow(context, meter, absent.back().first, std::move(absent.back().second)));
    --left;
  }
  return true;
}

}  // namespace

Result<> JudgeAbsent(ApplyContext& context) {
  ReaderState& state = context.state;
  state.run = {};
  state.hold_deletes.clear();
  if (state.full->absent == 0) return {};
  DIRSYNC_TRY(absent, CountAbsent(context));
  for (EntryClass entry_class : kClasses) {
    DIRSYNC_TRY(left, DeletesLeft(context.transaction, context.input.settings, state, entry_class,
                                  context.input.now));
    if (absent[entry_class] > left) state.hold_deletes[entry_class] = true;
  }
  return {};
}

Result<bool> DropAbsent(ApplyContext& context, bool hold_all) {
  DIRSYNC_TRY(absent, CountAbsent(context));
  DeleteMeter meter(TotalsOf(absent), hold_all);
  std::size_t left = limits::kBulkRows;
  DIRSYNC_TRY(recipients, DropRecipients(context, meter, left));
  bool all = recipients;
  if (recipients) {
    DIRSYNC_TRY(containers, DropContainers(context, meter, left));
    all = containers;
  }
  DIRSYNC_CHECK(meter.Flush(context));
  return all;
}

}  // namespace dirsync
