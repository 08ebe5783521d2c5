#include "agent/loop/file_runs.h"

#include <algorithm>
#include <tuple>

#include "agent/file/sync_file_reader.h"
#include "agent/service/run.h"
#include "proto/base/bytes.h"
#include "proto/base/crypto.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

// A file over a limit is read whole each time.
constexpr Duration kOverAgain = std::chrono::minutes(5);
constexpr Duration kOverAgainLeast = std::chrono::seconds(1);

// Of the files that may wait; further ones of the stream go to bad/.
constexpr std::size_t kWaitingOfAStream = limits::kCarriedFiles / 4;

// Nothing of the file's own making: it is tried again, whatever its state.
bool IsOfTheMachine(ErrorCode code) {
  return code == ErrorCode::kDiskFull || code == ErrorCode::kIo ||
         code == ErrorCode::kInterrupted || code == ErrorCode::kLocked ||
         code == ErrorCode::kNotFound;
}

// It fits once its stream has moved, a person has decided, or an hour has passed.
bool Waits(ErrorCode code) {
  return code == ErrorCode::kGap || code == ErrorCode::kEpochChanged ||
         code == ErrorCode::kSuspect || code == ErrorCode::kOverLimit;
}

std::string_view LastPart(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

// "F", "F.2", "F~3": names under which file F may arrive.
bool IsNamedFor(std::string_view name, std::string_view file) {
  if (name == file) return true;
  if (file.empty() || !name.starts_with(file)) return false;
  const char mark = name[file.size()];
  return (mark == '.' || mark == '~') && ParseNumber(name.substr(file.size() + 1)).has_value();
}

// A name that no file system minds; names that are cut down to the same one stay apart.
std::string FileNameOf(const StreamName& stream) {
  std::string name = stream.site + "." + stream.instance;
  const std::string whole = name;
  for (char& c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '_' || c == '.';
    if (!plain) c = '_';
  }
  if (name.size() > 100) name.resize(100);
  if (name != whole || name.front() == '.')
    name = "_" + name + "." + DigestOf(whole).hex().substr(0, 8);
  return name;
}

Result<std::optional<ReaderState>> ReaderOf(Store& store, const InstanceSettings& instance) {
  DIRSYNC_TRY(number, FindNumber(store.storage(), "import/" + FoldName(instance.name)));
  if (!number) return std::nullopt;
  return LoadReader(store.storage(), *number);
}

// Behind a file that is lost, or of somebody who sends nothing else: others' files need the room.
Error TooManyWait(const StreamName& stream) {
  return {ErrorCode::kGap,
          std::to_string(kWaitingOfAStream) + " files of " + Printable(stream.ToString()) +
              " wait already",
          "bring the one that they wait for, or a full copy; then put this one into IN again"};
}

Position CursorOf(const std::optional<ReaderState>& reader) {
  return reader ? reader->cursor : Position{};
}

std::string Changes(const ApplyCounts& counts) {
  const std::uint64_t changes =
      counts.added + counts.modified + counts.renamed + counts.deleted + counts.adopted;
  std::string text = std::to_string(changes) + (changes == 1 ? " change" : " changes");
  if (counts.held > 0) text += ", " + std::to_string(counts.held) + " held";
  if (counts.quarantined > 0) text += ", " + std::to_string(counts.quarantined) + " in quarantine";
  if (counts.wanted > 0) text += ", " + std::to_string(counts.wanted) + " asked for whole";
  return text;
}

}  // namespace

Result<std::unique_ptr<FileRuns>> FileRuns::Open(Store& store, const std::string& in,
                                                 const std::string& out,
                                                 std::function<void(LinkEvent)> tell) {
  std::unique_ptr<FileRuns> runs(new FileRuns(store, out, std::move(tell)));
  if (!in.empty()) {
    DIRSYNC_TRY(folder, ExchangeFolder::Open(in));
    runs->in_ = std::move(folder);
  }
  return runs;
}

void FileRuns::Tell(std::string kind, const std::string& instance, std::string text,
                    ErrorCode code) {
  tell_({std::move(kind), instance, std::move(text), code});
}

