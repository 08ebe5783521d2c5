// status, check, events, doctor: how things stand, for people and for monitoring.
#include <algorithm>

#include "broker/core/stats_json.h"
#include "cli/command.h"
#include "cli/doctor.h"
#include "cli/duty.h"
#include "cli/json.h"
#include "proto/base/measure.h"
#include "proto/base/text.h"

namespace dirsync::cli {
namespace {

constexpr std::size_t kEventsShown = 50;

std::string LinksJson(const LinkOverview& overview) {
  std::vector<std::string> links;
  for (const LinkView& link : overview.links) links.push_back(LinkJson(link));
  return "[" + Join(links, ",") + "]";
}

void PrintStatusJson(Context& context, const DutyView& view) {
  context.out() << JsonObject()
                       .Text("here", view.here)
                       .Bool("running", view.running)
                       .Raw("time", TimeJson(view.now))
                       .Text("severity", SeverityName(view.overview.severity))
                       .Text("sentence", view.overview.sentence)
                       .Text("command", view.overview.command)
                       .Text("at", view.overview.at)
                       .Text("alternative", view.overview.alternative)
                       .Raw("links", LinksJson(view.overview))
                       .Finish()
                << '\n';
}

Colour ColourOf(Severity severity) {
  if (severity == Severity::kCritical) return Colour::kRed;
  return severity == Severity::kWarning ? Colour::kYellow : Colour::kGreen;
}

Result<int> Status(Context& context, const Arguments&) {
  DIRSYNC_TRY(view, LookAround(context));
  if (context.json()) {
    PrintStatusJson(context, view);
    return 0;
  }
  context.out() << Printable(view.here) << ": "
                << Coloured(Printable(view.overview.sentence, 600),
                            ColourOf(view.overview.severity), context.out_colours())
                << '\n';
  PrintLinks(context, view);
  if (!view.running)
    context.Note("no process has this store open: links are as the store has them");
  PrintNext(context, view.overview, view.here);
  return 0;
}

// ---- check ----

constexpr int kUnknownStatus = 3;

int CheckStatus(Severity severity) {
  if (severity == Severity::kCritical) return 2;
  return severity == Severity::kWarning ? 1 : 0;
}

constexpr std::string_view kCheckWords[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

struct CheckOutcome {
  int status = 0;
  std::string text;
  LinkState state = LinkState::kInSync;  // of the worst link
  std::string command, alternative, at;
  std::string here;
  std::uint64_t links = 0, not_in_sync = 0, held = 0, quarantined = 0, batches = 0;
};

void PrintCheck(Context& context, std::string_view format, const CheckOutcome& outcome) {
  const std::string_view word = kCheckWords[outcome.status];
  if (format == "json") {
    context.out() << JsonObject()
                         .Text("status", word)
                         .Number("code", static_cast<std::uint64_t>(outcome.status))
                         .Text("text", outcome.text)
                         .Text("state", LinkStateName(outcome.state))
                         .Text("command", outcome.command)
                         .Text("at", outcome.at)
                         .Text("alternative", outcome.alternative)
                         .Number("links", outcome.links)
                         .Number("not_in_sync", outcome.not_in_sync)
                         .Number("deletes_waiting", outcome.held)
                         .Number("quarantined", outcome.quarantined)
                         .Number("batches_waiting", outcome.batches)
                         .Finish()
                  << '\n';
  } else if (format == "prometheus") {
    const auto gauge = [&](std::string_view name, std::string_view help, std::uint64_t value) {
      context.out() << "# HELP dirsync_check_" << name << ' ' << help << "\n# TYPE dirsync_check_"
                    << name << " gauge\ndirsync_check_" << name << ' ' << value << '\n';
    };
    gauge("status", "0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.",
          static_cast<std::uint64_t>(outcome.status));
    gauge("links", "Links looked at.", outcome.links);
    gauge("links_not_in_sync", "Of them, in any other state.", outcome.not_in_sync);
    gauge("deletes_waiting", "Held deletes.", outcome.held);
    gauge("quarantined_changes", "Changes that could not be applied.", outcome.quarantined);
    gauge("batches_waiting", "Batches on their way.", outcome.batches);
  } else {
    context.out() << word << " - " << Printable(outcome.text, 600);
    if (!outcome.command.empty())
      context.out() << "; next: "
                    << Printable(
                           NextText(outcome.command, outcome.alternative, outcome.at, outcome.here),
                           600);
    context.out() << " | links=" << outcome.links << " not_in_sync=" << outcome.not_in_sync
                  << " deletes=" << outcome.held << " quarantined=" << outcome.quarantined
                  << " batches=" << outcome.batches << '\n';
  }
}

Result<> TakeSeconds(const Arguments& arguments, std::string_view option, Duration& duration) {
  const auto text = arguments.Value(option);
  if (!text) return {};
  const auto seconds = ParseNumber(*text);
  constexpr std::uint64_t kMost = 1'000'000'000;
  if (!seconds || *seconds > kMost)
    return Fail(ErrorCode::kUsage,
                "check: " + std::string(option) + " takes seconds: " + Printable(*text));
  duration = std::chrono::seconds(*seconds);
  return {};
}

Result<LinkThresholds> ThresholdsOf(const Arguments& arguments) {
  LinkThresholds thresholds;
  DIRSYNC_CHECK(TakeSeconds(arguments, "--late-warning", thresholds.late_warning));
  DIRSYNC_CHECK(TakeSeconds(arguments, "--late-critical", thresholds.late_critical));
  DIRSYNC_CHECK(TakeSeconds(arguments, "--offline-warning", thresholds.offline_warning));
  DIRSYNC_CHECK(TakeSeconds(arguments, "--offline-critical", thresholds.offline_critical));
  return thresholds;
}

// All links, or those that begin or end at one site.
CheckOutcome OutcomeOf(const DutyView& view, const std::string& site) {
  CheckOutcome outcome;
  const LinkView* worst = nullptr;
  for (const LinkView& link : view.overview.links) {
    const bool wanted = site.empty() || FoldName(link.reader) == FoldName(site) ||
                        FoldName(link.stream.site) == FoldName(site);
    if (!wanted) continue;
    ++outcome.links;
    outcome.not_in_sync += link.severity == Severity::kFine ? 0 : 1;
    outcome.held += link.deletes_waiting;
    outcome.quarantined += link.quarantined;
    outcome.batches += link.batches_waiting;
    const bool worse = worst == nullptr || link.severity > worst->severity ||
                       (link.severity == worst->severity && link.state > worst->state);
    if (worse) worst = &link;
  }
  outcome.here = view.here;
  if (worst != nullptr) outcome.state = worst->state;
  if (site.empty()) {
    outcome.status = CheckStatus(view.overview.severity);
    outcome.text = view.overview.sentence;
    outcome.command = view.overview.command;
    outcome.alternative = view.overview.alternative;
    outcome.at = view.overview.at;
    return outcome;
  }
  if (worst == nullptr) {
    outcome.status = kUnknownStatus;
    outcome.text = "no link begins or ends at " + site;
    return outcome;
  }
  outcome.status = CheckStatus(worst->severity);
  outcome.text =
      PairOf(*worst) + " is " + std::string(LinkStateName(worst->state)) + ": " + worst->reason;
  outcome.command = worst->command;
  outcome.alternative = worst->alternative;
  outcome.at = worst->at;
  return outcome;
}

Result<int> Check(Context& context, const Arguments& arguments) {
  std::string format = arguments.Value("--format").value_or(context.json() ? "json" : "text");
  if (format != "text" && format != "json" && format != "prometheus")
    return Fail(ErrorCode::kUsage, "check: --format " + Printable(format) + " is unknown",
                "formats: text, json, prometheus");
  DIRSYNC_TRY(thresholds, ThresholdsOf(arguments));
  CheckOutcome outcome;
  if (const auto view = LookAround(context, thresholds)) {
    outcome = OutcomeOf(*view, arguments.words().empty() ? "" : arguments.words().front());
  } else {
    // A monitor knows four answers: what cannot be looked at is the fourth.
    outcome.status = kUnknownStatus;
    outcome.text = view.error().message;
  }
  PrintCheck(context, format, outcome);
  return outcome.status;
}

// ---- events, doctor ----

Result<int> Events(Context& context, const Arguments& arguments) {
  const std::string after = arguments.Value("--after").value_or("0");
  const auto number = ParseNumber(after);
  if (!number)
    return Fail(ErrorCode::kUsage, "events: --after takes a number: " + Printable(after));
  DIRSYNC_TRY(stats, StatsOfBroker(context, "events"));
  if (context.json()) {
    context.out() << EventsJson(stats, *number, stats.events.size()) << '\n';
    return 0;
  }
  Table table(context.out(), {"NUMBER", "WHEN", "WHAT", "SITE", "TOLD"}, context.width(),
              context.out_colours());
  std::size_t shown = 0;
  for (const BrokerEvent& event : stats.events) {
    if (event.number <= *number || ++shown > kEventsShown) break;
    table.Add(
        {std::to_string(event.number), FormatTime(event.time), event.kind, event.site, event.text});
  }
  table.Finish();
  if (shown == 0) context.Note("nothing of note happened");
  if (shown > kEventsShown) context.Note("older ones: dirsync events --json");
  return 0;
}

Result<int> Doctor(Context& context, const Arguments&) {
  DIRSYNC_TRY(findings, Diagnose(context));
  if (context.json()) {
    std::vector<std::string> items;
    for (const Finding& finding : findings)
      items.push_back(JsonObject()
                          .Text("severity", SeverityName(finding.severity))
                          .Text("finding", finding.text)
                          .Text("fix", finding.fix)
                          .Text("at", finding.at)
                          .Finish());
    context.out() << JsonArray(items) << '\n';
    return 0;
  }
  if (findings.empty()) context.out() << "nothing is wrong\n";
  std::size_t number = 0;
  for (const Finding& finding : findings) {
    context.out() << ++number << ". "
                  << Coloured(SeverityName(finding.severity), ColourOf(finding.severity),
                              context.out_colours())
                  << ": " << Printable(finding.text, 600) << '\n';
    if (finding.fix.empty()) continue;
    context.out() << "   fix: " << Printable(finding.fix, 300);
    if (!finding.at.empty()) context.out() << " (at " << Printable(finding.at) << ")";
    context.out() << '\n';
  }
  return 0;
}

}  // namespace

CommandGroup StatusCommands() {
  return {"For people on duty",
          {
              {.path = "status",
               .help = "every link of this site or broker, the worst first",
               .examples = {"dirsync status", "dirsync status --watch"},
               .options = {{"--watch", "", "again every two seconds, until Ctrl-C"}},
               .run = Status,
               .changes = false},
              {.path = "check",
               .arguments = "[SITE]",
               .words_max = 1,
               .help = "one line for a monitor; exit status 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN",
               .examples = {"dirsync check", "dirsync check Site2 --format prometheus"},
               .options = {{"--format", "F", "text, json or prometheus"},
                           {"--late-warning", "SECONDS", "since the last canary (default 300)"},
                           {"--late-critical", "SECONDS", "likewise (default 900)"},
                           {"--offline-warning", "SECONDS", "since last heard (default 900)"},
                           {"--offline-critical", "SECONDS", "likewise (default 86400)"}},
               .run = Check,
               .changes = false},
              {.path = "events",
               .help = "restores, resyncs, joins, refusals of a broker, newest first",
               .examples = {"dirsync events", "dirsync events --after 40 --json"},
               .options = {{"--after", "NUMBER", "those that are newer than this one"}},
               .run = Events,
               .changes = false},
              {.path = "doctor",
               .help = "what is wrong, the worst first, each with its fix",
               .examples = {"dirsync doctor"},
               .run = Doctor,
               .changes = false},
          }};
}

}  // namespace dirsync::cli
