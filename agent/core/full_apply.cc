#include <map>
#include <optional>
#include <utility>

#include "agent/core/absent_rows.h"
#include "agent/core/apply.h"
#include "agent/core/apply_context.h"
#include "agent/core/container_ranks.h"
#include "agent/core/entry_content.h"
#include "agent/core/gate.h"
#include "agent/core/mirror_place.h"
#include "agent/core/mirror_slot.h"
#include "agent/core/own_site.h"
#include "agent/core/told.h"
#include "agent/core/upsert.h"
#include "agent/core/waiting.h"
#include "agent/core/wanted.h"
#include "proto/base/limits.h"

namespace dirsync {

using storage::kRecipientRank;
using storage::MirrorKey;
using storage::Rank;

// The copy's entries and the mirror's rows side by side, both in order of (rank, id).
struct FullApply::State {
  State(const ApplyInput& settings, const Position& position, StreamTerms told,
        ReaderState& read_by)
      : input(settings), as_of(position), at(position), terms(std::move(told)), reader(read_by) {}

  Result<> Open();
  Result<> AskGate();
  Result<> Stop();
  Result<MirrorPlace> Place(const Change& whole);
  Result<std::optional<bool>> FindRow(const MirrorPlace& place);
  Result<> TakeRow(const Change& whole);
  Result<bool> TakeUnchanged(const Change& whole);
  Result<> TakeMoved(const Change& whole, Rank old_rank);
  Result<> TakeUnknown(const Change& whole);
  bool KeepNewer();
  Result<bool> MarkRow();
  Result<bool> MarkBefore(std::string_view key);
  Result<> Finish();

  const ApplyInput input;
  const Position as_of;
  Position at;  // of the range being taken
  const StreamTerms terms;
  ReaderState& reader;
  bool asked_here = false;
  ApplyCounts counts;

