// resync plan, resync run, resync status: a site and its partners, made equal again (R16).
#include "cli/command.h"
#include "cli/progress.h"
#include "cli/resync_run.h"
#include "cli/runner.h"
#include "proto/base/json_text.h"
#include "proto/base/text.h"

namespace dirsync::cli {
namespace {

Result<AgentControl*> AgentOf(Context& context, std::string_view command) {
  if (context.console().agent != nullptr) return context.console().agent;
  DIRSYNC_CHECK(context.OpenStore());
  return Fail(ErrorCode::kUnreachable,
              std::string(command) + ": no agent has this store open, so nobody can be asked",
              "dirsync agent run; or by file: dirsync run INSTANCE --export-file FILE --full");
}

// Right after its start an agent is still greeting its broker.
Result<> AwaitSession(AgentControl& agent, Context& context) {
  const Instant until = context.world().Now() + std::chrono::seconds(10);
  while (agent.link().phase() != LinkPhase::kOpen && context.world().Now() < until &&
         !context.interrupted())
    DIRSYNC_CHECK(agent.Turn({}, std::chrono::milliseconds(200)));
  if (agent.link().phase() == LinkPhase::kOpen) return {};
  const Error reason = agent.link().reason();
  return Fail(
      ErrorCode::kUnreachable,
      "resync: no session with the broker" +
          (reason.message.empty() ? std::string() : ": " + reason.message),
      "check that the broker runs; by file: dirsync run INSTANCE --export-file FILE --full");
}

Result<std::vector<ResyncJob>> JobsOf(AgentControl& agent, const Arguments& arguments) {
  const std::string site = arguments.Value("--site").value_or(agent.store().profile().site);
  return PlanResync(agent, site, arguments.List("--to"));
}

std::string JobJson(const ResyncJob& job) {
  return JsonObject()
      .Text("reader", job.reader)
      .Text("stream", job.stream.ToString())
      .Number("entries", job.entries)
      .Finish();
}

void PrintJobs(Context& context, const std::vector<ResyncJob>& jobs) {
  if (context.json()) {
    std::vector<std::string> items;
    for (const ResyncJob& job : jobs) items.push_back(JobJson(job));
    context.out() << JsonArray(items) << '\n';
    return;
  }
  Table table(context.out(), {"READER", "TAKES WHOLE", "ENTRIES"}, context.width(),
              context.out_colours());
  for (const ResyncJob& job : jobs)
    table.Add({job.reader, job.stream.ToString(), job.entries == 0 ? "?" : Grouped(job.entries)});
  table.Finish();
  if (jobs.empty()) context.Note("nobody reads a stream of it, and it reads none");
}

Result<int> Plan(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(agent, AgentOf(context, "resync plan"));
  DIRSYNC_CHECK(AwaitSession(*agent, context));
  DIRSYNC_TRY(jobs, JobsOf(*agent, arguments));
  PrintJobs(context, jobs);
  return 0;
}

void PrintOutcome(Context& context, const ResyncOutcome& outcome) {
  if (context.json()) {
    context.out() << JsonObject()
                         .Text("reader", outcome.job.reader)
                         .Text("stream", outcome.job.stream.ToString())
                         .Bool("equal", outcome.code == ErrorCode::kAlreadyApplied)
                         .Text("code", outcome.code == ErrorCode::kAlreadyApplied
                                           ? std::string_view()
                                           : InfoOf(outcome.code).text)
                         .Text("text", outcome.text)
                         .Finish()
                  << '\n';
    return;
  }
  const bool equal = outcome.code == ErrorCode::kAlreadyApplied;
  context.out() << Printable(outcome.job.reader) << ": " << outcome.job.stream.ToString() << ": "
                << Printable(outcome.text, 4096);
  if (!equal) context.out() << " (" << InfoOf(outcome.code).text << ")";
  context.out() << '\n';
}

Result<int> Run(Context& context, const Arguments& arguments) {
  if (!arguments.Has("--full"))
    return Fail(ErrorCode::kUsage, "resync run: say what to do",
                "--full: every entry is compared with its source");
  DIRSYNC_TRY(agent, AgentOf(context, "resync run"));
  DIRSYNC_CHECK(AwaitSession(*agent, context));
  DIRSYNC_TRY(jobs, JobsOf(*agent, arguments));
  if (context.dry_run() || context.can_ask()) PrintJobs(context, jobs);
  if (context.dry_run() || jobs.empty()) return 0;
  if (!context.Confirmed("have these taken whole?"))
    return std::unexpected(context.NotConfirmed("resync run"));
  ProgressMeter meter(context.err(), ProgressStyle(context, context.console(), std::nullopt));
  ResyncOptions options;
  options.progress = [&](const Progress& progress) { meter.Update(progress); };
  options.interrupted = [&] { return context.interrupted(); };
  DIRSYNC_TRY(outcomes, RunResync(*agent, std::move(jobs), options));
  meter.Clear();
  int status = 0;
  for (const ResyncOutcome& outcome : outcomes) {
    PrintOutcome(context, outcome);
    if (status == 0 && outcome.code != ErrorCode::kAlreadyApplied)
      status = InfoOf(outcome.code).exit_status;
  }
  if (outcomes.empty()) context.Note("nobody reads these streams");
  return status;
}

Result<int> Status(Context& context, const Arguments&) {
  DIRSYNC_TRY(agent, AgentOf(context, "resync status"));
  const AgentReport report = agent->link().Report();
  Table table(context.out(), {"IMPORT", "STREAM", "COPY", "SUMS LAST EQUAL"}, context.width(),
              context.out_colours());
  std::vector<std::string> items;
  for (const InstanceReport& row : report.instances) {
    if (row.exports) continue;
    const bool copying = row.full_total > 0;
    const std::string equal =
        row.sums_equal_at == Instant{} ? std::string("not yet") : FormatTime(row.sums_equal_at);
    items.push_back(JsonObject()
                        .Text("instance", row.instance)
                        .Text("stream", row.stream.ToString())
                        .Bool("copying", copying)
                        .Number("done", row.full_done)
                        .Number("total", row.full_total)
                        .Text("sums_equal_at", row.sums_equal_at == Instant{} ? "" : equal)
                        .Number("held", row.held)
                        .Finish());
    if (context.json()) continue;
    table.Add({row.instance, row.stream.ToString(),
               copying ? Grouped(row.full_done) + " of " + Grouped(row.full_total) : "none",
               equal});
  }
  if (context.json()) {
    context.out() << JsonArray(items) << '\n';
    return 0;
  }
  table.Finish();
  if (table.rows() == 0) context.Note("no import reads a stream through the broker yet");
  return 0;
}

std::vector<OptionSpec> SiteOptions() {
  return {{"--site", "SITE", "the site that was lost (default: this one)"},
          {"--to", "SITE", "only between it and this one", true}};
}

std::vector<OptionSpec> RunOptions() {
  std::vector<OptionSpec> options = SiteOptions();
  options.push_back({"--full", "", "every entry is compared with its source, by ranges"});
  return options;
}

}  // namespace

CommandGroup ResyncCommands() {
  return {"After a loss",
          {
              {.path = "resync plan",
               .help = "who would take which stream whole",
               .examples = {"dirsync resync plan --site Site1"},
               .options = SiteOptions(),
               .run = Plan,
               .changes = false},
              {.path = "resync run",
               .help = "make a site and its partners equal again; killed, it goes on",
               .examples = {"dirsync resync run --site Site1 --full",
                            "dirsync resync run --site Site1 --full --to Site2 --yes"},
               .options = RunOptions(),
               .run = Run},
              {.path = "resync status",
               .help = "full copies that this site is taking",
               .examples = {"dirsync resync status"},
               .run = Status,
               .changes = false},
          }};
}

}  // namespace dirsync::cli
