// A site's limits here, as its streams meet them: what waits, for how long, and what is said.
#include "agent/core/site_policy.h"
#include "tests/unit/link_world.h"

namespace dirsync {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;
using testing::SizeIs;

// Site1 reads what Site2 tells, a mailbox a batch.
class LinkPolicyTest : public testing::Test {
 protected:
  LinkPolicyTest() {
    producer_.Export("OUT");
    Keep(producer_.Open());
    reader_.Open();
  }
  void Keep(const Messages& said) {
    for (const Publish& publish : Of<Publish>(said)) {
      told_.push_back(publish);
      Keep(producer_.Hear(Answered(publish, PublishOutcome::kStored)));
    }
  }
  const Publish& Tell(const std::string& name) {
    producer_.AddMailbox(name);
    Keep(producer_.Pump());
    return told_.back();
  }
  void Limit(std::optional<std::uint64_t> objects, std::optional<std::uint64_t> changes,
             std::optional<AttributeList> attributes = {}) {
    const auto set = reader_.store().Write([&](storage::Transaction& transaction) -> Result<> {
      StorePolicy(transaction, {"Site2", objects, changes, attributes});
      return {};
    });
    ASSERT_TRUE(set);
  }
  void CatchUp() {
    reader_.Hear(Announced(kTold, told_.back().position));
    GoOn();
    reader_.Events();
  }
  // The broker takes up where it was asked to, with all that was told.
  void GoOn() {
    reader_.Hear(Answered(SubscribeOutcome::kGoesOn));
    for (const Publish& publish : told_) reader_.Hear(Delivered(publish));
  }
  InstanceReport Report() { return reader_.link().Report().instances.at(0); }
  // Serves a copy until nothing more is asked.
  void Serve(Messages said) {
    for (std::vector<GetRange> asked = Of<GetRange>(said); !asked.empty();
         asked = Of<GetRange>(said)) {
      GetRange range = asked.front();
      range.bytes = 1;
      const auto served = Of<dirsync::Range>(producer_.Hear(range));
      ASSERT_THAT(served, SizeIs(1));
      said = reader_.Hear(served.front());
      const Messages more = reader_.Pump();
      said.insert(said.end(), more.begin(), more.end());
    }
  }

