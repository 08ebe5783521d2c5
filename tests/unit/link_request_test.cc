// Signed requests between agents: who may ask for what, until when, and how often (R6).
#include "tests/unit/link_world.h"

namespace dirsync {
namespace {

using testing::Contains;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

// Site1 reads a stream of Site2, and is asked to take it whole.
class LinkRequestTest : public testing::Test {
 protected:
  LinkRequestTest() {
    site_.Open();
    site_.Hear(Announced(kTold));
    site_.Hear(Answered(SubscribeOutcome::kGoesOn));
    site_.Events();
  }
  AdminRequest From(const std::string& signer) {
    AdminRequest request;
    request.target = "Site1";
    request.signer = signer;
    request.nonce = TestId<Nonce>(++nonce_);
    request.expires = site_.now() + std::chrono::minutes(5);
    request.words = {"resync", "take", kTold.ToString()};
    return request;
  }
  Messages Ask(AdminRequest request) {
    SignRequest(request, TestKey(request.signer));
    return site_.Hear(request);
  }
  // That it was refused for `code`, to whom, and that nothing was begun.
  void ExpectRefused(const Messages& said, ErrorCode code) {
    EXPECT_THAT(Of<GetRange>(said), IsEmpty());
    const auto replies = Of<AdminReply>(said);
    ASSERT_THAT(replies, SizeIs(1));
    EXPECT_TRUE(replies.front().done);
    EXPECT_EQ(replies.front().code, code) << replies.front().text;
    EXPECT_FALSE(site_.Reader(kTold)->full.has_value());
  }

