#include "agent/service/import_run.h"

#include <algorithm>

#include "agent/file/sync_file_reader.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

// Not held open: there may be more of them than a process may have open.
struct Candidate {
  std::string path;
  FileHeader header;           // of one of our files: what the order needs
  std::optional<Error> error;  // it cannot be opened, or its header cannot be read
};

// F, F.2 … and F.adhoc beside it.
bool BelongsTo(std::string_view name, std::string_view base) {
  if (name == base) return true;
  if (!name.starts_with(base) || name[base.size()] != '.') return false;
  std::string_view suffix = name.substr(base.size() + 1);
  return suffix == "adhoc" || ParseNumber(suffix).has_value();
}

Result<> Peek(World& world, Candidate& file) {
  DIRSYNC_TRY(source, world.files().Open(file.path));
  DIRSYNC_TRY(nature, NatureOf(*source));
  if (nature == FileNature::kForeign) return {};
  DIRSYNC_TRY(header, PeekSyncFile(*source));
  // Not its acks and wants, which may be many.
  file.header.kind = header.kind;
  file.header.epoch = header.epoch;
  file.header.as_of = header.as_of;
  return {};
}

Result<std::vector<Candidate>> FindFiles(World& world, const std::string& path, bool alone) {
  auto slash = path.rfind('/');
  std::string folder = slash == std::string::npos ? "" : path.substr(0, slash + 1);
  std::string base = slash == std::string::npos ? path : path.substr(slash + 1);
  std::vector<std::string> names;
  if (!alone) {
    DIRSYNC_TRY(beginning, world.files().ListBeginning(path));
    names = std::move(beginning);
  }
  std::vector<Candidate> found;
  for (const std::string& name : names) {
    if (!BelongsTo(name, base) || found.size() == limits::kCarriedFiles) continue;
    found.push_back({folder + name, {}, {}});
  }
  // Nothing regular there: opening says what stands in the way (absent, FIFO, folder …).
  if (found.empty()) found.push_back({path, {}, {}});
  for (Candidate& file : found) {
    if (const auto peeked = Peek(world, file); !peeked) file.error = peeked.error();
  }
  return found;
}

// By what the headers say, never by name: epoch, then the position that the file starts from; a
// full copy before the batches behind it; files outside streams last.
bool ReadBefore(const Candidate& a, const Candidate& b) {
  auto rank = [](const Candidate& file) {
    const FileHeader& h = file.header;
    return std::tuple(h.kind == FileKind::kAdhoc, h.epoch.counter, h.as_of.sequence,
                      h.kind == FileKind::kChanges);
  };
  return rank(a) < rank(b);
}

Result<> CheckSettings(const RunRequest& request) {
  std::vector<std::string> missing;
  if (!request.settings.imports) missing.emplace_back("direction (--import or --both)");
  if (request.settings.import_file.empty()) missing.emplace_back("import file (--import-file F)");
  if (missing.empty()) return {};
  return Fail(ErrorCode::kConfiguration, "importing: missing " + Join(missing, ", "),
              "dirsync instance set " + Printable(request.settings.name) + " …");
}

// What it is by now counts, not what it was when the order was made.
Result<> ImportOne(ImportRun& run, const Candidate& file) {
  if (file.error) return std::unexpected(*file.error);
  DIRSYNC_TRY(source, run.store.world().files().Open(file.path));
  DIRSYNC_TRY(nature, NatureOf(*source));
  if (nature == FileNature::kOurs) return ImportSyncFile(run, file.path, *source);
  if (run.state.source == SourceKind::kStream)
    return Fail(ErrorCode::kHeaderless,
                "reading " + Printable(file.path) + ": it has no #! lines, and " +
                    Printable(run.request.settings.name) + " takes the signed files of " +
                    run.state.stream.ToString());
  return ImportForeignFile(run, file.path, *source);
}

}  // namespace

ImportRun::ImportRun(Store& store_in, const RunRequest& request_in)
    : store(store_in),
      request(request_in),
      input{store_in.profile(), request_in.settings, store_in.world().Now()},
      steps_(store_in),
      dry_(steps_.view()) {
  report.instance = request.settings.name;
  report.direction = Direction::kImport;
  report.time = input.now;
  if (request.plan) input.plan = [this](const PlanLine& line) { lines_.push_back(line); };
}