  LinkSite producer_{"Site2"};
  LinkSite reader_{"Site1"};
  std::vector<Publish> told_;
};

TEST_F(LinkPolicyTest, OverTheObjects_TheStreamWaits_AndAPersonIsTold) {
  Tell("Mailbox1");
  CatchUp();
  Limit(1, {});
  const Position cursor = reader_.Cursor(kTold);
  const Publish over = Tell("Mailbox2");
  const auto refused = Of<Nack>(reader_.Hear(Delivered(over)));
  ASSERT_THAT(refused, SizeIs(1));
  EXPECT_EQ(refused.front().code, ErrorCode::kOverLimit);
  EXPECT_THAT(refused.front().text, HasSubstr("dirsync sites policy Site2 --max-objects 2"));
  EXPECT_THAT(reader_.Events(), Contains(Pair("stopped", ErrorCode::kOverLimit)));
  EXPECT_EQ(reader_.Cursor(kTold), cursor);
  EXPECT_FALSE(reader_.Has("Mailbox2"));
  EXPECT_EQ(Report().problem, ErrorCode::kOverLimit);
  EXPECT_THAT(Report().problem_text, HasSubstr("1 object here and would have 2 objects"));
}

TEST_F(LinkPolicyTest, OverTheObjects_ItIsTriedNowAndThen_AndToldOnce) {
  Tell("Mailbox1");
  CatchUp();
  Limit(1, {});
  reader_.Hear(Delivered(Tell("Mailbox2")));
  reader_.Events();
  EXPECT_THAT(Of<Subscribe>(reader_.Tick(minutes(4))), IsEmpty());
  EXPECT_THAT(Of<Subscribe>(reader_.Tick(minutes(1))), SizeIs(1));
  reader_.Hear(Answered(SubscribeOutcome::kGoesOn));
  const Messages said = reader_.Hear(Delivered(told_.back()));
  EXPECT_THAT(Of<Nack>(said), IsEmpty());
  EXPECT_THAT(Of<Unsubscribe>(said), SizeIs(1)) << "else the broker would send all the rest";
  EXPECT_THAT(reader_.Events(), IsEmpty());
  EXPECT_EQ(Report().problem, ErrorCode::kOverLimit);
}

TEST_F(LinkPolicyTest, OnceTheLimitIsRaised_ItGoesOnAtOnce) {
  Tell("Mailbox1");
  CatchUp();
  Limit(1, {});
  reader_.Hear(Delivered(Tell("Mailbox2")));
  EXPECT_THAT(Of<Subscribe>(reader_.Pump()), IsEmpty());
  Limit(2, {});
  EXPECT_THAT(Of<Subscribe>(reader_.Pump()), SizeIs(1));
  GoOn();
  EXPECT_TRUE(reader_.Has("Mailbox2"));
  EXPECT_EQ(Report().problem, ErrorCode::kAlreadyApplied);
}

TEST_F(LinkPolicyTest, OverTheRate_ItWaitsForItsTime_AndGoesOnByItself) {
  Tell("Mailbox1");
  CatchUp();
  Limit({}, 2);
  reader_.Hear(Delivered(Tell("Mailbox2")));
  const Messages said = reader_.Hear(Delivered(Tell("Mailbox3")));
  ASSERT_THAT(Of<Nack>(said), SizeIs(1));
  EXPECT_THAT(Of<Nack>(said).front().text, HasSubstr("goes on by itself at"));
  const Instant stopped = reader_.now();
  bool asked = false;
  while (!asked && reader_.now() < stopped + std::chrono::hours(2))
    asked = !Of<Subscribe>(reader_.Tick(seconds(10))).empty();
  ASSERT_TRUE(asked);
  EXPECT_GT(reader_.now(), stopped + minutes(5)) << "not as what nobody knows the time of";
  GoOn();
  EXPECT_TRUE(reader_.Has("Mailbox3"));
}

// The record of such an hour is on the reader's side: another connection does not begin it anew.
TEST_F(LinkPolicyTest, AnotherConnection_DoesNotBeginTheHourAnew) {
  Tell("Mailbox1");
  CatchUp();
  Limit({}, 1);
  reader_.Hear(Delivered(Tell("Mailbox2")));
  reader_.link().Lost();
  reader_.Open();
  reader_.Hear(Announced(kTold, told_.back().position));
  GoOn();
  EXPECT_FALSE(reader_.Has("Mailbox2"));
}

// ---- copies

class LinkPolicyCopyTest : public LinkPolicyTest {
 protected:
  LinkPolicyCopyTest() {
    for (const char* name : {"Mailbox1", "Mailbox2", "Mailbox3", "Mailbox4"}) Tell(name);
    reader_.Hear(Announced(kTold, told_.back().position));
  }
  Messages NeedsRanges() { return reader_.Hear(Answered(SubscribeOutcome::kNeedsRanges)); }
};

TEST_F(LinkPolicyCopyTest, ARangeOverTheObjects_IsNotApplied_AndTheCopyGoesOnWhereItStood) {
  Limit(2, {});
  Serve(NeedsRanges());
  EXPECT_TRUE(reader_.Has("Mailbox2"));
  EXPECT_FALSE(reader_.Has("Mailbox3"));
  EXPECT_EQ(Report().problem, ErrorCode::kOverLimit);
  EXPECT_EQ(reader_.Cursor(kTold), Position{});
  EXPECT_THAT(Of<GetRange>(reader_.Tick(minutes(4))), IsEmpty()) << "it waits";
  Limit(4, {});
  const Messages said = reader_.Pump();
  ASSERT_THAT(Of<GetRange>(said), SizeIs(1));
  EXPECT_NE(Of<GetRange>(said).front().after, EntryId{});
  Serve(said);
  EXPECT_TRUE(reader_.Has("Mailbox4"));
  EXPECT_EQ(reader_.Cursor(kTold), told_.back().position);
  EXPECT_EQ(Report().problem, ErrorCode::kAlreadyApplied);
}

TEST_F(LinkPolicyCopyTest, ACopyThatTheLinkBegan_CountsWhatItChanges) {
  Limit({}, 2);
  Serve(NeedsRanges());
  EXPECT_TRUE(reader_.Has("Mailbox2"));
  EXPECT_FALSE(reader_.Has("Mailbox3"));
  EXPECT_THAT(Report().problem_text, HasSubstr("goes on by itself at"));
}

TEST_F(LinkPolicyCopyTest, ACopyThatAPersonHereAskedFor_IsFreeOfTheRate_NotOfTheObjects) {
  Limit(3, 1);
  const auto said = reader_.link().TakeFull("Site2.OUT");
  ASSERT_TRUE(said);
  Serve(*said);
  EXPECT_TRUE(reader_.Has("Mailbox3"));
  EXPECT_FALSE(reader_.Has("Mailbox4"));
  EXPECT_THAT(Report().problem_text, HasSubstr("--max-objects 4"));
}

// Else it could tell as much as it likes, a copy at a time.
TEST_F(LinkPolicyCopyTest, ACopyThatTheSiteItselfAskedFor_IsNotFree_OneOfAnAdminIs) {
  const auto request = [&](const std::string& signer) {
    AdminRequest asked;
    asked.target = "Site1";
    asked.signer = signer;
    asked.nonce = TestId<Nonce>(signer == "Site2" ? 41 : 42);
    asked.expires = reader_.now() + minutes(5);
    asked.words = {"resync", "take", kTold.ToString()};
    SignRequest(asked, TestKey(signer));
    return asked;
  };
  Limit({}, 1);
  Serve(reader_.Hear(request("Site2")));
  EXPECT_TRUE(reader_.Has("Mailbox1"));
  EXPECT_FALSE(reader_.Has("Mailbox2"));
  Serve(reader_.Hear(request("Site4")));
  EXPECT_TRUE(reader_.Has("Mailbox4"));
}

// ---- attributes

TEST_F(LinkPolicyTest, AnotherListOfAttributes_HasTheStreamsOfTheSiteTakenWhole_Once) {
  Tell("Mailbox1");
  CatchUp();
  Limit({}, {}, AttributeList{"Title"});
  const Messages said = reader_.Pump();
  ASSERT_THAT(Of<GetRange>(said), SizeIs(1));
  EXPECT_THAT(reader_.Events(), Contains(Pair("policy", ErrorCode::kAlreadyApplied)));
  Serve(said);
  EXPECT_EQ(reader_.Reader(kTold)->taken, AttributeList{"Title"});
  EXPECT_THAT(Of<GetRange>(reader_.Hear(Answered(SubscribeOutcome::kGoesOn))), IsEmpty());
  EXPECT_THAT(Of<GetRange>(reader_.Pump()), IsEmpty());
}

TEST_F(LinkPolicyTest, AListThatChangedWhileNobodyWasConnected_IsSeenWhenTheStreamGoesOn) {
  Tell("Mailbox1");
  CatchUp();
  reader_.link().Lost();
  Limit({}, 1, AttributeList{});
  reader_.Open();
  reader_.Hear(Announced(kTold, told_.back().position));
  const Messages said = reader_.Hear(Answered(SubscribeOutcome::kGoesOn));
  ASSERT_THAT(Of<GetRange>(said), SizeIs(1));
  Serve(said);
  EXPECT_EQ(reader_.Reader(kTold)->taken, AttributeList{}) << "free of the rate: asked for here";
}

TEST_F(LinkPolicyTest, AFirstCopy_NeedsNoSecondOneForTheList) {
  Tell("Mailbox1");
  Limit({}, {}, AttributeList{"Title"});
  reader_.Hear(Announced(kTold, told_.back().position));
  Serve(reader_.Hear(Answered(SubscribeOutcome::kNeedsRanges)));
  EXPECT_TRUE(reader_.Has("Mailbox1"));
  EXPECT_THAT(Of<GetRange>(reader_.Hear(Answered(SubscribeOutcome::kGoesOn))), IsEmpty());
}

TEST_F(LinkPolicyTest, NearTheObjects_IsToldOnce) {
  Tell("Mailbox1");
  CatchUp();
  Limit(5, {});
  for (const char* name : {"Mailbox2", "Mailbox3"}) reader_.Hear(Delivered(Tell(name)));
  EXPECT_THAT(reader_.Events(), Not(Contains(Pair("nearly-full", testing::_))));
  reader_.Hear(Delivered(Tell("Mailbox4")));
  EXPECT_THAT(reader_.Events(), Contains(Pair("nearly-full", ErrorCode::kOverLimit)));
  reader_.Hear(Delivered(Tell("Mailbox5")));
  EXPECT_THAT(reader_.Events(), Not(Contains(Pair("nearly-full", testing::_))));
}

}  // namespace
}  // namespace dirsync
