#include "broker/core/link_state.h"

#include <algorithm>
#include <map>

#include "broker/core/link_judge.h"
#include "proto/base/measure.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr Duration kFullSoon = std::chrono::hours(24);
constexpr std::size_t kNameShown = 64;

std::string Named(std::string_view name) { return Printable(name, kNameShown); }

// What the sites' part of the stats says of each site's end of a link.
class Ends {
 public:
  explicit Ends(const BrokerStats& stats) {
    for (const SiteStats& site : stats.sites) {
      LinkEnd end;
      end.site = site.entry.site;
      end.online = site.connected;
      end.heard = site.last_heard;
      end.state = site.entry.state;
      ends_[FoldName(site.entry.site)] = std::move(end);
    }
    for (const PendingJoin& join : stats.pending)
      if (auto found = ends_.find(FoldName(join.site)); found != ends_.end())
        found->second.asks_to_join = true;
    for (const BrokerEvent& event : stats.events)
      if (event.kind == "restored")
        if (auto found = ends_.find(FoldName(event.site)); found != ends_.end())
          found->second.restored = std::max(found->second.restored, event.time);
  }
  LinkEnd Of(const std::string& site, bool online) const {
    LinkEnd end;
    if (auto found = ends_.find(FoldName(site)); found != ends_.end()) end = found->second;
    end.site = site;
    end.online = online;
    return end;
  }

 private:
  std::map<std::string, LinkEnd> ends_;
};

Instant CanaryOf(const StreamStats& stream, const ReaderStats& reader) {
  if (reader.report && reader.report->canary_at != Instant{}) return reader.report->canary_at;
  // Without a report: who has acked the last batch has seen what was told then.
  return reader.acked == stream.tail ? stream.tail_time : Instant{};
}

// A site that is revoked or has left is meant to be refused: counted, and not the worst thing.
bool IsWorse(const LinkView& a, const LinkView& b) {
  if (a.severity != b.severity) return a.severity > b.severity;
  return a.state > b.state;
}

void ChooseWorst(LinkOverview& overview) {
  for (std::size_t i = 0; i < overview.links.size(); ++i) {
    if (overview.links[i].severity == Severity::kFine) continue;
    if (!overview.worst || IsWorse(overview.links[i], overview.links[*overview.worst]))
      overview.worst = i;
  }
  if (overview.worst) overview.severity = overview.links[*overview.worst].severity;
}

std::string PairText(const LinkView& link) {
  const std::string from = Named(link.stream.site);
  return link.reader.empty() ? from : from + " to " + Named(link.reader);
}

void SayWorst(LinkOverview& overview) {
  const LinkView& worst = overview.links[*overview.worst];
  const auto alike = std::ranges::count_if(overview.links, [&](const LinkView& link) {
    return link.severity >= std::max(worst.severity, Severity::kWarning);
  });
  overview.sentence =
      PairText(worst) + " is " + std::string(LinkStateName(worst.state)) + ": " + worst.reason;
  if (alike > 1)
    overview.sentence += "; " + CountText(static_cast<std::uint64_t>(alike - 1),
                                          "other link is as bad", "other links are as bad");
  overview.command = worst.command;
  overview.at = worst.at;
  overview.alternative = worst.alternative;
}

struct Trouble {
  Severity severity = Severity::kFine;
  std::string sentence, command;
};

// What is wrong with the broker itself, worst first.
Trouble BrokerTrouble(const BrokerStats& stats, bool running) {
  if (!running)
    return {Severity::kCritical, "the broker does not run: nothing passes between the sites",
            "dirsync broker run"};
  if (stats.read_only)
    return {Severity::kCritical,
            "the broker takes no changes: " + Printable(stats.read_only_reason, 200),
            "dirsync broker stats"};
  if (stats.log_bytes_max > 0 && stats.log_bytes >= stats.log_bytes_max)
    return {Severity::kCritical, "the broker's log is full: producers wait",
            "dirsync broker readers"};
  if (stats.full_at != Instant{} && stats.full_at - stats.now < kFullSoon)
    return {Severity::kWarning,
            "the broker's log will be full in " + DurationText(stats.full_at - stats.now),
            "dirsync broker readers"};
  if (!stats.pending.empty()) {
    const bool one = stats.pending.size() == 1;
    return {Severity::kNotice,
            (one ? Named(stats.pending.front().site) + " waits"
                 : CountText(stats.pending.size(), "site waits", "sites wait")) +
                " for approval",
            "dirsync sites pending"};
  }
  return {};
}

void SayFine(LinkOverview& overview, const BrokerStats& stats) {
  const auto active = std::ranges::count_if(
      stats.sites, [](const SiteStats& site) { return site.entry.state == SiteState::kActive; });
  if (active == 0) {
    overview.sentence = "no site has joined yet";
    overview.command = "dirsync broker invite";
    overview.at = "the broker";
    return;
  }
  Instant oldest{};
  for (const StreamStats& stream : stats.streams)
    for (const ReaderStats& reader : stream.readers)
      if (reader.oldest_unacked != Instant{} &&
          (oldest == Instant{} || reader.oldest_unacked < oldest))
        oldest = reader.oldest_unacked;
  overview.sentence =
      active == 1 ? "1 site is in sync"
                  : "all " + CountText(static_cast<std::uint64_t>(active), "site") + " are in sync";
  overview.sentence += oldest == Instant{} ? "; nothing is on its way"
                                           : "; the oldest change on its way is " +
                                                 DurationText(stats.now - oldest) + " old";
}

}  // namespace

