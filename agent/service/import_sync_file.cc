// One of our own files, from proof to cursor.
#include <algorithm>

#include "agent/core/policy_meter.h"
#include "agent/file/sync_file_reader.h"
#include "agent/service/import_run.h"
#include "agent/service/ride_along.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/trust/roster.h"

namespace dirsync {
namespace {

constexpr std::size_t kProgressEvery = 8192;

class SyncFileImport {
 public:
  SyncFileImport(ImportRun& run, const std::string& path, ByteSource& source)
      : run_(run), path_(Printable(path)), source_(source) {}
  Result<> Import();

 private:
  Result<> CheckSource(const FileHeader& header) const;
  Result<> ExpectKey();
  Result<> Verify();
  Result<> Bind();
  Result<> Repin();
  Result<> TakeRide();
  Result<> Apply();
  Result<> ApplyBatches();
  Result<> ApplyOneBatch(SyncFileRecords& records, SyncFileRecords::Record& record, bool& more,
                         std::size_t index);
  Result<> JudgeBatch(const FileBatch& info, Follows* follows);
  Result<> JudgeFull(bool* rollback);
  Result<> ApplyFull();
  Result<> TakeAll(FullApply& apply);
  Result<> EndFull(FullApply& apply, bool rollback);
  Result<> JudgeStep(PolicyMeter& meter, const ReaderState& state, const ApplyCounts& counts,
                     RateRule rate);
  Result<> ApplyAdhocFile();
  Result<> Gap(Sequence sequence) const;
  Result<> Fork(const std::string& what);
  void Report(std::uint64_t done, std::uint64_t total) const {
    if (run_.request.progress && done % kProgressEvery == 0)
      run_.request.progress({"reading " + path_, done, total});
  }
  std::unexpected<Error> Refuse(ErrorCode code, const std::string& cause,
                                std::string hint = {}) const {
    return Fail(code, "reading " + path_ + ": " + cause, std::move(hint));
  }

