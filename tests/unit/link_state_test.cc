// Every state of a link, what wins over what, and the sentence on top.
#include "broker/core/link_state.h"

#include <gmock/gmock.h>

#include <set>

#include "broker/core/link_judge.h"

namespace dirsync {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::HasSubstr;

const Instant kNow = FromMillis(1'800'000'000'000);

InstanceReport Report(const char* instance, bool exports) {
  InstanceReport report;
  report.instance = instance;
  report.exports = exports;
  report.position.sequence = 7;
  report.canary_at = kNow - seconds(4);
  report.sums_equal_at = kNow - seconds(4);
  return report;
}

SiteStats Site(const char* name) {
  SiteStats site;
  site.entry.site = name;
  site.connected = true;
  site.last_heard = kNow - seconds(1);
  return site;
}

// Site1 tells, Site2 reads; everything is well.
BrokerStats Pair() {
  BrokerStats stats;
  stats.now = kNow;
  stats.sites = {Site("Site1"), Site("Site2")};
  StreamStats stream;
  stream.stream = {"Testorg", "Site1", "INSTANCE1"};
  stream.tail.sequence = 7;
  stream.tail_time = kNow - seconds(4);
  stream.producer_online = true;
  stream.report = Report("INSTANCE1", true);
  ReaderStats reader;
  reader.site = "Site2";
  reader.connected = true;
  reader.acked = stream.tail;
  reader.report = Report("INSTANCE2", false);
  stream.readers = {reader};
  stats.streams = {stream};
  return stats;
}

StreamStats& StreamOf(BrokerStats& stats) { return stats.streams[0]; }
ReaderStats& ReaderOf(BrokerStats& stats) { return stats.streams[0].readers[0]; }

LinkView ViewOf(const BrokerStats& stats) { return DeriveLinks(stats).links.at(0); }

void MakeRefused(BrokerStats& stats) { ReaderOf(stats).refused = SubscribeOutcome::kFork; }
void MakeDiverged(BrokerStats& stats) { ReaderOf(stats).report->diverged = true; }
void MakeHeld(BrokerStats& stats) { ReaderOf(stats).report->held = 3; }
void MakeQuarantined(BrokerStats& stats) { ReaderOf(stats).report->quarantined = 1; }
void MakeResyncing(BrokerStats& stats) {
  ReaderOf(stats).report->full_done = 10;
  ReaderOf(stats).report->full_total = 6000;
}
void MakeRestored(BrokerStats& stats) {
  stats.events.push_back({1, kNow - seconds(2), "restored", "Site1", "", ""});
}
void MakeNeedsRanges(BrokerStats& stats) { ReaderOf(stats).needs_ranges = true; }
void MakeOffline(BrokerStats& stats) {
  ReaderOf(stats).connected = false;
  stats.sites[1].last_heard = kNow - hours(2);
}
void MakePaused(BrokerStats& stats) { StreamOf(stats).report->paused = true; }
void MakeCatchingUp(BrokerStats& stats) {
  ReaderOf(stats).lag_batches = 12;
  ReaderOf(stats).oldest_unacked = kNow - seconds(9);
}

struct Cause {
  LinkState state;
  void (*make)(BrokerStats&);
};
constexpr Cause kCauses[] = {
    {LinkState::kCatchingUp, MakeCatchingUp},   {LinkState::kPaused, MakePaused},
    {LinkState::kOffline, MakeOffline},         {LinkState::kNeedsRanges, MakeNeedsRanges},
    {LinkState::kRestored, MakeRestored},       {LinkState::kResyncing, MakeResyncing},
    {LinkState::kQuarantined, MakeQuarantined}, {LinkState::kHeld, MakeHeld},
    {LinkState::kDiverged, MakeDiverged},       {LinkState::kRefused, MakeRefused},
};

TEST(LinkState, NothingWrong_IsInSync) {
  const LinkView view = ViewOf(Pair());
  EXPECT_EQ(view.state, LinkState::kInSync);
  EXPECT_EQ(view.severity, Severity::kFine);
  EXPECT_TRUE(view.command.empty());
  EXPECT_EQ(view.instance, "INSTANCE2");
  EXPECT_EQ(view.canary, kNow - seconds(4));
}

TEST(LinkState, EachCauseAlone_GivesItsStateAReasonAndANextStep) {
  for (const Cause& cause : kCauses) {
    BrokerStats stats = Pair();
    cause.make(stats);
    const LinkView view = ViewOf(stats);
    EXPECT_EQ(view.state, cause.state) << LinkStateName(view.state);
    EXPECT_GT(view.severity, Severity::kFine) << LinkStateName(view.state);
    EXPECT_GT(view.reason.size(), 10U);
    if (view.severity >= Severity::kWarning) {
      EXPECT_THAT(view.command, HasSubstr("dirsync ")) << LinkStateName(view.state);
      EXPECT_FALSE(view.at.empty());
    }
  }
}

TEST(LinkState, OfTwoCausesTheWorseOneIsSaid) {
  for (const Cause& worse : kCauses) {
    for (const Cause& other : kCauses) {
      if (other.state >= worse.state) continue;
      BrokerStats stats = Pair();
      worse.make(stats);
      other.make(stats);
      EXPECT_EQ(ViewOf(stats).state, worse.state)
          << LinkStateName(worse.state) << " and " << LinkStateName(other.state);
    }
  }
}

TEST(LinkState, NamesAreOneWordEachAndDifferent) {
  std::set<std::string_view> names;
  for (int i = 1; i <= static_cast<int>(kLastLinkState); ++i) {
    const auto state = static_cast<LinkState>(i);
    EXPECT_TRUE(names.insert(LinkStateName(state)).second);
    EXPECT_EQ(LinkStateName(state).find(' '), std::string_view::npos);
    EXPECT_FALSE(LinkStateMeaning(state).empty());
  }
  EXPECT_FALSE(names.contains("unknown"));
}

TEST(LinkState, EveryErrorCodeAsAProblem_HasAState) {
  for (const ErrorInfo& info : ErrorRegistry()) {
    BrokerStats stats = Pair();
    ReaderOf(stats).report->problem = info.code;
    if (info.code == ErrorCode::kUnreachable) continue;  // who says so is connected again
    const LinkView view = ViewOf(stats);
    EXPECT_EQ(view.state == LinkState::kInSync, info.code == ErrorCode::kAlreadyApplied)
        << info.text;
  }
}

TEST(LinkState, AProblemOfTheProducer_IsSaidToo) {
  BrokerStats stats = Pair();
  StreamOf(stats).report->problem = ErrorCode::kCloned;
  StreamOf(stats).report->problem_text = "server1 and server9";
  EXPECT_EQ(ViewOf(stats).state, LinkState::kRefused);
  EXPECT_EQ(ViewOf(stats).reason, "Site1 says CLONED: server1 and server9");
  StreamOf(stats).report->problem = ErrorCode::kQuota;
  EXPECT_EQ(ViewOf(stats).state, LinkState::kCatchingUp);
  EXPECT_EQ(ViewOf(stats).severity, Severity::kWarning);
}

TEST(LinkState, AStreamOverALimitIsLookedAtWhereTheLimitIs) {
  BrokerStats stats = Pair();
  ReaderOf(stats).report->problem = ErrorCode::kOverLimit;
  ReaderOf(stats).report->problem_text = "Site1 has 9 objects";
  const LinkView view = ViewOf(stats);
  EXPECT_EQ(view.state, LinkState::kCatchingUp);
  EXPECT_EQ(view.severity, Severity::kWarning);
  EXPECT_EQ(view.command, "dirsync sites policy Site1");
  EXPECT_EQ(view.at, "Site2");
  EXPECT_NE(view.reason.find("OVER_LIMIT: Site1 has 9 objects"), std::string::npos);
}

TEST(LinkState, ASuspectRunIsDecidedByItsInstance) {
  BrokerStats stats = Pair();
  ReaderOf(stats).report->suspect = true;
  EXPECT_EQ(ViewOf(stats).command, "dirsync held approve INSTANCE2");
  EXPECT_EQ(ViewOf(stats).alternative, "dirsync held reject INSTANCE2");
}

TEST(LinkState, WhoIsOfflineIsStartedBeforeAnythingIsCompared) {
  for (auto* make : {MakeOffline, MakeDiverged, MakeRestored, MakeNeedsRanges}) {
    BrokerStats stats = Pair();
    make(stats);
    MakeOffline(stats);
    EXPECT_EQ(ViewOf(stats).command, "dirsync agent run");
    EXPECT_EQ(ViewOf(stats).at, "Site2");
  }
}

TEST(LinkState, ARejectedRunIsSentAgainByItsSource) {
  BrokerStats stats = Pair();
  ReaderOf(stats).report->problem = ErrorCode::kRefused;
  EXPECT_EQ(ViewOf(stats).state, LinkState::kRefused);
  EXPECT_EQ(ViewOf(stats).command, "dirsync resync run --site Site1 --full --to Site2");
}

TEST(LinkState, ARevokedSiteThatAsksAgainWaitsForApproval) {
  BrokerStats stats = Pair();
  stats.sites[1].entry.state = SiteState::kRevoked;
  stats.pending.resize(1);
  stats.pending[0].site = "site2";
  EXPECT_EQ(ViewOf(stats).state, LinkState::kRefused);
  EXPECT_EQ(ViewOf(stats).severity, Severity::kNotice);
  EXPECT_EQ(ViewOf(stats).command, "dirsync sites pending");
}

TEST(LinkState, ASiteThatWasTurnedOutIsRefusedAndNobodysTrouble) {
  for (const SiteState state : {SiteState::kRevoked, SiteState::kRemoved}) {
    BrokerStats stats = Pair();
    stats.sites[1].entry.state = state;
    stats.sites[1].connected = ReaderOf(stats).connected = false;
    EXPECT_EQ(ViewOf(stats).state, LinkState::kRefused);
    EXPECT_EQ(ViewOf(stats).severity, Severity::kFine);
    EXPECT_EQ(ViewOf(stats).command, "");
    EXPECT_FALSE(DeriveLinks(stats).worst);
    EXPECT_EQ(DeriveLinks(stats).sentence, "1 site is in sync; nothing is on its way");
  }
}

// Of a broker that does not run: what its store knows.
BrokerStats Stopped() {
  BrokerStats stats = Pair();
  StreamOf(stats).producer_online = ReaderOf(stats).connected = false;
  StreamOf(stats).report.reset();
  ReaderOf(stats).report.reset();
  for (SiteStats& site : stats.sites) {
    site.connected = false;
    site.last_heard = Instant{};
  }
  return stats;
}

TEST(LinkState, OfABrokerThatDoesNotRunNoAgentIsToBlame) {
  BrokerStats stats = Stopped();
  LinkOverview overview = DeriveLinks(stats, {}, false);
  EXPECT_EQ(overview.severity, Severity::kCritical);
  EXPECT_EQ(overview.sentence, "the broker does not run: nothing passes between the sites");
  EXPECT_EQ(overview.command, "dirsync broker run");
  EXPECT_EQ(overview.at, "the broker");
  EXPECT_EQ(overview.links[0].state, LinkState::kOffline);
  EXPECT_EQ(overview.links[0].reason, "the broker does not run");
  EXPECT_EQ(overview.links[0].command, "dirsync broker run");
  EXPECT_EQ(overview.links[0].at, "the broker");
  MakeNeedsRanges(stats);
  overview = DeriveLinks(stats, {}, false);
  EXPECT_EQ(overview.links[0].command, "dirsync broker run");
  EXPECT_THAT(overview.links[0].reason, HasSubstr("a full copy begins when the broker runs"));
  // While it runs, it is the agents that are away.
  EXPECT_EQ(DeriveLinks(stats).links[0].command, "dirsync agent run");
}

TEST(LinkState, AStoreAloneDoesNotKnowWhetherARestoredSiteWasFoundEqual) {
  BrokerStats stats = Stopped();
  MakeRestored(stats);
  EXPECT_EQ(DeriveLinks(stats, {}, false).links[0].state, LinkState::kOffline);
  EXPECT_EQ(DeriveLinks(stats).links[0].state, LinkState::kRestored);
}

TEST(LinkState, AnOfflineReaderKeepsItsHeldDeletesAndSaysSo) {
  BrokerStats stats = Pair();
  MakeHeld(stats);
  MakeOffline(stats);
  const LinkView view = ViewOf(stats);
  EXPECT_EQ(view.state, LinkState::kHeld);
  EXPECT_EQ(view.reason, "3 deletes wait for a person at Site2; Site2 is offline for 2 h");
  EXPECT_EQ(view.command, "dirsync held approve --all --instance INSTANCE2");
  EXPECT_EQ(view.alternative, "dirsync held reject --all --instance INSTANCE2");
  EXPECT_EQ(view.at, "Site2");
  EXPECT_EQ(view.deletes_waiting, 3U);
}

TEST(LinkState, LatenessBecomesWarningThenCritical) {
  BrokerStats stats = Pair();
  MakeCatchingUp(stats);
  EXPECT_EQ(ViewOf(stats).severity, Severity::kNotice);
  ReaderOf(stats).oldest_unacked = kNow - minutes(5);
  EXPECT_EQ(ViewOf(stats).severity, Severity::kWarning);
  ReaderOf(stats).oldest_unacked = kNow - minutes(15);
  EXPECT_EQ(ViewOf(stats).severity, Severity::kCritical);
}

TEST(LinkState, ACanaryThatDoesNotComeIsNoSync) {
  BrokerStats stats = Pair();
  ReaderOf(stats).report->canary_at = kNow - minutes(16);
  const LinkView view = ViewOf(stats);
  EXPECT_EQ(view.state, LinkState::kCatchingUp);
  EXPECT_EQ(view.severity, Severity::kCritical);
  EXPECT_EQ(view.at, "Site1");
}

TEST(LinkState, ARestoredSiteIsQuietOnceSumsAreEqual) {
  BrokerStats stats = Pair();
  MakeRestored(stats);
  ReaderOf(stats).report->sums_equal_at = kNow - seconds(1);
  EXPECT_EQ(ViewOf(stats).state, LinkState::kInSync);
}

TEST(LinkState, WithoutReportsTheBrokerKnowsItsOwnPart) {
  BrokerStats stats = Pair();
  StreamOf(stats).report.reset();
  ReaderOf(stats).report.reset();
  EXPECT_EQ(ViewOf(stats).state, LinkState::kInSync);
  EXPECT_EQ(ViewOf(stats).canary, StreamOf(stats).tail_time);
}

TEST(Overview, AllWell_CountsSitesAndTheOldestChangeOnItsWay) {
  BrokerStats stats = Pair();
  EXPECT_EQ(DeriveLinks(stats).sentence, "all 2 sites are in sync; nothing is on its way");
  EXPECT_FALSE(DeriveLinks(stats).worst);
  EXPECT_EQ(DeriveLinks(BrokerStats{}).sentence, "no site has joined yet");
}

TEST(Overview, TheWorstLinkIsNamedWithItsCommand) {
  BrokerStats stats = Pair();
  stats.streams.push_back(stats.streams[0]);
  stats.streams[0].readers[0].needs_ranges = true;
  stats.streams[1].stream.instance = "OTHER";
  stats.streams[1].readers[0].report->diverged = true;
  const LinkOverview overview = DeriveLinks(stats);
  EXPECT_EQ(overview.worst, 1U);
  EXPECT_EQ(overview.severity, Severity::kCritical);
  EXPECT_THAT(overview.sentence, HasSubstr("Site1 to Site2 is diverged: sums differ"));
  EXPECT_EQ(overview.command, "dirsync resync run --site Site1 --full --to Site2");
}

TEST(Overview, TheBrokersOwnTroubleComesFirst) {
  BrokerStats stats = Pair();
  MakeHeld(stats);
  stats.read_only = true;
  stats.read_only_reason = "disk full";
  EXPECT_EQ(DeriveLinks(stats).sentence, "the broker takes no changes: disk full");
  stats.read_only = false;
  stats.full_at = kNow + hours(3);
  EXPECT_THAT(DeriveLinks(stats).sentence, HasSubstr("is held"));
  ReaderOf(stats).report->held = 0;
  EXPECT_EQ(DeriveLinks(stats).sentence, "the broker's log will be full in 3 h");
}

TEST(Overview, AJoinThatWaitsIsANotice) {
  BrokerStats stats = Pair();
  stats.pending.resize(1);
  stats.pending[0].site = "New Site";
  const LinkOverview overview = DeriveLinks(stats);
  EXPECT_EQ(overview.sentence, "New Site waits for approval");
  EXPECT_EQ(overview.command, "dirsync sites pending");
  EXPECT_EQ(overview.severity, Severity::kNotice);
}

TEST(AgentLinks, ImportsAndExportsAsTheSiteSeesThem) {
  AgentStanding standing;
  standing.site = "Site2";
  standing.connected = true;
  standing.now = kNow;
  standing.report.instances = {Report("IN", false), Report("OUT", true)};
  standing.report.instances[0].stream = {"Testorg", "Site1", "OUT"};
  standing.report.instances[1].stream = {"Testorg", "Site2", "OUT"};
  standing.report.instances[0].held = 1;
  standing.report.instances[1].outbox_batches = 2;
  const LinkOverview overview = DeriveLinks(standing);
  ASSERT_EQ(overview.links.size(), 2U);
  EXPECT_EQ(overview.links[0].state, LinkState::kHeld);
  EXPECT_EQ(overview.links[0].reader, "Site2");
  EXPECT_EQ(overview.links[1].state, LinkState::kCatchingUp);
  EXPECT_EQ(overview.links[1].reader, "");
  EXPECT_EQ(overview.sentence, "Site1 to Site2 is held: 1 delete waits for a person at Site2");
}

TEST(AgentLinks, WhatFilesCarryNeedsNoSession) {
  AgentStanding standing;
  standing.site = "Site2";
  standing.now = kNow;
  standing.reason = {ErrorCode::kNotPermitted, "revoked", ""};
  standing.report.instances = {Report("IN", false)};
  standing.by_files = {Report("DISK", false)};
  standing.by_files[0].held = 1;
  const LinkOverview overview = DeriveLinks(standing);
  ASSERT_EQ(overview.links.size(), 2U);
  EXPECT_EQ(overview.links[0].state, LinkState::kRefused);
  EXPECT_EQ(overview.links[1].instance, "DISK");
  EXPECT_EQ(overview.links[1].state, LinkState::kHeld);
}

TEST(AgentLinks, WithoutASessionTheReasonIsSaid) {
  AgentStanding standing;
  standing.site = "Site2";
  standing.now = kNow;
  standing.report.instances = {Report("IN", false)};
  EXPECT_EQ(DeriveLinks(standing).links[0].state, LinkState::kOffline);
  EXPECT_EQ(DeriveLinks(standing).command, "dirsync broker run");
  standing.running = false;
  EXPECT_EQ(DeriveLinks(standing).command, "dirsync agent run");
  EXPECT_EQ(DeriveLinks(standing).at, "Site2");
  standing.running = true;
  standing.reason = {ErrorCode::kNotPermitted, "revoked", ""};
  EXPECT_EQ(DeriveLinks(standing).links[0].state, LinkState::kRefused);
  EXPECT_EQ(DeriveLinks(standing).links[0].reason, "Site2 says NOT_PERMITTED: revoked");
  EXPECT_EQ(DeriveLinks(standing).command, "dirsync join INVITATION");
}

TEST(ShellWord, IsQuotedAndHarmless) {
  EXPECT_EQ(ShellWord("INSTANCE1"), "INSTANCE1");
  EXPECT_EQ(ShellWord("a b"), "'a b'");
  EXPECT_EQ(ShellWord("it's"), "'it'\\''s'");
  EXPECT_EQ(ShellWord(""), "''");
  EXPECT_EQ(ShellWord("\x1b[2J;rm"), "'\\x1b[2J;rm'");
}

}  // namespace
}  // namespace dirsync