std::string_view LinkStateName(LinkState state) {
  switch (state) {
    case LinkState::kInSync:
      return "in-sync";
    case LinkState::kCatchingUp:
      return "catching-up";
    case LinkState::kPaused:
      return "paused";
    case LinkState::kOffline:
      return "offline";
    case LinkState::kNeedsRanges:
      return "needs-ranges";
    case LinkState::kRestored:
      return "restored";
    case LinkState::kResyncing:
      return "resyncing";
    case LinkState::kQuarantined:
      return "quarantined";
    case LinkState::kHeld:
      return "held";
    case LinkState::kDiverged:
      return "diverged";
    case LinkState::kRefused:
      return "refused";
  }
  return "unknown";
}

std::string_view LinkStateMeaning(LinkState state) {
  switch (state) {
    case LinkState::kInSync:
      return "the reader has applied everything that was told";
    case LinkState::kCatchingUp:
      return "batches are on their way, or something temporary stops them";
    case LinkState::kPaused:
      return "a person stopped the export or the import";
    case LinkState::kOffline:
      return "one end is not connected";
    case LinkState::kNeedsRanges:
      return "the log no longer holds what the reader needs: a full copy will be taken";
    case LinkState::kRestored:
      return "one end was put back from a copy; not yet found equal since";
    case LinkState::kResyncing:
      return "a full copy is under way";
    case LinkState::kQuarantined:
      return "some changes could not be applied; the others go on";
    case LinkState::kHeld:
      return "deletes, or a suspect run, wait for a person";
    case LinkState::kDiverged:
      return "both sides hold different entries at the same sequence";
    case LinkState::kRefused:
      return "one end refuses the other, and says why";
  }
  return "";
}

std::string_view SeverityName(Severity severity) {
  switch (severity) {
    case Severity::kFine:
      return "fine";
    case Severity::kNotice:
      return "notice";
    case Severity::kWarning:
      return "warning";
    case Severity::kCritical:
      return "critical";
  }
  return "unknown";
}

LinkOverview DeriveLinks(const BrokerStats& stats, const LinkThresholds& thresholds, bool running) {
  const Ends ends(stats);
  LinkOverview overview;
  std::size_t links = 0;
  for (const StreamStats& stream : stats.streams) links += stream.readers.size();
  overview.links.reserve(links);
  for (const StreamStats& stream : stats.streams) {
    LinkFacts facts;
    facts.stream = stream.stream;
    facts.now = stats.now;
    facts.stopped = !running;
    facts.producer = ends.Of(stream.stream.site, stream.producer_online);
    facts.producer.report = stream.report;
    for (const ReaderStats& reader : stream.readers) {
      facts.reader = ends.Of(reader.site, reader.connected);
      facts.reader.report = reader.report;
      facts.refused = reader.refused;
      facts.needs_ranges = reader.needs_ranges;
      facts.lag_batches = reader.lag_batches;
      facts.lag_bytes = reader.lag_bytes;
      facts.oldest_unacked = reader.oldest_unacked;
      facts.canary = CanaryOf(stream, reader);
      overview.links.push_back(JudgeLink(facts, thresholds));
    }
  }
  ChooseWorst(overview);
  const Trouble trouble = BrokerTrouble(stats, running);
  if (trouble.severity != Severity::kFine && trouble.severity >= overview.severity) {
    overview.severity = trouble.severity;
    overview.sentence = trouble.sentence;
    overview.command = trouble.command;
    overview.at = "the broker";
  } else if (overview.worst) {
    SayWorst(overview);
  } else {
    SayFine(overview, stats);
  }
  return overview;
}

namespace {

// `session`: the instance is carried by the broker, so that a session must be open.
LinkView ViewOf(const AgentStanding& standing, const InstanceReport& report, bool session,
                const LinkThresholds& thresholds) {
  LinkFacts facts;
  facts.stream = report.stream;
  facts.now = standing.now;
  facts.canary = report.canary_at;
  LinkEnd& here = report.exports ? facts.producer : facts.reader;
  here.site = standing.site;
  here.online = !session || standing.connected;
  if (!here.online && standing.running) facts.cut_off = standing.reason.message;
  here.report = report;
  if (session && standing.reason.code != ErrorCode::kAlreadyApplied &&
      report.problem == ErrorCode::kAlreadyApplied) {
    here.report->problem = standing.reason.code;
    here.report->problem_text = standing.reason.message;
  }
  if (report.exports) facts.lag_batches = report.outbox_batches;
  if (!report.exports) facts.producer.site = report.stream.site;
  LinkView view = JudgeLink(facts, thresholds);
  view.instance = report.instance;
  return view;
}

}  // namespace

LinkOverview DeriveLinks(const AgentStanding& standing, const LinkThresholds& thresholds) {
  LinkOverview overview;
  for (const InstanceReport& report : standing.report.instances)
    overview.links.push_back(ViewOf(standing, report, true, thresholds));
  for (const InstanceReport& report : standing.by_files)
    overview.links.push_back(ViewOf(standing, report, false, thresholds));
  ChooseWorst(overview);
  if (overview.worst) {
    SayWorst(overview);
  } else if (overview.links.empty()) {
    overview.sentence = "no instance uses the broker";
    overview.command = "dirsync instance list";
    overview.at = standing.site;
  } else {
    overview.sentence = overview.links.size() == 1
                            ? "its one link is in sync"
                            : "all " + CountText(overview.links.size(), "link") + " are in sync";
  }
  return overview;
}

}  // namespace dirsync
