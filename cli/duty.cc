#include "cli/duty.h"

#include <algorithm>

#include "agent/core/review.h"
#include "cli/instance_view.h"
#include "proto/base/measure.h"
#include "proto/base/text.h"
#include "proto/trust/membership.h"
#include "storage/disk_space.h"

namespace dirsync::cli {
namespace {

InstanceReport ReportOf(const ProducerState& producer, const InstanceSettings& settings) {
  InstanceReport report;
  report.instance = settings.name;
  report.paused = settings.paused;
  report.exports = true;
  report.stream = producer.name;
  report.position = producer.position();
  report.rows = producer.rows;
  report.outbox_batches = producer.sequence - producer.trimmed;
  return report;
}

Result<InstanceReport> ReportOf(const storage::ReadView& view, const ReaderState& reader,
                                const InstanceSettings& settings) {
  InstanceReport report;
  report.instance = settings.name;
  report.paused = settings.paused;
  report.stream = reader.stream;
  report.position = reader.cursor;
  for (const auto& [entry_class, rows] : reader.rows) report.rows += rows;
  report.suspect = reader.suspect.has_value();
  DIRSYNC_TRY(held, ListHeld(view, reader.number));
  report.held = held.size();
  DIRSYNC_TRY(quarantined, ListQuarantine(view, reader.number));
  report.quarantined = quarantined.size();
  return report;
}

// What the rows of a site's store say. What the broker carries needs an agent, once the site has
// joined; files need nobody.
Result<AgentStanding> StandingOf(Context& context, Store& store) {
  AgentStanding standing;
  standing.site = store.profile().site;
  standing.running = false;
  standing.now = context.world().Now();
  DIRSYNC_TRY(membership, LoadMembership(store.storage()));
  DIRSYNC_TRY(states, AllStates(store.storage()));
  for (const InstanceState& state : states) {
    const bool session = membership && UsesBroker(state.settings.transport);
    auto& reports = session ? standing.report.instances : standing.by_files;
    if (state.producer) reports.push_back(ReportOf(*state.producer, state.settings));
    if (!state.reader || state.reader->source != SourceKind::kStream) continue;
    DIRSYNC_TRY(report, ReportOf(store.storage(), *state.reader, state.settings));
    reports.push_back(std::move(report));
  }
  return standing;
}

// Of the agent that answers, with what its session does not carry as the store has it; else all
// is as the store has it.
Result<AgentStanding> StandingOfSite(Context& context) {
  const Serving* serving = context.console().serving;
  const bool live = serving != nullptr && serving->agent;
  if (live && context.console().open_store == nullptr) return serving->agent();
  DIRSYNC_TRY(store, context.OpenStore());
  DIRSYNC_TRY(read, StandingOf(context, *store));
  if (!live) return read;
  AgentStanding standing = serving->agent();
  std::ranges::move(read.report.instances, std::back_inserter(read.by_files));
  for (InstanceReport& report : read.by_files) {
    const bool carried = std::ranges::any_of(standing.report.instances, [&](const auto& other) {
      return other.instance == report.instance && other.exports == report.exports;
    });
    if (!carried) standing.by_files.push_back(std::move(report));
  }
  return standing;
}

// As the store of a broker that does not run has them, with what its disk has room for now.
Result<BrokerStats> StatsOfStore(Context& context) {
  DIRSYNC_TRY(admin, context.OpenBroker());
  BrokerStats stats = admin->Stats();
  if (const auto space = storage::CheckDiskSpace(admin->store().path()))
    stats.disk_free_bytes = space->free_bytes;
  return stats;
}

}  // namespace

bool BrokerRuns(Context& context) {
  const Serving* serving = context.console().serving;
  return serving != nullptr && serving->broker;
}

Result<DutyView> LookAround(Context& context, const LinkThresholds& thresholds) {
  DutyView view;
  const Serving* serving = context.console().serving;
  if (BrokerRuns(context)) {
    view.broker = serving->broker();
    view.overview = DeriveLinks(*view.broker, thresholds);
    view.here = "the broker";
    view.now = view.broker->now;
    return view;
  }
  if (context.AtBroker()) {
    DIRSYNC_TRY(stats, StatsOfStore(context));
    view.broker = std::move(stats);
    view.overview = DeriveLinks(*view.broker, thresholds, false);
    view.here = "the broker";
    view.now = view.broker->now;
    view.running = false;
    return view;
  }
  DIRSYNC_TRY(standing, StandingOfSite(context));
  view.running = context.console().open_store != nullptr || (serving != nullptr && serving->agent);
  view.overview = DeriveLinks(standing, thresholds);
  view.here = standing.site;
  view.now = standing.now;
  return view;
}

Result<BrokerStats> StatsOfBroker(Context& context, std::string_view command) {
  if (BrokerRuns(context)) return context.console().serving->broker();
  if (!context.AtBroker())
    return Fail(ErrorCode::kNotFound, std::string(command) + ": this is not the store of a broker",
                "name the broker's store by --store");
  DIRSYNC_TRY(stats, StatsOfStore(context));
  context.Note("no broker runs on this store: nobody is connected");
  return std::move(stats);
}

std::string PairOf(const LinkView& view) {
  return view.stream.site + " to " + (view.reader.empty() ? "all" : view.reader);
}

std::string AgoText(Instant time, Instant now) {
  return time == Instant{} ? "–" : DurationText(now - time) + " ago";
}

std::vector<const LinkView*> WorstLinks(const LinkOverview& overview) {
  std::vector<const LinkView*> links;
  for (const LinkView& link : overview.links) links.push_back(&link);
  std::ranges::stable_sort(links, [](const LinkView* a, const LinkView* b) {
    if (a->severity != b->severity) return a->severity > b->severity;
    return a->state > b->state;
  });
  return links;
}

void PrintLinks(Context& context, const DutyView& view) {
  Table table(context.out(), {"LINK", "STATE", "CANARY", "BATCHES", "DELETES", "WHY"},
              context.width(), context.out_colours());
  for (const LinkView* link : WorstLinks(view.overview))
    table.Add({PairOf(*link), std::string(LinkStateName(link->state)),
               AgoText(link->canary, view.now), Grouped(link->batches_waiting),
               Grouped(link->deletes_waiting), link->reason});
  table.Finish();
}

std::string NextText(const std::string& command, const std::string& alternative,
                     const std::string& at, const std::string& here) {
  std::string text = command;
  if (!alternative.empty()) text += ", or " + alternative;
  if (!at.empty() && at != here) text += " (at " + at + ")";
  return text;
}

void PrintNext(Context& context, const LinkOverview& overview, const std::string& here) {
  if (overview.command.empty()) return;
  context.Next(NextText(overview.command, overview.alternative, overview.at, here));
}

}  // namespace dirsync::cli
