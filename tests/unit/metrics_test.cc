// What Prometheus scrapes: complete, bounded, and with labels that nobody outside chooses.
#include "broker/page/metrics.h"

#include <gmock/gmock.h>

#include <map>
#include <set>

#include "broker/page/metric_writer.h"
#include "proto/base/text.h"
#include "tests/page/sample_stats.h"

namespace dirsync {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

const Instant kNow = FromMillis(1'800'000'000'123);

PageSnapshot SnapshotOf(BrokerStats stats) {
  PageSnapshot snapshot;
  snapshot.stats = std::make_shared<const BrokerStats>(std::move(stats));
  snapshot.overview = DeriveLinks(*snapshot.stats);
  return snapshot;
}

std::string MetricsOf(const SampleChoice& choice) {
  CounterSums sums;
  return MetricsText(SnapshotOf(SampleStats(choice, kNow)), sums, "1.2.3", true);
}

// name{labels} -> value
std::map<std::string, std::string> Samples(const std::string& text) {
  std::map<std::string, std::string> samples;
  for (std::string_view line : Split(text, '\n')) {
    if (line.empty() || line.starts_with('#')) continue;
    const std::size_t blank = line.rfind(' ');
    EXPECT_TRUE(samples.emplace(line.substr(0, blank), line.substr(blank + 1)).second) << line;
  }
  return samples;
}

TEST(Metrics, HundredSites_StayUnderFourHundredKilobytes) {
  const std::string text = MetricsOf({.sites = 100});
  EXPECT_LT(text.size(), 400'000U);
  EXPECT_GT(Samples(text).size(), 3000U);
}

TEST(Metrics, LabelsAreStreamsReadersOrWordsOfLists) {
  const std::string text = MetricsOf({.sites = 3});
  std::set<std::string> labels;
  for (const auto& [name, value] : Samples(text)) {
    const std::size_t brace = name.find('{');
    if (brace == std::string::npos) continue;
    for (std::string_view pair : Split(std::string_view(name).substr(brace + 1), ','))
      labels.emplace(pair.substr(0, pair.find('=')));
    EXPECT_FALSE(name.contains("stream=") && name.contains("reader=")) << name;
  }
  EXPECT_THAT(labels, testing::UnorderedElementsAre("stream", "reader", "site", "state", "reason",
                                                    "outcome", "le", "version", "protocol_min",
                                                    "protocol_max"));
}

TEST(Metrics, EveryRefusalHasACounterFromTheStart) {
  CounterSums sums;
  const auto samples = Samples(MetricsText(SnapshotOf(BrokerStats{}), sums, "1", false));
  for (const ErrorInfo& info : ErrorRegistry()) {
    const std::string reason(info.text);
    if (info.exit_status == 0) continue;
    EXPECT_TRUE(samples.contains("dirsync_broker_refusals_total{reason=\"" + reason + "\"}"))
        << reason;
  }
  EXPECT_TRUE(samples.contains("dirsync_broker_refusals_total{reason=\"handshake-auth\"}"));
  for (const char* outcome :
       {"GAP", "CONFLICT", "FENCED", "QUOTA", "READ_ONLY", "TOO_LARGE", "UNAUTHORIZED", "VERSION"})
    EXPECT_TRUE(samples.contains("dirsync_broker_publishes_rejected_total{outcome=\"" +
                                 std::string(outcome) + "\"}"))
        << outcome;
}

TEST(Metrics, EveryFamilyHasHelpTypeAndTheRightSuffix) {
  std::map<std::string, std::string> types;
  const std::string text = MetricsOf({.sites = 3});
  for (std::string_view line : Split(text, '\n')) {
    const auto words = Split(line, ' ');
    if (line.starts_with("# TYPE ")) types.emplace(words[2], words[3]);
  }
  EXPECT_GT(types.size(), 50U);
  for (const auto& [name, type] : types) {
    EXPECT_TRUE(name.starts_with("dirsync_broker_") || name.starts_with("process_")) << name;
    EXPECT_EQ(name.ends_with("_total"), type == "counter") << name;
  }
}

TEST(Metrics, WhoWasRevokedIsNoTrouble) {
  BrokerStats stats = SampleStats({.sites = 3}, kNow);
  const std::string gone = stats.sites[2].entry.site;
  const auto samples_of = [](const BrokerStats& given) {
    CounterSums sums;
    return Samples(MetricsText(SnapshotOf(given), sums, "1", true));
  };
  for (StreamStats& stream : stats.streams)
    for (ReaderStats& reader : stream.readers)
      if (reader.site == gone) {
        reader.connected = false;
        reader.needs_ranges = true;
        reader.report->canary_at = kNow - std::chrono::hours(700);
      }
  const std::string tells = "{stream=\"" + stats.streams[0].stream.ToString() + "\"}";
  const std::string told = "{stream=\"" + stats.streams[2].stream.ToString() + "\"}";
  const std::string reads = "{reader=\"" + gone + "\"}";
  const auto before = samples_of(stats);
  EXPECT_EQ(before.at("dirsync_broker_reader_connected" + reads), "0");
  EXPECT_EQ(before.at("dirsync_broker_stream_readers_needing_ranges" + tells), "1");
  stats.sites[2].entry.state = SiteState::kRevoked;
  const auto after = samples_of(stats);
  EXPECT_FALSE(after.contains("dirsync_broker_reader_connected" + reads));
  EXPECT_EQ(after.at("dirsync_broker_stream_readers_needing_ranges" + tells), "0");
  EXPECT_GT(std::stod(after.at("dirsync_broker_stream_canary_timestamp_seconds" + tells)),
            std::stod(before.at("dirsync_broker_stream_canary_timestamp_seconds" + tells)));
  EXPECT_EQ(after.at("dirsync_broker_stream_canary_timestamp_seconds" + told), "0.000");
  EXPECT_EQ(after.at("dirsync_broker_reader_links_refused{reader=\"Amsterdam\"}"),
            before.at("dirsync_broker_reader_links_refused{reader=\"Amsterdam\"}"));
}

TEST(Metrics, LinksAreCountedByState) {
  const auto samples = Samples(MetricsOf({.sites = 3}));
  EXPECT_EQ(samples.at("dirsync_broker_links{state=\"held\"}"), "1");
  EXPECT_EQ(samples.at("dirsync_broker_links{state=\"in-sync\"}"), "0");
  EXPECT_EQ(samples.at("dirsync_broker_reader_held_deletes{reader=\"Amsterdam\"}"), "37");
  EXPECT_EQ(samples.at("dirsync_broker_stats_timestamp_seconds"), "1800000000.123");
}

TEST(Metrics, Buckets_AddUpAndEndWithAll) {
  BrokerStats stats;
  stats.times.commit.Count(500);
  stats.times.commit.Count(501, 2);
  stats.times.commit.Count(11'000'000);
  SiteStats site;
  site.entry.site = "Cork";
  site.acks = 3;
  site.acked_microseconds = 1'500'000;
  stats.sites.push_back(site);
  CounterSums sums;
  const auto samples = Samples(MetricsText(SnapshotOf(std::move(stats)), sums, "1", false));
  const auto commit = [&](const std::string& rest) {
    return samples.at("dirsync_broker_commit_duration_seconds" + rest);
  };
  EXPECT_EQ(commit("_bucket{le=\"0.0005\"}"), "1");
  EXPECT_EQ(commit("_bucket{le=\"0.001\"}"), "3");
  EXPECT_EQ(commit("_bucket{le=\"10\"}"), "3");
  EXPECT_EQ(commit("_bucket{le=\"+Inf\"}"), "4");
  EXPECT_EQ(commit("_count"), "4");
  EXPECT_EQ(commit("_sum"), "11.001502");
  EXPECT_EQ(samples.at("dirsync_broker_propagation_seconds_bucket{le=\"86400\"}"), "0");
  EXPECT_EQ(samples.at("dirsync_broker_reader_propagation_seconds_sum{reader=\"Cork\"}"), "1.5");
  EXPECT_EQ(samples.at("dirsync_broker_reader_propagation_seconds_count{reader=\"Cork\"}"), "3");
}

TEST(Metrics, HostileNamesCannotEndALabelOrALine) {
  const std::string text = MetricsOf({.sites = 5, .hostile = true});
  for (std::string_view line : Split(text, '\n')) {
    EXPECT_LT(line.size(), 700U);
    if (line.empty() || line.starts_with('#')) continue;
    EXPECT_THAT(std::string(line), ContainsRegex("^[a-z_]+(\\{.*\"\\})? [0-9.]+$"));
  }
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(LabelText, IsCutAndEscaped) {
  EXPECT_EQ(LabelText("a\"b\\c"), "a\\\"b\\\\c");
  EXPECT_EQ(LabelText("a\nb"), "a\\\\x0ab");
  EXPECT_LT(LabelText(std::string(1 << 20, 'x')).size(), 140U);
}

TEST(CounterSums, NeverFallWhenAReaderIsForgottenOrAnAgentStartsAgain) {
  BrokerStats stats = SampleStats({.sites = 3}, kNow);
  CounterSums sums;
  sums.Update(stats);
  const auto before = sums.readers().at("Cork");
  EXPECT_EQ(before.delivered, 4000U);
  stats.streams[0].readers.clear();
  sums.Update(stats);
  EXPECT_EQ(sums.readers().at("Cork").delivered, before.delivered);
  for (ReaderStats& reader : stats.streams[1].readers) reader.report->applied = 5;
  sums.Update(stats);
  EXPECT_EQ(sums.readers().at("Cork").applied, before.applied + 5);
  sums.Update(stats);
  EXPECT_EQ(sums.readers().at("Cork").applied, before.applied + 5);
}

TEST(CounterSums, RejectionsOfAllStreamsAreAdded) {
  BrokerStats stats = SampleStats({.sites = 3}, kNow);
  CounterSums sums;
  sums.Update(stats);
  EXPECT_EQ(sums.rejected().at(PublishOutcome::kGap), 3U);
  ++stats.streams[0].rejected[PublishOutcome::kGap];
  sums.Update(stats);
  EXPECT_EQ(sums.rejected().at(PublishOutcome::kGap), 4U);
}

}  // namespace
}  // namespace dirsync
