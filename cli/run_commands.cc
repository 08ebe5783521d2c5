// run, plan, apply, runs, ack.
#include <algorithm>

#include "cli/command.h"
#include "cli/instance_options.h"
#include "cli/instance_view.h"
#include "cli/json.h"
#include "cli/runner.h"
#include "proto/base/text.h"
#include "proto/trust/membership.h"
#include "proto/trust/roster.h"

namespace dirsync::cli {
namespace {

// --export and --import of `run` choose among the directions of a stored instance.
Result<> ChooseDirection(const Arguments& arguments, const InstanceSettings& stored,
                         InstanceSettings& settings) {
  if (arguments.Has("--export") && !stored.exports)
    return Fail(ErrorCode::kUsage, "instance " + Printable(stored.name) + " does not export",
                "dirsync instance set " + Quoted(stored.name) + " --both --export-file F");
  if (arguments.Has("--import") && !stored.imports)
    return Fail(ErrorCode::kUsage, "instance " + Printable(stored.name) + " does not import",
                "dirsync instance set " + Quoted(stored.name) + " --both --import-file F");
  if (arguments.Has("--both") && (!stored.exports || !stored.imports))
    return Fail(ErrorCode::kUsage, "instance " + Printable(stored.name) + " has one direction only",
                "");
  if (!arguments.Has("--export") && !arguments.Has("--import")) {
    settings.exports = stored.exports;
    settings.imports = stored.imports;
  }
  return {};
}

Result<RunChoice> ChoiceOf(Context& context, Store& store, const Arguments& arguments,
                           const std::string& name) {
  DIRSYNC_TRY(stored, LoadInstance(store.storage(), name));
  RunChoice choice{.settings = stored};
  DIRSYNC_CHECK(ApplyInstanceOptions(context, arguments, choice.settings));
  DIRSYNC_CHECK(ChooseDirection(arguments, stored, choice.settings));
  choice.scope_overridden = ScopeDiffers(store, stored, choice.settings);
  choice.full = arguments.Has("--full");
  choice.reset_mark = arguments.Has("--compare-all");
  return choice;
}

Result<int> Run(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(store, context.OpenStore());
  if (arguments.words().empty()) {
    RunChoice choice{.stored = false, .full = arguments.Has("--full")};
    DIRSYNC_CHECK(ApplyInstanceOptions(context, arguments, choice.settings));
    if (!choice.settings.exports && !choice.settings.imports)
      return Fail(ErrorCode::kUsage, "run: no instance is named, and no direction is given",
                  "dirsync run INSTANCE, or dirsync run --export --export-file F");
    return RunInstance(context, *store, choice);
  }
  // All names are checked before the first run.
  std::vector<RunChoice> choices;
  for (const std::string& name : arguments.words()) {
    DIRSYNC_TRY(choice, ChoiceOf(context, *store, arguments, name));
    choices.push_back(std::move(choice));
  }
  int status = 0;
  for (const RunChoice& choice : choices) {
    auto result = RunInstance(context, *store, choice);
    if (!result) context.PrintError(result.error());
    if (status == 0) status = result ? *result : result.error().exit_status();
  }
  return status;
}

Result<int> PrintPlan(Context& context, const Plan& plan, Direction direction) {
  const std::string command = "dirsync apply " + plan.id;
  const int status = plan.report.problem ? plan.report.problem->exit_status() : 0;
  if (context.json()) {
    std::vector<std::string> lines;
    for (const PlanLine& line : plan.lines) lines.push_back(PlanLineJson(line));
    std::string array = "[" + Join(lines, ",") + "]";
    context.out() << JsonObject()
                         .Text("id", plan.id)
                         .Raw("report", ReportJson(plan.report))
                         .Raw("lines", array)
                         .Finish()
                  << '\n';
    return status;
  }
  for (const PlanLine& line : plan.lines) PrintPlanLine(context, line);
  PrintReport(context, plan.report, true);
  context.out() << "plan " << plan.id << " ("
                << (direction == Direction::kExport ? "export" : "import") << ")\n";
  if (!plan.report.nothing_to_do) context.Next(command);
  return status;
}

Result<int> MakeAndPrintPlan(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(store, context.OpenStore());
  DIRSYNC_TRY(choice, ChoiceOf(context, *store, arguments, arguments.words().front()));
  const InstanceSettings& settings = choice.settings;
  if (settings.exports && settings.imports)
    return Fail(ErrorCode::kUsage,
                "plan " + Printable(settings.name) + ": the instance imports and exports",
                "say which: --import or --export");
  const std::vector<std::string> missing = MissingSettings(settings, false);
  if (!missing.empty())
    return Fail(ErrorCode::kConfiguration, "plan " + Printable(settings.name) +
                                               ": settings are missing: " + Join(missing, "; "));
  const Direction direction = settings.exports ? Direction::kExport : Direction::kImport;
  ProgressMeter meter(context.err(), ProgressStyle(context, context.console(), std::nullopt));
  RunRequest request{.settings = settings,
                     .scope_overridden = choice.scope_overridden,
                     .full = choice.full,
                     .dry_run = true,
                     .reset_mark = choice.reset_mark};
  request.progress = [&](const Progress& progress) { meter.Update(progress); };
  DIRSYNC_TRY(plan, MakePlan(*store, request, direction));
  meter.Clear();
  auto printed = PrintPlan(context, plan, direction);
  if (plan.report.problem) context.PrintError(*plan.report.problem);
  return printed;
}

Result<int> Apply(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(store, context.OpenStore());
  ProgressMeter meter(context.err(), ProgressStyle(context, context.console(), std::nullopt));
  DIRSYNC_TRY(reports, ApplyPlan(*store, arguments.words().front(),
                                 [&](const Progress& progress) { meter.Update(progress); }));
  meter.Clear();
  int status = 0;
  for (const RunReport& report : reports) {
    PrintReport(context, report, false);
    if (!report.problem) continue;
    context.PrintError(*report.problem);
    if (status == 0) status = report.problem->exit_status();
  }
  return status;
}

Result<int> Runs(Context& context, const Arguments& arguments) {
  constexpr std::size_t kDefaultCount = 20;
  constexpr std::size_t kMostCount = 100'000;
  std::size_t count = kDefaultCount;
  if (auto text = arguments.Value("--count")) {
    auto number = ParseNumber(*text);
    if (!number || *number == 0 || *number > kMostCount)
      return Fail(ErrorCode::kUsage, "--count " + Printable(*text) + " is not possible",
                  "a number from 1 to 100000");
    count = *number;
  }
  DIRSYNC_TRY(store, context.OpenStore());
  DIRSYNC_TRY(reports, ListRuns(*store, count));
  if (context.json()) {
    std::vector<std::string> items;
    for (const RunReport& report : reports) items.push_back(ReportJson(report));
    context.out() << JsonArray(items) << '\n';
    return 0;
  }
  Table table(context.out(), {"TIME", "INSTANCE", "DIRECTION", "AT", "FILE", "DID"},
              context.width(), context.out_colours());
  for (const RunReport& report : reports) {
    const bool exported = report.direction == Direction::kExport;
    std::string did = report.nothing_to_do ? "nothing" : CountsText(report.counts);
    if (report.problem) did += " (" + std::string(InfoOf(report.problem->code).text) + ")";
    table.Add({FormatTime(report.time), report.instance.empty() ? "-" : report.instance,
               exported ? "export" : "import",
               report.sequence == 0 ? "-" : Grouped(report.sequence),
               report.file.empty() ? "-" : context.ShortPath(report.file), did});
  }
  table.Finish();
  if (table.rows() == 0) context.Note("no runs yet");
  return 0;
}

// A wrong name would be taken for another reader, for which the outbox waits. Known are the readers
// that the instance names and, once the site has joined, the roster; with neither, any name is
// good.
Result<> CheckReader(Store& store, const std::string& reader, const std::string& text) {
  std::vector<std::string> known;
  const auto stream = StreamName::Parse(text.substr(0, text.find(' ')));
  DIRSYNC_TRY(states, AllStates(store.storage()));
  for (const InstanceState& state : states)
    if (stream && state.producer && state.producer->name == *stream) known = state.settings.readers;
  DIRSYNC_TRY(membership, LoadMembership(store.storage()));
  if (membership) {
    DIRSYNC_TRY(roster, ListRoster(store.storage()));
    for (const RosterEntry& entry : roster) known.push_back(entry.site);
  }
  const bool named = std::ranges::any_of(
      known, [&](const std::string& name) { return FoldName(name) == FoldName(reader); });
  if (known.empty() || named) return {};
  return Fail(
      ErrorCode::kNotFound,
      "taking an ack: no site " + Printable(reader) + " reads here" + DidYouMean(reader, known),
      membership ? "dirsync instance show INSTANCE names its readers"
                 : "readers: " + Printable(Join(known, ", ")));
}

Result<int> Ack(Context& context, const Arguments& arguments) {
  const auto reader = arguments.Value("--from");
  DIRSYNC_TRY(store, context.OpenStore());
  if (!reader) {
    if (arguments.words().size() != 1)
      return Fail(ErrorCode::kUsage, "ack: give one import instance, or --from SITE and its text",
                  "dirsync ack INSTANCE2; dirsync ack --from Site2 \"TEXT\"");
    DIRSYNC_TRY(text, AckText(*store, arguments.words().front()));
    if (context.json()) {
      context.out() << JsonObject().Text("ack", text).Finish() << '\n';
    } else {
      context.out() << text << '\n';
      context.Next("at the site that sends: dirsync ack --from " + Quoted(store->profile().site) +
                   " \"" + text + "\"");
    }
    return 0;
  }
  // The text has blanks: with or without quotes it is the same.
  const std::string text = Join(arguments.words(), " ");
  DIRSYNC_CHECK(CheckReader(*store, *reader, text));
  DIRSYNC_TRY(outcome, TakeAckText(*store, *reader, text, context.dry_run()));
  if (context.json()) {
    context.out() << JsonObject().Text("outcome", outcome).Finish() << '\n';
  } else {
    context.out() << Printable(outcome, 4096) << '\n';
  }
  return 0;
}

std::vector<OptionSpec> RunOptions() {
  std::vector<OptionSpec> options = {
      {"--full", "", "export everything, as a full copy"},
      {"--compare-all", "", "export: compare every entry with what was told (old /USN=0)"},
  };
  for (const OptionSpec& option : InstanceOptionSpecs()) options.push_back(option);
  return options;
}

}  // namespace

CommandGroup RunCommands() {
  return {"Runs",
          {
              {.path = "run",
               .arguments = "[INSTANCE…]",
               .words_max = kManyWords,
               .help = "import, then export, as the instances say; options hold for this run only",
               .examples = {"dirsync run INSTANCE1", "dirsync run INSTANCE2 INSTANCE3 --dry-run",
                            "dirsync run INSTANCE1 --full",
                            "dirsync run --export --container Other --export-file OTHER"},
               .options = RunOptions(),
               .run = Run},
              {.path = "plan",
               .arguments = "INSTANCE",
               .words_min = 1,
               .words_max = 1,
               .help = "what a run would do, options as of `run`, with an id that `apply` takes",
               .examples = {"dirsync plan INSTANCE2", "dirsync plan INSTANCE5 --import",
                            "dirsync plan INSTANCE2 --import-file OTHER"},
               .options = RunOptions(),
               .run = MakeAndPrintPlan,
               .changes = false},
              {.path = "apply",
               .arguments = "PLAN",
               .words_min = 1,
               .words_max = 1,
               .help = "do exactly what the plan says, or refuse",
               .examples = {"dirsync apply 0123456789abcdef"},
               .run = Apply,
               .changes = false},
              {.path = "runs",
               .help = "the last runs, newest first",
               .examples = {"dirsync runs", "dirsync runs --count 3 --json"},
               .options = {{"--count", "N", "how many (default 20)"}},
               .run = Runs,
               .changes = false},
              {.path = "ack",
               .arguments = "INSTANCE | --from SITE TEXT",
               .words_min = 1,
               .words_max = 8,
               .help = "for one-way links: print how far an import is; take it at the sender",
               .examples = {"dirsync ack INSTANCE2",
                            "dirsync ack --from Site2 \"Testorg/Site1/INSTANCE1 1.00… 17 ab…\""},
               .options = {{"--from", "SITE", "the site that printed the text"}},
               .run = Ack},
          }};
}

}  // namespace dirsync::cli
