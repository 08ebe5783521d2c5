#include "agent/core/apply.h"

#include <algorithm>

#include "agent/core/apply_context.h"
#include "agent/core/change_apply.h"
#include "agent/core/delete.h"
#include "agent/core/gate.h"
#include "agent/core/own_site.h"
#include "agent/core/policy_meter.h"
#include "agent/core/review.h"
#include "agent/core/waiting.h"
#include "agent/core/wanted.h"

namespace dirsync {
namespace {

std::unexpected<Error> Refuse(ErrorCode code, const Batch& batch, std::string_view cause) {
  return Fail(code, "apply " + batch.stream.ToString() + " epoch " + batch.epoch.ToString() +
                        " sequence " + std::to_string(batch.sequence) + ": " + std::string(cause));
}

bool HasRows(const ReaderState& state) { return !state.rows.empty(); }

// Whether the batch belongs to what `state` reads, and may be applied at all.
Result<> CheckBatch(const SiteProfile& profile, const Batch& batch, const ReaderState& state) {
  if (IsOwnSite(profile, batch.stream))
    return Refuse(ErrorCode::kOwnStream, batch, "this site wrote it");
  if (state.source == SourceKind::kForeign || !(state.stream == batch.stream))
    return Refuse(ErrorCode::kWrongStream, batch, "this instance reads " + state.stream.ToString());
  const Position& cursor = state.cursor;
  const bool same_epoch = cursor.epoch == batch.epoch;
  if (batch.epoch.counter < cursor.epoch.counter)
    return Refuse(ErrorCode::kOldEpoch, batch, "a newer epoch was applied");
  if (same_epoch && batch.sequence <= cursor.sequence)
    return Refuse(ErrorCode::kAlreadyApplied, batch, "it is behind what was applied");
  if (state.full && state.full->as_of.epoch.counter > batch.epoch.counter)
    return Refuse(ErrorCode::kEpochChanged, batch, "a full copy of a newer epoch is under way");
  const HashKey& told = batch.terms.hash_key;
  if (HasRows(state) && !told.is_zero() && told != state.terms.hash_key)
    return Refuse(ErrorCode::kEpochChanged, batch, "its told states have another hash key");
  return {};
}

// A change of an unknown kind keeps the sums apart without anything being wrong.
Result<bool> IsAnyUnknown(const storage::ReadView& view, storage::StreamNumber number) {
  DIRSYNC_TRY(rows, ListQuarantine(view, number));
  for (const QuarantineRow& row : rows)
    if (row.code == ErrorCode::kUnknownChange) return true;
  return false;
}

Result<bool> HasDiverged(const ApplyContext& context, const Batch& batch) {
  if (context.state.sum == batch.sum_after) return false;
  const Position& settled = context.state.settled;
  if (settled.epoch == batch.epoch && batch.sequence < settled.sequence) return false;
  DIRSYNC_TRY(wanted, IsAnyWanted(context.transaction, context.state.number));
  if (wanted) return false;
  DIRSYNC_TRY(unknown, IsAnyUnknown(context.transaction, context.state.number));
  return !unknown;
}

// The run as the gate knows it: a batch that names none, or says that it is a full copy, is a run
// of its own.
RunTotals RunOf(const Batch& batch, const Digest& digest) {
  RunTotals totals = batch.run;
  if (totals.run.is_zero() || IsCopyRun(totals.run))
    totals.run = *RunId::FromBytes(digest.view().substr(0, RunId{}.bytes.size()));
  return totals;
}

// The run as a person has to see it, with what it really does.
RunTotals Suspected(RunTotals totals, const ReaderState& state) {
  for (const auto& [entry_class, of_class] : state.retargets) {
    std::uint64_t& shown = totals.by_class[entry_class].retargets;
    shown = std::max(shown, of_class.told);
  }
  return totals;
}

std::unexpected<Error> RefuseRun(const Batch& batch, const RunTotals& run, std::string_view cause) {
  return Refuse(
      ErrorCode::kSuspect, batch,
      "run " + run.run.hex() + " gives too many entries another address" + std::string(cause));
}

Result<ApplyCounts> ApplyChanges(storage::Transaction& transaction, const ApplyInput& input,
                                 const Batch& batch, const Digest& digest, ReaderState& state,
                                 GateVerdict& verdict) {
  ApplyCounts counts;
  ApplySource source{batch.stream.site, batch.stream.organization,
                     batch.stream.site + "/" + batch.stream.instance, state.terms.hash_key};
  ApplyContext context(transaction, input, std::move(source), state, counts);
  DIRSYNC_CHECK(context.Open());
  context.version = {batch.epoch.counter, batch.sequence};
  if (!HasRows(state)) state.taken = context.taken;
  DeleteMeter meter(batch.run);
  ChangeApply apply(context, meter);
  for (const Change& change : batch.changes) DIRSYNC_CHECK(apply.Apply(change));
  DIRSYNC_TRY(counted,
              CountRetargets(transaction, input.settings, context.retargets, state, input.now));
  verdict = counted;
  if (verdict == GateVerdict::kSuspect) return counts;
  if (!batch.changes.empty()) DIRSYNC_CHECK(RetryWaiting(context));
  DIRSYNC_CHECK(meter.Flush(context));
  state.cursor = {batch.epoch, batch.sequence, digest};
  DIRSYNC_CHECK(RememberDigest(transaction, state.number, state.cursor));
  DIRSYNC_TRY(diverged, HasDiverged(context, batch));
  counts.diverged = diverged;
  return counts;
}

}  // namespace

void ApplyCounts::Add(const ApplyCounts& other) {
  added += other.added;
  modified += other.modified;
  renamed += other.renamed;
  deleted += other.deleted;
  unchanged += other.unchanged;
  held += other.held;
  quarantined += other.quarantined;
  wanted += other.wanted;
  adopted += other.adopted;
  superseded += other.superseded;
  diverged = diverged || other.diverged;
  if (!other.warning.empty()) warning = other.warning;
}

Result<ApplyCounts> ApplyBatch(storage::Transaction& transaction, const ApplyInput& input,
                               const Batch& batch, const Digest& digest, ReaderState& state) {
  ReaderState next = state;
  if (next.source == SourceKind::kUnbound) {
    next.source = SourceKind::kStream;
    next.stream = batch.stream;
  }
  DIRSYNC_CHECK(CheckBatch(input.profile, batch, next));
  if (!batch.terms.hash_key.is_zero()) next.terms = batch.terms;
  // A full copy that was cut off begins anew: rows it has not met yet now move on without it.
  next.full.reset();
  // Another life of the source: which of its histories was right no longer matters.
  if (next.cursor.epoch != batch.epoch) next.hold_all_deletes = false;
  const RunTotals run = RunOf(batch, digest);
  // Whatever it calls itself: only what holds no changes is no run.
  if (batch.kind == BatchKind::kChanges || !batch.changes.empty()) {
    DIRSYNC_TRY(verdict, JudgeRun(transaction, input.settings, run, next, input.now));
    if (verdict == GateVerdict::kSuspect) {
      if (!state.suspect) state.suspect = run;
      return RefuseRun(batch, run, "");
    }
  }
  PolicyMeter meter(next, {});
  GateVerdict verdict{};
  DIRSYNC_TRY(counts, ApplyChanges(transaction, input, batch, digest, next, verdict));
  if (verdict == GateVerdict::kSuspect) {
    state.suspect = Suspected(run, next);
    return RefuseRun(batch, run, ", more than it declares");
  }
  DIRSYNC_TRY(warning, meter.Judge(transaction, next, counts, input.now, RateRule::kCounted));
  counts.warning = std::move(warning);
  state = std::move(next);
  return counts;
}

}  // namespace dirsync
