#include "agent/core/review.h"

#include "agent/core/apply_context.h"
#include "agent/core/container_ranks.h"
#include "agent/core/delete.h"
#include "agent/core/foreign_source.h"
#include "agent/core/mirror_place.h"
#include "agent/core/waiting.h"
#include "agent/core/wanted.h"
#include "proto/base/bytes.h"
#include "proto/base/limits.h"
#include "proto/codec/batch_codec.h"

namespace dirsync {
namespace {

constexpr std::uint8_t kVersion = 1;

std::unexpected<Error> Corrupt(std::string_view what) {
  return Fail(ErrorCode::kCorrupt,
              "read " + std::string(what) + " row: damaged or of an unknown format");
}

void PutVersion(RowWriter& writer, const Version& version) {
  writer.Varint(version.epoch_counter);
  writer.Varint(version.sequence);
}
Version TakeVersion(RowReader& reader) {
  const std::uint64_t counter = reader.Varint();
  return {counter, reader.Varint()};
}

void PutTime(RowWriter& writer, Instant time) {
  writer.Varint(static_cast<std::uint64_t>(ToMillis(time)));
}
Instant TakeTime(RowReader& reader) {
  return FromMillis(static_cast<std::int64_t>(reader.Varint()));
}

// All rows of one table, of a stream or of all of them.
template <class Row>
Result<std::vector<Row>> List(const storage::ReadView& view, storage::Table table,
                              storage::StreamNumber number,
                              Result<Row> (*decode)(std::string_view)) {
  const auto range = number == 0 ? storage::TableRange(table) : storage::StreamRange(table, number);
  std::vector<Row> rows;
  auto cursor = view.Scan(range.first, range.second);
  for (; cursor->Valid(); cursor->Next()) {
    DIRSYNC_TRY(row, decode(cursor->Value()));
    rows.push_back(std::move(row));
  }
  DIRSYNC_CHECK(cursor->status());
  return rows;
}

std::unexpected<Error> Moved(const HeldRow& row) {
  return Fail(ErrorCode::kStalePlan,
              "review " + row.name + ": its source has changed it since it was held",
              "`dirsync held list` shows what waits now");
}

// The mirror row of a held delete, as it was when it was held. Errors: kStalePlan.
Result<> LoadHeld(const ApplyContext& context, const HeldRow& held, MirrorSlot& slot) {
  DIRSYNC_TRY(value, context.transaction.Get(storage::HeldKey(held.number, held.id)));
  if (!value) return Moved(held);
  DIRSYNC_TRY(now, DecodeHeld(*value));
  storage::Rank rank = storage::kRecipientRank;
  if (held.entry_class == EntryClass::kContainer) {
    ContainerRanks ranks;
    DIRSYNC_CHECK(ranks.Load(context.transaction, held.number));
    rank = ranks.Find(held.id).value_or(0);
  }
  DIRSYNC_CHECK(slot.Load(context, rank, held.id));
  const bool same = slot.exists && slot.row.status == MirrorStatus::kHeld &&
                    slot.row.version == held.version && now.version == held.version;
  if (!same) return Moved(held);
  return {};
}

Result<bool> Stands(const storage::ReadView& view, const QuarantineRow& row) {
  DIRSYNC_TRY(value, view.Get(storage::QuarantineKey(row.number, row.id)));
  if (!value) return false;
  DIRSYNC_TRY(now, DecodeQuarantine(*value));
  return now.version == row.version;
}

ApplySource SourceOf(const ReaderState& state, const InstanceSettings* settings) {
  if (state.source == SourceKind::kForeign && settings != nullptr)
    return ForeignSource(*settings, state);
  return {state.stream.site, state.stream.organization,
          state.stream.site + "/" + state.stream.instance, state.terms.hash_key};
}

}  // namespace

std::string EncodeHeld(const HeldRow& row) {
  std::string out;
  RowWriter writer(out);
  writer.U8(kVersion);
  writer.U32Big(row.number);
  writer.Id(row.id);
  writer.Id(row.local);
  writer.U8(static_cast<std::uint8_t>(row.entry_class));
  PutVersion(writer, row.version);
  PutTime(writer, row.time);
  writer.Bytes(row.name);
  writer.Bytes(row.reason);
  return out;
}

Result<HeldRow> DecodeHeld(std::string_view value) {
  RowReader reader(value);
  const std::uint8_t format = reader.U8();
  HeldRow row;
  row.number = reader.U32Big();
  row.id = reader.Id<EntryId>();
  row.local = reader.Id<EntryId>();
  row.entry_class = static_cast<EntryClass>(reader.U8());
  row.version = TakeVersion(reader);
  row.time = TakeTime(reader);
  row.name = reader.Bytes();
  row.reason = reader.Bytes();
  if (format != kVersion || !reader.ok() || !reader.at_end()) return Corrupt("held");
  return row;
}

std::string EncodeQuarantine(const QuarantineRow& row) {
  std::string out;
  RowWriter writer(out);
  writer.U8(kVersion);
  writer.U32Big(row.number);
  writer.Id(row.id);
  PutVersion(writer, row.version);
  writer.Varint(static_cast<std::uint64_t>(row.code));
  writer.U8(row.asked ? 1 : 0);
  PutTime(writer, row.time);
  writer.Bytes(row.name);
  writer.Bytes(row.reason);
  writer.Bytes(EncodeChange(row.change));
  return out;
}

Result<QuarantineRow> DecodeQuarantine(std::string_view value) {
  RowReader reader(value);
  const std::uint8_t format = reader.U8();
  QuarantineRow row;
  row.number = reader.U32Big();
  row.id = reader.Id<EntryId>();
  row.version = TakeVersion(reader);
  row.code = static_cast<ErrorCode>(reader.Varint());
  row.asked = reader.U8() != 0;
  row.time = TakeTime(reader);
  row.name = reader.Bytes();
  row.reason = reader.Bytes();
  const std::string_view change = reader.Bytes();
  if (format != kVersion || !reader.ok() || !reader.at_end()) return Corrupt("quarantine");
  // What was quarantined because it breaks a rule may not be readable as a change: the row then
  // still says whose it is and why.
  Result<Change> decoded = DecodeChange(change);
  if (decoded) row.change = std::move(*decoded);
  row.change.id = row.id;
  return row;
}

Result<std::vector<HeldRow>> ListHeld(const storage::ReadView& view, storage::StreamNumber number) {
  return List<HeldRow>(view, storage::Table::kHeld, number, DecodeHeld);
}

Result<std::vector<QuarantineRow>> ListQuarantine(const storage::ReadView& view,
                                                  storage::StreamNumber number) {
  return List<QuarantineRow>(view, storage::Table::kQuarantine, number, DecodeQuarantine);
}

Result<> ApproveHeld(storage::Transaction& transaction, const ApplyInput& input, const HeldRow& row,
                     ReaderState& state) {
  ApplyCounts counts;
  ReaderState next = state;
  ApplyContext context(transaction, input, SourceOf(state, &input.settings), next, counts);
  DIRSYNC_CHECK(context.Open());
  MirrorSlot slot;
  DIRSYNC_CHECK(LoadHeld(context, row, slot));
  DIRSYNC_CHECK(Drop(context, slot));
  // Its address may be what another entry waits for.
  DIRSYNC_CHECK(RetryWaiting(context));
  state = std::move(next);
  return {};
}

Result<> RejectHeld(storage::Transaction& transaction, const HeldRow& row, ReaderState& state) {
  const SiteProfile profile;
  const InstanceSettings settings;
  const ApplyInput input{profile, settings, row.time, {}};
  ApplyCounts counts;
  ApplyContext context(transaction, input, SourceOf(state, nullptr), state, counts);
  MirrorSlot slot;
  DIRSYNC_CHECK(LoadHeld(context, row, slot));
  slot.row.status = MirrorStatus::kKept;
  slot.PutAsCounted(context);
  transaction.Delete(storage::HeldKey(row.number, row.id));
  return {};
}

Result<> ApproveSuspect(ReaderState& state) {
  if (!state.suspect)
    return Fail(ErrorCode::kNotFound, "approve run of " + state.stream.ToString() + ": none waits");
  // What an earlier run did is no part of what was approved.
  if (state.run != state.suspect->run) state.retargets.clear();
  state.approved_run = state.suspect->run;
  state.approved_retargets.clear();
  for (const auto& [entry_class, of_class] : state.suspect->by_class)
    state.approved_retargets[entry_class] = of_class.retargets;
  state.suspect.reset();
  return {};
}

Result<> RejectSuspect(ReaderState& state) {
  if (!state.suspect)
    return Fail(ErrorCode::kNotFound, "reject run of " + state.stream.ToString() + ": none waits");
  state.rejected_run = state.suspect->run;
  if (IsCopyRun(state.rejected_run)) state.full.reset();
  state.suspect.reset();
  return {};
}

Result<bool> RetryQuarantined(storage::Transaction& transaction, const QuarantineRow& row) {
  DIRSYNC_TRY(stands, Stands(transaction, row));
  if (!stands) return false;
  PutWanted(transaction, row.number, row.id, row.version);
  QuarantineRow asked = row;
  asked.asked = true;
  transaction.Put(storage::QuarantineKey(row.number, row.id), EncodeQuarantine(asked));
  return true;
}

Result<bool> DiscardQuarantined(storage::Transaction& transaction, const QuarantineRow& row) {
  DIRSYNC_TRY(stands, Stands(transaction, row));
  if (!stands) return false;
  transaction.Delete(storage::QuarantineKey(row.number, row.id));
  transaction.Delete(storage::WantedKey(row.number, row.id));
  return true;
}

Result<std::vector<EntryId>> WantedIds(const storage::ReadView& view,
                                       storage::StreamNumber number) {
  const auto range = storage::StreamRange(storage::Table::kWanted, number);
  std::vector<EntryId> ids;
  auto cursor = view.Scan(range.first, range.second);
  for (; cursor->Valid() && ids.size() < limits::kWantIds; cursor->Next()) {
    DIRSYNC_TRY(id, IdOfKey(cursor->Key()));
    ids.push_back(id);
  }
  DIRSYNC_CHECK(cursor->status());
  return ids;
}

}  // namespace dirsync
