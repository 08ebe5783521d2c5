// Publishing: what is taken, what is answered, and when; full logs and disks; batches given back.
#include "tests/unit/broker_world.h"

namespace dirsync {
namespace {

using enum PublishOutcome;
using testing::ElementsAre;
using testing::IsEmpty;

class BrokerPublishTest : public BrokerWorld {
 protected:
  BrokerPublishTest() {
    Add("Site1");
    Add("Site2");
    Connect("Site1");
    Connect("Site2");
  }
  SignedStream stream_ = Told("Site1");
};

TEST_F(BrokerPublishTest, AnotherSitesStream_IsUnauthorized) {
  SignedStream other = Told("Site2");
  EXPECT_EQ(Publishes("Site1", other.Next()), kUnauthorized);
  EXPECT_EQ(Publishes("Site2", other.At(1)), kStored);
  EXPECT_EQ(Publishes("Site1", other.Next()), kUnauthorized);
  EXPECT_EQ(Refusals("UNAUTHORIZED"), 2U);
  EXPECT_EQ(StatsOf(other.name()).batches, 1U);
  EXPECT_EQ(Events("refused", "Site1"), 1U);
}

TEST_F(BrokerPublishTest, SignedByAnotherSite_IsUnauthorized) {
  SignedStream forged(Stream("Site1"), TestKey("Site2"));
  EXPECT_EQ(Publishes("Site1", forged.Next()), kUnauthorized);
  EXPECT_EQ(Publishes("Site2", forged.At(1)), kUnauthorized);
  EXPECT_THAT(Stats().streams, IsEmpty());
}

TEST_F(BrokerPublishTest, BatchOfAnotherStream_IsUnauthorized) {
  SignedStream other = Told("Site1", "OTHER");
  Publish publish = other.Next();
  publish.stream = stream_.name();
  EXPECT_EQ(Publishes("Site1", publish), kUnauthorized);
}

TEST_F(BrokerPublishTest, AnotherOrganisationOrNoName_IsUnauthorized) {
  SignedStream other({"Other", "Site1", "OUT"}, TestKey("Site1"));
  EXPECT_EQ(Publishes("Site1", other.Next()), kUnauthorized);
  Publish nameless = stream_.Next();
  nameless.stream.instance.clear();
  EXPECT_EQ(Publishes("Site1", nameless), kUnauthorized);
  Publish empty = stream_.At(1);
  empty.payload = nullptr;
  EXPECT_EQ(Publishes("Site1", empty), kUnauthorized);
}

TEST_F(BrokerPublishTest, Outcomes_AreThoseOfTheLog) {
  EXPECT_EQ(Publishes("Site1", stream_.Next()), kStored);
  EXPECT_EQ(Publishes("Site1", stream_.At(1)), kDuplicate);
  stream_.Next();
  EXPECT_EQ(Publishes("Site1", stream_.Next()), kGap);
  EXPECT_EQ(Last<Published>("Site1")->expected, 2U);
  EXPECT_EQ(Publishes("Site1", stream_.At(2)), kStored);
  stream_.GoBack(1, 1);
  EXPECT_EQ(Publishes("Site1", stream_.Next()), kConflict);
  const Publish old = stream_.At(1);
  SignedStream next(stream_.name(), TestKey("Site1"), 9);
  next.NewEpoch();
  EXPECT_EQ(Publishes("Site1", next.Next()), kStored);
  EXPECT_EQ(Publishes("Site1", old), kFenced);
  const StreamStats stats = StatsOf(stream_.name());
  EXPECT_EQ(stats.received, 7U);
  EXPECT_EQ(stats.stored, 3U);
  EXPECT_EQ(stats.duplicates, 1U);
  EXPECT_THAT(stats.rejected,
              ElementsAre(std::pair(kGap, 1U), std::pair(kConflict, 1U), std::pair(kFenced, 1U)));
  // Each is told: a gap hides no conflict.
  EXPECT_EQ(Events("refused", "Site1"), 3U);
  EXPECT_EQ(Refusals("CONFLICT"), 1U);
  EXPECT_EQ(Events("new-epoch", "Site1"), 1U);
  EXPECT_EQ(Events("new-incarnation", "Site1"), 1U);
}

TEST_F(BrokerPublishTest, GapOnAnUnknownStream_MakesNoStream) {
  stream_.Next();
  EXPECT_EQ(Publishes("Site1", stream_.Next()), kGap);
  EXPECT_THAT(Stats().streams, IsEmpty());
  EXPECT_EQ(Refusals("GAP"), 1U);
}

TEST_F(BrokerPublishTest, StreamsOfASite_AreBounded) {
  for (std::size_t i = 0; i < limits::kStreamsPerSite; ++i) {
    SignedStream stream = Told("Site1", "OUT" + std::to_string(i));
    ASSERT_EQ(Publishes("Site1", stream.Next()), kStored);
  }
  EXPECT_EQ(Publishes("Site1", stream_.Next()), kUnauthorized);
  SignedStream other = Told("Site2");
  EXPECT_EQ(Publishes("Site2", other.Next()), kStored);
}

TEST_F(BrokerPublishTest, Answers_ComeInTheOrderOfTheBatches) {
  for (int i = 0; i < 5; ++i) stream_.Next();
  Run([&](auto& transaction, auto& out) -> Result<> {
    for (Sequence i = 1; i <= 5; ++i)
      DIRSYNC_CHECK(broker_->Handle(
          transaction, {sites_.at("Site1").session, TransportOf("Site1"), stream_.At(i)}, now_,
          out));
    return {};
  });
  std::vector<Sequence> answered;
  for (const Published& answer : All<Published>("Site1"))
    answered.push_back(answer.position.sequence);
  EXPECT_THAT(answered, ElementsAre(1, 2, 3, 4, 5));
}

// ---- committed, then sent (B6) ----

TEST_F(BrokerPublishTest, DyingBeforeTheCommit_NothingWasSaid) {
  const Publish& first = stream_.Next();
  {
    storage::Transaction transaction(storage_);
    std::vector<Outgoing> out;
    ASSERT_TRUE(broker_->Handle(
        transaction, {sites_.at("Site1").session, TransportOf("Site1"), first}, now_, out));
    // The answer is there, and the row is not: whoever sends it now tells a lie.
    EXPECT_EQ(std::get<Published>(out.at(0).message).outcome, kStored);
    EXPECT_GT(transaction.rows(), 0U);
  }
  Reopen();
  Connect("Site1");
  EXPECT_EQ(Publishes("Site1", first), kStored);
}

TEST_F(BrokerPublishTest, DyingBetweenCommitAndSync_NothingSaidIsLost) {
  ASSERT_EQ(Publishes("Site1", stream_.Next()), kStored);
  {
    storage::Transaction transaction(storage_);
    std::vector<Outgoing> out;
    ASSERT_TRUE(broker_->Handle(transaction,
                                {sites_.at("Site1").session, TransportOf("Site1"), stream_.Next()},
                                now_, out));
    ASSERT_TRUE(storage_.Commit(transaction.Take()));
  }
  PowerCut();
  const Welcome welcome = Connect("Site1");
  EXPECT_EQ(welcome.produced.at(0).tail, stream_.At(1).position);
  EXPECT_EQ(Publishes("Site1", stream_.At(2)), kStored);
}

// What the view does not have is not delivered, though memory has it.
TEST_F(BrokerPublishTest, Pump_SendsOnlyWhatItsViewHas) {
  ASSERT_EQ(Publishes("Site1", stream_.Next()), kStored);
  Subscribes("Site2", stream_.name(), stream_.At(1).position);
  const auto view = storage_.Snapshot();
  pumping_ = false;
  Say("Site1", stream_.Next());
  std::vector<Outgoing> out;
  ASSERT_TRUE(broker_->Pump(*view, now_, 1 << 20, out));
  EXPECT_THAT(out, IsEmpty());
  ASSERT_TRUE(broker_->Pump(storage_, now_, 1 << 20, out));
  ASSERT_EQ(out.size(), 1U);
  // Stored once, and never copied on its way to the readers.
  EXPECT_EQ(std::get<Deliver>(out[0].message).payload.get(), stream_.At(2).payload.get());
}

TEST_F(BrokerPublishTest, MustSync_WhateverWasPromised) {
  for (const Message& message :
       std::vector<Message>{Hello{}, Publish{}, Subscribe{}, Unsubscribe{}, GetRange{}})
    EXPECT_TRUE(MustSync(message)) << MessageName(message);
  for (const Message& message :
       std::vector<Message>{Ack{}, Credit{}, Ping{}, Nack{}, AgentReport{}, dirsync::Range{}})
    EXPECT_FALSE(MustSync(message)) << MessageName(message);
}

// Everything said to be stored is there after any number of restarts at any point.
TEST_F(BrokerPublishTest, RestartAnywhere_LosesNothingStored) {
  Sequence stored = 0;
  for (int round = 0; round < 30; ++round) {
    stream_.Next();
    switch (round % 3) {
      case 0:
        Reopen();
        break;
      case 1:
        PowerCut();
        break;
      default:
        break;
    }
    if (sites_.at("Site1").session == 0) {
      const Welcome welcome = Connect("Site1");
      EXPECT_FALSE(welcome.restored);
      if (stored > 0) {
        EXPECT_EQ(welcome.produced.at(0).tail, stream_.At(stored).position);
      }
    }
    ASSERT_EQ(Publishes("Site1", stream_.At(stored + 1)), kStored);
    ++stored;
    Tick();
  }
  Connect("Site2");
  ASSERT_EQ(Subscribes("Site2", stream_.name(), stream_.At(1).position), SubscribeOutcome::kGoesOn);
  EXPECT_EQ(Delivered("Site2", stream_.name()).size(), stored - 1);
}

// ---- full ----

TEST_F(BrokerPublishTest, ReadOnly_RefusesBatchesAndTakesAcks) {
  Publishes("Site1", stream_.Next());
  Publishes("Site1", stream_.Next());
  Subscribes("Site2", stream_.name(), stream_.At(1).position);
  broker_->SetReadOnly(true, "the disk is nearly full");
  EXPECT_EQ(Publishes("Site1", stream_.Next()), kReadOnly);
  EXPECT_GT(Last<Published>("Site1")->retry_seconds, 0U);
  EXPECT_EQ(Publishes("Site1", stream_.At(2)), kDuplicate);
  Acks("Site2", stream_.At(2));
  Tick();
  EXPECT_EQ(StatsOf(stream_.name()).batches, 0U);
  EXPECT_TRUE(Stats().read_only);
  EXPECT_EQ(Stats().read_only_reason, "the disk is nearly full");
  broker_->SetReadOnly(false, "");
  EXPECT_EQ(Publishes("Site1", stream_.At(3)), kStored);
}

class FullLogTest : public BrokerPublishTest {
 protected:
  static constexpr std::size_t kBatch = 16 * limits::kKiB;
  FullLogTest() {
    Add("Site3");
    Connect("Site3");
    settings_.log_bytes_max = limits::kSiteShare * 10 * kBatch;
    broker_->Apply(settings_);
    Publishes("Site1", stream_.Next());
    Subscribes("Site2", stream_.name(), stream_.At(1).position);
    Subscribes("Site3", stream_.name(), stream_.At(1).position);
  }
  // Until it is full; the outcome then.
  PublishOutcome Fill() {
    for (int i = 0; i < 40; ++i) {
      const PublishOutcome outcome = Publishes("Site1", Waiting());
      if (outcome != kStored) return outcome;
      ++stored_;
    }
    return kStored;
  }
  const Publish& Waiting() {
    if (stream_.position().sequence == stored_) return stream_.Next(kBatch);
    return stream_.At(stored_ + 1);
  }
  void Wait(std::int64_t minutes, const std::string& reader) {
    for (std::int64_t minute = 0; minute < minutes; ++minute) {
      for (const char* site : {"Site1", "Site2", "Site3"})
        if (sites_.at(site).session != 0) Say(site, Ping{true});
      if (!reader.empty()) Acks(reader, stream_.At(std::min<Sequence>(stored_, acked_ + 1)));
      acked_ = std::min<Sequence>(stored_, acked_ + 1);
      for (int i = 0; i < 3; ++i) {
        for (const char* site : {"Site1", "Site2", "Site3"})
          if (sites_.at(site).session != 0) Say(site, Ping{true});
        Tick(20);
      }
    }
  }
  Sequence stored_ = 1;
  Sequence acked_ = 1;
};

TEST_F(FullLogTest, HealthyReaders_MakeTheProducerWait) {
  EXPECT_EQ(Fill(), kQuota);
  EXPECT_GT(Last<Published>("Site1")->retry_seconds, 0U);
  EXPECT_EQ(Refusals("QUOTA"), 1U);
  EXPECT_EQ(Publishes("Site1", stream_.At(stored_)), kDuplicate);
  // Nobody lost a hold.
  EXPECT_FALSE(StatsOf(stream_.name(), "Site2").needs_ranges);
  EXPECT_FALSE(StatsOf(stream_.name(), "Site3").needs_ranges);
  for (const char* site : {"Site2", "Site3"}) Acks(site, stream_.At(stored_));
  Tick();
  EXPECT_EQ(Publishes("Site1", Waiting()), kStored);
}

TEST_F(FullLogTest, OneDeadSite_NeverStopsTheOthers) {
  ASSERT_EQ(Fill(), kQuota);
  Gone("Site3");
  Acks("Site2", stream_.At(stored_));
  Wait(11, "Site2");
  EXPECT_EQ(Publishes("Site1", Waiting()), kStored);
  EXPECT_TRUE(StatsOf(stream_.name(), "Site3").needs_ranges);
  EXPECT_FALSE(StatsOf(stream_.name(), "Site2").needs_ranges);
  EXPECT_EQ(Events("needs-ranges", "Site3"), 1U);
}

TEST_F(FullLogTest, ReaderThatComesOn_KeepsItsHold) {
  ASSERT_EQ(Fill(), kQuota);
  Wait(30, "Site2");  // a batch a minute; Site3 does nothing
  EXPECT_FALSE(StatsOf(stream_.name(), "Site2").needs_ranges);
  EXPECT_TRUE(StatsOf(stream_.name(), "Site3").needs_ranges);
}

TEST_F(FullLogTest, WhatNobodyReads_GoesFirst) {
  SignedStream unread = Told("Site1", "UNREAD");
  for (int i = 0; i < 5; ++i) ASSERT_EQ(Publishes("Site1", unread.Next(kBatch)), kStored);
  EXPECT_EQ(Fill(), kQuota);
  EXPECT_EQ(StatsOf(unread.name()).bytes, 0U);
  EXPECT_GE(StatsOf(stream_.name()).bytes, settings_.log_bytes_max / limits::kSiteShare);
  EXPECT_EQ(Publishes("Site1", unread.At(5)), kDuplicate);
}

TEST_F(FullLogTest, OneSite_FillsItsShareOnly) {
  ASSERT_EQ(Fill(), kQuota);
  SignedStream other = Told("Site2");
  EXPECT_EQ(Publishes("Site2", other.Next()), kStored);
  EXPECT_LT(Stats().log_bytes, settings_.log_bytes_max / 2);
  EXPECT_EQ(Publishes("Site1", Waiting()), kQuota);
  SignedStream second = Told("Site1", "SECOND");
  EXPECT_EQ(Publishes("Site1", second.Next()), kQuota);
}

// The logs of four sites fill it: those that nobody reads give room to who is none of them.
TEST_F(FullLogTest, WholeLog_GivesUpWhatNobodyReads) {
  std::vector<StreamName> unread;
  for (const char* site : {"Site4", "Site5", "Site6", "Site7"}) {
    Add(site);
    Connect(site);
    SignedStream stream = Told(site);
    do {
      ASSERT_EQ(Publishes(site, stream.Next(kBatch)), kStored);
    } while (StatsOf(stream.name()).bytes < settings_.log_bytes_max / limits::kSiteShare);
    unread.push_back(stream.name());
  }
  ASSERT_GE(Stats().log_bytes, settings_.log_bytes_max);
  EXPECT_EQ(Publishes("Site1", Waiting()), kStored);
  for (const StreamName& stream : unread) EXPECT_EQ(StatsOf(stream).bytes, 0U);
}

// They refuse what they are sent, and ask for it again every five minutes.
TEST_F(FullLogTest, ReadersThatOnlyAskAgain_AreNotWaitedFor) {
  ASSERT_EQ(Fill(), kQuota);
  for (int i = 0; i < 3; ++i) {
    for (const char* site : {"Site2", "Site3"})
      Subscribes(site, stream_.name(), stream_.At(1).position);
    Wait(5, "");
  }
  EXPECT_EQ(Publishes("Site1", Waiting()), kStored);
  EXPECT_TRUE(StatsOf(stream_.name(), "Site2").needs_ranges);
}

// ---- fetching back ----

TEST_F(BrokerPublishTest, Fetch_GivesOwnBatchesOnly) {
  Publishes("Site1", stream_.Next());
  Publishes("Site1", stream_.Next());
  Say("Site1", Fetch{stream_.name(), stream_.At(1).position});
  ASSERT_TRUE(Last<Deliver>("Site1"));
  EXPECT_EQ(*Last<Deliver>("Site1")->payload, *stream_.At(1).payload);
  Say("Site2", Fetch{stream_.name(), stream_.At(1).position});
  EXPECT_FALSE(Last<Deliver>("Site2"));
  EXPECT_EQ(Last<Nack>("Site2")->code, ErrorCode::kNotFound);
  EXPECT_EQ(Refusals("FETCH"), 1U);
  Say("Site1", Fetch{stream_.name(), {stream_.position().epoch, 9, {}}});
  EXPECT_EQ(Last<Nack>("Site1")->code, ErrorCode::kNotFound);
  Say("Site1", Fetch{Stream("Site1", "NONE"), {}});
  EXPECT_EQ(All<Nack>("Site1").size(), 2U);
}

// A producer whose store was put back finds its proof, whatever the readers have acked.
TEST_F(BrokerPublishTest, Fetch_TheLastBatchIsAlwaysThere) {
  Publishes("Site1", stream_.Next());
  Publishes("Site1", stream_.Next());
  Subscribes("Site2", stream_.name(), stream_.At(2).position);
  Tick();
  Tick();
  ASSERT_EQ(StatsOf(stream_.name()).batches, 0U);
  Say("Site1", Fetch{stream_.name(), stream_.At(2).position});
  ASSERT_TRUE(Last<Deliver>("Site1"));
  EXPECT_EQ(DigestOf(*Last<Deliver>("Site1")->payload), stream_.At(2).position.digest);
}

// ---- peers that take nothing ----

class StuckPeerTest : public BrokerPublishTest {
 protected:
  static constexpr std::size_t kBatch = 60 * limits::kKiB;
  // With batches that are large to fetch, or to be sent.
  StuckPeerTest() {
    for (int i = 0; i < 3; ++i) Publishes("Site1", stream_.Next(kBatch));
    DropAll();
  }
  void Stick(const std::string& site) { stuck_.insert(sites_.at(site).session); }
  void Free(const std::string& site) { stuck_.erase(sites_.at(site).session); }
  std::uint64_t Heard(const std::string& site) {
    std::uint64_t bytes = 0;
    for (const Deliver& deliver : All<Deliver>(site)) bytes += deliver.payload->size();
    for (const dirsync::Range& range : All<dirsync::Range>(site))
      bytes += range.payload ? range.payload->size() : 0;
    return bytes;
  }
  // Asks for so much that its own queue is full.
  void Fill(const std::string& site) {
    Stick(site);
    for (int i = 0; i < 3000 && !broker_->IsHeldUp(); ++i)
      Say(site, Fetch{stream_.name(), stream_.At(2).position});
    EXPECT_TRUE(broker_->IsHeldUp());
  }
};

TEST_F(StuckPeerTest, Fetches_WaitForRoomAndAreAnsweredThen) {
  Fill("Site1");
  for (int i = 0; i < 1000; ++i) Say("Site1", Fetch{stream_.name(), stream_.At(2).position});
  EXPECT_LE(Heard("Site1"), limits::kPeerBytes);
  Say("Site1", Fetch{stream_.name(), stream_.At(3).position});
  Drop("Site1");
  Free("Site1");
  Pump();
  // The last of each stream.
  ASSERT_EQ(All<Deliver>("Site1").size(), 1U);
  EXPECT_EQ(Last<Deliver>("Site1")->position, stream_.At(3).position);
  EXPECT_FALSE(broker_->IsHeldUp());
}

TEST_F(StuckPeerTest, Deliveries_WaitForRoomWhateverTheCredit) {
  for (int i = 0; i < 100; ++i) Publishes("Site1", stream_.Next(kBatch));
  Stick("Site2");
  for (int i = 0; i < 40; ++i) {
    Subscribes("Site2", stream_.name(), stream_.At(1).position);
    Say("Site2", Credit{limits::kCreditBytes});
  }
  EXPECT_LE(Heard("Site2"), limits::kPeerBytes);
  EXPECT_TRUE(broker_->IsHeldUp());
  Drop("Site2");
  Free("Site2");
  Subscribes("Site2", stream_.name(), stream_.At(1).position);
  for (int i = 0; i < 20; ++i) Say("Site2", Credit{limits::kCreditBytes});
  EXPECT_EQ(Delivered("Site2", stream_.name()).back(), stream_.position().sequence);
}

TEST_F(StuckPeerTest, RelayedMessages_AreRefusedToWhoAsks) {
  Subscribes("Site2", stream_.name(), stream_.position());
  Say("Site2", GetRange{stream_.name(), "", 1, 0, {}, 1000});
  ASSERT_EQ(All<GetRange>("Site1").size(), 1U);
  Fill("Site1");
  DropAll();
  AdminRequest request;
  request.target = "Site1";
  request.signer = "Site2";
  request.expires = now_ + std::chrono::minutes(5);
  Say("Site2", request);
  EXPECT_EQ(Last<AdminReply>("Site2")->code, ErrorCode::kBusy);
  Say("Site1", dirsync::Range{stream_.name(), "Site2", 1, ErrorCode::kAlreadyApplied, "", nullptr});
  Say("Site2", GetRange{stream_.name(), "", 2, 0, {}, 1000});
  EXPECT_EQ(Last<dirsync::Range>("Site2")->code, ErrorCode::kBusy);
  Say("Site2", Ack{stream_.name(), "", stream_.position(), {TestId<EntryId>(1)}, false});
  EXPECT_TRUE(heard_[sites_.at("Site1").session].empty());
  EXPECT_EQ(Ended("Site1"), ErrorCode::kAlreadyApplied);
  EXPECT_EQ(Ended("Site2"), ErrorCode::kAlreadyApplied);
  // The position that it could not be told is told once there is room.
  Free("Site1");
  Tick();
  Tick();
  ASSERT_TRUE(Last<Ack>("Site1"));
  EXPECT_EQ(Last<Ack>("Site1")->position, stream_.position());
}

TEST_F(StuckPeerTest, Ranges_ForWhoTakesNothingAreLeftOut) {
  Stick("Site2");
  std::uint64_t busy = 0;
  for (std::uint64_t i = 1; i <= 2000; ++i) {
    Say("Site2", GetRange{stream_.name(), "", i, 0, {}, 1000});
    Say("Site1", dirsync::Range{stream_.name(), "Site2", i, ErrorCode::kAlreadyApplied, "",
                                stream_.At(2).payload});
    busy += Last<dirsync::Range>("Site2")->code == ErrorCode::kBusy ? 1 : 0;
  }
  EXPECT_LE(Heard("Site2"), limits::kPeerBytes);
  EXPECT_GT(busy, 1000U);
}

TEST_F(StuckPeerTest, GreetingsWithoutEnd_EndTheSession) {
  Fill("Site1");
  Say("Site1", HelloOf("Site1"));
  EXPECT_EQ(Ended("Site1"), ErrorCode::kBusy);
}

}  // namespace
}  // namespace dirsync
