// One run of an export instance: see "Life of a change" in ARCHITECTURE.md.
#include <algorithm>

#include "agent/core/capture.h"
#include "agent/core/full_copy.h"
#include "agent/core/producer_state.h"
#include "agent/service/adhoc_export.h"
#include "agent/service/file_outbox.h"
#include "agent/service/file_write.h"
#include "agent/service/ride_along.h"
#include "agent/service/run.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::size_t kProgressEvery = 8192;

class ExportRun {
 public:
  ExportRun(Store& store, const RunRequest& request)
      : store_(store), request_(request), ids_(MakeIds(store.world())) {}

  Result<RunReport> Run();

 private:
  Result<> Load();
  Result<> CaptureAll();
  Result<bool> CaptureOnce();
  Result<> WriteChanges(storage::Transaction& transaction,
                        const std::vector<NumberedBatch>& batches);
  Result<> WriteFull();
  Result<> WriteRideAlong();
  Result<> CopyAll(const EntryStore& entries, const Scope& scope, SyncFileWriter& writer);
  void Count(const Change& change);
  FileHeader Header(FileKind kind) const;
  Result<std::string> PlaceFile(storage::Transaction& transaction, Sequence last, bool full,
                                bool empty);
  Result<> Publish();

  Store& store_;
  const RunRequest& request_;
  IdSource ids_;
  ProducerState state_;
  RideAlong ride_;
  RunReport report_;
  std::vector<std::string> stale_;
  bool full_ = false;
  bool compare_asked_ = false;
};

Result<RunReport> ExportRun::Run() {
  report_.instance = request_.settings.name;
  report_.direction = Direction::kExport;
  report_.time = store_.world().Now();
  DIRSYNC_CHECK(Load());
  if (!request_.dry_run) DIRSYNC_CHECK(PublishFiles(store_, state_.number, {}));
  full_ = request_.full || !state_.seen;
  report_.full = full_;
  DIRSYNC_TRY(ride, GatherRideAlong(store_.storage()));
  ride_ = std::move(ride);
  DIRSYNC_CHECK(CaptureAll());
  if (full_) {
    DIRSYNC_CHECK(WriteFull());
  } else if (report_.files.empty()) {
    DIRSYNC_CHECK(WriteRideAlong());
  }
  report_.stream = state_.name.ToString();
  report_.epoch = state_.epoch;
  report_.sequence = state_.sequence;
  report_.nothing_to_do = report_.files.empty() && !request_.dry_run;
  return std::move(report_);
}

Result<> ExportRun::Load() {
  const InstanceSettings& settings = request_.settings;
  auto number_of = [&](storage::Transaction& t) {
    return NumberOf(t, "export/" + FoldName(settings.name));
  };
  DIRSYNC_TRY(number, request_.dry_run ? store_.Read(number_of) : store_.Write(number_of));
  DIRSYNC_TRY(state, LoadProducer(store_.storage(), number));
  const SiteProfile& profile = store_.profile();
  state_ = state
               ? std::move(*state)
               : NewProducer(number, {profile.organization, profile.site, settings.name}, 1, ids_);
  return {};
}

Result<> ExportRun::CaptureAll() {
  for (;;) {
    DIRSYNC_TRY(more, CaptureOnce());
    if (!more) return {};
  }
}

// One run: captured, numbered, and, unless a full file will carry it, written to a file of its
// own, all before the one commit.
Result<bool> ExportRun::CaptureOnce() {
  storage::Transaction transaction(store_.storage());
  CaptureInput input{store_.profile(), request_.settings, store_.world().Now(),
                     request_.reset_mark && !compare_asked_};
  compare_asked_ = true;
  DIRSYNC_TRY(run, Capture(transaction, input, state_, ids_));
  bool more = run.more;
  for (const Change& change : run.changes) Count(change);
  DIRSYNC_TRY(batches,
              NumberRun(transaction, std::move(run), state_, store_.key(), store_.world().Now()));
  if (request_.dry_run) return more;
  if (!batches.empty() && !full_) DIRSYNC_CHECK(WriteChanges(transaction, batches));
  StoreProducer(transaction, state_);
  DIRSYNC_CHECK(store_.Commit(transaction));
  DIRSYNC_CHECK(Publish());
  return more;
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

// Chooses the file's place and puts its pending row into the commit it belongs to.
Result<std::string> ExportRun::PlaceFile(storage::Transaction& transaction, Sequence last,
                                         bool full, bool empty) {
  DIRSYNC_TRY(files, ListOutboxFiles(store_.storage(), state_.number));
  DIRSYNC_TRY(acked, AckedSequence(store_.storage(), state_, request_.settings.readers));
  NextFile next = ChooseNextFile(files, request_.settings.export_file, acked, full);
  stale_ = std::move(next.stale);
  PutOutboxFile(transaction, state_.number, {next.path, last, full, empty, true});
  transaction.Put(storage::MetaKey("ride/" + std::to_string(state_.number)),
                  std::string(ride_.digest().view()));
  report_.file = next.path;
  report_.files.push_back(next.path);
  return next.path;
}

Result<> ExportRun::WriteChanges(storage::Transaction& transaction,
                                 const std::vector<NumberedBatch>& batches) {
  DIRSYNC_TRY(path, PlaceFile(transaction, state_.sequence, false, false));
  FileHeader header = Header(FileKind::kChanges);
  const Batch& first = batches.front().batch;
  header.as_of = {first.epoch, first.sequence - 1, first.previous};
  DIRSYNC_TRY(file, FileWrite::Begin(store_, path, std::move(header)));
  for (const NumberedBatch& numbered : batches) {
    FileBatch info{numbered.batch, numbered.digest, numbered.batch.changes.size()};
    info.batch.changes.clear();
    DIRSYNC_CHECK(file->writer().BeginBatch(info));
    for (const Change& change : numbered.batch.changes) DIRSYNC_CHECK(file->writer().Write(change));
  }
  DIRSYNC_CHECK(file->Close(state_.sum, state_.rows));
  state_.seen = true;
  return {};
}

// Acks and wants that moved since the last file go out even when there is nothing to tell.
Result<> ExportRun::WriteRideAlong() {
  if (ride_.acks.empty() && ride_.wants.empty()) return {};
  DIRSYNC_TRY(last,
              store_.storage().Get(storage::MetaKey("ride/" + std::to_string(state_.number))));
  if (last && *last == ride_.digest().view()) return {};
  if (request_.dry_run) return {};
  storage::Transaction transaction(store_.storage());
  DIRSYNC_TRY(path, PlaceFile(transaction, state_.sequence, false, true));
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
  DIRSYNC_TRY(path, PlaceFile(transaction, state_.sequence, true, false));
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
  return ExportRun(store, request).Run();
}

}  // namespace dirsync
