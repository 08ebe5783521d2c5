// Full copies by ranges (R2): what happens when the producer's stream moves on in their middle.
#include "agent/core/producer_state.h"
#include "agent/core/review.h"
#include "proto/codec/roster_codec.h"
#include "tests/unit/link_world.h"

namespace dirsync {
namespace {

using testing::Contains;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::SizeIs;

// Site1 takes what Site2 tells by ranges of one entry each.
class LinkCopyTest : public testing::Test {
 protected:
  LinkCopyTest() {
    producer_.Export("OUT", true);
    Keep(producer_.Open());
  }
  void Keep(const Messages& said) {
    for (const Publish& publish : Of<Publish>(said)) {
      tail_ = publish.position;
      Keep(producer_.Hear(Answered(publish, PublishOutcome::kStored)));
    }
  }
  void Tell(const std::string& name) {
    producer_.AddMailbox(name);
    Keep(producer_.Pump());
  }
  // The first question of a copy, or of one that goes on.
  GetRange Begin() {
    reader_.Open();
    reader_.Hear(Announced(kTold, tail_));
    const auto asked = Of<GetRange>(reader_.Hear(Answered(SubscribeOutcome::kNeedsRanges)));
    EXPECT_THAT(asked, SizeIs(1));
    return asked.empty() ? GetRange{} : asked.front();
  }
  // Its answer, of one entry, as the producer stands now.
  dirsync::Range Served(GetRange asked) {
    asked.bytes = 1;
    const Messages said = producer_.Hear(asked);
    Keep(said);
    const auto ranges = Of<dirsync::Range>(said);
    EXPECT_THAT(ranges, SizeIs(1));
    return ranges.empty() ? dirsync::Range{} : ranges.front();
  }
  // What it asks next, when it is given that answer; nullopt: nothing.
  std::optional<GetRange> Ask(const dirsync::Range& range) {
    Messages said = reader_.Hear(range);
    const auto asked = Of<GetRange>(said);
    EXPECT_LE(asked.size(), 1U);
    if (asked.empty()) return std::nullopt;
    return asked.front();
  }
  // Serves until nothing more is asked.
  void Finish(std::optional<GetRange> asked) {
    for (int ranges = 0; asked && ranges < 100; ++ranges) asked = Ask(Served(*asked));
    reader_.Pump();
  }
  // The producer's store is another life of it from here on.
  void BeginEpoch() {
    Welcome welcome = LinkSite::Answer(producer_.Greet());
    welcome.restored = true;
    welcome.produced = {{kTold, TestId<IncarnationId>(1), tail_, 1, {}}};
    const Epoch before = tail_.epoch;
    Keep(producer_.Hear(welcome));
    ASSERT_GT(tail_.epoch.counter, before.counter);
  }
  static bool IsFirst(const GetRange& asked) { return asked.rank == 0 && asked.after == EntryId{}; }
  // Everything is here, by one copy that has ended.
  void ExpectWhole(const std::vector<std::string>& names) {
    for (const std::string& name : names) EXPECT_TRUE(reader_.Has(name)) << name;
    const auto events = reader_.Events();
    EXPECT_THAT(events, Contains(Pair("full-copy-done", ErrorCode::kAlreadyApplied)));
    EXPECT_THAT(events, Not(Contains(Pair("held", testing::_))));
    const auto reader = reader_.Reader(kTold);
    ASSERT_TRUE(reader.has_value());
    EXPECT_FALSE(reader->full.has_value());
    EXPECT_EQ(reader->cursor.epoch, tail_.epoch);
  }