  LinkSite site_{"Site1"};
  std::uint64_t nonce_ = 0;
};

TEST_F(LinkRequestTest, ItsOwnSiteAndAdmins_MayAskForAStreamToBeTakenWhole) {
  EXPECT_THAT(Of<GetRange>(Ask(From("Site2"))), SizeIs(1));
  EXPECT_THAT(site_.Events(), Contains(Pair("resync", ErrorCode::kAlreadyApplied)));
  LinkSite other("Site1");
  other.Open();
  other.Hear(Announced(kTold));
  AdminRequest request = From("Site4");
  SignRequest(request, TestKey("Site4"));
  EXPECT_THAT(Of<GetRange>(other.Hear(request)), SizeIs(1));
}

TEST_F(LinkRequestTest, AnotherSite_MayNot) {
  ExpectRefused(Ask(From("Site3")), ErrorCode::kNotPermitted);
}

TEST_F(LinkRequestTest, AStrangerOrAWrongSignature_IsRefused_AndTold) {
  ExpectRefused(Ask(From("Stranger")), ErrorCode::kNotPermitted);
  EXPECT_THAT(site_.Events(), Contains(Pair("request-refused", ErrorCode::kNotPermitted)));
  AdminRequest forged = From("Site2");
  SignRequest(forged, TestKey("Site3"));
  ExpectRefused(site_.Hear(forged), ErrorCode::kBadSignature);
  AdminRequest changed = From("Site4");
  SignRequest(changed, TestKey("Site4"));
  changed.words.back() = StreamName{"Testorg", "Site3", "OUT"}.ToString();
  ExpectRefused(site_.Hear(changed), ErrorCode::kBadSignature);
}

TEST_F(LinkRequestTest, ForAnotherSite_IsRefused) {
  AdminRequest request = From("Site2");
  request.target = "Site3";
  ExpectRefused(Ask(request), ErrorCode::kNotPermitted);
}

TEST_F(LinkRequestTest, TooOldOrMeantToLiveTooLong_IsRefused) {
  AdminRequest old = From("Site2");
  old.expires = site_.now() - std::chrono::milliseconds(1);
  ExpectRefused(Ask(old), ErrorCode::kExpired);
  AdminRequest eternal = From("Site2");
  eternal.expires = site_.now() + std::chrono::seconds(limits::kRequestSeconds + 1);
  ExpectRefused(Ask(eternal), ErrorCode::kExpired);
  AdminRequest longest = From("Site2");
  longest.expires = site_.now() + std::chrono::seconds(limits::kRequestSeconds);
  EXPECT_THAT(Of<GetRange>(Ask(longest)), SizeIs(1));
}

TEST_F(LinkRequestTest, ARepeatedRequest_IsTakenOnce_EvenByTheNextSession) {
  const AdminRequest request = From("Site2");
  EXPECT_THAT(Of<GetRange>(Ask(request)), SizeIs(1));
  ExpectRefused(Ask(request), ErrorCode::kExpired);
  site_.link().Lost();
  site_.Open();
  ExpectRefused(Ask(request), ErrorCode::kExpired);
  // A nonce is forgotten only when its request is too old to be believed.
  site_.Advance(std::chrono::minutes(6));
  ExpectRefused(Ask(request), ErrorCode::kExpired);
}

TEST_F(LinkRequestTest, UnknownWordsAndStreams_AreAnsweredAsSuch) {
  AdminRequest request = From("Site4");
  request.words = {"erase", "everything"};
  ExpectRefused(Ask(request), ErrorCode::kUnknownVersion);
  request = From("Site4");
  request.words = {"resync", "take", "no stream"};
  ExpectRefused(Ask(request), ErrorCode::kNotPermitted);
  request = From("Site3");
  request.words = {"resync", "take", StreamName{"Testorg", "Site3", "OUT"}.ToString()};
  ExpectRefused(Ask(request), ErrorCode::kNotFound);
}

TEST_F(LinkRequestTest, WithoutASession_NothingIsAsked) {
  LinkSite alone("Site1");
  const auto asked = alone.link().Ask("Site2", {"resync", "take", kTold.ToString()});
  ASSERT_FALSE(asked);
  EXPECT_EQ(asked.error().code, ErrorCode::kUnreachable);
  alone.Open();
  const auto sent = alone.link().Ask("Site2", {"resync", "take", kTold.ToString()});
  ASSERT_TRUE(sent);
  const auto requests = Of<AdminRequest>(*sent);
  ASSERT_THAT(requests, SizeIs(1));
  EXPECT_EQ(requests.front().signer, "Site1");
  EXPECT_TRUE(CheckRequest(site_.store().storage(), requests.front(), "Site2"));
  EXPECT_TRUE(CheckAge(requests.front(), alone.now()));
}

TEST_F(LinkRequestTest, OnlyTheNewestReply_OfWhatWasAsked_IsKept) {
  const auto sent = site_.link().Ask("Site2", {"resync", "take", kTold.ToString()});
  ASSERT_TRUE(sent);
  const Nonce question = Of<AdminRequest>(*sent).at(0).nonce;
  const auto reply = [&](const Nonce& nonce, const std::string& text) {
    site_.Hear(AdminReply{"Site2", "Site1", nonce, false, ErrorCode::kAlreadyApplied, text});
  };
  EXPECT_FALSE(site_.link().TakeReply(question));
  reply(question, "1 of 3 entries");
  reply(question, "2 of 3 entries");
  reply(TestId<Nonce>(999), "nobody asked");
  EXPECT_EQ(site_.link().TakeReply(question).value().text, "2 of 3 entries");
  EXPECT_FALSE(site_.link().TakeReply(question));
  EXPECT_FALSE(site_.link().TakeReply(TestId<Nonce>(999)));
}

TEST_F(LinkRequestTest, OneSitesOrders_DoNotKeepAnothersOut) {
  AdminRequest nonsense = From("Site3");
  for (std::size_t i = 0; i < 2 * limits::kOrdersOpen; ++i)
    ExpectRefused(Ask(nonsense = From("Site3")), ErrorCode::kNotPermitted);
  for (std::size_t i = 0; i < limits::kOrdersOpen; ++i) Ask(From("Site2"));
  EXPECT_EQ(Of<AdminReply>(Ask(From("Site2"))).at(0).code, ErrorCode::kBusy);
  EXPECT_THAT(Of<AdminReply>(Ask(From("Site4"))), IsEmpty()) << "an admin's is carried out";
}

TEST_F(LinkRequestTest, WhoAsksAgainAndAgain_IsAnsweredABoundedNumberOfTimes) {
  for (std::size_t i = 0; i < 3 * limits::kAskersKept; ++i) Ask(From("Site2"));
  const Messages said = site_.Hear(Answered(SubscribeOutcome::kFork));
  EXPECT_THAT(Of<AdminReply>(said), SizeIs(limits::kAskersKept));
}

// What a reader says to have read of a stream of this site.
class LinkPositionTest : public LinkRequestTest {
 protected:
  LinkPositionTest() {
    site_.Export("OUT");
    site_.AddMailbox("Mailbox11");
    site_.Tick();
    told_ = Of<Publish>(site_.Open()).at(0).position;
    site_.Events();
  }
  AdminRequest Read(const Position& at) {
    AdminRequest request = From("Site2");
    request.words = {"position", StreamName{"Testorg", "Site1", "OUT"}.ToString(),
                     at.epoch.ToString(), std::to_string(at.sequence), at.digest.hex()};
    return request;
  }

