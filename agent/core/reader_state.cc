#include "agent/core/reader_state.h"

#include <algorithm>

#include "agent/core/instance.h"
#include "proto/base/bytes.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::size_t kCopyMark = 8;  // bytes that begin the ids of full copies

// 1: before full copies came in ranges; 2: before sites chose what they take; 3: before the other
// addresses that a run gives were counted
constexpr std::uint8_t kVersion = 4;
constexpr std::uint64_t kListMax = 65536;  // of any list in the row: a damaged count asks for more

std::unexpected<Error> Corrupt(std::string_view cause) {
  return Fail(ErrorCode::kCorrupt, "read reader row: " + std::string(cause));
}

void PutEpoch(RowWriter& writer, const Epoch& epoch) {
  writer.Varint(epoch.counter);
  writer.Id(epoch.id);
}
Epoch TakeEpoch(RowReader& reader) {
  const std::uint64_t counter = reader.Varint();
  return {counter, reader.Id<EpochId>()};
}

void PutPosition(RowWriter& writer, const Position& position) {
  PutEpoch(writer, position.epoch);
  writer.Varint(position.sequence);
  writer.Id(position.digest);
}
Position TakePosition(RowReader& reader) {
  Position position;
  position.epoch = TakeEpoch(reader);
  position.sequence = reader.Varint();
  position.digest = reader.Id<Digest>();
  return position;
}

void PutSum(RowWriter& writer, const RowSum& sum) {
  writer.U64Big(sum.high);
  writer.U64Big(sum.low);
}
RowSum TakeSum(RowReader& reader) {
  const std::uint64_t high = reader.U64Big();
  return {high, reader.U64Big()};
}

void PutTotals(RowWriter& writer, const RunTotals& totals) {
  writer.Id(totals.run);
  writer.Varint(totals.by_class.size());
  for (const auto& [entry_class, of_class] : totals.by_class) {
    writer.U8(static_cast<std::uint8_t>(entry_class));
    writer.Varint(of_class.adds);
    writer.Varint(of_class.modifies);
    writer.Varint(of_class.renames);
    writer.Varint(of_class.deletes);
    writer.Varint(of_class.retargets);
  }
}
RunTotals TakeTotals(RowReader& reader) {
  RunTotals totals;
  totals.run = reader.Id<RunId>();
  const std::uint64_t count = reader.Varint();
  for (std::uint64_t i = 0; i < count && i < kListMax && reader.ok(); ++i) {
    ClassTotals& of_class = totals.by_class[static_cast<EntryClass>(reader.U8())];
    of_class.adds = reader.Varint();
    of_class.modifies = reader.Varint();
    of_class.renames = reader.Varint();
    of_class.deletes = reader.Varint();
    of_class.retargets = reader.Varint();
  }
  return totals;
}

void PutNames(RowWriter& writer, const std::vector<std::string>& names) {
  writer.Varint(names.size());
  for (const std::string& name : names) writer.Bytes(name);
}
std::vector<std::string> TakeNames(RowReader& reader) {
  const std::uint64_t count = reader.Varint();
  std::vector<std::string> names;
  for (std::uint64_t i = 0; i < count && i < kListMax && reader.ok(); ++i)
    names.emplace_back(reader.Bytes());
  return names;
}

void PutTerms(RowWriter& writer, const StreamTerms& terms) {
  writer.Id(terms.hash_key);
  writer.Bytes(terms.address_type);
  PutNames(writer, terms.attributes);
}
StreamTerms TakeTerms(RowReader& reader) {
  StreamTerms terms;
  terms.hash_key = reader.Id<HashKey>();
  terms.address_type = reader.Bytes();
  terms.attributes = TakeNames(reader);
  return terms;
}

void PutJob(RowWriter& writer, const FullJob& job) {
  PutPosition(writer, job.as_of);
  PutPosition(writer, job.highest);
  writer.U8(job.rank);
  writer.Id(job.after);
  writer.Varint(job.absent);
  writer.U8(job.ending ? 1 : 0);
  PutSum(writer, job.sum);
  PutNames(writer, job.taken);
}
FullJob TakeJob(RowReader& reader, std::uint8_t version) {
  FullJob job;
  job.as_of = TakePosition(reader);
  job.highest = version == 1 ? job.as_of : TakePosition(reader);
  job.rank = reader.U8();
  job.after = reader.Id<EntryId>();
  job.absent = reader.Varint();
  job.ending = reader.U8() != 0;
  job.sum = TakeSum(reader);
  if (version > 2) job.taken = TakeNames(reader);
  return job;
}