void FileRuns::Import(Clock::time_point now) {
  if (!in_) return;
  for (bool more = true; more;) {
    auto applied = ImportOnce(now);
    if (!applied) {
      if (std::exchange(told_["IN"], applied.error().message) != applied.error().message)
        Tell("folder-failed", "", applied.error().message, applied.error().code);
      return;
    }
    more = *applied;
  }
  told_.erase("IN");
}

// Whether anything was applied: what came too early may fit now.
Result<bool> FileRuns::ImportOnce(Clock::time_point now) {
  DIRSYNC_CHECK(in_->TakeArrived(now));
  DIRSYNC_TRY(waiting, in_->ListWaiting(now));
  if (!waiting.empty()) DIRSYNC_CHECK(store_.Settle());
  std::vector<Candidate> candidates;
  std::map<std::string, Early> early;
  for (const ExchangeFolder::Waiting& file : waiting) {
    if (const auto known = early_.find(file.path); known != early_.end()) early.insert(*known);
    DIRSYNC_TRY(candidate, Look(file));
    if (candidate) candidates.push_back(std::move(*candidate));
  }
  early_ = std::move(early);
  // By what they say, never by name: as RunImport does.
  const auto order = [](const Candidate& c) {
    return std::tuple(!c.ours, c.header.kind == FileKind::kAdhoc, c.header.epoch.counter,
                      c.header.as_of.sequence, c.header.kind == FileKind::kChanges);
  };
  std::ranges::stable_sort(candidates, {}, order);
  bool any = false;
  std::map<StreamName, std::size_t> waits;
  for (const Candidate& candidate : candidates) {
    Outcome outcome = Try(candidate);
    if (outcome.fate == Fate::kWaits && candidate.ours &&
        ++waits[candidate.header.stream] > kWaitingOfAStream)
      outcome = {Fate::kRefused, TooManyWait(candidate.header.stream)};
    DIRSYNC_TRY(applied, Settle(candidate, outcome));
    any = any || applied;
  }
  return any;
}

// nullopt: not to be tried now, or dealt with.
Result<std::optional<FileRuns::Candidate>> FileRuns::Look(const ExchangeFolder::Waiting& file) {
  Candidate candidate{file, false, {}};
  const auto look = [&]() -> Result<> {
    DIRSYNC_TRY(source, store_.world().files().Open(file.path));
    DIRSYNC_TRY(nature, NatureOf(*source));
    candidate.ours = nature == FileNature::kOurs;
    if (!candidate.ours) return {};
    DIRSYNC_TRY(header, PeekSyncFile(*source));
    candidate.header = std::move(header);
    return {};
  };
  if (const auto looked = look(); !looked) {
    DIRSYNC_CHECK(Settle(candidate, {Fate::kRefused, looked.error()}));
    return std::nullopt;
  }
  // A foreign file has no end mark: only time tells that it is whole.
  if (!candidate.ours && !file.settled) return std::nullopt;
  return candidate;
}