Result<> ImportRun::Load() {
  auto load = [&](storage::Transaction& t) -> Result<> {
    DIRSYNC_TRY(number, NumberOf(t, "import/" + FoldName(request.settings.name)));
    DIRSYNC_TRY(stored, LoadReader(t, number));
    if (stored) state = std::move(*stored);
    state.number = number;
    committed_ = state;
    return {};
  };
  return request.dry_run ? load(dry_) : store.Write(load);
}

const storage::ReadView& ImportRun::accepted() const {
  return request.dry_run ? dry_ : steps_.view();
}

storage::Transaction& ImportRun::Begin() {
  if (!current_) current_ = std::make_unique<storage::Transaction>(accepted());
  return *current_;
}

Result<> ImportRun::Commit() {
  storage::Transaction& transaction = Begin();
  StoreReader(transaction, state);
  if (request.dry_run) {
    dry_.Absorb(transaction);
    if (too_large())
      return Fail(ErrorCode::kTooLarge, "dry run of an import: too much to hold in memory",
                  "run it in a copy: dirsync backup DIR, then dirsync --store COPY restore DIR");
  } else {
    DIRSYNC_CHECK(steps_.Commit(transaction));
  }
  EndStep();
  return {};
}

Result<bool> ImportRun::CommitStep() {
  storage::Transaction& transaction = Begin();
  if (!BulkSteps::IsFull(transaction)) return false;
  if (request.dry_run) {
    DIRSYNC_CHECK(Commit());
    return true;
  }
  StoreReader(transaction, state);
  DIRSYNC_CHECK(steps_.CommitStep(transaction));
  EndStep();
  return true;
}

Result<> ImportRun::CommitState() {
  DropStep();
  return Commit();
}

void ImportRun::Abort() {
  DropStep();
  state = committed_;
  report.counts = committed_counts_;
}

bool ImportRun::too_large() const { return dry_.bytes() > limits::kDryRunBytes; }

void ImportRun::DropStep() {
  current_.reset();
  lines_.clear();
}

void ImportRun::EndStep() {
  for (const PlanLine& line : lines_) request.plan(line);
  DropStep();
  committed_ = state;
  committed_counts_ = report.counts;
}

Result<RunReport> RunImport(Store& store, const RunRequest& request) {
  DIRSYNC_CHECK(CheckSettings(request));
  ImportRun run(store, request);
  DIRSYNC_CHECK(run.Load());
  DIRSYNC_TRY(files, FindFiles(store.world(), request.settings.import_file, request.alone));
  std::stable_sort(files.begin(), files.end(), ReadBefore);
  bool anything = false;
  for (const Candidate& file : files) {
    auto done = ImportOne(run, file);
    if (done) {
      anything = true;
      run.report.file = file.path;
      run.report.files.push_back(file.path);
      continue;
    }
    run.Abort();
    if (run.too_large()) return std::unexpected(std::move(done).error());
    // Which of several files it was.
    if (!done.error().message.contains(file.path))
      done.error().message = "reading " + Printable(file.path) + ": " + done.error().message;
    if (done.error().code == ErrorCode::kAlreadyApplied) {
      run.report.file = file.path;
      run.report.notes.push_back(done.error().message);
      continue;
    }
    if (!run.report.problem) run.report.problem = done.error();
    // A stop of our own making concerns all files alike.
    if (done.error().code == ErrorCode::kDiskFull || done.error().code == ErrorCode::kInterrupted)
      break;
  }
  run.report.nothing_to_do = !anything && !run.report.problem;
  if (!anything && run.report.problem) return std::unexpected(*run.report.problem);
  if (run.state.source == SourceKind::kStream) run.report.stream = run.state.stream.ToString();
  run.report.epoch = run.state.cursor.epoch;
  run.report.sequence = run.state.cursor.sequence;
  return std::move(run.report);
}

}  // namespace dirsync