void PutRetargets(RowWriter& writer, const ReaderState& state) {
  writer.Varint(state.retargets.size());
  for (const auto& [entry_class, of_class] : state.retargets) {
    writer.U8(static_cast<std::uint8_t>(entry_class));
    writer.Varint(of_class.declared);
    writer.Varint(of_class.told);
  }
  writer.Varint(state.approved_retargets.size());
  for (const auto& [entry_class, retargets] : state.approved_retargets) {
    writer.U8(static_cast<std::uint8_t>(entry_class));
    writer.Varint(retargets);
  }
}
void TakeRetargets(RowReader& reader, ReaderState& state) {
  const std::uint64_t classes = reader.Varint();
  for (std::uint64_t i = 0; i < classes && i < kListMax && reader.ok(); ++i) {
    RunRetargets& of_class = state.retargets[static_cast<EntryClass>(reader.U8())];
    of_class.declared = reader.Varint();
    of_class.told = reader.Varint();
  }
  const std::uint64_t approved = reader.Varint();
  for (std::uint64_t i = 0; i < approved && i < kListMax && reader.ok(); ++i) {
    const auto entry_class = static_cast<EntryClass>(reader.U8());
    state.approved_retargets[entry_class] = reader.Varint();
  }
}

void PutClasses(RowWriter& writer, const ReaderState& state) {
  writer.Varint(state.rows.size());
  for (const auto& [entry_class, rows] : state.rows) {
    writer.U8(static_cast<std::uint8_t>(entry_class));
    writer.Varint(rows);
  }
  writer.Varint(state.hold_deletes.size());
  for (const auto& [entry_class, hold] : state.hold_deletes) {
    writer.U8(static_cast<std::uint8_t>(entry_class));
    writer.U8(hold ? 1 : 0);
  }
}
void TakeClasses(RowReader& reader, ReaderState& state) {
  const std::uint64_t rows = reader.Varint();
  for (std::uint64_t i = 0; i < rows && i < kListMax && reader.ok(); ++i) {
    const auto entry_class = static_cast<EntryClass>(reader.U8());
    state.rows[entry_class] = reader.Varint();
  }
  const std::uint64_t holds = reader.Varint();
  for (std::uint64_t i = 0; i < holds && i < kListMax && reader.ok(); ++i) {
    const auto entry_class = static_cast<EntryClass>(reader.U8());
    state.hold_deletes[entry_class] = reader.U8() != 0;
  }
}

// Where a batch of the epoch we are in stands.
Result<Follows> JudgeWithin(const storage::ReadView& view, const ReaderState& state,
                            const Position& at, const Digest& previous) {
  const Position& cursor = state.cursor;
  if (at.sequence == cursor.sequence + 1)
    return previous == cursor.digest ? Follows::kNext : Follows::kFork;
  if (at.sequence > cursor.sequence) return Follows::kGap;
  if (at.sequence == cursor.sequence)
    return at.digest == cursor.digest ? Follows::kRepeat : Follows::kFork;
  DIRSYNC_TRY(row, view.Get(storage::DigestKey(state.number, at.epoch.counter, at.sequence)));
  return row && *row == at.digest.view() ? Follows::kRepeat : Follows::kFork;
}

}  // namespace

RunId CopyRun(const Position& as_of) {
  RunId run;
  run.bytes.fill(0xff);
  std::copy_n(as_of.digest.bytes.begin(), run.bytes.size() - kCopyMark,
              run.bytes.begin() + kCopyMark);
  return run;
}

bool IsCopyRun(const RunId& run) {
  return std::all_of(run.bytes.begin(), run.bytes.begin() + kCopyMark,
                     [](std::uint8_t byte) { return byte == 0xff; });
}

void EndRuns(ReaderState& state, const Position& as_of) {
  const bool moves = as_of != state.cursor;
  const auto ends = [&](const RunId& run) { return moves || run == CopyRun(as_of); };
  state.hold_all_deletes = false;
  if (state.suspect && ends(state.suspect->run)) state.suspect.reset();
  if (ends(state.rejected_run)) state.rejected_run = {};
  if (!ends(state.approved_run) && state.approved_run != state.run) return;
  state.approved_run = {};
  state.approved_retargets.clear();
}

std::uint64_t RowsOf(const ReaderState& state) {
  std::uint64_t all = 0;
  for (const auto& [entry_class, rows] : state.rows) all += rows;
  return all;
}

Result<bool> IsCopyDue(const storage::ReadView& view, const ReaderState& state) {
  if (state.source != SourceKind::kStream || state.rows.empty()) return false;
  // What a person looks at, or has rejected, must not come by a copy that nobody asked for.
  if (state.suspect || !state.rejected_run.is_zero()) return false;
  DIRSYNC_TRY(limits, LimitsOf(view, state.stream.site));
  return limits.attributes != state.taken;
}

