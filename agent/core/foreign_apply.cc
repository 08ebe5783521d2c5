#include "agent/core/foreign_apply.h"

#include <optional>
#include <utility>

#include "agent/core/apply_context.h"
#include "agent/core/delete.h"
#include "agent/core/foreign_entry.h"
#include "agent/core/foreign_source.h"
#include "agent/core/free_name.h"
#include "agent/core/gate.h"
#include "agent/core/join.h"
#include "agent/core/landing.h"
#include "agent/core/mirror_place.h"
#include "agent/core/mirror_slot.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/model/attribute_table.h"

namespace dirsync {
namespace {

using storage::kRecipientRank;

constexpr EntryClass kClasses[] = {EntryClass::kMailbox, EntryClass::kCustomRecipient,
                                   EntryClass::kDistributionList};

bool IsOfRecord(ErrorCode code) {
  return code == ErrorCode::kInvalid || code == ErrorCode::kNoTarget ||
         code == ErrorCode::kAddressTaken || code == ErrorCode::kExists ||
         code == ErrorCode::kNotFound;
}

// What the entry store says of one record, in the codes of a record.
Error OfRecord(Error error) {
  const bool value = error.code == ErrorCode::kTooLarge || error.code == ErrorCode::kBadValue ||
                     error.code == ErrorCode::kNotEmpty;
  if (value) error.code = ErrorCode::kInvalid;
  return error;
}

}  // namespace

struct ForeignApply::State {
  State(const ApplyInput& settings, IdSource& drawn, ReaderState& read_by)
      : input(settings), ids(drawn), reader(read_by), file(read_by.cursor.sequence + 1) {}

  Result<> Open();
  Result<> Find(const std::string& written);
  Result<> FindListed(ChangeKind kind, const std::string& written);
  Result<> Upsert(const ForeignChange& change);
  Result<> Change(const ForeignChange& change, const Entry& current, JoinedBy joined);
  Result<> Create(const ForeignChange& change);
  Result<> Join(const ForeignChange& change, Entry fresh);
  Result<> Delete(const ForeignChange& change);
  Result<> PutRow(const EntryId& local, EntryClass entry_class, JoinedBy joined, bool renamed);
  Result<> Meet();
  bool IsUnmet(const MirrorRow& row) const;
  Result<> JudgeUnmet();
  Result<bool> DropUnmet();

  const ApplyInput input;
  IdSource& ids;
  ReaderState& reader;
  const Sequence file;  // number of this pass
  ApplyCounts counts;
  RunTotals totals;  // deletes, for the reasons that people read
  bool judged_unmet = false;
  bool absence_in_doubt = false;  // a record of the file may be of any entry

