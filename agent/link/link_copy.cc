// Full copies by ranges (R2): asked for one by one, each applied while the next one is made, and
// while the stream's batches wait. Ranges that follow each other share a commit: it is made when it
// is large, and before anybody else's turn.
#include <algorithm>

#include "agent/core/policy_meter.h"
#include "agent/core/review.h"
#include "agent/link/link_state.h"
#include "proto/base/text.h"
#include "proto/codec/batch_codec.h"

namespace dirsync {
namespace {

constexpr Duration kAskAgain = std::chrono::seconds(20);
constexpr Duration kAskAgainMost = std::chrono::minutes(5);
constexpr Duration kPause = std::chrono::minutes(5);

EntryId LastId() {
  EntryId id;
  id.bytes.fill(0xff);
  return id;
}

}  // namespace

Result<> Link::State::StartCopy(ImportLink& link) {
  link.subscribed = false;
  link.ask_at = {};
  if (link.copy) return {};
  DIRSYNC_TRY(reader, LoadReader(store.storage(), link.number));
  if (!reader) return {};
  // After a no, it is taken once somebody asks for it.
  if (IsCopyRun(reader->rejected_run) && !link.copy_by_person && link.askers.empty()) {
    link.copy_wanted = false;
    Stall(link, reader->cursor,
          {ErrorCode::kRefused, "a full copy of " + link.stream.ToString() + " was rejected here",
           "dirsync resync run --site " + Printable(link.stream.site) + " --full"});
    return {};
  }
  if (link.stalled && link.stalled->code == ErrorCode::kOverLimit) link.stalled.reset();
  // Deliveries of this stream end; its log is held for what comes after the copy.
  Say(Unsubscribe{link.stream, false});
  link.copy = std::make_unique<CopyJob>(
      CopyJob{std::move(*reader), {store.profile(), link.settings, Now(), {}, &domains}});
  CopyJob& copy = *link.copy;
  std::optional<FullJob>& full = copy.reader.full;
  // Containers are as of one position, and their order is in memory only: they begin anew.
  if (full && full->rank != storage::kRecipientRank && !full->ending) full.reset();
  if (full) {
    copy.rank = full->ending ? storage::kRecipientRank : full->rank;
    copy.after = full->ending ? LastId() : full->after;
  }
  Tell("full-copy", link.settings.name, full ? "a full copy goes on" : "a full copy begins");
  AskRange(link);
  return {};
}

void Link::State::AskRange(ImportLink& link) {
  CopyJob& copy = *link.copy;
  copy.request = next_request++;
  copy.wait = kAskAgain;
  copy.ask_at = Now() + copy.wait;
  Say(GetRange{link.stream, "", copy.request, copy.rank, copy.after, limits::kRangeBytes});
}

// Under the number that it has: an answer that only takes long is the one that is taken.
void Link::State::AskRangeAgain(ImportLink& link) {
  CopyJob& copy = *link.copy;
  if (copy.request == 0) return AskRange(link);
  copy.wait = std::min(copy.wait * 2, kAskAgainMost);
  copy.ask_at = Now() + copy.wait;
  Say(GetRange{link.stream, "", copy.request, copy.rank, copy.after, limits::kRangeBytes});
}

// The copy is given up; it begins again after `wait`, if it is still wanted.
void Link::State::DropCopy(ImportLink& link, Duration wait) {
  link.copy.reset();
  link.ask_at = Now() + wait;
}

Result<> Link::State::TakeRange(const dirsync::Range& range) {
  ImportLink* link = ImportOf(range.stream);
  if (link == nullptr || !link->copy || link->copy->request != range.request) return {};
  CopyJob& copy = *link->copy;
  copy.request = 0;
  if (!range.payload) {
    copy.ask_at = Now() + kAskAgain;
    if (range.code != ErrorCode::kUnreachable)
      Tell("full-copy", link->settings.name, "no range now: " + Printable(range.text), range.code);
    return {};
  }
  // The one before it, if nobody has called since.
  DIRSYNC_CHECK(ApplyPending(*link));
  if (!link->copy || link->copy->request != 0) return {};
  auto batch = DecodeBatch(*range.payload, copy.reader.signer);
  if (!batch) {
    Stall(*link, copy.reader.cursor, batch.error());
    DropCopy(*link, kPause);
    link->copy_wanted = false;
    return {};
  }
  const RangeBounds& bounds = batch->range;
  const bool asked = batch->kind == BatchKind::kRange && batch->stream == link->stream &&
                     bounds.rank_after == copy.rank && bounds.after == copy.after;
  if (!asked) {
    Tell("full-copy", link->settings.name, "another range came than was asked for",
         ErrorCode::kBadRecord);
    return {};
  }
  const bool end = bounds.end;
  if (!end) {
    copy.rank = bounds.rank_last;
    copy.after = bounds.last;
    AskRange(*link);
  }
  copy.pending = std::move(*batch);
  return end ? ApplyPending(*link) : Result<>{};
}

Result<> Link::State::ApplyPending(ImportLink& link) {
  if (!link.copy || !link.copy->pending) return {};
  CopyJob& copy = *link.copy;
  const Batch range = std::move(*copy.pending);
  copy.pending.reset();
  // Commands may have moved on what is stored since the last range.
  DIRSYNC_TRY(step, StepFor(link));
  DIRSYNC_TRY(stored, LoadReader(*step, link.number));
  const bool moved = !stored || (copy.apply && stored->full != copy.reader.full);
  if (moved) {
    DropCopy(link, {});
    return {};
  }
  const std::optional<FullJob> kept = copy.reader.full;
  copy.reader = std::move(*stored);
  if (!copy.apply) copy.reader.full = kept;
  return ApplyRange(link, range);
}

Result<> Link::State::ApplyRange(ImportLink& link, const Batch& range) {
  CopyJob& copy = *link.copy;
  const Position as_of{range.epoch, range.sequence, range.previous};
  const Position& cursor = copy.reader.cursor;
  const bool behind =
      Version{as_of.epoch.counter, as_of.sequence} <
          Version{cursor.epoch.counter, cursor.sequence} ||
      (as_of.epoch.counter == cursor.epoch.counter && as_of.epoch.id != cursor.epoch.id) ||
      (as_of.epoch == cursor.epoch && as_of.sequence == cursor.sequence && as_of != cursor);
  if (behind) {
    DIRSYNC_CHECK(SettleCopies());
    DIRSYNC_CHECK(HoldDeletes(link));
    Stall(link, cursor,
          {ErrorCode::kFork,
           link.stream.site + " stands at " + std::to_string(as_of.sequence) +
               ", before or beside what it told this site",
           "find out whether it was put back from a copy"});
    DropCopy(link, kPause);
    return {};
  }
  // A new epoch, or containers at more than one position: the copy begins anew.
  const bool resumed = !copy.apply && copy.reader.full.has_value();
  const bool other_epoch = (copy.apply && copy.at.epoch != as_of.epoch) ||
                           (resumed && copy.reader.full->as_of.epoch != as_of.epoch);
  const bool torn =
      copy.apply && copy.at != as_of && copy.reader.full->rank != 0 && copy.apply->containers();
  if (other_epoch || torn) {
    copy.apply.reset();
    copy.step = nullptr;
    copy.reader.full.reset();
    copy.rank = 0;
    copy.after = {};
    AskRange(link);
    return {};
  }
  if (!copy.apply) {
    copy.rollback = cursor.epoch.counter != 0 && as_of.epoch.counter > cursor.epoch.counter;
    const Position first = resumed ? copy.reader.full->as_of : as_of;
    copy.apply = std::make_unique<FullApply>(copy.input, first, range.terms, copy.reader);
  }
  copy.at = as_of;
  copy.total = range.rows_after;
  copy.apply->At(as_of);
  return TakeEntries(link, range);
}

// The whole range into the open step, or nothing of it; but what was not listed may fill several.
Result<> Link::State::TakeEntries(ImportLink& link, const Batch& range) {
  CopyJob& copy = *link.copy;
  DIRSYNC_TRY(step, StepFor(link));
  DIRSYNC_TRY(shares, SurelyPasses(*step, copy.reader, range.changes.size(), Now()));
  if (!shares) {
    // What may be refused takes nothing else with it.
    DIRSYNC_CHECK(SettleCopies());
    DIRSYNC_TRY(own, StepFor(link));
    step = own;
  }
  if (std::exchange(copy.step, step) != step) copy.apply->Begin(*step);
  copy.apply->AskedHere(link.copy_asked_here);
  PolicyMeter meter(copy.reader, copy.apply->counts());
  for (const Change& change : range.changes) {
    auto taken = copy.apply->Take(change);
    while (taken && !*taken) {
      DIRSYNC_TRY(fits, JudgeStep(link, meter));
      if (!fits) return {};
      DIRSYNC_CHECK(SettleCopies());
      DIRSYNC_TRY(next, StepFor(link));
      step = next;
      copy.step = next;
      copy.apply->Begin(*next);
      taken = copy.apply->Take(change);
    }
    if (!taken) return StopCopy(link, taken.error());
  }
  DIRSYNC_TRY(fits, JudgeStep(link, meter));
  if (!fits) return {};
  copy.done += range.changes.size();
  if (range.range.end) return EndCopy(link, range);
  if (!shares || BulkSteps::IsFull(*step)) DIRSYNC_CHECK(SettleCopies());
  AnswerAskers(link, false, ErrorCode::kAlreadyApplied,
               std::to_string(copy.done) + " of " + std::to_string(copy.total) + " entries");
  return {};
}

// What is in the step, before its commit. False: over a limit of its site, the copy waits.
Result<bool> Link::State::JudgeStep(ImportLink& link, PolicyMeter& meter) {
  CopyJob& copy = *link.copy;
  const RateRule rate = link.copy_by_person ? RateRule::kFree : RateRule::kCounted;
  const auto judged = meter.Judge(*copy.step, copy.reader, copy.apply->counts(), Now(), rate);
  if (!judged) steps->Drop();
  if (!judged && judged.error().code == ErrorCode::kOverLimit) {
    StallOver(link, copy.reader.cursor, judged.error());
    DropCopy(link, link.ask_at - Now());
    return false;
  }
  if (!judged) return std::unexpected(judged.error());
  if (!judged->empty()) Tell("nearly-full", link.settings.name, *judged, ErrorCode::kOverLimit);
  StoreReader(*copy.step, copy.reader);
  return true;
}

// Nothing of the open step is applied; that the copy waits for a person is kept (R4).
Result<> Link::State::StopCopy(ImportLink& link, const Error& error) {
  steps->Drop();  // with half a range in it
  if (IsStorageError(error.code)) return std::unexpected(error);
  if (error.code == ErrorCode::kSuspect) {
    storage::Transaction transaction(store.storage());
    StoreReader(transaction, link.copy->reader);
    DIRSYNC_CHECK(store.Commit(transaction));
  }
  if (error.code == ErrorCode::kSuspect || error.code == ErrorCode::kRefused) {
    Stall(link, link.copy->reader.cursor, error);
  } else {
    Tell("full-copy", link.settings.name, error.message, error.code);
  }
  DropCopy(link, kPause);
  return {};
}

// The step to write into: the open one, if its ranges are of this copy.
Result<storage::Transaction*> Link::State::StepFor(ImportLink& link) {
  if (step_number != link.number) DIRSYNC_CHECK(SettleCopies());
  step_number = link.number;
  if (!steps) steps.emplace(store);
  if (!steps->is_open()) step_at = Now();
  return &steps->Open([this] { return SettleCopies(); });
}

// After an error what was applied is not what is stored: copies go on from there.
Result<> Link::State::SettleCopies() {
  if (!steps) return {};
  const bool looked = looked_at == store.commits();
  auto settled = steps->Settle();
  if (looked) looked_at = store.commits();  // nothing that others would have to hear of
  for (auto& [name, link] : imports) {
    if (!link.copy) continue;
    link.copy->step = nullptr;
    if (!settled) DropCopy(link, kPause);
  }
  if (!IsCopying()) steps.reset();
  return settled;
}

bool Link::State::IsCopying() const {
  return std::ranges::any_of(imports, [](const auto& row) { return row.second.copy != nullptr; });
}

// What was not listed goes, through the gate; then the stream goes on behind the copy.
Result<> Link::State::EndCopy(ImportLink& link, const Batch& range) {
  DIRSYNC_CHECK(SettleCopies());
  CopyJob& copy = *link.copy;
  const RateRule rate = link.copy_by_person ? RateRule::kFree : RateRule::kOnlyCounted;
  for (bool ended = false; !ended;) {
    storage::Transaction transaction(store.storage());
    copy.apply->Begin(transaction);
    PolicyMeter meter(copy.reader, copy.apply->counts());
    const auto end = copy.apply->End(copy.rollback);
    if (!end) return StopCopy(link, end.error());
    ended = *end;
    DIRSYNC_CHECK(meter.Judge(transaction, copy.reader, copy.apply->counts(), Now(), rate));
    StoreReader(transaction, copy.reader);
    DIRSYNC_CHECK(store.Commit(transaction));
  }
  const ApplyCounts counts = copy.apply->counts();
  const bool settled = copy.reader.settled == copy.reader.cursor;
  const bool equal = settled && copy.reader.sum == range.sum_after;
  std::string text = std::to_string(copy.done) + " entries: " + std::to_string(counts.added) +
                     " added, " + std::to_string(counts.modified + counts.renamed) + " changed, " +
                     std::to_string(counts.deleted) + " deleted, " + std::to_string(counts.held) +
                     " deletes held";
  if (equal) text += "; sums equal at " + std::to_string(range.sequence);
  Tell("full-copy-done", link.settings.name, text);
  if (counts.held > 0)
    Tell("held", link.settings.name, std::to_string(counts.held) + " deletes held",
         ErrorCode::kRefused);
  link.copied_at = Now();
  link.canary_at = range.time;
  link.applied += counts.added + counts.modified + counts.renamed + counts.deleted;
  link.diverged = settled && !equal;
  if (equal) link.sums_equal_at = Now();
  if (equal) link.equal_rows = range.rows_after;
  link.copy.reset();
  link.copy_wanted = false;
  link.copy_by_person = false;
  link.copy_asked_here = false;
  EndOver(link);
  if (!IsCopying()) steps.reset();
  if (settled) {
    AnswerAskers(link, true, equal ? ErrorCode::kAlreadyApplied : ErrorCode::kEpochChanged,
                 equal ? EqualText(link) : text);
  } else {
    AnswerAskers(link, false, ErrorCode::kAlreadyApplied, text + "; catching up");
  }
  return SubscribeTo(link);
}

}  // namespace dirsync