// The instance bound to its stream; else the one that is not bound yet, if there is one only.
Result<InstanceSettings> FileRuns::InstanceFor(const Candidate& candidate) {
  const StreamName& told = candidate.header.stream;
  if (candidate.ours && FoldName(told.site) == FoldName(store_.profile().site))
    return Fail(ErrorCode::kOwnStream, "taking " + Printable(candidate.file.name) +
                                           ": this site wrote it (" + Printable(told.ToString()) +
                                           ")");
  DIRSYNC_TRY(instances, ListInstances(store_.storage()));
  std::vector<InstanceSettings> fresh;
  for (const InstanceSettings& instance : instances) {
    if (!instance.imports || instance.transport == Transport::kBroker) continue;
    DIRSYNC_TRY(reader, ReaderOf(store_, instance));
    const SourceKind source = reader ? reader->source : SourceKind::kUnbound;
    const StreamName& stream = candidate.header.stream;
    const bool named = IsNamedFor(candidate.file.name, LastPart(instance.import_file));
    if (candidate.ours && source == SourceKind::kStream) {
      const bool same = candidate.header.kind == FileKind::kAdhoc
                            ? reader->stream.organization == stream.organization &&
                                  reader->stream.site == stream.site
                            : reader->stream == stream;
      if (same) return instance;
    }
    if (!candidate.ours && source == SourceKind::kForeign && named) return instance;
    if (source == SourceKind::kUnbound &&
        (named || (candidate.ours && instance.import_file.empty())))
      fresh.push_back(instance);
  }
  if (fresh.size() == 1) return fresh.front();
  const std::string what = candidate.ours ? "stream " + candidate.header.stream.ToString()
                                          : "a foreign file of this name";
  if (fresh.empty())
    return Fail(ErrorCode::kConfiguration,
                "taking " + Printable(candidate.file.name) + ": no import instance reads " + what,
                "dirsync instance set NAME --import" +
                    std::string(candidate.ours ? "" : " --import-file NAME-OF-THE-FILE"));
  return Fail(ErrorCode::kConfiguration,
              "taking " + Printable(candidate.file.name) + ": " + std::to_string(fresh.size()) +
                  " import instances have read nothing yet, and any of them could be meant",
              "bind it by hand: dirsync run NAME --import-file FILE");
}

FileRuns::Outcome FileRuns::Try(const Candidate& candidate) {
  const auto instance = InstanceFor(candidate);
  if (!instance) return {Fate::kRefused, instance.error()};
  if (instance->paused) return {Fate::kWaits, std::nullopt};
  const auto reader = ReaderOf(store_, *instance);
  if (!reader) return {Fate::kRefused, reader.error()};
  const auto may_fit = MayFitNow(candidate, *reader);
  if (!may_fit) return {Fate::kRefused, may_fit.error()};
  if (!*may_fit) return {Fate::kWaits, std::nullopt};
  Outcome outcome = Run(*instance, candidate);
  if (outcome.fate == Fate::kWaits) Remember(candidate, *reader, outcome);
  return outcome;
}

// Whether anything has changed since the file did not fit.
Result<bool> FileRuns::MayFitNow(const Candidate& candidate,
                                 const std::optional<ReaderState>& reader) {
  const auto found = early_.find(candidate.file.path);
  if (found == early_.end()) return true;
  const Early& early = found->second;
  if (early.cursor != CursorOf(reader)) return true;
  if (early.suspect) return !reader || !reader->suspect;
  if (early.again == Instant{}) return false;
  if (early.again <= store_.world().Now()) return true;
  DIRSYNC_TRY(limits, LimitsOf(store_.storage(), candidate.header.stream.site));
  return limits != early.limits;
}

void FileRuns::Remember(const Candidate& candidate, const std::optional<ReaderState>& reader,
                        const Outcome& outcome) {
  Early& early = early_[candidate.file.path];
  early = {CursorOf(reader), {}, {}, false};
  early.suspect = outcome.error && outcome.error->code == ErrorCode::kSuspect;
  if (!outcome.error || outcome.error->code != ErrorCode::kOverLimit) return;
  if (const auto limits = LimitsOf(store_.storage(), candidate.header.stream.site))
    early.limits = *limits;
  const Instant now = store_.world().Now();
  const Instant again = outcome.error->again;
  early.again = again == Instant{} ? now + kOverAgain : std::max(again, now + kOverAgainLeast);
}