  LinkSite producer_{"Site2"};
  LinkSite reader_{"Site1"};
  Position tail_;
};

TEST_F(LinkCopyTest, RangesOfOneEpoch_MakeOneCopy_ThoughEachIsAsOfAnotherPosition) {
  for (const char* name : {"Mailbox1", "Mailbox2", "Mailbox3"}) Tell(name);
  std::optional<GetRange> asked = Ask(Served(Begin()));
  ASSERT_TRUE(asked);
  Tell("Mailbox4");
  asked = Ask(Served(*asked));
  ASSERT_TRUE(asked);
  EXPECT_FALSE(IsFirst(*asked));
  Finish(asked);
  ExpectWhole({"Mailbox1", "Mailbox2", "Mailbox3"});
}

// A container that moved between two ranges would be listed at both places, or at none.
TEST_F(LinkCopyTest, ContainersAsOfTwoPositions_BeginTheCopyAnew) {
  for (const char* name : {"Berlin", "Hamburg", "Munich"}) producer_.AddContainer(name);
  Tell("Mailbox1");
  const std::optional<GetRange> second = Ask(Served(Begin()));
  ASSERT_TRUE(second);
  Tell("Mailbox2");
  const std::optional<GetRange> third = Ask(Served(*second));
  ASSERT_TRUE(third);
  EXPECT_FALSE(IsFirst(*third)) << "it is asked for before the second is looked at";
  // Once the second is applied: the copy begins anew.
  std::vector<GetRange> anew = Of<GetRange>(reader_.Pump());
  ASSERT_THAT(anew, SizeIs(1));
  EXPECT_TRUE(IsFirst(anew.front()));
  EXPECT_THAT(Of<GetRange>(reader_.Hear(Served(*third))), IsEmpty()) << "nobody waits for it";
  Finish(anew.front());
  ExpectWhole({"Berlin", "Hamburg", "Munich", "Mailbox1", "Mailbox2"});
}

// What was listed before is of a life whose sequence means nothing in the next one.
TEST_F(LinkCopyTest, ANewEpochInItsMiddle_BeginsTheCopyAnew) {
  for (const char* name : {"Mailbox1", "Mailbox2", "Mailbox3"}) Tell(name);
  const std::optional<GetRange> second = Ask(Served(Begin()));
  ASSERT_TRUE(second);
  reader_.Pump();
  BeginEpoch();
  ASSERT_TRUE(Ask(Served(*second)));
  std::vector<GetRange> anew = Of<GetRange>(reader_.Pump());
  ASSERT_THAT(anew, SizeIs(1));
  EXPECT_TRUE(IsFirst(anew.front()));
  Finish(anew.front());
  ExpectWhole({"Mailbox1", "Mailbox2", "Mailbox3"});
}

TEST_F(LinkCopyTest, HowItEnded_CountsWhatIsApplied_AndListsTheRestApart) {
  reader_.AddMailbox("Holder", "EDK:Mailbox1@Site2.test");
  for (const char* name : {"Mailbox1", "Mailbox2", "Mailbox3"}) Tell(name);
  Finish(Ask(Served(Begin())));
  const auto reader = reader_.Reader(kTold);
  ASSERT_TRUE(reader.has_value());
  std::uint64_t rows = 0;
  for (const auto& [entry_class, count] : reader->rows) rows += count;
  ASSERT_GT(rows, 2U);
  const auto import = FindImport(reader_.store().storage(), kTold);
  ASSERT_TRUE(import && *import);
  EXPECT_EQ(reader_.link().EqualText(**import),
            std::to_string(rows - 1) + " entries equal, 1 quarantined");
  EXPECT_EQ(reader_.link().EqualText("NOBODY"), "");
}

TEST_F(LinkCopyTest, ACopyThatGoesOnAfterAStart_BeginsAnewInAnotherEpochToo) {
  for (const char* name : {"Mailbox1", "Mailbox2", "Mailbox3"}) Tell(name);
  ASSERT_TRUE(Ask(Served(Begin())));
  reader_.Pump();
  reader_.Tick(std::chrono::seconds(2));  // what was applied is committed
  ASSERT_TRUE(reader_.Reader(kTold)->full.has_value());
  reader_.link().Lost();
  BeginEpoch();
  reader_.Open();
  const auto asked = Of<GetRange>(reader_.Hear(Announced(kTold, tail_)));
  ASSERT_THAT(asked, SizeIs(1));
  EXPECT_FALSE(IsFirst(asked.front())) << "it goes on where it stood";
  ASSERT_TRUE(Ask(Served(asked.front())));
  std::vector<GetRange> anew = Of<GetRange>(reader_.Pump());
  ASSERT_THAT(anew, SizeIs(1));
  EXPECT_TRUE(IsFirst(anew.front()));
  Finish(anew.front());
  ExpectWhole({"Mailbox1", "Mailbox2", "Mailbox3"});
}

// On a slow line an answer is under way for longer than a question waits.
TEST_F(LinkCopyTest, WhatIsAskedAgain_HasItsNumber_SoThatALateAnswerIsTaken) {
  for (const char* name : {"Mailbox1", "Mailbox2"}) Tell(name);
  const GetRange first = Begin();
  const dirsync::Range late = Served(first);
  std::vector<int> waits;
  for (int seconds = 1; waits.size() < 3 && seconds < 200; ++seconds)
    for (const GetRange& again : Of<GetRange>(reader_.Tick(std::chrono::seconds(1)))) {
      EXPECT_EQ(again.request, first.request);
      waits.push_back(seconds);
    }
  ASSERT_THAT(waits, SizeIs(3));
  EXPECT_GT(waits[2] - waits[1], waits[1] - waits[0]);
  const auto next = Ask(late);
  ASSERT_TRUE(next);
  EXPECT_NE(next->request, first.request);
  Finish(next);
  ExpectWhole({"Mailbox1", "Mailbox2"});
}

// What another stream, or a file without one, brought into a container of a site that leaves keeps
// the container, and nothing else.
TEST_F(LinkCopyTest, OfASiteThatLeaves_AContainerThatIsUsedHereStays) {
  for (const char* name : {"Berlin", "Hamburg"}) producer_.AddContainer(name);
  Tell("Mailbox1");
  Finish(Begin());
  reader_.MoveInto("Berlin", "Ours");
  reader_.Events();
  RosterEntry left = RosterEntryOf("Site2");
  left.serial = 2;
  left.state = SiteState::kRemoved;
  left.contacts = ContactsAfter::kDelete;
  reader_.Hear(RosterNews{{SignRosterEntry(left, TestKey("organization"))}});
  EXPECT_THAT(reader_.Events(), Contains(Pair("site-removed", ErrorCode::kAlreadyApplied)));
  EXPECT_TRUE(reader_.Has("/o=Testorg/ou=Site1/cn=Recipients/cn=Berlin/cn=Ours"));
  EXPECT_FALSE(reader_.Has("Hamburg"));
  EXPECT_FALSE(reader_.Has("Mailbox1"));
}

// An instance that goes both ways loses what it reads, and goes on telling.
TEST_F(LinkCopyTest, OfASiteThatLeaves_TheImportEnds_AndAnExportOfTheSameNameGoesOn) {
  Tell("Mailbox1");
  Finish(Begin());
  ASSERT_TRUE(reader_.store().Write([](storage::Transaction& transaction) -> Result<> {
    DIRSYNC_TRY(settings, LoadInstance(transaction, "Site2.OUT"));
    settings.exports = true;
    StoreInstance(transaction, settings);
    return {};
  }));
  reader_.AddMailbox("Ours");
  reader_.Open();
  reader_.Pump();
  const auto number = [&](const char* series) {
    return *FindNumber(reader_.store().storage(), series + FoldName("Site2.OUT"));
  };
  ASSERT_TRUE(number("import/") && number("export/"));
  RosterEntry left = RosterEntryOf("Site2");
  left.serial = 2;
  left.state = SiteState::kRemoved;
  left.contacts = ContactsAfter::kDelete;
  reader_.Hear(RosterNews{{SignRosterEntry(left, TestKey("organization"))}});
  EXPECT_FALSE(reader_.Has("Mailbox1"));
  EXPECT_FALSE(number("import/"));
  ASSERT_TRUE(number("export/"));
  const auto settings = LoadInstance(reader_.store().storage(), "Site2.OUT");
  ASSERT_TRUE(settings.has_value());
  EXPECT_TRUE(settings->exports);
  EXPECT_FALSE(settings->imports);
  const auto state = LoadProducer(reader_.store().storage(), *number("export/"));
  ASSERT_TRUE(state.has_value() && state->has_value());
  EXPECT_GT((*state)->sequence, 0U);
}

// ---- R4

// Site1 has read three mailboxes, and lets one of them get another address a day.
class LinkSuspectTest : public LinkCopyTest {
 protected:
  LinkSuspectTest() {
    for (const char* name : kNames) Tell(name);
    Finish(Begin());
    EXPECT_TRUE(reader_.store().Write([](storage::Transaction& transaction) -> Result<> {
      DIRSYNC_TRY(settings, LoadInstance(transaction, "Site2.OUT"));
      settings.max_deletes = DeleteBudget{1, false};
      StoreInstance(transaction, settings);
      return {};
    }));
    reader_.Pump();
    for (const char* name : kNames)
      producer_.SetAddress(name, "EDK:moved." + std::string(name) + "@Site2.test");
    Keep(producer_.Pump());
    reader_.Events();
  }
  AdminRequest From(const std::string& signer) {
    AdminRequest asked;
    asked.target = "Site1";
    asked.signer = signer;
    asked.nonce = TestId<Nonce>(++nonce_);
    asked.expires = reader_.now() + std::chrono::minutes(5);
    asked.words = {"resync", "take", kTold.ToString()};
    SignRequest(asked, TestKey(signer));
    return asked;
  }
  // A copy that somebody asks for, as far as it goes.
  void Asks(const std::string& signer) { Serve(reader_.Hear(From(signer))); }
  void Serve(const Messages& said) {
    const auto asked = Of<GetRange>(said);
    if (!asked.empty()) Finish(asked.front());
  }
  void Decide(Result<> (*verdict)(ReaderState&)) {
    auto reader = reader_.Reader(kTold);
    ASSERT_TRUE(verdict(*reader));
    ASSERT_TRUE(reader_.store().Write([&](storage::Transaction& transaction) -> Result<> {
      StoreReader(transaction, *reader);
      return {};
    }));
  }
  bool IsMoved() { return reader_.Has("EDK:moved.Mailbox3@Site2.test"); }