std::string EncodeReader(const ReaderState& state) {
  std::string out;
  RowWriter writer(out);
  writer.U8(kVersion);
  writer.U32Big(state.number);
  writer.U8(static_cast<std::uint8_t>(state.source));
  writer.Bytes(state.stream.organization);
  writer.Bytes(state.stream.site);
  writer.Bytes(state.stream.instance);
  writer.Id(state.signer);
  PutPosition(writer, state.cursor);
  PutTerms(writer, state.terms);
  PutSum(writer, state.sum);
  PutClasses(writer, state);
  writer.Id(state.run);
  writer.U8(state.hold_all_deletes ? 1 : 0);
  writer.Id(state.approved_run);
  writer.Id(state.rejected_run);
  writer.U8(state.suspect ? 1 : 0);
  if (state.suspect) PutTotals(writer, *state.suspect);
  writer.U8(state.full ? 1 : 0);
  if (state.full) PutJob(writer, *state.full);
  PutPosition(writer, state.settled);
  PutNames(writer, state.taken);
  PutRetargets(writer, state);
  return out;
}

Result<ReaderState> DecodeReader(std::string_view row) {
  RowReader reader(row);
  const std::uint8_t version = reader.U8();
  if (version == 0 || version > kVersion) return Corrupt("unknown version");
  ReaderState state;
  state.number = reader.U32Big();
  const std::uint8_t source = reader.U8();
  if (source > 2) return Corrupt("unknown kind of source");
  state.source = static_cast<SourceKind>(source);
  state.stream.organization = reader.Bytes();
  state.stream.site = reader.Bytes();
  state.stream.instance = reader.Bytes();
  state.signer = reader.Id<PublicKey>();
  state.cursor = TakePosition(reader);
  state.terms = TakeTerms(reader);
  state.sum = TakeSum(reader);
  TakeClasses(reader, state);
  state.run = reader.Id<RunId>();
  state.hold_all_deletes = reader.U8() != 0;
  state.approved_run = reader.Id<RunId>();
  state.rejected_run = reader.Id<RunId>();
  if (reader.U8() != 0) state.suspect = TakeTotals(reader);
  if (reader.U8() != 0) state.full = TakeJob(reader, version);
  if (version > 1) state.settled = TakePosition(reader);
  if (version > 2) state.taken = TakeNames(reader);
  if (version > 3) TakeRetargets(reader, state);
  if (!reader.ok() || !reader.at_end()) return Corrupt("cut short or too long");
  return state;
}

Result<std::optional<ReaderState>> LoadReader(const storage::ReadView& view,
                                              storage::StreamNumber number) {
  DIRSYNC_TRY(row, view.Get(storage::ReaderKey(number)));
  if (!row) return std::nullopt;
  DIRSYNC_TRY(state, DecodeReader(*row));
  return std::move(state);
}

void StoreReader(storage::Transaction& transaction, const ReaderState& state) {
  transaction.Put(storage::ReaderKey(state.number), EncodeReader(state));
}

Result<std::optional<std::string>> FindImport(const storage::ReadView& view,
                                              const StreamName& stream) {
  DIRSYNC_TRY(instances, ListInstances(view));
  for (InstanceSettings& instance : instances) {
    if (!instance.imports) continue;
    DIRSYNC_TRY(number, FindNumber(view, "import/" + FoldName(instance.name)));
    if (!number) continue;
    DIRSYNC_TRY(reader, LoadReader(view, *number));
    if (reader && reader->source == SourceKind::kStream && reader->stream == stream)
      return std::move(instance.name);
  }
  return std::nullopt;
}

Result<Follows> Judge(const storage::ReadView& view, const ReaderState& state, const Position& at,
                      const Digest& previous, const std::optional<Position>& start_previous) {
  const Position& cursor = state.cursor;
  if (at.epoch.counter < cursor.epoch.counter) return Follows::kOldEpoch;
  if (cursor.epoch.counter != 0 && at.epoch.counter == cursor.epoch.counter) {
    if (at.epoch.id != cursor.epoch.id) return Follows::kFork;
    return JudgeWithin(view, state, at, previous);
  }
  if (!start_previous || at.sequence != 1) return Follows::kEpochChanged;
  if (cursor.epoch.counter == 0)
    return start_previous->epoch.counter == 0 ? Follows::kNext : Follows::kEpochChanged;
  return *start_previous == cursor ? Follows::kNewEpoch : Follows::kEpochChanged;
}

Result<> RememberDigest(storage::Transaction& transaction, storage::StreamNumber number,
                        const Position& position) {
  const std::uint64_t counter = position.epoch.counter;
  const Sequence at = position.sequence;
  const Sequence kept = limits::kDigestsKept;
  transaction.Put(storage::DigestKey(number, counter, at), std::string(position.digest.view()));
  DIRSYNC_TRY(before, transaction.Get(storage::DigestKey(number, counter, at > 0 ? at - 1 : 0)));
  if (before && at > 1) {
    // The usual step: only one row falls out.
    if (at > kept) transaction.Delete(storage::DigestKey(number, counter, at - kept));
    return {};
  }
  // A new epoch, or a full copy jumped: whatever is older goes.
  auto old = transaction.Scan(storage::StreamRange(storage::Table::kDigest, number).first,
                              storage::DigestKey(number, counter, at > kept ? at - kept + 1 : 0));
  for (; old->Valid(); old->Next()) transaction.Delete(std::string(old->Key()));
  return old->status();
}

}  // namespace dirsync
