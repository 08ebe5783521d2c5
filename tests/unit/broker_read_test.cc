// Reading: subscriptions, deliveries within credit, acks, and how long the log is kept (R21).
#include "tests/unit/broker_world.h"

namespace dirsync {
namespace {

using enum SubscribeOutcome;
using testing::ElementsAre;
using testing::IsEmpty;

class BrokerReadTest : public BrokerWorld {
 protected:
  BrokerReadTest() {
    for (const char* site : {"Site1", "Site2", "Site3"}) {
      Add(site);
      Connect(site);
    }
  }
  void Tell(Sequence count, std::size_t bytes = 0) {
    for (Sequence i = 0; i < count; ++i)
      ASSERT_EQ(Publishes("Site1", stream_.Next(bytes)), PublishOutcome::kStored);
  }
  SubscribeOutcome Subscribe2(Sequence from) {
    return Subscribes("Site2", stream_.name(), stream_.At(from).position);
  }
  std::vector<Sequence> Delivered2() { return Delivered("Site2", stream_.name()); }
  Sequence First() { return StatsOf(stream_.name()).first; }
  // The clock goes on and everybody connected is heard.
  void Pass(std::int64_t seconds) {
    for (; seconds > 0; seconds -= 20) {
      for (auto& [name, site] : sites_)
        if (site.session != 0) Say(name, Ping{true});
      Tick(std::min<std::int64_t>(seconds, 20));
    }
  }
  SignedStream stream_ = Told("Site1");
};

// ---- subscriptions ----

TEST_F(BrokerReadTest, Subscribe_WhatIsNotThere) {
  EXPECT_EQ(Subscribes("Site2", stream_.name(), {}), kNotFound);
  Tell(1);
  EXPECT_EQ(Subscribes("Site1", stream_.name(), stream_.At(1).position), kNotFound);  // its own
  EXPECT_EQ(Refusals("SUBSCRIBE"), 1U);
  EXPECT_THAT(StatsOf(stream_.name()).readers, IsEmpty());
}

TEST_F(BrokerReadTest, Subscribe_NothingHeldNeedsRangesAndRegisters) {
  Tell(3);
  EXPECT_EQ(Subscribes("Site2", stream_.name(), {}), kNeedsRanges);
  EXPECT_TRUE(IsReader(stream_.name(), "Site2"));
  EXPECT_TRUE(StatsOf(stream_.name(), "Site2").needs_ranges);
  EXPECT_THAT(Delivered2(), IsEmpty());
}

TEST_F(BrokerReadTest, Subscribe_DeliversWhatFollowsTheCursor) {
  Tell(5);
  EXPECT_EQ(Subscribe2(2), kGoesOn);
  EXPECT_THAT(Delivered2(), ElementsAre(3, 4, 5));
  for (const Deliver& deliver : All<Deliver>("Site2"))
    EXPECT_EQ(*deliver.payload, *stream_.At(deliver.position.sequence).payload);
  Tell(1);
  EXPECT_THAT(Delivered2(), ElementsAre(3, 4, 5, 6));
}

TEST_F(BrokerReadTest, SubscribeAgain_DeliversFromThereInstead) {
  Tell(4);
  Subscribe2(1);
  Drop("Site2");
  Subscribe2(3);
  EXPECT_THAT(Delivered2(), ElementsAre(4));
  const ReaderStats stats = StatsOf(stream_.name(), "Site2");
  EXPECT_EQ(stats.delivered_batches, 4U);
  EXPECT_EQ(stats.redelivered_batches, 1U);
}

TEST_F(BrokerReadTest, Subscribe_OtherHistoryIsAFork) {
  Tell(4);
  Position forked = stream_.At(3).position;
  forked.digest = TestId<Digest>(1);
  EXPECT_EQ(Subscribes("Site2", stream_.name(), forked), kFork);
  EXPECT_EQ(Events("fork", "Site2"), 1U);
  EXPECT_EQ(StatsOf(stream_.name(), "Site2").refused, kFork);
  Tell(1);
  EXPECT_THAT(Delivered2(), IsEmpty());
}

// 501..1000 are lost with the broker's store, which is put back; the reader has 700 (B3).
TEST_F(BrokerReadTest, LogThatWentBack_ReaderWaitsForTheRefillAndSkipsNothing) {
  Tell(50);
  Subscribe2(1);
  Acks("Site2", stream_.At(1));
  const auto rows = storage_.rows();
  Tell(50);
  const Position reader = stream_.At(70).position;
  storage_.Restore(rows);
  Reopen();
  Connect("Site2");
  EXPECT_EQ(Subscribes("Site2", stream_.name(), reader), kTruncated);
  EXPECT_EQ(Events("log-behind", "Site2"), 1U);
  const Welcome welcome = Connect("Site1");
  ASSERT_EQ(welcome.produced.at(0).tail, stream_.At(50).position);
  for (Sequence i = 51; i <= 100; ++i) Publishes("Site1", stream_.At(i));
  Tell(20);
  EXPECT_THAT(Delivered2(), IsEmpty());
  EXPECT_EQ(Subscribes("Site2", stream_.name(), reader), kGoesOn);
  const auto delivered = Delivered2();
  ASSERT_EQ(delivered.size(), 50U);
  EXPECT_EQ(delivered.front(), 71U);
  EXPECT_EQ(delivered.back(), 120U);
}

TEST_F(BrokerReadTest, LogThatBeginsAnewUnderAReader_TellsIt) {
  Tell(5);
  Subscribe2(5);
  for (int i = 0; i < 5; ++i) stream_.Next();
  Publish begins = stream_.At(9);
  begins.begins_log = true;
  Drop("Site2");
  ASSERT_EQ(Publishes("Site1", begins), PublishOutcome::kStored);
  ASSERT_TRUE(Last<Subscribed>("Site2"));
  EXPECT_EQ(Last<Subscribed>("Site2")->outcome, kNeedsRanges);
  EXPECT_THAT(Delivered2(), IsEmpty());
  EXPECT_TRUE(StatsOf(stream_.name(), "Site2").needs_ranges);
  EXPECT_EQ(Last<Streams>("Site2")->logs.at(0).tail, stream_.At(9).position);
}

TEST_F(BrokerReadTest, NewEpoch_ReaderAtTheEndGoesOnWithStart) {
  Tell(3);
  Subscribe2(3);
  stream_.NewEpoch();
  Tell(2);
  EXPECT_THAT(Delivered2(), ElementsAre(1, 2));
  EXPECT_EQ(Last<Streams>("Site2")->logs.at(0).tail.epoch.counter, 2U);
}

TEST_F(BrokerReadTest, Unsubscribe_StopsDeliveryAndForgetsIfAsked) {
  Tell(1);
  Subscribe2(1);
  Say("Site2", Unsubscribe{stream_.name(), false});
  Tell(1);
  EXPECT_THAT(Delivered2(), IsEmpty());
  EXPECT_TRUE(IsReader(stream_.name(), "Site2"));
  Tick();
  EXPECT_EQ(StatsOf(stream_.name()).batches, 1U);  // kept for it
  Say("Site2", Unsubscribe{stream_.name(), true});
  EXPECT_FALSE(IsReader(stream_.name(), "Site2"));
  Reopen();
  EXPECT_FALSE(IsReader(stream_.name(), "Site2"));
  Connect("Site2");
  Say("Site2", Unsubscribe{Stream("Site1", "NONE"), true});  // harmless
}

// ---- credit ----

TEST_F(BrokerReadTest, NothingIsSentWithoutCredit) {
  Tell(3, 8192);
  Gone("Site2");
  Connect("Site2", 0);
  Subscribe2(1);
  EXPECT_THAT(Delivered2(), IsEmpty());
  Say("Site2", Credit{1});
  EXPECT_THAT(Delivered2(), ElementsAre(2));  // one, however large; it is owed
  Say("Site2", Credit{100});
  EXPECT_THAT(Delivered2(), ElementsAre(2));
  Say("Site2", Credit{stream_.At(2).payload->size()});
  EXPECT_THAT(Delivered2(), ElementsAre(2, 3));
}

TEST_F(BrokerReadTest, Credit_IsCapped) {
  settings_.credit_bytes_max = 20000;
  broker_->Apply(settings_);
  Tell(30, 8192);
  Gone("Site2");
  Connect("Site2", 1ULL << 62);
  Say("Site2", Credit{~0ULL});
  Subscribe2(1);
  EXPECT_LE(Delivered2().size(), 20000 / 4096 + 1U);
  EXPECT_GE(Delivered2().size(), 1U);
}

// A reader with two streams gets from both, and a slow one does not slow a fast one down.
TEST_F(BrokerReadTest, Deliveries_AreFairOverSessionsAndStreams) {
  SignedStream other = Told("Site1", "OTHER");
  Tell(1);
  Publishes("Site1", other.Next());
  pumping_ = false;
  for (const char* site : {"Site2", "Site3"}) {
    Subscribes(site, stream_.name(), stream_.At(1).position);
    Subscribes(site, other.name(), other.At(1).position);
  }
  for (int i = 0; i < 300; ++i) {
    Publishes("Site1", stream_.Next(32 * 1024));
    Publishes("Site1", other.Next(32 * 1024));
  }
  EXPECT_TRUE(Pump(0));  // news only
  const auto two_turns = 2 * limits::kMiB / stream_.At(2).payload->size() + 2;
  for (const char* site : {"Site2", "Site3"}) Drop(site);
  ASSERT_TRUE(Pump(1));
  EXPECT_FALSE(
      Delivered("Site2", stream_.name()).empty() && Delivered("Site3", stream_.name()).empty() &&
      Delivered("Site2", other.name()).empty() && Delivered("Site3", other.name()).empty());
  while (Pump(3 * limits::kMiB / 2)) {
    for (const char* site : {"Site2", "Site3"}) {
      const auto first = Delivered(site, stream_.name()).size();
      const auto second = Delivered(site, other.name()).size();
      EXPECT_LE(std::max(first, second) - std::min(first, second), two_turns) << site;
    }
    const auto all2 = All<Deliver>("Site2").size(), all3 = All<Deliver>("Site3").size();
    EXPECT_LE(std::max(all2, all3) - std::min(all2, all3), two_turns);
    for (const char* site : {"Site2", "Site3"}) Say(site, Credit{limits::kMiB});
  }
}

TEST_F(BrokerReadTest, SlowReader_DoesNotHoldFastOnesUp) {
  Tell(1);
  Gone("Site2");
  Connect("Site2", 0);
  Subscribe2(1);
  Subscribes("Site3", stream_.name(), stream_.At(1).position);
  Tell(20);
  EXPECT_EQ(Delivered("Site3", stream_.name()).size(), 20U);
  EXPECT_THAT(Delivered2(), IsEmpty());
}

// ---- acks ----

TEST_F(BrokerReadTest, Ack_MovesIsForwardedAndNeverGoesBack) {
  Tell(5);
  Subscribe2(1);
  Drop("Site1");
  Say("Site2", Ack{stream_.name(), "", stream_.At(4).position, {TestId<EntryId>(1)}, false});
  const auto forwarded = Last<Ack>("Site1");
  ASSERT_TRUE(forwarded);
  EXPECT_EQ(forwarded->reader, "Site2");
  EXPECT_EQ(forwarded->position, stream_.At(4).position);
  EXPECT_THAT(forwarded->wants, ElementsAre(TestId<EntryId>(1)));
  EXPECT_EQ(StatsOf(stream_.name(), "Site2").acked, stream_.At(4).position);
  Acks("Site2", stream_.At(2));
  Acks("Site2", stream_.At(4));
  EXPECT_EQ(StatsOf(stream_.name(), "Site2").acked, stream_.At(4).position);
  EXPECT_EQ(StatsOf(stream_.name(), "Site2").lag_batches, 1U);
}

// Each wanted entry is told whole to everybody.
TEST_F(BrokerReadTest, Ack_WantsAreBoundedInTime) {
  Tell(5);
  Subscribe2(1);
  Drop("Site1");
  const auto wanted = [&] {
    std::size_t ids = 0;
    for (const Ack& ack : All<Ack>("Site1")) ids += ack.wants.size();
    return ids;
  };
  const std::vector<EntryId> few(10, TestId<EntryId>(1));
  const std::vector<EntryId> many(limits::kWantIds, TestId<EntryId>(2));
  const Position at = stream_.At(1).position;
  Say("Site2", Ack{stream_.name(), "", at, few, false});
  Say("Site2", Ack{stream_.name(), "", at, few, false});
  EXPECT_EQ(wanted(), 20U);
  for (int i = 0; i < 100; ++i) Say("Site2", Ack{stream_.name(), "", at, many, false});
  EXPECT_EQ(wanted(), 20U);
  EXPECT_EQ(All<Ack>("Site1").size(), 102U);  // the positions pass
  EXPECT_EQ(Refusals("WANTS"), 100U);
  Tick(limits::kWantSeconds);
  Say("Site2", Ack{stream_.name(), "", at, many, false});
  Say("Site2", Ack{stream_.name(), "", at, few, false});
  EXPECT_EQ(wanted(), 20U + limits::kWantIds);
}

TEST_F(BrokerReadTest, Ack_NameOfAnotherReaderIsNotBelieved) {
  Tell(5);
  Subscribe2(1);
  Subscribes("Site3", stream_.name(), stream_.At(1).position);
  Say("Site3", Ack{stream_.name(), "Site2", stream_.At(5).position, {}, true});
  EXPECT_EQ(StatsOf(stream_.name(), "Site2").acked, stream_.At(1).position);
  EXPECT_EQ(Last<Ack>("Site1")->reader, "Site3");
  EXPECT_FALSE(Last<Ack>("Site1")->needs_ranges);
}

TEST_F(BrokerReadTest, Ack_AheadOfTheLogIsRefused) {
  Tell(2);
  Subscribe2(1);
  Drop("Site1");
  const Position ahead{stream_.position().epoch, 9, TestId<Digest>(1)};
  Say("Site2", Ack{stream_.name(), "", ahead, {}, false});
  const Position later{{9, TestId<EpochId>(9)}, 1, TestId<Digest>(1)};
  Say("Site2", Ack{stream_.name(), "", later, {}, false});
  EXPECT_EQ(Refusals("ACK_AHEAD"), 2U);
  EXPECT_FALSE(Last<Ack>("Site1"));
  EXPECT_EQ(StatsOf(stream_.name(), "Site2").acked, stream_.At(1).position);
}

TEST_F(BrokerReadTest, Ack_OfAnotherHistoryIsRefused) {
  Tell(3);
  Subscribe2(1);
  Drop("Site1");
  Position forked = stream_.At(2).position;
  forked.digest = TestId<Digest>(1);
  Say("Site2", Ack{stream_.name(), "", forked, {}, false});
  EXPECT_EQ(Refusals("ACK_UNKNOWN"), 1U);
  EXPECT_FALSE(Last<Ack>("Site1"));
}

TEST_F(BrokerReadTest, Ack_OfItsOwnOrNoStreamIsRefused) {
  Tell(2);
  Acks("Site1", stream_.At(2));
  Say("Site2", Ack{Stream("Site3"), "", stream_.At(1).position, {}, false});
  EXPECT_EQ(Refusals("ACK"), 2U);
  EXPECT_THAT(StatsOf(stream_.name()).readers, IsEmpty());
}

TEST_F(BrokerReadTest, Nack_IsCountedAndStopsDeliveryUntilSubscribe) {
  Tell(2);
  Subscribe2(1);
  Say("Site2", Nack{stream_.name(), stream_.At(2).position, ErrorCode::kDamaged, "bad"});
  Tell(2);
  EXPECT_THAT(Delivered2(), ElementsAre(2));
  EXPECT_EQ(StatsOf(stream_.name(), "Site2").nacks, 1U);
  EXPECT_EQ(Events("nack", "Site2"), 1U);
  Subscribe2(1);
  EXPECT_THAT(Delivered2(), ElementsAre(2, 2, 3, 4));
  Say("Site3", Nack{stream_.name(), stream_.At(2).position, ErrorCode::kDamaged, "bad"});
  EXPECT_EQ(Refusals("NACK"), 1U);
}

// ---- retention ----

TEST_F(BrokerReadTest, Log_IsKeptForTheSlowestReader) {
  Tell(6);
  Subscribe2(1);
  Subscribes("Site3", stream_.name(), stream_.At(1).position);
  Acks("Site2", stream_.At(6));
  Tick();
  EXPECT_EQ(First(), 2U);
  Acks("Site3", stream_.At(4));
  Tick();
  EXPECT_EQ(First(), 5U);
  // A connection that is gone changes nothing.
  Gone("Site3");
  Acks("Site2", stream_.At(6));
  Tick();
  EXPECT_EQ(First(), 5U);
  Reopen();
  Tick();
  EXPECT_EQ(First(), 5U);
}

// Registered, and has never acked: nothing that it needs is trimmed (B13).
TEST_F(BrokerReadTest, NewReader_HoldsTheLogFromItsRegistration) {
  Tell(5);
  Subscribe2(5);
  Acks("Site2", stream_.At(5));
  EXPECT_EQ(Subscribes("Site3", stream_.name(), {}), kNeedsRanges);
  Tell(5);
  Acks("Site2", stream_.At(10));
  Pass(120);
  EXPECT_EQ(First(), 6U);
  // In the middle of its full copy it asks again, with nothing held yet.
  EXPECT_EQ(Subscribes("Site3", stream_.name(), {}), kNeedsRanges);
  Gone("Site3");
  Connect("Site3");
  EXPECT_EQ(Subscribes("Site3", stream_.name(), {}), kNeedsRanges);
  Tick();
  EXPECT_EQ(First(), 6U);
  // The copy was taken as of 5.
  EXPECT_EQ(Subscribes("Site3", stream_.name(), stream_.At(5).position), kGoesOn);
  EXPECT_THAT(Delivered("Site3", stream_.name()), ElementsAre(6, 7, 8, 9, 10));
}

TEST_F(BrokerReadTest, RangeRequest_RegistersToo) {
  Tell(3);
  Subscribe2(3);
  Say("Site3", GetRange{stream_.name(), "", 1, 0, {}, 1000});
  Tell(2);
  Acks("Site2", stream_.At(5));
  Tick();
  EXPECT_EQ(First(), 4U);
}

TEST_F(BrokerReadTest, ReaderBeyondItsBytes_LosesItsHold) {
  settings_.reader_bytes_max = 40 * 1024;
  broker_->Apply(settings_);
  Tell(1);
  Subscribe2(1);
  Subscribes("Site3", stream_.name(), stream_.At(1).position);
  Gone("Site2");
  Drop("Site1");
  for (Sequence i = 2; i <= 20; ++i) {
    Tell(1, 8192);
    Acks("Site3", stream_.At(i));
  }
  Tick();
  EXPECT_TRUE(StatsOf(stream_.name(), "Site2").needs_ranges);
  EXPECT_FALSE(StatsOf(stream_.name(), "Site3").needs_ranges);
  EXPECT_EQ(StatsOf(stream_.name()).batches, 0U);
  EXPECT_EQ(Events("needs-ranges", "Site2"), 1U);
  const auto told = Last<Ack>("Site1");
  EXPECT_TRUE(told->needs_ranges);
  EXPECT_EQ(told->reader, "Site2");
  EXPECT_EQ(told->position, stream_.At(1).position);
  // It comes back, and is told so.
  Connect("Site2");
  EXPECT_EQ(Subscribe2(1), kNeedsRanges);
  // WELCOME says it as well.
  EXPECT_EQ(Subscribe2(20), kGoesOn);
  EXPECT_FALSE(StatsOf(stream_.name(), "Site2").needs_ranges);
}

// Its producer's outbox ends at 1 GiB: whatever is set, the reader loses its hold before.
TEST_F(BrokerReadTest, ReadersBytes_AreHalfOfAnOutboxAtMost) {
  EXPECT_EQ(Stats().reader_bytes_max, limits::kOutboxBytes / 2);
  settings_.reader_bytes_max = 4 * limits::kOutboxBytes;
  broker_->Apply(settings_);
  EXPECT_EQ(Stats().reader_bytes_max, limits::kOutboxBytes / 2);
  Reopen();
  EXPECT_EQ(Stats().reader_bytes_max, limits::kOutboxBytes / 2);
}

TEST_F(BrokerReadTest, ReaderBeyondItsAge_LosesItsHold) {
  settings_.reader_seconds_max = 3600;
  broker_->Apply(settings_);
  Tell(1);
  Subscribe2(1);
  Gone("Site2");
  Pass(7200);  // nothing is waiting for it: nothing ages
  Tell(1);
  Pass(3500);
  EXPECT_FALSE(StatsOf(stream_.name(), "Site2").needs_ranges);
  Pass(300);
  EXPECT_TRUE(StatsOf(stream_.name(), "Site2").needs_ranges);
  EXPECT_EQ(StatsOf(stream_.name()).batches, 0U);
}

// It lost its hold while it was slow, and went on reading: it has one again.
TEST_F(BrokerReadTest, ReaderThatComesOnAfterAll_HoldsAgain) {
  settings_.reader_bytes_max = 20 * 1024;
  broker_->Apply(settings_);
  Tell(1);
  Subscribe2(1);
  Subscribes("Site3", stream_.name(), stream_.At(1).position);
  Acks("Site3", stream_.At(1));
  Tell(10, 8192);
  settings_.reader_bytes_max = 60 * 1024;
  Tick();
  ASSERT_TRUE(StatsOf(stream_.name(), "Site2").needs_ranges);
  broker_->Apply(settings_);
  Acks("Site2", stream_.position() == stream_.At(11).position ? stream_.At(11) : stream_.At(10));
  EXPECT_FALSE(StatsOf(stream_.name(), "Site2").needs_ranges);
  EXPECT_FALSE(Last<Ack>("Site1")->needs_ranges);
  Tell(2, 8192);
  Acks("Site3", stream_.At(13));
  Tick();
  EXPECT_EQ(StatsOf(stream_.name()).batches, 2U);
}

TEST_F(BrokerReadTest, RevokedAndRemovedSites_HoldNothing) {
  Tell(1);
  Subscribe2(1);
  Subscribes("Site3", stream_.name(), stream_.At(1).position);
  Tell(3);
  Acks("Site3", stream_.At(4));
  Tick();
  EXPECT_EQ(First(), 2U);
  DropAll();
  SetState("Site2", SiteState::kRevoked);
  // Its producer need not keep anything for it either.
  ASSERT_TRUE(Last<Ack>("Site1"));
  EXPECT_EQ(Last<Ack>("Site1")->reader, "Site2");
  EXPECT_TRUE(Last<Ack>("Site1")->needs_ranges);
  EXPECT_TRUE(StatsOf(stream_.name(), "Site2").needs_ranges);
  Gone("Site1");
  const Welcome welcome = Connect("Site1");
  for (const ReaderPosition& reader : welcome.produced.at(0).readers)
    EXPECT_EQ(reader.needs_ranges, reader.site == "Site2");
  Tick();
  EXPECT_EQ(StatsOf(stream_.name()).batches, 0U);
  SetState("Site2", SiteState::kRemoved);
  EXPECT_FALSE(IsReader(stream_.name(), "Site2"));
  Reopen();
  EXPECT_FALSE(IsReader(stream_.name(), "Site2"));
}

TEST_F(BrokerReadTest, UnreadStream_IsKeptWithinTheBoundsOfOneReader) {
  settings_.reader_bytes_max = 40 * 1024;
  broker_->Apply(settings_);
  Tell(30, 8192);
  Tick();
  EXPECT_LE(StatsOf(stream_.name()).bytes, settings_.reader_bytes_max);
  EXPECT_GE(StatsOf(stream_.name()).batches, 1U);
  EXPECT_EQ(Subscribe2(29), kGoesOn);  // a reader by files comes over
}

TEST_F(BrokerReadTest, Tick_WritesNothingWhenNothingIsToDo) {
  Tell(3);
  Subscribe2(1);
  Acks("Site2", stream_.At(3));
  Tick();
  Tick();
  for (int i = 0; i < 100; ++i) {
    Pass(20);
    EXPECT_EQ(rows_, 0U);
  }
}

}  // namespace
}  // namespace dirsync
