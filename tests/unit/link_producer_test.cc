// Telling: where publishing begins, how much is under way, and what each answer changes.
#include "agent/service/capture_run.h"
#include "proto/codec/batch_codec.h"
#include "proto/codec/roster_codec.h"
#include "tests/unit/link_world.h"

namespace dirsync {
namespace {

using std::chrono::seconds;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

class LinkProducerTest : public testing::Test {
 protected:
  LinkProducerTest() { site_.Export("OUT"); }

  // Some batches that wait in the outbox; none was ever published.
  void Tell(int count) {
    for (int i = 0; i < count; ++i) {
      site_.AddMailbox("Mailbox" + std::to_string(++mailboxes_));
      site_.Pump();
    }
  }
  static std::vector<Sequence> Numbers(const std::vector<Publish>& told) {
    std::vector<Sequence> numbers;
    numbers.reserve(told.size());
    for (const Publish& publish : told) numbers.push_back(publish.position.sequence);
    return numbers;
  }
  // What it publishes to a broker that has nothing, and how the broker then answers.
  std::vector<Publish> OpenWithNothing() { return Of<Publish>(site_.Open()); }
  Welcome::Log LogAt(const Position& tail) {
    return {kTold, TestId<IncarnationId>(1), tail, 1, {}};
  }
  // Batches START, 2, 3 … up to `count`, all published and not answered.
  std::vector<Publish> UnderWay(std::size_t count) {
    std::vector<Publish> told = OpenWithNothing();
    while (told.size() < count) {
      site_.AddMailbox("Mailbox" + std::to_string(++mailboxes_));
      for (Publish& publish : Of<Publish>(site_.Pump())) told.push_back(std::move(publish));
    }
    EXPECT_THAT(told, SizeIs(count));
    return told;
  }