  static constexpr const char* kNames[] = {"Mailbox1", "Mailbox2", "Mailbox3"};
  std::uint64_t nonce_ = 50;
};

TEST_F(LinkSuspectTest, ACopyThatItsSiteAskedFor_StopsForAPerson_AndGoesOnAfterAYes) {
  const Position cursor = reader_.Cursor(kTold);
  for (const char* signer : {"Site2", "Site4"}) {
    Asks(signer);
    EXPECT_FALSE(IsMoved()) << signer;
    EXPECT_TRUE(reader_.Reader(kTold)->suspect) << signer;
    EXPECT_EQ(reader_.Cursor(kTold), cursor);
    EXPECT_THAT(reader_.Events(), Contains(Pair("suspect", ErrorCode::kSuspect)));
  }
  EXPECT_EQ(reader_.link().Report().instances.at(0).problem, ErrorCode::kSuspect);
  EXPECT_THAT(Of<GetRange>(reader_.Tick(std::chrono::hours(1))), IsEmpty());
  Decide(ApproveSuspect);
  Serve(reader_.Tick(std::chrono::seconds(1)));
  EXPECT_TRUE(IsMoved());
  EXPECT_FALSE(reader_.Reader(kTold)->suspect);
}

TEST_F(LinkSuspectTest, ACopyThatAPersonHereAskedFor_Passes) {
  Asks("Site2");
  const auto said = reader_.link().TakeFull("Site2.OUT");
  ASSERT_TRUE(said);
  Serve(*said);
  EXPECT_TRUE(IsMoved());
  EXPECT_FALSE(reader_.Reader(kTold)->suspect);
}

TEST_F(LinkSuspectTest, AfterANo_ACopyIsTakenOnlyWhenSomebodyAsks) {
  Asks("Site2");
  Decide(RejectSuspect);
  EXPECT_THAT(Of<GetRange>(reader_.Tick(std::chrono::seconds(1))), IsEmpty());
  EXPECT_EQ(reader_.link().Report().instances.at(0).problem, ErrorCode::kRefused);
  EXPECT_THAT(Of<Subscribe>(reader_.Tick(std::chrono::minutes(5))), SizeIs(1))
      << "what comes in batches may go on";
  EXPECT_THAT(Of<GetRange>(reader_.Hear(Answered(SubscribeOutcome::kNeedsRanges))), IsEmpty());
  EXPECT_FALSE(reader_.Reader(kTold)->suspect) << "nobody is asked again";
  for (const char* name : kNames) producer_.SetAddress(name, "");
  Keep(producer_.Pump());
  Asks("Site2");
  EXPECT_TRUE(reader_.Reader(kTold)->rejected_run.is_zero());
  EXPECT_FALSE(IsMoved());
}

}  // namespace
}  // namespace dirsync
