// One run of an export instance: see "Life of a change" in ARCHITECTURE.md.
#include <algorithm>

#include "agent/core/capture.h"
#include "agent/core/full_copy.h"
#include "agent/core/producer_state.h"
#include "agent/service/adhoc_export.h"
#include "agent/service/capture_run.h"
#include "agent/service/file_outbox.h"
#include "agent/service/file_write.h"
#include "agent/service/ride_along.h"
#include "agent/service/run.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/codec/batch_codec.h"

namespace dirsync {
namespace {

constexpr std::size_t kProgressEvery = 8192;

class ExportRun {
 public:
  ExportRun(Store& store, const RunRequest& request) : store_(store), request_(request) {}

  Result<RunReport> Run();

 private:
  Result<> CaptureChanges();
  Result<Sequence> FirstToCarry() const;
  Result<> CountWaiting();
  Result<bool> WriteChanges();
  Result<std::string> Stored(Sequence sequence) const;
  Result<bool> CopyBatch(Sequence sequence, bool may_wait, SyncFileWriter& writer);
  Result<> WriteFull();
  Result<> WriteRideAlong();
  Result<> CopyAll(const EntryStore& entries, const Scope& scope, SyncFileWriter& writer);
  void Count(const Change& change);
  FileHeader Header(FileKind kind) const;
  Result<std::string> PlaceFile(bool full);
  void KnowFile(storage::Transaction& transaction, const OutboxFile& file);
  Result<> Publish();

