#include "cli/doctor.h"

#include <algorithm>
#include <map>

#include "cli/duty.h"
#include "cli/instance_options.h"
#include "cli/instance_view.h"
#include "proto/base/measure.h"
#include "proto/base/text.h"
#include "storage/disk_space.h"

namespace dirsync::cli {
namespace {

void AddLinks(const DutyView& view, std::vector<Finding>& findings) {
  std::map<std::pair<LinkState, std::string>, std::vector<const LinkView*>> alike;
  // Of a broker that does not run every link is cut, for one reason, which is said once.
  const bool stopped = view.broker && !view.running;
  if (stopped)
    findings.push_back({Severity::kCritical,
                        "the broker does not run: nothing passes between the sites",
                        "dirsync broker run", ""});
  for (const LinkView* link : WorstLinks(view.overview))
    if (link->severity != Severity::kFine && !(stopped && link->state == LinkState::kOffline))
      alike[{link->state, link->at}].push_back(link);
  for (const auto& [key, links] : alike) {
    const LinkView& first = *links.front();
    Finding finding{
        first.severity,
        PairOf(first) + " is " + std::string(LinkStateName(first.state)) + ": " + first.reason,
        NextText(first.command, first.alternative, "", ""), first.at == view.here ? "" : first.at};
    if (links.size() > 1)
      finding.text += "; " + CountText(links.size() - 1, "link", "links") + " alike";
    // To look with the command that is looking helps nobody.
    if (finding.fix == "dirsync doctor" && finding.at.empty())
      finding.fix = "see the code's row under Error codes of deploy/README.md";
    findings.push_back(std::move(finding));
  }
}

void AddBroker(const BrokerStats& stats, std::vector<Finding>& findings) {
  if (stats.read_only)
    findings.push_back({Severity::kCritical,
                        "the broker takes no changes: " + stats.read_only_reason,
                        "make room on its disk; it goes on by itself", ""});
  constexpr std::uint64_t kMostPercent = 80;
  if (stats.log_bytes_max > 0 && stats.log_bytes > stats.log_bytes_max / 100 * kMostPercent)
    findings.push_back(
        {Severity::kWarning,
         "the log holds " + BytesText(stats.log_bytes) + " of " + BytesText(stats.log_bytes_max),
         "dirsync broker readers", ""});
  for (const PendingJoin& join : stats.pending)
    findings.push_back(
        {Severity::kNotice, join.site + " waits for approval", "dirsync sites pending", ""});
  for (const SiteStats& site : stats.sites)
    if (site.report && site.report->disk_free_bytes > 0 &&
        site.report->disk_free_bytes < limits::kGiB)
      findings.push_back({Severity::kWarning,
                          site.entry.site + " has " + BytesText(site.report->disk_free_bytes) +
                              " left on its disk",
                          "make room there", site.entry.site});
  constexpr std::string_view kKeys[] = {"CLONED", "CONFLICT", "BAD_SIGNATURE", "KEY_CHANGED"};
  for (const std::string_view code : kKeys)
    if (const auto found = stats.refusals.find(std::string(code));
        found != stats.refusals.end() && found->second > 0)
      findings.push_back(
          {Severity::kWarning,
           CountText(found->second, "refusal") + " by " + found->first + " since the start",
           "dirsync events", ""});
}

// An instance that never ran. One that ran without naming a file is carried by an agent's folders.
void AddIdle(const InstanceState& state, std::vector<Finding>& findings) {
  if (state.producer || state.reader) return;
  const InstanceSettings& settings = state.settings;
  const std::vector<std::string> missing = MissingSettings(settings, false);
  if (missing.empty()) {
    findings.push_back({Severity::kNotice, "instance " + settings.name + " never ran",
                        "dirsync run " + Quoted(settings.name), ""});
    return;
  }
  const std::string set =
      "dirsync instance set " + Quoted(settings.name) + " " + Join(missing, " ");
  if (!settings.exports && !settings.imports)
    findings.push_back({Severity::kWarning,
                        "instance " + settings.name + " lacks " + Join(missing, ", "), set, ""});
  else
    findings.push_back({Severity::kNotice,
                        "instance " + settings.name +
                            " never ran; it names no file, so an agent's folders or the broker "
                            "must carry it",
                        "dirsync agent run with files.in and files.out, or " + set, ""});
}

Result<> AddStore(Context& context, std::vector<Finding>& findings) {
  DIRSYNC_TRY(store, context.OpenStore());
  DIRSYNC_TRY(states, AllStates(store->storage()));
  for (const InstanceState& state : states) {
    DIRSYNC_TRY(by_broker, IsCarriedByBroker(store->storage(), state.settings));
    if (!by_broker) AddIdle(state, findings);
    if (state.producer && state.producer->outbox_bytes > limits::kOutboxBytes / 2)
      findings.push_back({Severity::kWarning,
                          "the outbox of " + state.settings.name + " holds " +
                              BytesText(state.producer->outbox_bytes) + " that nobody acknowledged",
                          "dirsync instance show " + Quoted(state.settings.name), ""});
  }
  if (const auto space = storage::CheckDiskSpace(store->path()); space && space->below_mark)
    findings.push_back({Severity::kWarning,
                        "the disk of the store has " + BytesText(space->free_bytes) + " left",
                        "make room: below that a broker takes no changes", ""});
  return {};
}

}  // namespace

Result<std::vector<Finding>> Diagnose(Context& context) {
  DIRSYNC_TRY(view, LookAround(context));
  std::vector<Finding> findings;
  AddLinks(view, findings);
  if (view.broker) {
    AddBroker(*view.broker, findings);
  } else {
    DIRSYNC_CHECK(AddStore(context, findings));
  }
  std::ranges::stable_sort(
      findings, [](const Finding& a, const Finding& b) { return a.severity > b.severity; });
  return findings;
}

}  // namespace dirsync::cli
