// One foreign file: counted, judged, applied; bad records are set aside in FILE.err.
#include "agent/core/foreign_apply.h"
#include "agent/file/foreign_file.h"
#include "agent/service/file_outbox.h"
#include "agent/service/import_run.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::size_t kProgressEvery = 8192;
constexpr std::size_t kHeadBytes = 64 * limits::kKiB;

// Errors of one record; everything else ends the import.
bool IsRecordError(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid:
    case ErrorCode::kTooLarge:
    case ErrorCode::kNoTarget:
    case ErrorCode::kAddressTaken:
    case ErrorCode::kExists:
    case ErrorCode::kNotFound:
    case ErrorCode::kNotOurs:
    case ErrorCode::kNotEmpty:
    case ErrorCode::kBadValue:
      return true;
    default:
      return false;
  }
}

// FILE.err: each refused record as it was read, behind a comment with its line and reason; made
// only when there is one, so that it can be corrected and imported.
class ErrorFile {
 public:
  ErrorFile(Store& store, std::string path) : store_(store), path_(std::move(path)) {}
  Result<> Add(std::uint64_t line, const std::string& reason, const std::string& text) {
    ++count_;
    if (!output_) {
      DIRSYNC_TRY(output, store_.world().files().Create(PartPath(path_)));
      output_ = std::move(output);
    }
    return output_->Append("# line " + std::to_string(line) + ": " + Printable(reason) + "\r\n" +
                           text + (text.ends_with('\n') ? "\r\n" : "\r\n\r\n"));
  }
  // Puts the file in place, or removes one that an earlier import left. Where there is none nothing
  // is asked of the medium, which may be one that is read only.
  Result<> Close() {
    FileSystem& files = store_.world().files();
    if (!output_) return files.Exists(path_) ? files.Remove(path_) : Result<>();
    DIRSYNC_CHECK(output_->Sync());
    return files.Rename(PartPath(path_), path_);
  }
  std::uint64_t count() const { return count_; }

 private:
  Store& store_;
  std::string path_;
  std::unique_ptr<FileOutput> output_;
  std::uint64_t count_ = 0;
};

class ForeignImport {
 public:
  ForeignImport(ImportRun& run, const std::string& path, ByteSource& source)
      : run_(run),
        path_(path),
        source_(source),
        ids_(MakeIds(run.store.world())),
        apply_(run.input, ids_, run.state),
        errors_(run.store, path + ".err") {}
  Result<> Import();

 private:
  Result<> CheckNature();
  Result<> CountRecords();
  Result<> TakeAll();
  Result<> TakeRecord(ForeignRecord& record);
  Result<> TakeBad(const ForeignError& error);
  Result<> EndRecord();
  Result<> DeleteAbsent();
  Result<> Reject(std::uint64_t line, const std::string& reason, const std::string& text);

  ImportRun& run_;
  const std::string& path_;
  ByteSource& source_;
  IdSource ids_;
  ForeignApply apply_;
  ErrorFile errors_;
  std::uint64_t adds_ = 0, modifies_ = 0, deletes_ = 0, done_ = 0;
};

// A damaged file of ours must not pass for a foreign one, least of all when it is the first.
Result<> ForeignImport::CheckNature() {
  std::string head;
  DIRSYNC_CHECK(source_.Read(0, kHeadBytes, head));
  if (head.empty())
    return Fail(ErrorCode::kTruncated, "reading " + Printable(path_) + ": it is empty");
  if (!head.starts_with("#!") && !head.contains("\n#! ")) return {};
  return Fail(ErrorCode::kHeaderless,
              "reading " + Printable(path_) + ": it has #! lines, but not the first one");
}

