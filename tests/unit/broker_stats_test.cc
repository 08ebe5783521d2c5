// What a broker counts and remembers, and that all of it is bounded.
#include <malloc.h>

#include "broker/core/broker_rows.h"
#include "storage/key.h"
#include "tests/unit/broker_world.h"

namespace dirsync {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class BrokerStatsTest : public BrokerWorld {
 protected:
  BrokerStatsTest() {
    for (const char* site : {"Site1", "Site2"}) {
      Add(site);
      Connect(site);
    }
  }
  void Beat(std::int64_t seconds) {
    for (auto& [name, site] : sites_)
      if (site.session != 0) Say(name, Ping{true});
    Tick(seconds);
  }
  SignedStream stream_ = Told("Site1");
};

TEST_F(BrokerStatsTest, Acks_AreCountedByTheAgeOfTheirBatch) {
  for (int i = 0; i < 4; ++i) Publishes("Site1", stream_.Next());
  Subscribes("Site2", stream_.name(), stream_.At(1).position);
  now_ += std::chrono::milliseconds(1500);
  Acks("Site2", stream_.At(3));
  Acks("Site2", stream_.At(3));  // says nothing new
  now_ += std::chrono::hours(48);
  Acks("Site2", stream_.At(4));
  const BrokerStats stats = Stats();
  EXPECT_EQ(stats.propagation.count(), 2U);
  EXPECT_EQ(stats.propagation.counts().back(), 1U);
  EXPECT_EQ(stats.propagation.sum(), 172'803'000'000U);
  for (const SiteStats& site : stats.sites) {
    EXPECT_EQ(site.acks, site.entry.site == "Site2" ? 2U : 0U) << site.entry.site;
    if (site.acks > 0) {
      EXPECT_EQ(site.acked_microseconds, stats.propagation.sum());
    }
  }
}

TEST_F(BrokerStatsTest, Streams_AndReaders) {
  for (int i = 0; i < 4; ++i) Publishes("Site1", stream_.Next());
  Publishes("Site1", stream_.At(4));
  Subscribes("Site2", stream_.name(), stream_.At(1).position);
  now_ += std::chrono::seconds(5);
  Acks("Site2", stream_.At(2));
  const StreamStats stats = StatsOf(stream_.name());
  EXPECT_EQ(stats.tail, stream_.position());
  EXPECT_EQ(stats.first, 1U);
  EXPECT_EQ(stats.batches, 4U);
  EXPECT_TRUE(stats.producer_online);
  EXPECT_EQ(stats.received, 5U);
  EXPECT_EQ(stats.stored, 4U);
  EXPECT_EQ(stats.duplicates, 1U);
  EXPECT_EQ(stats.stored_bytes, stats.bytes);
  ASSERT_EQ(stats.readers.size(), 1U);
  const ReaderStats& reader = stats.readers[0];
  EXPECT_EQ(reader.site, "Site2");
  EXPECT_TRUE(reader.connected);
  EXPECT_EQ(reader.acked, stream_.At(2).position);
  EXPECT_EQ(reader.delivered, 4U);
  EXPECT_EQ(reader.delivered_batches, 3U);
  EXPECT_EQ(reader.lag_batches, 2U);
  EXPECT_EQ(reader.lag_bytes, stream_.At(3).payload->size() + stream_.At(4).payload->size());
  EXPECT_EQ(reader.oldest_unacked, TestTime(0));
  EXPECT_EQ(reader.last_ack, now_);
  EXPECT_EQ(reader.credit_bytes + reader.in_flight_bytes, settings_.credit_bytes_max);
  EXPECT_GT(reader.in_flight_bytes, 0U);
  EXPECT_FALSE(reader.needs_ranges);
  const BrokerStats all = Stats();
  EXPECT_EQ(all.organization, "Testorg");
  EXPECT_EQ(all.sessions_open, 2U);
  EXPECT_EQ(all.log_bytes, stats.bytes);
  EXPECT_EQ(all.log_bytes_max, settings_.log_bytes_max);
  EXPECT_EQ(all.reader_bytes_max, settings_.reader_bytes_max);
  EXPECT_EQ(all.reader_seconds_max, settings_.reader_seconds_max);
  EXPECT_EQ(all.sites.at(0).program, "dirsync test on Site1");
  EXPECT_EQ(all.sites.at(0).sessions, 1U);
  EXPECT_TRUE(all.sites.at(0).connected);
}

TEST_F(BrokerStatsTest, ReaderThatAckedNothing_LagsFromItsRegistration) {
  for (int i = 0; i < 3; ++i) Publishes("Site1", stream_.Next());
  Subscribes("Site2", stream_.name(), {});
  EXPECT_EQ(StatsOf(stream_.name(), "Site2").lag_batches, 0U);
  Publishes("Site1", stream_.Next());
  const ReaderStats reader = StatsOf(stream_.name(), "Site2");
  EXPECT_EQ(reader.lag_batches, 1U);
  EXPECT_EQ(reader.acked.epoch.counter, 0U);
}

TEST_F(BrokerStatsTest, Reports_AreAtTheirStreamAndBounded) {
  Publishes("Site1", stream_.Next());
  Subscribes("Site2", stream_.name(), stream_.At(1).position);
  AgentReport report;
  InstanceReport instance;
  instance.instance = "IN";
  instance.stream = stream_.name();
  instance.held = 3;
  report.instances.assign(limits::kReportInstances + 100, instance);
  Say("Site2", report);
  ASSERT_TRUE(StatsOf(stream_.name(), "Site2").report);
  EXPECT_EQ(StatsOf(stream_.name(), "Site2").report->held, 3U);
  EXPECT_FALSE(StatsOf(stream_.name()).report);
  EXPECT_EQ(Stats().sites.at(1).report->instances.size(), limits::kReportInstances);
  // Kept when the site is gone.
  Gone("Site2");
  EXPECT_TRUE(StatsOf(stream_.name(), "Site2").report);
}

TEST_F(BrokerStatsTest, Minutes_AreADayAtMost) {
  Publishes("Site1", stream_.Next());
  Subscribes("Site2", stream_.name(), stream_.At(1).position);
  for (int i = 0; i < 3; ++i) Publishes("Site1", stream_.Next());
  Beat(20);
  const StreamStats stats = StatsOf(stream_.name());
  ASSERT_FALSE(stats.minutes.empty());
  std::uint64_t bytes = 0;
  for (const MinutePoint& point : stats.minutes) bytes += point.bytes;
  EXPECT_EQ(bytes, stats.stored_bytes);
  EXPECT_EQ(stats.minutes.back().waiting, 3U);
  EXPECT_EQ(Stats().full_at, Instant{});  // in years
  settings_.log_bytes_max = 10 * stats.stored_bytes;
  broker_->Apply(settings_);
  EXPECT_EQ(Stats().full_at, now_ + std::chrono::hours(9));
  for (int i = 0; i < 1500; ++i) Tick(60);
  EXPECT_EQ(StatsOf(stream_.name()).minutes.size(), 1440U);
  EXPECT_EQ(Stats().full_at, Instant{});
}

TEST_F(BrokerStatsTest, Events_AreTheLastThousand) {
  const std::uint64_t before = Stats().events.at(0).number;
  for (int i = 0; i < 600; ++i) {
    SetState("Site2", SiteState::kRevoked);
    SetState("Site2", SiteState::kActive);
  }
  ASSERT_EQ(Stats().events.size(), limits::kEvents);
  EXPECT_EQ(Stats().events.at(0).number, before + 1200);
  const auto newer = broker_->EventsAfter(before + 1198);
  ASSERT_EQ(newer.size(), 2U);
  EXPECT_LT(newer[0].number, newer[1].number);
  std::size_t rows = 0;
  const auto [lower, upper] = storage::TableRange(storage::Table::kEvent);
  for (auto cursor = storage_.Scan(lower, upper); cursor->Valid(); cursor->Next()) ++rows;
  EXPECT_EQ(rows, limits::kEvents);
  const auto kept = Stats().events;
  Reopen();
  ASSERT_EQ(Stats().events.size(), limits::kEvents);
  EXPECT_EQ(Stats().events.front().number, kept.front().number);
  EXPECT_EQ(Stats().events.back().text, kept.back().text);
}

// However a site goes on, it fills a small part of the timeline.
TEST_F(BrokerStatsTest, OneSite_CannotPushTheOthersOut) {
  Publishes("Site1", stream_.Next());
  const std::size_t before = Stats().events.size();
  for (int i = 0; i < 2000; ++i)
    Say("Site2", Ack{Stream("Site1", "NONE" + std::to_string(i)), "", {}, {}, false});
  EXPECT_EQ(Refusals("ACK"), 2000U);
  EXPECT_LE(Stats().events.size() - before, limits::kEventsPerHour);
  EXPECT_GT(Refusals("EVENTS"), 0U);
  for (int i = 0; i < 60 * 12; ++i)
    for (int again = 0; again < 2; ++again) {
      Beat(5);
      Say("Site2", Fetch{stream_.name(), {}});
    }
  EXPECT_LE(Stats().events.size() - before, limits::kEventsPerHour + 20);
}

TEST_F(BrokerStatsTest, ReasonsOfTheLoop_AreBounded) {
  for (int i = 0; i < 1000; ++i) broker_->CountRefusal("handshake " + std::to_string(i));
  EXPECT_LE(Stats().refusals.size(), 257U);
  EXPECT_GT(Refusals("OTHER"), 0U);
}

TEST_F(BrokerStatsTest, Counters_NeverFall) {
  for (int i = 0; i < 5; ++i) Publishes("Site1", stream_.Next());
  Subscribes("Site2", stream_.name(), stream_.At(1).position);
  const std::uint64_t delivered = StatsOf(stream_.name(), "Site2").delivered_batches;
  Gone("Site2");
  Connect("Site2");
  EXPECT_EQ(StatsOf(stream_.name(), "Site2").delivered_batches, delivered);
  Subscribes("Site2", stream_.name(), stream_.At(1).position);
  EXPECT_EQ(StatsOf(stream_.name(), "Site2").delivered_batches, 2 * delivered);
  EXPECT_EQ(StatsOf(stream_.name(), "Site2").redelivered_batches, delivered);
}

// A hundred sites that all read each other: less than 256 KiB of memory for each that is idle.
TEST_F(BrokerStatsTest, IdleSites_CostLittle) {
  constexpr std::size_t kSites = 100;
  pumping_ = false;
  std::map<std::string, SignedStream> streams;
  for (std::size_t i = 0; i < kSites; ++i) {
    const std::string name = "Mesh" + std::to_string(i);
    Add(name);
    Connect(name);
    streams.emplace(name, Told(name));
    Publishes(name, streams.at(name).Next());
  }
  for (auto& [name, own] : streams)
    for (auto& [other, stream] : streams)
      if (name != other) Subscribes(name, stream.name(), stream.At(1).position);
  DropAll();
  Pump();
  DropAll();
  for (int minute = 0; minute < 1441; ++minute) {
    now_ += std::chrono::seconds(60);
    for (auto& [name, site] : sites_) Say(name, Ping{true});
    Tick(0);
  }
  const auto before = mallinfo2().uordblks;
  broker_.reset();
  const auto freed = before - mallinfo2().uordblks;
  RecordProperty("bytes_per_site", static_cast<int>(freed / kSites));
  EXPECT_LT(freed / kSites, 256 * limits::kKiB);
  Reopen();
}

// ---- rows ----

TEST(BrokerRows, RoundTripAndBrokenOnes) {
  const ReaderHold hold{"Site2",
                        {{1, TestId<EpochId>(1)}, 5, TestId<Digest>(2)},
                        {{2, TestId<EpochId>(3)}, 6, TestId<Digest>(4)},
                        77,
                        TestTime(1),
                        false};
  EXPECT_EQ(*DecodeHold(EncodeHold(hold)), hold);
  const SessionNonces nonces{TestId<Nonce>(1), TestId<Nonce>(2), TestId<Nonce>(3), TestTime(4)};
  EXPECT_EQ(DecodeNonces(EncodeNonces(nonces))->given, nonces.given);
  EXPECT_EQ(DecodeNonces(EncodeNonces(nonces))->confirmed, nonces.confirmed);
  EXPECT_EQ(DecodeNonces(EncodeNonces(nonces))->refused, nonces.refused);
  EXPECT_EQ(DecodeNonces(EncodeNonces(nonces))->refused_at, nonces.refused_at);
  const std::string older = EncodeNonces(nonces).substr(0, 33);
  EXPECT_EQ(DecodeNonces(older)->confirmed, nonces.confirmed);
  EXPECT_TRUE(DecodeNonces(older)->refused.is_zero());
  JoinRow join;
  join.request = {"Site1",
                  "server",
                  "Site1",
                  {"a.example", "b.example"},
                  TestId<PublicKey>(1),
                  TestId<TransportKey>(2),
                  TestTime(3)};
  join.refused = true;
  EXPECT_TRUE(DecodeJoin(EncodeJoin(join))->refused);
  EXPECT_THAT(DecodeJoin(EncodeJoin(join))->request.domains, ElementsAre("a.example", "b.example"));
  EXPECT_EQ(DecodeJoin(EncodeJoin(join))->request.transport_key, join.request.transport_key);
  const OpenedDoor door{TestId<Digest>(1), TestTime(9)};
  EXPECT_EQ(DecodeDoor(EncodeDoor(door))->until, door.until);
  const BrokerEvent event{7, TestTime(1), "kind", "Site1", "a/b/c", "text"};
  EXPECT_EQ(DecodeEvent(EncodeEvent(event))->text, "text");
  for (std::string row :
       {EncodeHold(hold), EncodeNonces(nonces), EncodeDoor(door), EncodeEvent(event)}) {
    row.pop_back();
    EXPECT_FALSE(DecodeHold(row));
    EXPECT_FALSE(DecodeNonces(row));
    EXPECT_FALSE(DecodeDoor(row));
    EXPECT_FALSE(DecodeEvent(row));
  }
  std::string newer = EncodeHold(hold);
  newer[0] = 2;
  EXPECT_EQ(DecodeHold(newer).error().code, ErrorCode::kCorrupt);
  EXPECT_FALSE(DecodeJoin(""));
}

}  // namespace
}  // namespace dirsync