FileRuns::Outcome FileRuns::Run(const InstanceSettings& instance, const Candidate& candidate) {
  RunRequest request;
  request.settings = instance;
  request.settings.imports = true;
  request.settings.import_file = candidate.file.path;
  request.alone = true;
  auto report = RunImport(store_, request);
  if (!report) {
    Error error = report.error();
    if (error.code == ErrorCode::kOverLimit) error.message += "; " + error.hint;
    if (Waits(error.code)) return {Fate::kWaits, std::move(error)};
    return {Fate::kRefused, std::move(error)};
  }
  report->file = candidate.file.name;
  report->files = {candidate.file.name};
  if (report->nothing_to_do) return {Fate::kKnown, std::nullopt};
  if (const auto recorded = RecordRun(store_, *report); !recorded)
    Tell("not-recorded", instance.name, recorded.error().message, recorded.error().code);
  std::string text = candidate.file.name + ": " + Changes(report->counts);
  if (!report->stream.empty())
    text += "; " + report->stream + " is at " + std::to_string(report->sequence);
  if (report->sums_equal) text += ", sums equal";
  Tell("imported", instance.name, text, ErrorCode::kAlreadyApplied);
  for (const std::string& note : report->notes)
    Tell("note", instance.name, note, ErrorCode::kAlreadyApplied);
  if (report->counts.held > 0)
    Tell("held", instance.name, std::to_string(report->counts.held) + " deletes held",
         ErrorCode::kRefused);
  if (report->counts.quarantined > 0)
    Tell("quarantined", instance.name,
         std::to_string(report->counts.quarantined) + " changes in quarantine",
         ErrorCode::kAddressTaken);
  return {Fate::kApplied, std::nullopt};
}

// Moves the file where it belongs. Whether it was applied.
Result<bool> FileRuns::Settle(const Candidate& candidate, const Outcome& outcome) {
  const ExchangeFolder::Waiting& file = candidate.file;
  const std::string errors = file.path + ".err";
  if (store_.world().files().Exists(errors))
    DIRSYNC_CHECK(
        in_->MoveToBad({errors, file.name + ".err", true},
                       {ErrorCode::kBadRecord,
                        "reading " + Printable(file.name) + ": its bad records were skipped", ""}));
  if (outcome.error) {
    const std::string text = outcome.error->message;
    const bool news = std::exchange(told_[file.path], text) != text;
    if (outcome.fate == Fate::kWaits || IsOfTheMachine(outcome.error->code)) {
      if (news) Tell("waiting", "", text, outcome.error->code);
      return false;
    }
    if (!file.settled) return false;  // maybe it is still being written
    DIRSYNC_CHECK(in_->MoveToBad(file, *outcome.error));
    Tell("refused", "", text + "; it is in bad/ now", outcome.error->code);
    told_.erase(file.path);
    return false;
  }
  if (outcome.fate == Fate::kWaits) return false;
  told_.erase(file.path);
  DIRSYNC_CHECK(in_->MoveToDone(file));
  return outcome.fate == Fate::kApplied;
}

bool FileRuns::Export(bool by_broker) {
  if (out_.empty()) return true;
  const auto instances = ListInstances(store_.storage());
  if (!instances) return true;  // the store failed, which its owner finds out
  bool all = true;
  for (const InstanceSettings& instance : *instances) {
    const bool by_file = instance.transport == Transport::kFile ||
                         (instance.transport == Transport::kBoth && !by_broker);
    if (instance.exports && by_file && !instance.paused) all = ExportOne(instance) && all;
  }
  return all;
}

bool FileRuns::ExportOne(InstanceSettings instance) {
  const std::string name = instance.name;
  if (instance.export_file.empty())
    instance.export_file =
        out_ + "/" +
        FileNameOf({store_.profile().organization, store_.profile().site, instance.name});
  RunRequest request;
  request.settings = std::move(instance);
  const auto report = RunExport(store_, request);
  const std::string error = report ? "" : report.error().message;
  const bool news = std::exchange(told_["export/" + FoldName(name)], error) != error;
  if (!report) {
    if (news) Tell("export-refused", name, error, report.error().code);
    return false;
  }
  if (report->nothing_to_do) return true;
  if (const auto recorded = RecordRun(store_, *report); !recorded)
    Tell("not-recorded", name, recorded.error().message, recorded.error().code);
  Tell("exported", name,
       std::string(LastPart(report->file)) + ": " + Changes(report->counts) + "; " +
           report->stream + " is at " + std::to_string(report->sequence),
       ErrorCode::kAlreadyApplied);
  return true;
}

}  // namespace dirsync