// Pass 1: totals for the gate.
Result<> ForeignImport::CountRecords() {
  ForeignVisitor visitor;
  visitor.record = [&](ForeignRecord& record) -> Result<> {
    if (record.kind == ChangeKind::kDelete) {
      ++deletes_;
    } else if (record.kind == ChangeKind::kModify) {
      ++modifies_;
    } else {
      ++adds_;
    }
    return {};
  };
  visitor.error = [](const ForeignError&) -> Result<> { return {}; };
  DIRSYNC_CHECK(ReadForeignFile(source_, visitor));
  apply_.Begin(run_.Begin());
  return apply_.Judge(adds_, modifies_, deletes_);
}

Result<> ForeignImport::Reject(std::uint64_t line, const std::string& reason,
                               const std::string& text) {
  ++run_.report.bad_records;
  if (run_.input.plan) run_.input.plan({"reject", path_ + " line " + std::to_string(line), reason});
  return run_.request.dry_run ? Result<>() : errors_.Add(line, reason, text);
}

Result<> ForeignImport::TakeRecord(ForeignRecord& record) {
  ForeignChange change{record.kind, record.dn, std::move(record.attributes), record.entry_class};
  auto taken = apply_.Take(change);
  if (!taken && IsRecordError(taken.error().code))
    return Reject(record.line, taken.error().message, record.text);
  DIRSYNC_CHECK(taken);
  if (++done_ % kProgressEvery == 0 && run_.request.progress)
    run_.request.progress({"reading " + path_, done_, adds_ + modifies_ + deletes_});
  return EndRecord();
}

// A record that cannot be read still says that its entry is there. Where it does not say whose it
// is, that may be anybody's.
Result<> ForeignImport::TakeBad(const ForeignError& error) {
  DIRSYNC_CHECK(Reject(error.line, error.reason, error.text));
  if (error.dn.empty() || error.may_hide_another) apply_.DoubtAbsence();
  if (error.dn.empty()) return {};
  DIRSYNC_CHECK(apply_.Meet(error.kind, error.dn));
  return EndRecord();
}

Result<> ForeignImport::EndRecord() {
  DIRSYNC_TRY(committed, run_.CommitStep());
  if (committed) apply_.Begin(run_.Begin());
  return {};
}

Result<> ForeignImport::TakeAll() {
  ForeignVisitor visitor;
  visitor.record = [&](ForeignRecord& record) { return TakeRecord(record); };
  visitor.error = [&](const ForeignError& error) { return TakeBad(error); };
  apply_.Begin(run_.Begin());
  return ReadForeignFile(source_, visitor);
}

// With --complete; then the file is done.
Result<> ForeignImport::DeleteAbsent() {
  if (run_.request.settings.complete && apply_.absence_in_doubt())
    run_.report.notes.push_back(
        "of some bad records it cannot be read whose they are: nobody is deleted for being absent "
        "from " +
        Printable(path_) + "; correct them and import it again");
  for (bool ended = false; !ended;) {
    apply_.Begin(run_.Begin());
    DIRSYNC_TRY(end, apply_.End());
    ended = end;
    if (!ended) DIRSYNC_CHECK(run_.Commit());
  }
  return {};
}

Result<> ForeignImport::Import() {
  DIRSYNC_CHECK(CheckNature());
  const ReaderState before = run_.state;
  run_.state.source = SourceKind::kForeign;
  DIRSYNC_CHECK(CountRecords());
  DIRSYNC_CHECK(TakeAll());
  DIRSYNC_CHECK(DeleteAbsent());
  run_.report.counts.Add(apply_.counts());
  // A file without a single good record says nothing of what the instance reads.
  if (before.source == SourceKind::kUnbound && done_ == 0) run_.state = before;
  DIRSYNC_CHECK(run_.Commit());
  if (run_.request.dry_run) return {};
  if (errors_.count() > 0)
    run_.report.notes.push_back(
        std::to_string(errors_.count()) +
        (errors_.count() == 1 ? " bad record is in " : " bad records are in ") + Printable(path_) +
        ".err, with line and reason");
  return errors_.Close();
}

}  // namespace

Result<> ImportForeignFile(ImportRun& run, const std::string& path, ByteSource& source) {
  return ForeignImport(run, path, source).Import();
}

}  // namespace dirsync