  Store& store_;
  const RunRequest& request_;
  ProducerState state_;
  RideAlong ride_;
  RunReport report_;
  std::vector<std::string> stale_;
  bool full_ = false;
  RowSum last_sum_;  // after the last batch that was copied
  std::uint64_t last_rows_ = 0;
};

Result<RunReport> ExportRun::Run() {
  report_.instance = request_.settings.name;
  report_.direction = Direction::kExport;
  report_.time = store_.world().Now();
  DIRSYNC_TRY(state, LoadExport(store_, request_.settings, !request_.dry_run));
  state_ = std::move(state);
  full_ = request_.full || !state_.seen;
  if (!request_.dry_run) {
    DIRSYNC_TRY(copy_lost, PublishFiles(store_, state_.number, {}));
    full_ = full_ || copy_lost;
    DIRSYNC_CHECK(RemoveParts(store_, state_.number, request_.settings.export_file));
  }
  report_.full = full_;
  DIRSYNC_TRY(ride, GatherRideAlong(store_.storage()));
  ride_ = std::move(ride);
  if (request_.dry_run && !full_) DIRSYNC_CHECK(CountWaiting());
  DIRSYNC_CHECK(CaptureChanges());
  if (full_) {
    DIRSYNC_CHECK(WriteFull());
  } else if (!request_.dry_run) {
    // What the files carry: an agent may have captured it before.
    report_.counts = {};
    bool any = false;
    for (bool more = true; more; any = any || more) {
      DIRSYNC_TRY(written, WriteChanges());
      more = written;
    }
    if (!any) DIRSYNC_CHECK(WriteRideAlong());
  }
  report_.stream = state_.name.ToString();
  report_.epoch = state_.epoch;
  report_.sequence = state_.sequence;
  report_.nothing_to_do = report_.files.empty() && !request_.dry_run;
  return std::move(report_);
}

Result<> ExportRun::CaptureChanges() {
  CaptureOptions options{request_.reset_mark, request_.dry_run,
                         [&](const Change& change) { Count(change); }};
  DIRSYNC_CHECK(CaptureAll(store_, request_.settings, options, state_));
  return {};
}

void ExportRun::Count(const Change& change) {
  switch (change.kind) {
    case ChangeKind::kAdd:
      ++report_.counts.added;
      break;
    case ChangeKind::kModify:
      ++report_.counts.modified;
      break;
    case ChangeKind::kRename:
      ++report_.counts.renamed;
      break;
    case ChangeKind::kDelete:
      ++report_.counts.deleted;
      break;
  }
  if (request_.plan) request_.plan({std::string(ChangeKindName(change.kind)), change.dn, ""});
}

FileHeader ExportRun::Header(FileKind kind) const {
  FileHeader header;
  header.kind = kind;
  header.stream = state_.name;
  header.epoch = state_.epoch;
  header.time = report_.time;
  header.terms = state_.terms;
  header.as_of = state_.position();
  header.acks = ride_.acks;
  header.wants = ride_.wants;
  return header;
}

// Chooses the next file's place.
Result<std::string> ExportRun::PlaceFile(bool full) {
  DIRSYNC_TRY(files, ListOutboxFiles(store_.storage(), state_.number));
  DIRSYNC_TRY(acked, AckedSequence(store_.storage(), state_, request_.settings.readers));
  NextFile next = ChooseNextFile(files, request_.settings.export_file, acked, full);
  stale_ = std::move(next.stale);
  report_.file = next.path;
  report_.files.push_back(next.path);
  return next.path;
}

// Puts the file's row into the commit it belongs to.
void ExportRun::KnowFile(storage::Transaction& transaction, const OutboxFile& file) {
  PutOutboxFile(transaction, state_.number, file);
  transaction.Put(RideKey(state_.number), std::string(ride_.digest().view()));
}

// Behind what is acked and what files out there carry already: batches that only went to the
// broker, or were captured while nothing could be carried, are carried now.
Result<Sequence> ExportRun::FirstToCarry() const {
  DIRSYNC_TRY(acked, AckedSequence(store_.storage(), state_, request_.settings.readers));
  DIRSYNC_TRY(carried, CarriedSequence(store_.storage(), state_, request_.settings.export_file));
  return std::max({acked, carried, state_.trimmed}) + 1;
}

// What was captured before and is still to be carried belongs to what a run would do.
Result<> ExportRun::CountWaiting() {
  DIRSYNC_TRY(first, FirstToCarry());
  for (Sequence sequence = first; sequence <= state_.sequence; ++sequence) {
    DIRSYNC_TRY(stored, Stored(sequence));
    DIRSYNC_TRY(batch, DecodeBatch(stored, store_.key().public_key()));
    for (const Change& change : batch.changes) Count(change);
  }
  return {};
}

Result<std::string> ExportRun::Stored(Sequence sequence) const {
  DIRSYNC_TRY(stored, ReadOutbox(store_.storage(), state_.number, sequence));
  if (!stored)
    return Fail(ErrorCode::kCorrupt,
                "exporting: batch " + std::to_string(sequence) + " is missing in the outbox");
  return std::move(*stored);
}

// One file with the batches that wait for one, at most a run's bytes and what a file takes; whether
// there were any.
Result<bool> ExportRun::WriteChanges() {
  DIRSYNC_TRY(first, FirstToCarry());
  if (first > state_.sequence) return false;
  DIRSYNC_TRY(begin, Stored(first));
  DIRSYNC_TRY(head, PeekBatch(begin));
  Sequence upto = first;
  for (std::size_t bytes = begin.size(); upto < state_.sequence; ++upto) {
    DIRSYNC_TRY(next, ReadOutbox(store_.storage(), state_.number, upto + 1));
    bytes += next ? next->size() : 0;
    if (!next || bytes > limits::kRunBytes) break;
  }
  DIRSYNC_TRY(path, PlaceFile(false));
  FileHeader header = Header(FileKind::kChanges);
  header.as_of = {state_.epoch, first - 1, head.previous};
  DIRSYNC_TRY(file, FileWrite::Begin(store_, path, std::move(header)));
  Sequence last = first - 1;
  for (bool more = true; more && last < upto; last += more ? 1 : 0) {
    DIRSYNC_TRY(copied, CopyBatch(last + 1, last >= first, file->writer()));
    more = copied;
  }
  DIRSYNC_CHECK(file->Close(last_sum_, last_rows_));
  storage::Transaction transaction(store_.storage());
  KnowFile(transaction, {path, last, false, false, true});
  PutCarried(transaction, state_, last);
  state_.seen = true;
  StoreProducer(transaction, state_);
  DIRSYNC_CHECK(store_.Commit(transaction));
  DIRSYNC_CHECK(Publish());
  return true;
}

// From the outbox, record by record. False: the file is full, and the batch may wait for the next.
Result<bool> ExportRun::CopyBatch(Sequence sequence, bool may_wait, SyncFileWriter& writer) {
  DIRSYNC_TRY(stored, Stored(sequence));
  DIRSYNC_TRY(batch, DecodeBatch(stored, store_.key().public_key()));
  FileBatch info{std::move(batch), DigestOf(stored), 0};
  const std::vector<Change> changes = std::exchange(info.batch.changes, {});
  info.change_count = changes.size();
  if (auto begun = writer.BeginBatch(info); !begun) {
    if (may_wait && begun.error().code == ErrorCode::kTooLarge) return false;
    return std::unexpected(std::move(begun).error());
  }
  last_sum_ = info.batch.sum_after;
  last_rows_ = info.batch.rows_after;
  for (const Change& change : changes) {
    DIRSYNC_CHECK(writer.Write(change));
    Count(change);
  }
  return true;
}

// Acks and wants that moved since the last file go out even when there is nothing to tell.
Result<> ExportRun::WriteRideAlong() {
  if (ride_.acks.empty() && ride_.wants.empty()) return {};
  DIRSYNC_TRY(last, store_.storage().Get(RideKey(state_.number)));
  if (last && *last == ride_.digest().view()) return {};
  if (request_.dry_run) return {};
  storage::Transaction transaction(store_.storage());
  DIRSYNC_TRY(path, PlaceFile(false));
  KnowFile(transaction, {path, state_.sequence, false, true, true});
  DIRSYNC_TRY(file, FileWrite::Begin(store_, path, Header(FileKind::kChanges)));
  DIRSYNC_CHECK(file->Close(state_.sum, state_.rows));
  DIRSYNC_CHECK(store_.Commit(transaction));
  return Publish();
}

Result<> ExportRun::CopyAll(const EntryStore& entries, const Scope& scope, SyncFileWriter& writer) {
  FullCopy copy(store_.storage(), entries, scope, state_);
  Change change;
  std::uint64_t done = 0;
  for (;;) {
    DIRSYNC_TRY(another, copy.Next(change));
    if (!another) break;
    DIRSYNC_CHECK(writer.Write(change));
    if (++done % kProgressEvery == 0 && request_.progress)
      request_.progress({"writing " + report_.file, done, state_.rows});
  }
  report_.counts.added = done;
  report_.counts.modified = report_.counts.renamed = report_.counts.deleted = 0;
  return {};
}

Result<> ExportRun::WriteFull() {
  storage::Transaction transaction(store_.storage());
  EntryStore entries(transaction, report_.time);
  DIRSYNC_TRY(scope, Scope::Make(entries, store_.profile(), request_.settings));
  if (request_.dry_run) {
    report_.counts = {};
    report_.counts.added = state_.rows;
    if (!request_.plan) return {};
    return WalkScope(store_, scope, [&](const Change& change) -> Result<> {
      request_.plan({"add", change.dn, ""});
      return {};
    });
  }
  DIRSYNC_TRY(path, PlaceFile(true));
  // An ack that is there already says nothing of this file: one of what follows it does (R12).
  DIRSYNC_TRY(stood, AckedSequence(store_.storage(), state_, {}));
  KnowFile(transaction, {path, std::max(state_.sequence, stood + 1), true, false, true});
  PutCarried(transaction, state_, state_.sequence);
  DIRSYNC_TRY(file, FileWrite::Begin(store_, path, Header(FileKind::kFull)));
  DIRSYNC_CHECK(CopyAll(entries, scope, file->writer()));
  DIRSYNC_CHECK(file->Close(state_.sum, state_.rows));
  if (scope.without_address() > 0)
    report_.notes.push_back(std::to_string(scope.without_address()) + " entries have no " +
                            state_.terms.address_type + " address and are not told");
  state_.seen = true;
  StoreProducer(transaction, state_);
  DIRSYNC_CHECK(store_.Commit(transaction));
  return Publish();
}

Result<> ExportRun::Publish() {
  if (report_.files.empty()) return {};
  DIRSYNC_CHECK(PublishFiles(store_, state_.number, stale_));
  stale_.clear();
  return {};
}

Result<> CheckSettings(const RunRequest& request) {
  std::vector<std::string> missing;
  if (!request.settings.exports) missing.emplace_back("direction (--export or --both)");
  if (request.settings.export_file.empty()) missing.emplace_back("export file (--export-file F)");
  if (request.settings.containers.empty()) missing.emplace_back("container (--container C)");
  if (missing.empty()) return {};
  return Fail(ErrorCode::kConfiguration, "exporting: missing " + Join(missing, ", "),
              "dirsync instance set " + Printable(request.settings.name) + " …");
}

}  // namespace

Result<RunReport> RunExport(Store& store, const RunRequest& request) {
  DIRSYNC_CHECK(CheckSettings(request));
  if (!request.stored || request.scope_overridden) return ExportAdhoc(store, request);
  DIRSYNC_CHECK(CheckExportPlace(store.storage(), request.settings));
  return ExportRun(store, request).Run();
}

}  // namespace dirsync
