#include "cli/runner.h"

#include "agent/core/instance.h"
#include "cli/instance_options.h"
#include "cli/instance_view.h"
#include "cli/json.h"
#include "proto/base/text.h"

namespace dirsync::cli {
namespace {

constexpr std::size_t kPlanLinesShown = 1000;

// What helps an instance that names no file: the broker may carry it, or a file is named.
Result<std::string> CureOf(Store& store, const RunChoice& choice) {
  const std::string missing = Join(MissingSettings(choice.settings, false), " ");
  const std::string name = Quoted(choice.settings.name);
  DIRSYNC_TRY(by_broker, IsCarriedByBroker(store.storage(), choice.settings));
  if (!by_broker) return "dirsync instance set " + name + " " + missing;
  return "the broker carries it; all of it again: dirsync resync run --site " +
         Quoted(store.profile().site) + " --full; as a file: dirsync run " + name + " " + missing +
         (choice.full ? " --full" : "");
}

Result<> CheckComplete(Store& store, const RunChoice& choice) {
  const std::vector<std::string> missing = MissingSettings(choice.settings, choice.old_spelling);
  if (missing.empty()) return {};
  const std::string problem = ": settings are missing: " + Join(missing, "; ");
  if (choice.settings.name.empty())
    return Fail(ErrorCode::kConfiguration, "run" + problem, "give them with the command");
  DIRSYNC_TRY(cure, CureOf(store, choice));
  return Fail(ErrorCode::kConfiguration, "run " + Printable(choice.settings.name) + problem, cure);
}

// Asks before the first import of a new pair.
bool ConfirmFirst(Context& context, ProgressMeter& meter, const RunReport& report,
                  const std::string& fingerprint) {
  meter.Clear();
  context.err() << "first import of stream " << Printable(report.stream) << '\n'
                << "  would do: " << CountsText(report.counts) << '\n'
                << "  signed by the key with fingerprint " << Printable(fingerprint) << '\n'
                << "  (the sender sees its own with `dirsync version`)\n";
  return context.Ask("import it, and trust this key from now on?");
}

// Files that were read before are told as a number: senders keep them until they are read.
void PrintNotes(Context& context, const RunReport& report) {
  std::vector<std::string> old;
  for (const std::string& note : report.notes) {
    const bool about_file = note.starts_with("reading ");
    if (about_file && report.notes.size() > 1) {
      old.push_back(note);
    } else {
      context.Note(note);
    }
  }
  if (old.size() == 1) context.Note(old.front());
  if (old.size() > 1) context.Note(Counted(old.size(), "file") + " passed over: read before");
}

void PrintDetails(Context& context, const RunReport& report) {
  PrintNotes(context, report);
  if (report.counts.held > 0)
    context.Warn(Counted(report.counts.held, "delete") + " held back: dirsync held list");
  if (report.counts.quarantined > 0)
    context.Warn(Counted(report.counts.quarantined, "change") +
                 " in quarantine: dirsync quarantine list");
  if (report.counts.wanted > 0)
    context.Note(Counted(report.counts.wanted, "entry", "entries") +
                 " unknown here: asked for whole with the next file to the sender");
}

std::string FileNames(const Context& context, const RunReport& report) {
  if (report.files.size() <= 1) return context.ShortPath(report.file);
  return context.ShortPath(report.files.front()) + " and " + Grouped(report.files.size() - 1) +
         " more";
}

std::string ReportSentence(const Context& context, const RunReport& report, bool dry) {
  const bool exported = report.direction == Direction::kExport;
  std::string text = report.instance;
  if (!text.empty()) text += ' ';
  text += dry ? (exported ? "would export" : "would import") : (exported ? "exported" : "imported");
  if (report.nothing_to_do) {
    text += " nothing: ";
    text += exported ? "no change since the last export" : "no file that is new";
  } else {
    const std::string files = FileNames(context, report);
    if (!files.empty()) text += (exported ? " to " : " ") + files;
    text += ": " + (exported && !dry && report.counts == ApplyCounts{}
                        ? std::string("no changes; it tells what was read here")
                        : CountsText(report.counts));
  }
  if (report.adhoc && report.stream.empty()) {
    text += " (ad hoc: outside every stream)";
  } else if (!report.stream.empty()) {
    text += "; " + report.stream + " is at " + Grouped(report.sequence);
    if (report.sums_equal) text += ", sums equal";
  }
  return text;
}

Result<RunReport> RunOne(Context& context, Store& store, const RunChoice& choice,
                         Direction direction) {
  ProgressMeter meter(context.err(), ProgressStyle(context, context.console(), choice.progress));
  RunRequest request{.settings = choice.settings,
                     .stored = choice.stored,
                     .scope_overridden = choice.scope_overridden && direction == Direction::kExport,
                     .full = choice.full && direction == Direction::kExport,
                     .dry_run = context.dry_run(),
                     .reset_mark = choice.reset_mark && direction == Direction::kExport};
  request.progress = [&](const Progress& progress) { meter.Update(progress); };
  std::size_t lines = 0;
  if (context.dry_run() && !context.json())
    request.plan = [&](const PlanLine& line) {
      if (++lines <= kPlanLinesShown) PrintPlanLine(context, line);
    };
  if (context.can_ask() && !context.dry_run())
    request.confirm = [&](const RunReport& report, const std::string& fingerprint) {
      return ConfirmFirst(context, meter, report, fingerprint);
    };
  auto report =
      direction == Direction::kExport ? RunExport(store, request) : RunImport(store, request);
  if (lines > kPlanLinesShown)
    context.out() << "  … and " << Grouped(lines - kPlanLinesShown) << " more\n";
  return report;
}

// A run that did nothing but fail is remembered too.
RunReport FailedReport(Context& context, const RunChoice& choice, Direction direction,
                       const Error& error) {
  RunReport report;
  report.instance = choice.settings.name;
  report.direction = direction;
  report.time = context.world().Now();
  report.problem = error;
  return report;
}

void Record(Context& context, Store& store, const RunReport& report) {
  if (auto recorded = RecordRun(store, report); !recorded)
    context.Warn("the run could not be noted in `dirsync runs`: " + recorded.error().message);
}

}  // namespace

Result<int> RunInstance(Context& context, Store& store, const RunChoice& choice) {
  DIRSYNC_CHECK(CheckComplete(store, choice));
  int status = 0;
  auto run = [&](Direction direction) {
    auto report = RunOne(context, store, choice, direction);
    RunReport log = report ? *report : FailedReport(context, choice, direction, report.error());
    if (report) PrintReport(context, *report, context.dry_run());
    const std::optional<Error>& problem = log.problem;
    if (!context.dry_run()) Record(context, store, log);
    if (!problem) return;
    context.PrintError(*problem);
    if (status == 0) status = problem->exit_status();
  };
  if (choice.settings.imports) run(Direction::kImport);
  if (choice.settings.exports) run(Direction::kExport);
  return status;
}

bool ScopeDiffers(const Store& store, const InstanceSettings& stored,
                  const InstanceSettings& merged) {
  auto type = [&](const InstanceSettings& settings) {
    if (!settings.address_type.empty() || store.profile().templates.empty())
      return settings.address_type;
    return store.profile().templates.front().type();
  };
  return ScopeDigest(stored, type(stored)) != ScopeDigest(merged, type(merged));
}

void PrintReport(Context& context, const RunReport& report, bool dry) {
  if (context.json()) {
    context.out() << ReportJson(report) << '\n';
    return;
  }
  context.out() << Printable(ReportSentence(context, report, dry), 4096) << '\n';
  PrintDetails(context, report);
}

std::string ReportJson(const RunReport& report) {
  JsonObject object;
  const ApplyCounts& counts = report.counts;
  object.Text("instance", report.instance)
      .Text("direction", report.direction == Direction::kExport ? "export" : "import")
      .Number("added", counts.added)
      .Number("modified", counts.modified)
      .Number("renamed", counts.renamed)
      .Number("deleted", counts.deleted)
      .Number("unchanged", counts.unchanged)
      .Number("held", counts.held)
      .Number("quarantined", counts.quarantined)
      .Number("wanted", counts.wanted)
      .Number("adopted", counts.adopted)
      .Number("superseded", counts.superseded)
      .Text("stream", report.stream)
      .Text("epoch", report.epoch.counter == 0 ? "" : report.epoch.ToString())
      .Number("sequence", report.sequence)
      .Text("file", report.file)
      .Texts("files", report.files)
      .Text("time", FormatTime(report.time))
      .Bool("full", report.full)
      .Bool("adhoc", report.adhoc)
      .Bool("nothing_to_do", report.nothing_to_do)
      .Bool("sums_equal", report.sums_equal)
      .Number("bad_records", report.bad_records)
      .Texts("notes", report.notes);
  if (report.problem) object.Text("problem", InfoOf(report.problem->code).text);
  return object.Finish();
}

std::string CountsText(const ApplyCounts& counts) {
  std::vector<std::string> parts;
  auto add = [&](std::uint64_t count, std::string_view what) {
    if (count > 0) parts.push_back(Grouped(count) + " " + std::string(what));
  };
  add(counts.added, "added");
  add(counts.modified, "modified");
  add(counts.renamed, "renamed");
  add(counts.deleted, "deleted");
  add(counts.adopted, "adopted");
  add(counts.held, "held");
  add(counts.quarantined, "quarantined");
  add(counts.wanted, "wanted");
  add(counts.superseded, "superseded");
  add(counts.unchanged, "unchanged");
  return parts.empty() ? "nothing" : Join(parts, ", ");
}

void PrintPlanLine(Context& context, const PlanLine& line) {
  std::string text = "  " + Printable(line.action);
  text.append(text.size() < 13 ? 13 - text.size() : 1, ' ');
  text += Printable(line.name, 2048);
  if (!line.reason.empty()) text += "  (" + Printable(line.reason, 2048) + ")";
  context.out() << text << '\n';
}

std::string PlanLineJson(const PlanLine& line) {
  return JsonObject()
      .Text("action", line.action)
      .Text("name", line.name)
      .Text("reason", line.reason)
      .Finish();
}

ProgressMeter::Style ProgressStyle(const Context& context, const Console& console,
                                   std::optional<bool> wanted) {
  if (wanted == false) return ProgressMeter::Style::kNone;
  if (context.json()) return ProgressMeter::Style::kJson;
  // A bar moves the cursor: not what NO_COLOR or a dumb terminal asks for.
  return console.err_terminal && !console.no_color ? ProgressMeter::Style::kBar
                                                   : ProgressMeter::Style::kLines;
}

}  // namespace dirsync::cli