  LinkSite site_{"Site2"};
  int mailboxes_ = 0;
};

TEST_F(LinkProducerTest, Offline_NothingIsSaid_AndTheOutboxKeepsIt) {
  Tell(1);
  EXPECT_THAT(OpenWithNothing(), SizeIs(testing::Ge(1)));
}

TEST_F(LinkProducerTest, ABrokerWithoutALog_GetsAllFromTheFirst_WhichBeginsIt) {
  const auto told = UnderWay(3);
  EXPECT_THAT(Numbers(told), ElementsAre(1, 2, 3));
  EXPECT_TRUE(told[0].begins_log);
  EXPECT_FALSE(told[1].begins_log);
  for (std::size_t i = 1; i < told.size(); ++i)
    EXPECT_EQ(told[i].previous, told[i - 1].position.digest);
  // A log that was lost is refilled from what the outbox has.
  const auto again = OpenWithNothing();
  EXPECT_THAT(Numbers(again), ElementsAre(1, 2, 3));
  EXPECT_TRUE(again[0].begins_log);
  EXPECT_EQ(*again[2].payload, *told[2].payload);
}

TEST_F(LinkProducerTest, ALogThatWentBack_IsRefilledFromWhereItEnds) {
  const auto told = UnderWay(3);
  const auto again = Of<Publish>(site_.Open({LogAt(told[0].position)}));
  EXPECT_THAT(Numbers(again), ElementsAre(2, 3));
  EXPECT_FALSE(again[0].begins_log);
  EXPECT_THAT(Of<Publish>(site_.Open({LogAt(told[2].position)})), IsEmpty());
}

// R18, B3: another digest, or a number never told, is first looked at.
TEST_F(LinkProducerTest, ALogThatShowsWhatWasNeverTold_IsFetched_AndNothingIsPublished) {
  const auto told = UnderWay(2);
  Position ahead = told[1].position;
  ahead.sequence += 5;
  Position fork = told[1].position;
  fork.digest = TestId<Digest>(77);
  for (const Position& tail : {ahead, fork}) {
    const Messages said = site_.Open({LogAt(tail)});
    EXPECT_THAT(Of<Publish>(said), IsEmpty());
    const auto fetched = Of<Fetch>(said);
    ASSERT_THAT(fetched, SizeIs(1));
    EXPECT_EQ(fetched.front().position, tail);
  }
  // Bytes that this site never signed are no reason for a new epoch.
  SignedStream stranger(kTold, TestKey("stranger"));
  EXPECT_THAT(Of<Publish>(site_.Hear(Delivered(stranger.Next()))), IsEmpty());
  EXPECT_THAT(site_.Events(), Contains(Pair("conflict", ErrorCode::kConflict)));
}

TEST_F(LinkProducerTest, ABatchThatOnlyAnotherLifeCanHaveSigned_BeginsANewEpoch) {
  const auto told = UnderWay(2);
  SignedStream other(kTold, TestKey("Site2"), 5);
  other.Next();
  site_.Open({LogAt(other.position())});
  const auto anew = Of<Publish>(site_.Hear(Delivered(other.At(1))));
  ASSERT_FALSE(anew.empty());
  EXPECT_GT(anew.front().position.epoch.counter, told.front().position.epoch.counter);
  EXPECT_EQ(anew.front().position.sequence, 1U);
  EXPECT_THAT(site_.Events(), Contains(Pair("new-epoch", ErrorCode::kAlreadyApplied)));
}

// The server that told this stream was replaced before this store had an export of it.
TEST_F(LinkProducerTest, AStreamNobodyHasHeardFromThisStore_BeginsAboveTheLogOfAnother) {
  SignedStream lost(kTold, TestKey("the key that is gone"), 5);
  lost.Next();
  site_.AddMailbox("Mailbox1");
  const Messages said = site_.Open({LogAt(lost.position())});
  EXPECT_THAT(Of<Fetch>(said), IsEmpty());
  const auto anew = Of<Publish>(said);
  ASSERT_FALSE(anew.empty());
  EXPECT_GT(anew.front().position.epoch.counter, lost.position().epoch.counter);
  EXPECT_EQ(anew.front().position.sequence, 1U);
  // A broker that lies cannot bring the counter to its end.
  LinkSite other("Site2");
  other.Export("OUT");
  Position far = lost.position();
  far.epoch.counter = ~std::uint64_t{0};
  EXPECT_THAT(Of<Fetch>(other.Open({LogAt(far)})), SizeIs(1));
}

TEST_F(LinkProducerTest, TheWindowBoundsWhatIsUnderWay) {
  UnderWay(4);
  Welcome welcome = LinkSite::Answer(site_.Greet());
  welcome.window_bytes = 1;
  auto told = Of<Publish>(site_.Hear(welcome));
  for (Sequence next = 1; next <= 4; ++next) {
    ASSERT_THAT(Numbers(told), ElementsAre(next));
    EXPECT_THAT(Of<Publish>(site_.Pump()), IsEmpty());
    told = Of<Publish>(site_.Hear(Answered(told.front(), PublishOutcome::kStored)));
  }
  EXPECT_THAT(told, IsEmpty());
}

TEST_F(LinkProducerTest, QuotaAndReadOnly_WaitAsLongAsTheBrokerSays_ThenGoOnFromThere) {
  for (const auto& [outcome, code] : {std::pair{PublishOutcome::kQuota, ErrorCode::kQuota},
                                      std::pair{PublishOutcome::kReadOnly, ErrorCode::kReadOnly}}) {
    const auto told = UnderWay(3 + static_cast<std::size_t>(mailboxes_));
    const std::size_t from = told.size() - 2;
    for (std::size_t i = 0; i < from; ++i) site_.Hear(Answered(told[i], PublishOutcome::kStored));
    site_.Events();
    EXPECT_THAT(Of<Publish>(site_.Hear(Answered(told[from], outcome, 0, 7))), IsEmpty());
    EXPECT_THAT(site_.Events(), Contains(Pair("publish-refused", code)));
    // What was under way behind it is refused for its gap, and is no other trouble.
    EXPECT_THAT(Of<Publish>(site_.Hear(
                    Answered(told[from + 1], PublishOutcome::kGap, told[from].position.sequence))),
                IsEmpty());
    EXPECT_THAT(Of<Publish>(site_.Pump()), IsEmpty());
    EXPECT_THAT(Of<Publish>(site_.Tick(seconds(6))), IsEmpty());
    EXPECT_THAT(Numbers(Of<Publish>(site_.Tick(seconds(1)))),
                ElementsAre(told[from].position.sequence, told[from + 1].position.sequence));
  }
}

TEST_F(LinkProducerTest, Gap_GoesBackToWhatTheBrokerExpects_OnceAllIsAnswered) {
  const auto told = UnderWay(3);
  EXPECT_THAT(Of<Publish>(site_.Hear(Answered(told[0], PublishOutcome::kStored))), IsEmpty());
  EXPECT_THAT(Of<Publish>(site_.Hear(Answered(told[1], PublishOutcome::kGap, 1))), IsEmpty());
  EXPECT_THAT(Of<Publish>(site_.Pump()), IsEmpty());
  EXPECT_THAT(Numbers(Of<Publish>(site_.Hear(Answered(told[2], PublishOutcome::kGap, 2)))),
              ElementsAre(1, 2, 3))
      << "the first refusal says where";
}

TEST_F(LinkProducerTest, AnAnswerToWhatIsNotUnderWay_ChangesNothing) {
  const auto told = UnderWay(2);
  EXPECT_THAT(site_.Hear(Answered(told[1], PublishOutcome::kFenced)), IsEmpty());
  Publish other = told[0];
  ++other.position.epoch.counter;
  EXPECT_THAT(site_.Hear(Answered(other, PublishOutcome::kFenced)), IsEmpty());
  EXPECT_THAT(site_.Events(), IsEmpty());
  site_.Hear(Answered(told[0], PublishOutcome::kStored));
  site_.AddMailbox("Later");
  EXPECT_THAT(Of<Publish>(site_.Pump()), SizeIs(1));
}

TEST_F(LinkProducerTest, Fenced_EndsPublishing) {
  const auto told = UnderWay(1);
  EXPECT_THAT(Of<Publish>(site_.Hear(Answered(told[0], PublishOutcome::kFenced))), IsEmpty());
  EXPECT_THAT(site_.Events(), Contains(Pair("publish-refused", ErrorCode::kFenced)));
  site_.AddMailbox("Later");
  EXPECT_THAT(Of<Publish>(site_.Pump()), IsEmpty());
  EXPECT_THAT(Of<Publish>(site_.Tick(std::chrono::hours(1))), IsEmpty());
}

TEST_F(LinkProducerTest, Conflict_IsClearedUpByAnotherGreeting_ButNotAtOnce) {
  const auto told = UnderWay(1);
  site_.Hear(Answered(told[0], PublishOutcome::kConflict));
  EXPECT_THAT(site_.Events(), Contains(Pair("conflict", ErrorCode::kConflict)));
  EXPECT_THAT(Of<Hello>(site_.Tick()), IsEmpty());
  EXPECT_THAT(Of<Hello>(site_.Tick(seconds(10))), SizeIs(1));
}

// A disk that is short of room, an outbox that is full, an agent that ends: nothing was told, in
// memory either.
TEST_F(LinkProducerTest, ACaptureThatFails_LeavesTheStreamAsItIsStored) {
  for (const Publish& publish : UnderWay(2)) site_.Hear(Answered(publish, PublishOutcome::kStored));
  site_.AddMailbox("Late");
  site_.store().set_interrupted([] { return true; });
  EXPECT_THAT(Of<Publish>(site_.Pump()), IsEmpty());
  EXPECT_THAT(site_.Events(), Contains(Pair("export-refused", ErrorCode::kInterrupted)));
  site_.store().set_interrupted({});
  EXPECT_THAT(Numbers(Of<Publish>(site_.Pump())), ElementsAre(3));
}

class LinkOutboxTest : public LinkProducerTest {
 protected:
  // Five batches that the broker's log has.
  LinkOutboxTest() {
    told_ = UnderWay(5);
    for (const Publish& publish : told_) site_.Hear(Answered(publish, PublishOutcome::kStored));
  }
  ReaderPosition At(const std::string& site, Sequence sequence, bool needs_ranges = false) {
    return {site, told_[sequence - 1].position, needs_ranges};
  }
  void OpenWith(std::vector<ReaderPosition> readers) {
    Welcome::Log log = LogAt(told_.back().position);
    log.readers = std::move(readers);
    site_.Open({log});
  }
  Sequence Trimmed() { return LoadExport(site_.store(), SettingsOf("OUT"), false)->trimmed; }
  InstanceSettings SettingsOf(const std::string& name) {
    return *LoadInstance(site_.store().storage(), name);
  }
  void Revoke(const std::string& site) {
    RosterEntry entry = RosterEntryOf(site);
    entry.serial = 2;
    entry.state = SiteState::kRevoked;
    site_.Hear(RosterNews{{SignRosterEntry(entry, TestKey("organization"))}});
  }