  ImportRun& run_;
  std::string path_;
  ByteSource& source_;
  VerifiedFile file_;
  // By which the file has to be signed; none: the first one is believed (R7).
  std::optional<PublicKey> expected_;
  bool by_roster_ = false;  // it is the roster that names the key
  // Of a full copy: free where this site itself has to have one (IsCopyDue).
  RateRule rate_ = RateRule::kCounted;
  // Pass 1 of a full copy: nothing in the file differs from what is here.
  bool unchanged_ = false;
};

Result<> SyncFileImport::Import() {
  DIRSYNC_TRY(header, PeekSyncFile(source_));
  DIRSYNC_CHECK(CheckSource(header));
  file_.header = std::move(header);
  DIRSYNC_CHECK(ExpectKey());
  DIRSYNC_CHECK(Verify());
  // Who is known is heard whatever becomes of the file: an ack may end what stops it. Of anybody
  // else only a file that is taken says who it is.
  const bool known = run_.state.source == SourceKind::kStream && expected_.has_value();
  DIRSYNC_CHECK(Bind());
  if (known) DIRSYNC_CHECK(TakeRide());
  DIRSYNC_CHECK(Apply());
  return known ? Result<>() : TakeRide();
}

Result<> SyncFileImport::TakeRide() {
  if (run_.request.dry_run) return {};
  DIRSYNC_TRY(notes, run_.store.Write([&](storage::Transaction& transaction) {
    return TakeRideAlong(run_.store, transaction, file_.header);
  }));
  for (std::string& note : notes) run_.report.notes.push_back(std::move(note));
  return {};
}

Result<> SyncFileImport::Apply() {
  switch (file_.header.kind) {
    case FileKind::kChanges:
      return ApplyBatches();
    case FileKind::kFull:
      return ApplyFull();
    case FileKind::kAdhoc:
      return ApplyAdhocFile();
  }
  return {};
}

// Whose file it is, before its proof: a wrong one is named as such whatever its state.
Result<> SyncFileImport::CheckSource(const FileHeader& header) const {
  const SiteProfile& profile = run_.store.profile();
  const ReaderState& state = run_.state;
  if (header.stream.organization == profile.organization && header.stream.site == profile.site)
    return Refuse(ErrorCode::kOwnStream, "this site wrote it (" + header.stream.ToString() + ")");
  if (state.source == SourceKind::kForeign)
    return Refuse(ErrorCode::kWrongKind, Printable(run_.request.settings.name) +
                                             " takes foreign files; this one is of stream " +
                                             header.stream.ToString());
  if (state.source != SourceKind::kStream) return {};
  bool same = header.kind == FileKind::kAdhoc
                  ? header.stream.organization == state.stream.organization &&
                        header.stream.site == state.stream.site
                  : header.stream == state.stream;
  if (!same)
    return Refuse(ErrorCode::kWrongStream, "it is of stream " + header.stream.ToString() +
                                               ", and " + Printable(run_.request.settings.name) +
                                               " reads " + state.stream.ToString());
  return {};
}

// The roster's word about a site goes before every pin (R6). The sites that it does not name keep
// the key of their first file. One site's name stands for one site here, in acks and ids and mail
// domains: another organisation may use it only where it is read already.
Result<> SyncFileImport::ExpectKey() {
  const ReaderState& state = run_.state;
  const StreamName& stream = file_.header.stream;
  if (!state.signer.is_zero()) expected_ = state.signer;
  DIRSYNC_TRY(site, FindSite(run_.store.storage(), stream.site));
  if (!site) return {};
  const std::string name = Printable(site->site);
  if (site->organization != stream.organization) {
    if (state.source == SourceKind::kStream) return {};
    return Refuse(ErrorCode::kNotPermitted,
                  "it is of stream " + stream.ToString() + ", and by the roster " + name +
                      " is a site of " + Printable(site->organization),
                  "dirsync sites list");
  }
  if (site->state != SiteState::kActive)
    return Refuse(ErrorCode::kNotPermitted,
                  "by the roster " + name +
                      (site->state == SiteState::kRevoked ? " is revoked" : " has left") +
                      ": nothing of it is taken any more",
                  "dirsync sites list");
  expected_ = site->signing_key;
  by_roster_ = true;
  return {};
}

// Pass 1. A full copy is compared on the way, until the first difference: an unchanged one needs
// no second pass.
Result<> SyncFileImport::Verify() {
  bool compare = file_.header.kind == FileKind::kFull && !run_.state.full &&
                 run_.state.cursor.epoch == file_.header.epoch &&
                 run_.state.terms.hash_key == file_.header.terms.hash_key;
  ReaderState scratch = run_.state;
  ApplyInput quiet = run_.input;
  quiet.plan = {};
  storage::Transaction transaction(run_.accepted());
  FullApply probe(quiet, file_.header.as_of, file_.header.terms, scratch);
  probe.Begin(transaction);
  ApplyCounts none;
  std::uint64_t seen = 0;
  auto visit = [&](std::size_t, const Change& change) -> Result<> {
    ++seen;
    if (!compare) return {};
    auto taken = probe.Take(change);
    none.unchanged = probe.counts().unchanged;
    compare = taken.has_value() && *taken && scratch.full->absent == 0 && probe.counts() == none;
    Report(seen, 0);
    return {};
  };
  auto verified = VerifySyncFile(source_, expected_, visit);
  if (!verified && by_roster_ && verified.error().code == ErrorCode::kKeyChanged)
    return Refuse(ErrorCode::kKeyChanged,
                  "it is not signed by the key that the roster names for " +
                      Printable(file_.header.stream.site) + ", " + Fingerprint(*expected_),
                  "compare: dirsync sites list; a new key comes with the roster");
  DIRSYNC_CHECK(verified);
  // What was judged so far is what its first lines said.
  if (verified->header != file_.header)
    return Refuse(ErrorCode::kDamaged, "it changed while it was read");
  file_ = std::move(*verified);
  if (compare) {
    auto ended = probe.End(false);
    none.unchanged = probe.counts().unchanged;
    unchanged_ = ended.has_value() && *ended && probe.counts() == none;
  }
  return {};
}

// The first file binds the instance to its stream and pins its key (R7).
Result<> SyncFileImport::Bind() {
  if (run_.state.source == SourceKind::kStream) return Repin();
  const FileHeader& header = file_.header;
  std::string fingerprint = Fingerprint(header.signer);
  if (header.kind != FileKind::kAdhoc && run_.request.confirm && !run_.request.dry_run) {
    RunReport preview = run_.report;
    preview.stream = header.stream.ToString();
    preview.full = header.kind == FileKind::kFull;
    preview.counts.added = file_.trailer.records;
    if (!run_.request.confirm(preview, fingerprint))
      return Refuse(ErrorCode::kRefused, "not confirmed; nothing was changed",
                    "run it again when the fingerprint is right");
  }
  if (header.kind == FileKind::kAdhoc) return {};
  DIRSYNC_TRY(other, FindImport(run_.accepted(), header.stream));
  if (other)
    return Refuse(ErrorCode::kWrongStream,
                  "it is of stream " + header.stream.ToString() + ", which " + Printable(*other) +
                      " reads already",
                  "dirsync instance set " + Printable(*other) + " --import-file " + path_);
  run_.state.source = SourceKind::kStream;
  run_.state.stream = header.stream;
  run_.state.signer = header.signer;
  if (run_.request.dry_run) return {};
  run_.report.notes.push_back("first import of " + header.stream.ToString() + ": pinned key " +
                              fingerprint + " (compare it with `dirsync version` at " +
                              header.stream.site + ")");
  return {};
}

// Of an instance that is bound: its key is another one by the roster, or a person had it forgotten.
Result<> SyncFileImport::Repin() {
  const FileHeader& header = file_.header;
  if (run_.state.signer == header.signer) return {};
  run_.state.signer = header.signer;
  if (run_.request.dry_run) return {};
  const std::string fingerprint = Fingerprint(header.signer);
  const std::string site = Printable(header.stream.site);
  run_.report.notes.push_back(by_roster_ ? site + " signs with " + fingerprint +
                                               " from now on, by the roster"
                                         : "pinned key " + fingerprint + " of " + site +
                                               " (compare it with `dirsync version` there)");
  return {};
}

Result<> SyncFileImport::Gap(Sequence sequence) const {
  const ReaderState& state = run_.state;
  std::string missing = std::to_string(state.cursor.sequence + 1);
  if (sequence > state.cursor.sequence + 2) missing += " to " + std::to_string(sequence - 1);
  return Refuse(ErrorCode::kGap,
                "it came too early: it starts at " + std::to_string(sequence) + ", and " +
                    std::to_string(state.cursor.sequence) + " was read last (missing: " + missing +
                    ")",
                "bring the missing file, or at " + state.stream.site + ": dirsync run " +
                    state.stream.instance + " --full");
}

// Ended by a new epoch, which the producer begins once it hears how far this site has read, or by a
// full copy. Until then every delete is held (R5): it may be one of the other history.
Result<> SyncFileImport::Fork(const std::string& what) {
  run_.state.hold_all_deletes = true;
  DIRSYNC_CHECK(run_.Commit());
  const std::string& site = run_.state.stream.site;
  return Refuse(ErrorCode::kFork,
                what + " differs from what " + site + " told before: two histories of one stream",
                "if two machines are " + site + ", stop one; take the text of `dirsync ack " +
                    Printable(run_.request.settings.name) + "`, or the next file from here, to " +
                    site + "; there: dirsync run " + run_.state.stream.instance + " --full");
}

Result<> SyncFileImport::JudgeBatch(const FileBatch& info, Follows* follows) {
  const Batch& batch = info.batch;
  std::optional<Position> start;
  if (batch.kind == BatchKind::kStart) start = batch.previous_epoch;
  DIRSYNC_TRY(verdict, Judge(run_.Begin(), run_.state, {batch.epoch, batch.sequence, info.digest},
                             batch.previous, start));
  *follows = verdict;
  const std::string& site = run_.state.stream.site;
  const std::string full = "at " + site + ": dirsync run " + run_.state.stream.instance + " --full";
  switch (verdict) {
    case Follows::kNext:
    case Follows::kRepeat:
    case Follows::kNewEpoch:
      return {};
    case Follows::kGap:
      return Gap(batch.sequence);
    case Follows::kFork:
      return Fork("batch " + std::to_string(batch.sequence));
    case Follows::kOldEpoch:
      return Refuse(ErrorCode::kOldEpoch, "it is of epoch " + std::to_string(batch.epoch.counter) +
                                              "; " + site + " is in epoch " +
                                              std::to_string(run_.state.cursor.epoch.counter));
    case Follows::kEpochChanged:
      return Refuse(
          ErrorCode::kEpochChanged,
          "epoch " + std::to_string(batch.epoch.counter) + " does not begin where this site stands",
          full);
  }
  return {};
}

Result<> SyncFileImport::ApplyOneBatch(SyncFileRecords& records, SyncFileRecords::Record& record,
                                       bool& more, std::size_t index) {
  const FileBatch& info = file_.batches[index];
  Follows follows{};
  DIRSYNC_CHECK(JudgeBatch(info, &follows));
  Batch batch = info.batch;
  while (more && record.batch == index) {
    if (follows != Follows::kRepeat) batch.changes.push_back(std::move(record.change));
    DIRSYNC_TRY(another, records.Next(record));
    more = another;
  }
  if (follows == Follows::kRepeat) return {};
  auto counts = ApplyBatch(run_.Begin(), run_.input, batch, info.digest, run_.state);
  if (!counts) {
    // It stops here; that it waits for a person is kept.
    if (counts.error().code == ErrorCode::kSuspect) DIRSYNC_CHECK(run_.CommitState());
    return std::unexpected(counts.error());
  }
  run_.report.counts.Add(*counts);
  if (!counts->warning.empty()) run_.report.notes.push_back(counts->warning);
  run_.report.sums_equal = run_.state.sum == batch.sum_after;
  return run_.Commit();
}

Result<> SyncFileImport::ApplyBatches() {
  if (file_.batches.empty()) return run_.Commit();
  const Batch& last = file_.batches.back().batch;
  bool repeat =
      last.epoch == run_.state.cursor.epoch && last.sequence <= run_.state.cursor.sequence;
  SyncFileRecords records(source_, file_);
  SyncFileRecords::Record record;
  DIRSYNC_TRY(more, records.Next(record));
  for (std::size_t index = 0; index < file_.batches.size(); ++index) {
    DIRSYNC_CHECK(ApplyOneBatch(records, record, more, index));
    Report(index, file_.batches.size());
  }
  if (repeat) return Refuse(ErrorCode::kAlreadyApplied, "it was read before");
  return {};
}

Result<> SyncFileImport::JudgeFull(bool* rollback) {
  const Position& as_of = file_.header.as_of;
  const ReaderState& state = run_.state;
  *rollback = state.hold_all_deletes;
  if (state.cursor.epoch.counter == 0) return {};
  if (as_of.epoch.counter < state.cursor.epoch.counter)
    return Refuse(ErrorCode::kOldEpoch, "it is of epoch " + std::to_string(as_of.epoch.counter));
  if (as_of.epoch.counter > state.cursor.epoch.counter) {
    *rollback = true;
    return {};
  }
  if (as_of.epoch == state.cursor.epoch && as_of.sequence > state.cursor.sequence) return {};
  DIRSYNC_TRY(follows, Judge(run_.accepted(), state, as_of, {}, std::nullopt));
  if (follows != Follows::kRepeat) return Fork("its position " + std::to_string(as_of.sequence));
  if (as_of.sequence < state.cursor.sequence)
    return Refuse(ErrorCode::kAlreadyApplied, "a full copy of before what was read last");
  return {};
}

// What is in the transaction, before it is committed.
Result<> SyncFileImport::JudgeStep(PolicyMeter& meter, const ReaderState& state,
                                   const ApplyCounts& counts, RateRule rate) {
  DIRSYNC_TRY(warning, meter.Judge(run_.Begin(), state, counts, run_.input.now, rate));
  if (!warning.empty()) run_.report.notes.push_back(std::move(warning));
  return {};
}

Result<> SyncFileImport::TakeAll(FullApply& apply) {
  SyncFileRecords records(source_, file_);
  SyncFileRecords::Record record;
  std::uint64_t done = 0;
  PolicyMeter meter(run_.state, apply.counts());
  apply.Begin(run_.Begin());
  for (;;) {
    DIRSYNC_TRY(more, records.Next(record));
    if (!more) return JudgeStep(meter, run_.state, apply.counts(), rate_);
    DIRSYNC_TRY(taken, apply.Take(record.change));
    while (!taken) {
      DIRSYNC_CHECK(JudgeStep(meter, run_.state, apply.counts(), rate_));
      DIRSYNC_CHECK(run_.Commit());
      apply.Begin(run_.Begin());
      DIRSYNC_TRY(again, apply.Take(record.change));
      taken = again;
    }
    Report(++done, file_.trailer.records);
    if (!BulkSteps::IsFull(run_.Begin())) continue;
    DIRSYNC_CHECK(JudgeStep(meter, run_.state, apply.counts(), rate_));
    DIRSYNC_TRY(committed, run_.CommitStep());
    if (committed) apply.Begin(run_.Begin());
  }
}

Result<> SyncFileImport::EndFull(FullApply& apply, bool rollback) {
  PolicyMeter meter(run_.state, apply.counts());
  const RateRule rate = rate_ == RateRule::kFree ? rate_ : RateRule::kOnlyCounted;
  for (bool ended = false; !ended;) {
    apply.Begin(run_.Begin());
    DIRSYNC_TRY(end, apply.End(rollback));
    ended = end;
    DIRSYNC_CHECK(JudgeStep(meter, run_.state, apply.counts(), rate));
    if (!ended) DIRSYNC_CHECK(run_.Commit());
  }
  return {};
}

Result<> SyncFileImport::ApplyFull() {
  bool rollback = false;
  DIRSYNC_CHECK(JudgeFull(&rollback));
  run_.report.full = true;
  DIRSYNC_TRY(due, IsCopyDue(run_.accepted(), run_.state));
  if (due) rate_ = RateRule::kFree;
  if (unchanged_) {
    run_.report.counts.unchanged += file_.trailer.records;
    EndRuns(run_.state, file_.header.as_of);
    run_.state.cursor = file_.header.as_of;
    run_.state.full.reset();
    DIRSYNC_TRY(limits, LimitsOf(run_.Begin(), run_.state.stream.site));
    run_.state.taken = limits.attributes;
    DIRSYNC_CHECK(RememberDigest(run_.Begin(), run_.state.number, file_.header.as_of));
  } else {
    FullApply apply(run_.input, file_.header.as_of, file_.header.terms, run_.state);
    auto applied = TakeAll(apply);
    if (applied) applied = EndFull(apply, rollback);
    if (!applied && applied.error().code == ErrorCode::kSuspect) DIRSYNC_CHECK(run_.CommitState());
    DIRSYNC_CHECK(applied);
    run_.report.counts.Add(apply.counts());
  }
  run_.report.sums_equal = run_.state.sum == file_.trailer.sum;
  return run_.Commit();
}

Result<> SyncFileImport::ApplyAdhocFile() {
  run_.report.adhoc = true;
  storage::Transaction& transaction = run_.Begin();
  const std::string& site = file_.header.stream.site;
  DIRSYNC_TRY(number, NumberOf(transaction, "adhoc/" + site));
  DIRSYNC_TRY(loaded, LoadReader(transaction, number));
  ReaderState adhoc = loaded ? std::move(*loaded) : ReaderState{};
  adhoc.number = number;
  adhoc.source = SourceKind::kStream;
  adhoc.stream = {file_.header.stream.organization, site, ""};
  if (run_.state.source != SourceKind::kStream && !by_roster_ && !adhoc.signer.is_zero() &&
      adhoc.signer != file_.header.signer)
    return Refuse(ErrorCode::kKeyChanged, "signed by " + Fingerprint(file_.header.signer) +
                                              ", and " + Fingerprint(adhoc.signer) +
                                              " is pinned for " + site);
  adhoc.signer = file_.header.signer;
  adhoc.terms = file_.header.terms;
  SyncFileRecords records(source_, file_);
  SyncFileRecords::Record record;
  ApplyCounts all;
  PolicyMeter meter(adhoc, all);
  for (std::uint64_t done = 0;; ++done) {
    DIRSYNC_TRY(more, records.Next(record));
    if (!more) break;
    DIRSYNC_TRY(counts, ApplyAdhoc(run_.Begin(), run_.input, site, record.change, adhoc));
    run_.report.counts.Add(counts);
    all.Add(counts);
    Report(done, file_.trailer.records);
    if (!BulkSteps::IsFull(run_.Begin())) continue;
    DIRSYNC_CHECK(JudgeStep(meter, adhoc, all, RateRule::kCounted));
    StoreReader(run_.Begin(), adhoc);
    DIRSYNC_CHECK(run_.Commit());
  }
  DIRSYNC_CHECK(JudgeStep(meter, adhoc, all, RateRule::kCounted));
  StoreReader(run_.Begin(), adhoc);
  return run_.Commit();
}

}  // namespace

Result<> ImportSyncFile(ImportRun& run, const std::string& path, ByteSource& source) {
  DIRSYNC_TRY(domains, LoadMailDomains(run.store.storage()));
  run.domains = std::move(domains);
  run.input.domains = &run.domains;
  return SyncFileImport(run, path, source).Import();
}

}  // namespace dirsync
