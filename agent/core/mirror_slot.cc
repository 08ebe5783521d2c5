#include "agent/core/mirror_slot.h"

namespace dirsync {

Result<> MirrorSlot::Load(const ApplyContext& context, storage::Rank at, const EntryId& of) {
  rank = at;
  id = of;
  exists = false;
  row = {};
  DIRSYNC_TRY(value, context.transaction.Get(storage::MirrorKey(context.state.number, at, of)));
  if (!value) return {};
  DIRSYNC_CHECK(DecodeMirrorInto(*value, row));
  exists = true;
  return {};
}

void MirrorSlot::Uncount(ApplyContext& context) const {
  if (!exists) return;
  // Under the key of the state, which is the one that the row was hashed with.
  if (IsCounted(row.status))
    context.state.sum.Subtract(SumOf(context.state.terms.hash_key, id, row.told));
  auto rows = context.state.rows.find(row.told.entry_class);
  if (rows == context.state.rows.end()) return;
  if (rows->second > 1) {
    --rows->second;
  } else {
    context.state.rows.erase(rows);
  }
}

void MirrorSlot::Put(ApplyContext& context) {
  sum = {};
  if (IsCounted(row.status)) sum = SumOf(context.source.hash_key, id, row.told);
  context.state.sum.Add(sum);
  ++context.state.rows[row.told.entry_class];
  exists = true;
  PutAsCounted(context);
}

void MirrorSlot::PutAsCounted(ApplyContext& context) const {
  context.transaction.Put(storage::MirrorKey(context.state.number, rank, id), EncodeMirror(row));
}

void MirrorSlot::Erase(ApplyContext& context) {
  if (exists) context.transaction.Delete(storage::MirrorKey(context.state.number, rank, id));
  exists = false;
}

void MirrorSlot::MoveTo(ApplyContext& context, storage::Rank to) {
  if (to == rank) return;
  if (exists) context.transaction.Delete(storage::MirrorKey(context.state.number, rank, id));
  rank = to;
}

}  // namespace dirsync