  Position told_;
};

TEST_F(LinkPositionTest, OfAnotherLife_BeginsAnEpochAboveIt_HoweverOftenItIsSaid) {
  Position lost = told_;
  lost.epoch.counter += 3;
  AdminRequest request = Read(lost);
  // Neither its age nor a repeat matters: a site whose clock is wrong is heard too.
  request.expires = site_.now() - std::chrono::hours(24);
  const auto anew = Of<Publish>(Ask(request));
  ASSERT_THAT(anew, testing::Not(IsEmpty()));
  EXPECT_GT(anew.front().position.epoch.counter, lost.epoch.counter);
  EXPECT_EQ(anew.front().position.sequence, 1U);
  EXPECT_THAT(site_.Events(), Contains(Pair("new-epoch", ErrorCode::kAlreadyApplied)));
  EXPECT_THAT(Of<Publish>(Ask(request)), IsEmpty());
  EXPECT_THAT(site_.Events(), testing::Not(Contains(Pair("new-epoch", testing::_))));
}

TEST_F(LinkPositionTest, OfWhatWasTold_ChangesNothing) {
  EXPECT_THAT(Of<Publish>(Ask(Read(told_))), IsEmpty());
  Position before = told_;
  before.epoch.counter -= 1;
  EXPECT_THAT(Of<Publish>(Ask(Read(before))), IsEmpty());
  EXPECT_THAT(site_.Events(), IsEmpty());
}

// A lie would leave no number for the next epoch.
TEST_F(LinkPositionTest, FarAboveEveryEpoch_IsRefused) {
  Position far = told_;
  far.epoch.counter = ~std::uint64_t{0};
  ExpectRefused(Ask(Read(far)), ErrorCode::kNotPermitted);
  EXPECT_THAT(site_.Events(), IsEmpty());
}

// Who lies costs an hour's share of epochs, and not another site's.
TEST_F(LinkPositionTest, OfEverHigherEpochs_BeginsAFewAnHour) {
  Position lie = told_;
  const auto said_by = [&](const std::string& site) {
    AdminRequest request = Read(lie);
    request.signer = site;
    Ask(request);
    for (const auto& [kind, code] : site_.Events())
      if (kind == "new-epoch") return true;
    return false;
  };
  for (std::size_t i = 0; i < limits::kEpochsAnHour; ++i) {
    lie.epoch.counter += 100;
    EXPECT_TRUE(said_by("Site2"));
  }
  lie.epoch.counter += 100;
  EXPECT_FALSE(said_by("Site2"));
  EXPECT_TRUE(said_by("Site3"));
  site_.Advance(std::chrono::hours(1));
  lie.epoch.counter += 100;
  EXPECT_TRUE(said_by("Site2"));
}

}  // namespace
}  // namespace dirsync