  storage::Transaction* transaction = nullptr;
  std::optional<ReaderState> begun;         // as the transaction was begun
  std::size_t marked = 0;                   // rows written by MarkRow in it
  std::optional<ApplyContext> context;      // of the transaction
  std::unique_ptr<storage::Cursor> cursor;  // at the first row not yet met
  MirrorPlace done;                         // progress of an earlier pass: passed over up to here
  MirrorPlace last;                         // taken in this pass
  ContainerRanks listed;                    // containers of the copy
  ContainerRanks mirrored;                  // containers of the mirror as it is now
  MirrorSlot slot;                          // memory reused
};

Result<> FullApply::State::Open() {
  if (context) return {};
  if (transaction == nullptr) return Fail(ErrorCode::kInternal, "take full copy: not begun");
  if (IsOwnSite(input.profile, reader.stream)) {
    return Fail(ErrorCode::kOwnStream,
                "apply full copy of " + reader.stream.ToString() + ": this site wrote it");
  }
  ApplySource source{reader.stream.site, reader.stream.organization,
                     reader.stream.site + "/" + reader.stream.instance, terms.hash_key};
  context.emplace(*transaction, input, std::move(source), reader, counts);
  DIRSYNC_CHECK(context->Open());
  context->version = {at.epoch.counter, at.sequence};
  FullJob& job = *reader.full;
  if (!job.ending && job.rank == 0) job.taken = context->taken;
  if (!mirrored.loaded()) DIRSYNC_CHECK(mirrored.Load(*transaction, reader.number));
  // What waits stopped at the cursor: a copy from there is no way around it.
  if (reader.suspect && !asked_here && as_of != reader.cursor) return Stop();
  if (reader.full->ending) return {};
  std::string from = MirrorKey(reader.number, reader.full->rank, reader.full->after);
  from.push_back('\0');  // behind that key
  cursor =
      transaction->Scan(from, storage::StreamRange(storage::Table::kMirror, reader.number).second);
  return {};
}

// What the last entry did may be more than the gate lets pass.
Result<> FullApply::State::AskGate() {
  if (context->retargets.empty()) return {};
  const EntryClass entry_class = std::exchange(context->retargets, {}).begin()->first;
  if (asked_here) return {};
  DIRSYNC_TRY(verdict, CountCopied(*transaction, input.settings, entry_class, reader, input.now));
  return verdict == GateVerdict::kPass ? Result<>() : Stop();
}

// Until a person has decided; of what this transaction has done, nothing counts.
Result<> FullApply::State::Stop() {
  RunTotals totals;
  totals.run = CopyRun(as_of);
  for (const auto& [entry_class, of_class] : reader.retargets)
    if (of_class.told > 0) totals.by_class[entry_class].retargets = of_class.told;
  reader = *begun;
  const std::string copy = "apply full copy of " + reader.stream.ToString() + ": ";
  if (reader.rejected_run == totals.run) return Rejected("full copy", reader.stream);
  if (reader.suspect)
    return Fail(ErrorCode::kSuspect, copy + "what came before it waits for a person");
  reader.suspect = std::move(totals);
  return Fail(ErrorCode::kSuspect, copy + "it gives too many entries another address");
}

// Where the entry stands in the order of the copy.
Result<MirrorPlace> FullApply::State::Place(const Change& whole) {
  MirrorPlace place{kRecipientRank, whole.id};
  const auto refuse = [&whole](std::string_view cause) {
    return Fail(ErrorCode::kBadRecord, "take entry " + whole.id.hex() + " (" + whole.dn +
                                           ") of full copy: " + std::string(cause));
  };
  if (whole.entry_class == EntryClass::kContainer) {
    const std::optional<Rank> rank = listed.Below(whole.parent);
    if (!rank) return refuse("its container was not listed before it, or lies too deep");
    place.rank = *rank;
  }
  if (place <= last) return refuse("out of order");
  if (place.rank != kRecipientRank) listed.Set(whole.id, place.rank, whole.parent);
  last = place;
  return place;
}

// The row in the slot is of a copy that was given up, and newer than this one: it counts as it is.
// The source's sums hold it from its version on, and are compared again from there. Whether a row
// was written.
bool FullApply::State::KeepNewer() {
  reader.full->sum.Add(SumOf(terms.hash_key, slot.id, slot.row.told));
  Position& highest = reader.full->highest;
  if (highest.sequence < slot.row.version.sequence)
    highest = {highest.epoch, slot.row.version.sequence, {}};
  if (!slot.row.absent) return false;
  slot.row.absent = false;
  slot.PutAsCounted(*context);
  return true;
}

// The row under the cursor was not listed: it is a candidate, unless something newer is known.
// Whether a row was written.
Result<bool> FullApply::State::MarkRow() {
  DIRSYNC_TRY(place, PlaceOf(cursor->Key()));
  const bool moved = place.rank != kRecipientRank && mirrored.Find(place.id) != place.rank;
  if (moved) return false;  // its row stands elsewhere by now
  DIRSYNC_CHECK(DecodeMirrorInto(cursor->Value(), slot.row));
  if (!IsCounted(slot.row.status)) return false;
  slot.rank = place.rank;
  slot.id = place.id;
  if (slot.row.version > context->version) return KeepNewer();
  ++reader.full->absent;
  if (slot.row.absent) return false;
  slot.row.absent = true;
  slot.PutAsCounted(*context);
  return true;
}

// Marks what is not listed before `key`; empty: to the end. False: enough was written for one
// commit, and the progress says up to where.
Result<bool> FullApply::State::MarkBefore(std::string_view key) {
  while (cursor->Valid() && (key.empty() || cursor->Key() < key)) {
    if (marked >= limits::kBulkRows) return false;
    DIRSYNC_TRY(place, PlaceOf(cursor->Key()));
    DIRSYNC_TRY(written, MarkRow());
    if (written) ++marked;
    reader.full->rank = place.rank;
    reader.full->after = place.id;
    cursor->Next();
  }
  DIRSYNC_CHECK(cursor->status());
  return true;
}

// Moves the cursor to `place`, marking what it passes. Whether the mirror has the row; nullopt:
// commit first.
Result<std::optional<bool>> FullApply::State::FindRow(const MirrorPlace& place) {
  const std::string key = MirrorKey(reader.number, place.rank, place.id);
  DIRSYNC_TRY(passed, MarkBefore(key));
  if (!passed) return std::nullopt;
  if (!cursor->Valid() || cursor->Key() != key) return false;
  DIRSYNC_CHECK(DecodeMirrorInto(cursor->Value(), slot.row));
  cursor->Next();
  return true;
}

// Most rows of most copies: told as before, in place. Nothing is written.
Result<bool> FullApply::State::TakeUnchanged(const Change& whole) {
  if (slot.row.status != MirrorStatus::kApplied) return false;
  if (!IsStateOf(terms.hash_key, whole, slot.row.told)) return false;
  if (!KeepsOutRight(*context, slot.row)) return false;
  DIRSYNC_TRY(wanted, context->IsWanted(whole.id));
  if (wanted) return false;
  if (slot.row.absent) {
    slot.row.absent = false;
    slot.PutAsCounted(*context);
  }
  if (context->any_quarantine)
    context->transaction.Delete(storage::QuarantineKey(reader.number, whole.id));
  ++counts.unchanged;
  return true;
}

// A container that the mirror has at another depth: its row moves.
Result<> FullApply::State::TakeMoved(const Change& whole, Rank old_rank) {
  const Rank rank = slot.rank;
  DIRSYNC_CHECK(slot.Load(*context, old_rank, whole.id));
  slot.MoveTo(*context, rank);
  if (!slot.exists) return {};
  if (slot.row.absent && reader.full->absent > 0) --reader.full->absent;
  slot.row.absent = false;
  slot.PutAsCounted(*context);
  return {};
}

Result<> FullApply::State::TakeRow(const Change& whole) {
  const bool container = slot.rank != kRecipientRank;
  if (!slot.exists && container) {
    const std::optional<Rank> old_rank = mirrored.Find(whole.id);
    if (old_rank) DIRSYNC_CHECK(TakeMoved(whole, *old_rank));
  }
  if (container) mirrored.Set(whole.id, slot.rank, whole.parent);
  if (slot.exists && slot.row.version > context->version) {
    KeepNewer();
    ++counts.unchanged;
    return {};
  }
  if (slot.exists) {
    DIRSYNC_TRY(unchanged, TakeUnchanged(whole));
    if (unchanged) {
      reader.full->sum.Add(SumOf(terms.hash_key, slot.id, slot.row.told));
      return {};
    }
  } else {
    slot.row = {};
  }
  DIRSYNC_CHECK(ApplyWhole(*context, slot, whole, StateOf(terms.hash_key, whole)));
  reader.full->sum.Add(slot.sum);
  return {};
}

// The row, if there is one, stays as it is: it was listed.
Result<> FullApply::State::TakeUnknown(const Change& whole) {
  if (slot.exists) {
    if (slot.row.absent) {
      slot.row.absent = false;
      slot.PutAsCounted(*context);
    }
    reader.full->sum.Add(SumOf(terms.hash_key, slot.id, slot.row.told));
  }
  return KeepUnknown(*context, whole);
}

Result<> FullApply::State::Finish() {
  DIRSYNC_CHECK(RetryWaiting(*context));
  DIRSYNC_CHECK(DropAnswered(*transaction, reader.number, {as_of.epoch.counter, as_of.sequence}));
  EndRuns(reader, as_of);
  reader.run = {};
  reader.hold_deletes.clear();
  if (reader.approved_run.is_zero()) reader.retargets.clear();
  reader.sum = reader.full->sum;
  reader.terms = terms;
  reader.cursor = as_of;
  reader.settled = reader.full->highest;
  reader.taken = reader.full->taken;
  reader.full.reset();
  if (reader.source == SourceKind::kUnbound) reader.source = SourceKind::kStream;
  return RememberDigest(*transaction, reader.number, as_of);
}

FullApply::FullApply(const ApplyInput& input, const Position& as_of, const StreamTerms& terms,
                     ReaderState& state)
    : state_(std::make_unique<State>(input, as_of, terms, state)) {
  if (!state.full || state.full->as_of != as_of) {
    state.full = FullJob{};
    state.full->as_of = as_of;
    state.full->highest = as_of;
    // What it is approved for counts from the approval on.
    if (state.approved_run.is_zero()) state.retargets.clear();
  }
  state_->done = {state.full->rank, state.full->after};
}

FullApply::~FullApply() = default;

void FullApply::AskedHere(bool asked_here) { state_->asked_here = asked_here; }

void FullApply::Begin(storage::Transaction& transaction) {
  state_->begun = state_->reader;
  state_->marked = 0;
  state_->cursor.reset();
  state_->context.reset();
  state_->transaction = &transaction;
}

void FullApply::At(const Position& position) {
  state_->at = position;
  Position& highest = state_->reader.full->highest;
  if (highest.sequence < position.sequence) highest = position;
  if (state_->context) state_->context->version = {position.epoch.counter, position.sequence};
}

bool FullApply::containers() const {
  return !state_->reader.full->ending && state_->reader.full->rank != kRecipientRank;
}

Result<bool> FullApply::Take(const Change& whole) {
  State& state = *state_;
  DIRSYNC_CHECK(state.Open());
  const MirrorPlace before = state.last;
  DIRSYNC_TRY(place, state.Place(whole));
  FullJob& job = *state.reader.full;
  if (job.ending || place <= state.done) return true;
  DIRSYNC_TRY(exists, state.FindRow(place));
  if (!exists) {
    state.last = before;
    return false;
  }
  state.slot.rank = place.rank;
  state.slot.id = place.id;
  state.slot.exists = *exists;
  DIRSYNC_CHECK(whole.unknown_kind == 0 ? state.TakeRow(whole) : state.TakeUnknown(whole));
  DIRSYNC_CHECK(state.AskGate());
  job.rank = place.rank;
  job.after = place.id;
  return true;
}

Result<bool> FullApply::End(bool after_rollback) {
  State& state = *state_;
  DIRSYNC_CHECK(state.Open());
  FullJob& job = *state.reader.full;
  if (!job.ending) {
    DIRSYNC_TRY(marked, state.MarkBefore({}));
    if (!marked) return false;
    DIRSYNC_CHECK(JudgeAbsent(*state.context));
    job.ending = true;
    job.rank = 0;
    job.after = {};
    state.cursor.reset();
  }
  if (job.absent > 0) {
    DIRSYNC_TRY(dropped, DropAbsent(*state.context, after_rollback));
    if (!dropped) return false;
  }
  DIRSYNC_CHECK(state.Finish());
  return true;
}

const ApplyCounts& FullApply::counts() const { return state_->counts; }

}  // namespace dirsync