  storage::Transaction* transaction = nullptr;
  std::optional<ApplyContext> context;
  // Of the record at hand.
  std::string key;     // of its identity
  bool known = false;  // the identity was there
  Rdn name;
  MirrorSlot slot;
};

Result<> ForeignApply::State::Open() {
  if (context) return {};
  if (transaction == nullptr) return Fail(ErrorCode::kInternal, "import foreign file: not begun");
  context.emplace(*transaction, input, ForeignSource(input.settings, reader), reader, counts);
  DIRSYNC_CHECK(context->Open());
  context->version = {1, file};
  return {};
}

// Identity and mirror row of the record.
Result<> ForeignApply::State::Find(const std::string& written) {
  DIRSYNC_TRY(dn, RebaseDn(context->basepoint, input.settings.import_container, written));
  if (dn.parts.empty()) return Fail(ErrorCode::kInvalid, "import record: its dn is empty");
  name = dn.parts.back();
  key = storage::ForeignKey(reader.number, dn.Folded());
  DIRSYNC_TRY(row, transaction->Get(key));
  known = row.has_value();
  EntryId id;
  if (known) {
    const std::optional<EntryId> held = EntryId::FromBytes(*row);
    if (!held) return Fail(ErrorCode::kCorrupt, "read foreign row: its value is no id");
    id = *held;
  } else {
    id = ids.NextEntryId(input.now);
  }
  return slot.Load(*context, kRecipientRank, id);
}

// The same, of a record that may say that its entry is there.
Result<> ForeignApply::State::FindListed(ChangeKind kind, const std::string& written) {
  Result<> found = Find(written);
  if (!found && IsOfRecord(found.error().code) && kind != ChangeKind::kDelete)
    absence_in_doubt = true;
  return found;
}

// The row says that the entry was met in this pass: absence will not delete it.
Result<> ForeignApply::State::Meet() {
  if (!slot.exists || !input.settings.complete || slot.row.version >= context->version) return {};
  slot.row.version = context->version;
  slot.PutAsCounted(*context);
  return {};
}

Result<> ForeignApply::State::PutRow(const EntryId& local, EntryClass entry_class, JoinedBy joined,
                                     bool renamed) {
  if (slot.exists && slot.row.status == MirrorStatus::kHeld) {
    transaction->Delete(storage::HeldKey(reader.number, slot.id));
    ++counts.superseded;
  }
  const bool owned = slot.exists && slot.row.local == local;
  slot.Uncount(*context);
  slot.row.version = context->version;
  slot.row.time = input.now;
  slot.row.status = MirrorStatus::kApplied;
  slot.row.joined = joined;
  slot.row.renamed = renamed;
  slot.row.local = local;
  slot.row.told = {};
  slot.row.told.entry_class = entry_class;
  slot.Put(*context);
  if (!owned) context->PutOwner(local);
  if (!known) transaction->Put(key, std::string(slot.id.view()));
  return {};
}

Result<> ForeignApply::State::Change(const ForeignChange& change, const Entry& current,
                                     JoinedBy joined) {
  Entry next = current;
  DIRSYNC_TRY(entry_class, ForeignClass(input.settings, change, &current));
  next.entry_class = entry_class;
  next.origin = context->OriginOf(slot.id);
  DIRSYNC_CHECK(WriteForeign(*context, change, false, next));
  const bool as_was =
      slot.exists && slot.row.status == MirrorStatus::kApplied && slot.row.local == current.id;
  if (SameContent(current, next)) {
    ++counts.unchanged;
    if (as_was) return Meet();
    return PutRow(current.id, entry_class, joined, slot.row.renamed);
  }
  if (Result<> updated = context->entries.Update(next); !updated) {
    if (updated.error().code != ErrorCode::kExists)
      return std::unexpected(OfRecord(std::move(updated).error()));
    DIRSYNC_TRY(holders, HoldersOf(*context, next, next.id));
    DIRSYNC_TRY(reason, NameHolders(*context, holders));
    return Fail(ErrorCode::kAddressTaken, "import " + Printable(change.dn, 80) + ": " + reason);
  }
  ++counts.modified;
  context->Plan("modify", change.dn);
  return PutRow(current.id, entry_class, joined, slot.row.renamed);
}

// The record met something of its address, or must be looked for by name.
Result<> ForeignApply::State::Join(const ForeignChange& change, Entry fresh) {
  dirsync::Change told;
  told.entry_class = fresh.entry_class;
  told.name = fresh.name;
  told.target_address = fresh.attributes.First(attribute::kTargetAddress);
  Result<std::optional<Adoption>> adoption =
      FindAdoption(*context, told, fresh, fresh.attributes.First(attribute::kDisplayName));
  if (!adoption) {
    Error error = std::move(adoption).error();
    if (error.code == ErrorCode::kAddressTaken)
      error.message = "import " + Printable(change.dn, 80) + ": " + error.message;
    return std::unexpected(std::move(error));
  }
  if (*adoption) {
    const ApplyCounts before = counts;
    DIRSYNC_CHECK(Change(change, (*adoption)->entry, (*adoption)->by));
    counts = before;
    ++counts.adopted;
    context->Plan("adopt", change.dn);
    transaction->Put(storage::AliasKey(LocalIdOf(context->source.site, slot.id)),
                     std::string((*adoption)->entry.id.view()));
    context->any_alias = true;
    return {};
  }
  Result<std::string> free = FreeName(*context, fresh.parent, name.value, fresh.id);
  if (!free) return std::unexpected(OfRecord(std::move(free).error()));
  fresh.name = std::move(*free);
  if (Result<> inserted = context->entries.Insert(fresh); !inserted)
    return std::unexpected(OfRecord(std::move(inserted).error()));
  ++counts.added;
  context->Plan("add", change.dn);
  return PutRow(fresh.id, fresh.entry_class, JoinedBy::kCreated, fresh.name != name.value);
}

Result<> ForeignApply::State::Create(const ForeignChange& change) {
  Entry fresh;
  DIRSYNC_TRY(local, context->LocalIdFor(slot.id));
  fresh.id = slot.exists && !slot.row.local.is_zero() ? slot.row.local : local;
  DIRSYNC_TRY(entry_class, ForeignClass(input.settings, change, nullptr));
  fresh.entry_class = entry_class;
  fresh.name = name.value;
  fresh.origin = context->OriginOf(slot.id);
  DIRSYNC_CHECK(WriteForeign(*context, change, true, fresh));
  DIRSYNC_TRY(parent, context->ImportContainer());
  fresh.parent = parent;
  if (input.settings.join != JoinBy::kName) {
    Result<> inserted = context->entries.Insert(fresh);
    if (inserted) {
      ++counts.added;
      context->Plan("add", change.dn);
      return PutRow(fresh.id, fresh.entry_class, JoinedBy::kCreated, false);
    }
    if (inserted.error().code != ErrorCode::kExists)
      return std::unexpected(OfRecord(std::move(inserted).error()));
  }
  return Join(change, std::move(fresh));
}

Result<> ForeignApply::State::Upsert(const ForeignChange& change) {
  if (!known) return Create(change);
  MirrorRow row = slot.row;
  if (!slot.exists || row.local.is_zero()) {
    DIRSYNC_TRY(local, context->LocalIdFor(slot.id));
    row.local = local;
  }
  DIRSYNC_TRY(current, HeldEntry(*context, slot.id, row));
  if (!current) return Create(change);
  return Change(change, *current, slot.exists ? row.joined : JoinedBy::kIdentity);
}

Result<> ForeignApply::State::Delete(const ForeignChange& change) {
  if (!known || !slot.exists)
    return Fail(ErrorCode::kNotFound, "delete " + Printable(change.dn, 80) +
                                          ": this instance has imported no such entry");
  if (!IsCounted(slot.row.status)) {
    ++counts.unchanged;
    return Meet();
  }
  DeleteMeter meter(totals);
  DIRSYNC_CHECK(ApplyDelete(*context, meter, slot, change.dn));
  return meter.Flush(*context);
}

bool ForeignApply::State::IsUnmet(const MirrorRow& row) const {
  return IsCounted(row.status) && row.version.sequence < file;
}

Result<> ForeignApply::State::JudgeUnmet() {
  std::map<EntryClass, std::uint64_t> unmet;
  MirrorRow row;
  const auto range = storage::StreamRange(storage::Table::kMirror, reader.number);
  auto cursor = transaction->Scan(range.first, range.second);
  for (; cursor->Valid(); cursor->Next()) {
    DIRSYNC_CHECK(DecodeMirrorInto(cursor->Value(), row));
    if (IsUnmet(row)) ++unmet[row.told.entry_class];
  }
  DIRSYNC_CHECK(cursor->status());
  for (const auto& [entry_class, deletes] : unmet) {
    totals.by_class[entry_class].deletes += deletes;
    DIRSYNC_TRY(left, DeletesLeft(*transaction, input.settings, reader, entry_class, input.now));
    if (deletes > left) reader.hold_deletes[entry_class] = true;
  }
  judged_unmet = true;
  return {};
}

// At most limits::kBulkRows of them; rows dealt with are gone or held, so each call begins anew.
Result<bool> ForeignApply::State::DropUnmet() {
  DeleteMeter meter(totals);
  const auto range = storage::StreamRange(storage::Table::kMirror, reader.number);
  auto cursor = transaction->Scan(range.first, range.second);
  std::size_t handled = 0;
  bool all = true;
  for (; cursor->Valid(); cursor->Next()) {
    DIRSYNC_CHECK(DecodeMirrorInto(cursor->Value(), slot.row));
    if (!IsUnmet(slot.row)) continue;
    all = handled < limits::kBulkRows;
    if (!all) break;
    DIRSYNC_TRY(place, PlaceOf(cursor->Key()));
    slot.rank = place.rank;
    slot.id = place.id;
    slot.exists = true;
    DIRSYNC_CHECK(ApplyDelete(*context, meter, slot, place.id.hex()));
    ++handled;
  }
  DIRSYNC_CHECK(cursor->status());
  DIRSYNC_CHECK(meter.Flush(*context));
  return all;
}

ForeignApply::ForeignApply(const ApplyInput& input, IdSource& ids, ReaderState& state)
    : state_(std::make_unique<State>(input, ids, state)) {}

ForeignApply::~ForeignApply() = default;

void ForeignApply::Begin(storage::Transaction& transaction) {
  state_->context.reset();
  state_->transaction = &transaction;
}

Result<> ForeignApply::Take(const ForeignChange& change) {
  State& state = *state_;
  DIRSYNC_CHECK(state.Open());
  DIRSYNC_CHECK(state.FindListed(change.kind, change.dn));
  const bool is_delete = change.kind == ChangeKind::kDelete;
  Result<> taken = is_delete ? state.Delete(change) : state.Upsert(change);
  if (taken || !IsOfRecord(taken.error().code)) return taken;
  // A bad record still says that its entry is there.
  if (!is_delete) DIRSYNC_CHECK(state.Meet());
  return taken;
}

Result<> ForeignApply::Meet(ChangeKind kind, const std::string& dn) {
  State& state = *state_;
  DIRSYNC_CHECK(state.Open());
  const Result<> found = state.FindListed(kind, dn);
  if (!found) return IsOfRecord(found.error().code) ? Result<>() : found;
  return kind == ChangeKind::kDelete ? Result<>() : state.Meet();
}

void ForeignApply::DoubtAbsence() { state_->absence_in_doubt = true; }

bool ForeignApply::absence_in_doubt() const { return state_->absence_in_doubt; }

Result<> ForeignApply::Judge(std::uint64_t adds, std::uint64_t modifies, std::uint64_t deletes) {
  State& state = *state_;
  DIRSYNC_CHECK(state.Open());
  const EntryClass entry_class = state.input.settings.import_class;
  state.totals.by_class[entry_class] = {adds, modifies, 0, deletes, 0};
  state.reader.hold_deletes.clear();
  DIRSYNC_TRY(left, DeletesLeft(*state.transaction, state.input.settings, state.reader, entry_class,
                                state.input.now));
  // The file's deletes do not say their class: too many hold those of every class.
  if (deletes > left)
    for (EntryClass held : kClasses) state.reader.hold_deletes[held] = true;
  return {};
}

Result<bool> ForeignApply::End() {
  State& state = *state_;
  DIRSYNC_CHECK(state.Open());
  if (state.input.settings.complete && !state.absence_in_doubt) {
    if (!state.judged_unmet) DIRSYNC_CHECK(state.JudgeUnmet());
    DIRSYNC_TRY(all, state.DropUnmet());
    if (!all) return false;
  }
  state.reader.source = SourceKind::kForeign;
  state.reader.cursor.epoch.counter = 1;
  state.reader.cursor.sequence = state.file;
  state.reader.hold_deletes.clear();
  return true;
}

const ApplyCounts& ForeignApply::counts() const { return state_->counts; }

}  // namespace dirsync