  std::vector<Publish> told_;
};

TEST_F(LinkOutboxTest, WhatOneReaderHas_StaysForTheOther_AlsoAfterANewGreeting) {
  OpenWith({At("Site1", 5), At("Site3", 2)});
  EXPECT_EQ(Trimmed(), 2U);
}

// R21: one that is gone stops nobody.
TEST_F(LinkOutboxTest, NothingIsKept_ForAReaderThatLostItsHold) {
  OpenWith({At("Site1", 5), At("Site3", 1, true)});
  EXPECT_EQ(Trimmed(), 5U);
}

TEST_F(LinkOutboxTest, AReaderThatLosesItsHold_FreesWhatWasKeptForIt) {
  OpenWith({At("Site1", 5), At("Site3", 1)});
  EXPECT_EQ(Trimmed(), 1U);
  site_.Hear(Ack{kTold, "Site3", told_[0].position, {}, true});
  EXPECT_EQ(Trimmed(), 5U);
}

TEST_F(LinkOutboxTest, AReaderThatIsRevoked_FreesWhatWasKeptForIt) {
  OpenWith({At("Site1", 5), At("Site3", 1)});
  Revoke("Site3");
  EXPECT_EQ(Trimmed(), 5U);
  OpenWith({At("Site1", 5), At("Site3", 1)});
  EXPECT_EQ(Trimmed(), 5U);
}

TEST_F(LinkOutboxTest, WithoutAnyReader_WhatTheLogHasIsKeptWhileThereIsRoom) {
  OpenWith({At("Site3", 1)});
  site_.Hear(Ack{kTold, "Site3", told_[0].position, {}, true});
  EXPECT_EQ(Trimmed(), 1U);
}

// Long names are as much of a payload as attributes are.
TEST(LinkRangeSize, ARangeOfDeepAndLongNames_FitsItsPayload) {
  LinkSite site("Site2");
  site.Export("OUT", true);
  std::string folder = "Recipients";
  for (int depth = 0; depth < 6; ++depth) {
    const std::string name(150, 'f');
    site.AddContainer(name, folder);
    folder += "/cn=" + name;
  }
  for (int i = 0; i < 3200; ++i)
    site.AddMailbox("Person" + std::to_string(i) + std::string(150, 'x'), "", folder);
  site.Open();
  GetRange ask{kTold, "Site1", 1, 0, {}, limits::kRangeBytes};
  bool end = false;
  for (int ranges = 0; !end && ranges < 100; ++ranges) {
    const auto served = Of<dirsync::Range>(site.Hear(ask));
    ASSERT_THAT(served, SizeIs(1));
    ASSERT_TRUE(served[0].payload) << served[0].text;
    const auto batch = DecodeBatch(*served[0].payload, TestKey("Site2").public_key());
    ASSERT_TRUE(batch);
    end = batch->range.end;
    ask.rank = batch->range.rank_last;
    ask.after = batch->range.last;
  }
  EXPECT_TRUE(end);
}

}  // namespace
}  // namespace dirsync
