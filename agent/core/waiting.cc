#include "agent/core/waiting.h"

#include "agent/core/container_ranks.h"
#include "agent/core/exchanged_addresses.h"
#include "agent/core/mirror_slot.h"
#include "agent/core/review.h"
#include "agent/core/upsert.h"
#include "proto/base/limits.h"

namespace dirsync {
namespace {

bool MayPassNow(ErrorCode code) {
  return code == ErrorCode::kAddressTaken || code == ErrorCode::kNoParent;
}

Result<> LoadSlot(const ApplyContext& context, const QuarantineRow& row, ContainerRanks& ranks,
                  MirrorSlot& slot) {
  if (row.change.entry_class != EntryClass::kContainer)
    return slot.Load(context, storage::kRecipientRank, row.id);
  if (!ranks.loaded()) DIRSYNC_CHECK(ranks.Load(context.transaction, context.state.number));
  return slot.Load(context, ranks.Find(row.id).value_or(0), row.id);
}

// One round; whether anything landed.
Result<bool> TryAll(ApplyContext& context) {
  bool landed = false;
  std::size_t tried = 0;
  ContainerRanks ranks;
  MirrorSlot slot;
  const auto range = storage::StreamRange(storage::Table::kQuarantine, context.state.number);
  auto cursor = context.transaction.Scan(range.first, range.second);
  for (; cursor->Valid() && tried < limits::kBulkRows; cursor->Next()) {
    DIRSYNC_TRY(row, DecodeQuarantine(cursor->Value()));
    if (!MayPassNow(row.code)) continue;
    ++tried;
    DIRSYNC_CHECK(LoadSlot(context, row, ranks, slot));
    // Told on since: only the whole entry can cure it.
    const bool waits = slot.exists && slot.row.status == MirrorStatus::kQuarantined &&
                       slot.row.version == row.version;
    if (!waits) continue;
    DIRSYNC_TRY(done, LandWaiting(context, slot, row.change));
    landed = landed || done;
  }
  DIRSYNC_CHECK(cursor->status());
  return landed;
}

}  // namespace

Result<> RetryWaiting(ApplyContext& context) {
  while (context.any_quarantine) {
    DIRSYNC_TRY(landed, TryAll(context));
    if (landed) continue;
    DIRSYNC_TRY(exchanged, LandExchanged(context));
    if (!exchanged) break;
  }
  return {};
}

}  // namespace dirsync
