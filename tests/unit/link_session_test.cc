// Greeting: what is said before WELCOME, what is believed, and what a broker's last word means.
#include "proto/codec/roster_codec.h"
#include "storage/key.h"
#include "tests/unit/link_world.h"

namespace dirsync {
namespace {

using testing::Contains;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

TEST(LinkSession, WithoutAMembership_ThereIsNobodyToGreet) {
  LinkSite site("Site1", {}, false);
  const auto said = site.link().Connected();
  ASSERT_FALSE(said);
  EXPECT_EQ(said.error().code, ErrorCode::kNotJoined);
}

TEST(LinkSession, Hello_NamesSiteStreamsAndTheLastNonceThatWasStored) {
  LinkSite site("Site2");
  site.Export("OUT");
  Hello hello = site.Greet();
  EXPECT_EQ(hello.organization, "Testorg");
  EXPECT_EQ(hello.site, "Site2");
  EXPECT_EQ(hello.nonce, Nonce{});
  EXPECT_THAT(hello.produced, IsEmpty());
  const Welcome welcome = LinkSite::Answer(hello);
  site.Hear(welcome);
  site.AddMailbox("Mailbox1");
  site.Pump();
  hello = site.Greet();
  EXPECT_EQ(hello.nonce, welcome.nonce);
  ASSERT_THAT(hello.produced, SizeIs(1));
  EXPECT_EQ(hello.produced.front().stream, kTold);
  EXPECT_GT(hello.produced.front().position.sequence, 0U);
}

TEST(LinkSession, AWelcomeToAnEarlierGreeting_IsNotTaken) {
  LinkSite site("Site1");
  const Hello first = site.Greet();
  const Hello second = site.Greet();
  EXPECT_NE(first.greeting, second.greeting);
  EXPECT_THAT(site.Hear(LinkSite::Answer(first)), IsEmpty());
  EXPECT_EQ(site.link().phase(), LinkPhase::kGreeting);
  EXPECT_FALSE(site.store().storage().Get(storage::MetaKey("session"))->has_value());
  EXPECT_THAT(Of<Credit>(site.Hear(LinkSite::Answer(second))), SizeIs(1));
  EXPECT_EQ(site.link().phase(), LinkPhase::kOpen);
  // Said once more, it changes nothing.
  EXPECT_THAT(site.Hear(LinkSite::Answer(second)), IsEmpty());
}

TEST(LinkSession, WhatComesBetweenHelloAndWelcome_IsOfTheSessionBefore) {
  LinkSite site("Site1");
  site.Open();
  site.Hear(Announced(kTold));
  ASSERT_TRUE(site.Reader(kTold).has_value());
  SignedStream stream(kTold, TestKey("Site2"));
  site.Hear(Answered(SubscribeOutcome::kGoesOn));
  const Hello hello = site.Greet();
  EXPECT_THAT(site.Hear(Announced({"Testorg", "Site3", "OUT"})), IsEmpty());
  EXPECT_FALSE(site.Reader({"Testorg", "Site3", "OUT"}).has_value());
  EXPECT_THAT(site.Hear(Answered(SubscribeOutcome::kGoesOn)), IsEmpty());
  EXPECT_THAT(site.Hear(Delivered(stream.Next())), IsEmpty());
  EXPECT_EQ(site.Cursor(kTold), Position{});
  // Nor had it been subscribed since.
  site.Hear(LinkSite::Answer(hello));
  EXPECT_THAT(Of<Ack>(site.Hear(Delivered(stream.At(1)))), IsEmpty());
  EXPECT_EQ(site.Cursor(kTold), Position{});
  EXPECT_THAT(Of<Subscribe>(site.Hear(Announced(kTold))), SizeIs(1));
}

TEST(LinkSession, WhatOthersAskMeanwhile_IsAnsweredBehindTheWelcome) {
  LinkSite site("Site2");
  site.Export("OUT");
  site.AddMailbox("Mailbox1");
  const Hello hello = site.Greet();
  EXPECT_THAT(site.Hear(GetRange{kTold, "Site1", 5, 0, {}, 1000}), IsEmpty());
  const auto ranges = Of<dirsync::Range>(site.Hear(LinkSite::Answer(hello)));
  ASSERT_THAT(ranges, SizeIs(1));
  EXPECT_EQ(ranges.front().request, 5U);
  EXPECT_EQ(ranges.front().reader, "Site1");
  EXPECT_EQ(ranges.front().code, ErrorCode::kAlreadyApplied);
}

TEST(LinkSession, WhatIsAskedBeyondABound_IsDropped) {
  LinkSite site("Site2");
  site.Export("OUT");
  const Hello hello = site.Greet();
  for (std::uint64_t i = 1; i <= 1000; ++i) site.Hear(GetRange{kTold, "Site1", i, 0, {}, 1000});
  const auto ranges = Of<dirsync::Range>(site.Hear(LinkSite::Answer(hello)));
  EXPECT_FALSE(ranges.empty());
  EXPECT_LT(ranges.size(), 100U);
}

TEST(LinkSession, ByeOfABrokerThatRefuses_IsRemembered_AnyOtherIsNot) {
  for (const ErrorCode code : {ErrorCode::kNotPermitted, ErrorCode::kCloned, ErrorCode::kFenced,
                               ErrorCode::kUnknownVersion}) {
    LinkSite site("Site1");
    site.Open();
    site.Hear(Bye{code, "no", 1});
    EXPECT_EQ(site.link().phase(), LinkPhase::kRefused);
    EXPECT_EQ(site.link().reason().code, code);
    EXPECT_THAT(site.Events(), Contains(Pair("refused", code)));
    site.link().Lost();
    EXPECT_EQ(site.link().phase(), LinkPhase::kRefused) << "until it is greeted again";
  }
  LinkSite site("Site1");
  site.Open();
  site.Hear(Bye{ErrorCode::kUnreachable, "the broker stops", 1});
  EXPECT_EQ(site.link().phase(), LinkPhase::kOffline);
  EXPECT_THAT(site.Events(), IsEmpty());
}

// R18: what was told by the life before is never told again under the same numbers.
// The log's last batch has another key's signature, which is no proof for this store: the broker's
// word that its life is new is what it goes by.
TEST(LinkSession, StoreInThePlaceOfALostOne_BeginsAboveTheLog) {
  LinkSite site("Site2");
  site.Export("OUT");
  Welcome welcome = LinkSite::Answer(site.Greet());
  welcome.restored = true;
  const Position tail{{7, TestId<EpochId>(9)}, 41, DigestOf("told by the lost store")};
  welcome.produced = {{kTold, TestId<IncarnationId>(1), tail, 1, {}}};
  const auto said = site.Hear(welcome);
  EXPECT_TRUE(Of<Fetch>(said).empty());
  const auto told = Of<Publish>(said);
  ASSERT_FALSE(told.empty());
  EXPECT_EQ(told.front().position.epoch.counter, 8U);
  EXPECT_EQ(told.front().position.sequence, 1U);
}

TEST(LinkSession, RestoredStore_BeginsANewEpochBeforeItStoresTheNonce) {
  LinkSite site("Site2");
  site.Export("OUT");
  site.AddMailbox("Mailbox1");
  const auto told = Of<Publish>(site.Open());
  ASSERT_FALSE(told.empty());
  const Position tail = told.back().position;
  Welcome welcome = LinkSite::Answer(site.Greet());
  welcome.restored = true;
  welcome.produced = {{kTold, TestId<IncarnationId>(1), tail, 1, {}}};
  const auto again = Of<Publish>(site.Hear(welcome));
  ASSERT_FALSE(again.empty());
  EXPECT_GT(again.front().position.epoch.counter, tail.epoch.counter);
  EXPECT_EQ(again.front().position.sequence, 1U);
  EXPECT_THAT(site.Events(), Contains(Pair("restored", ErrorCode::kAlreadyApplied)));
  EXPECT_EQ(*site.store().storage().Get(storage::MetaKey("session")),
            std::string(welcome.nonce.view()));
}

// A broker that was put back from a copy lacks who came since, and that somebody was revoked.
TEST(LinkSession, WhatTheBrokerHasLostOfTheRoster_ItHearsAgain_Once) {
  const SigningKey organization = TestKey("organization");
  const auto of = [&](const std::string& site) {
    return SignRosterEntry(RosterEntryOf(site, site == "Site4"), organization);
  };
  LinkSite site("Site1");
  site.Open();
  RosterEntry revoked = RosterEntryOf("Site3");
  revoked.serial = 2;
  revoked.state = SiteState::kRevoked;
  site.Hear(RosterNews{{SignRosterEntry(revoked, organization)}});
  // The same broker, of before: in two messages, without Site2, and with Site3 as it was.
  site.Open();
  EXPECT_THAT(Of<RosterNews>(site.Hear(RosterNews{{of("Site1"), of("Site3")}})), IsEmpty());
  EXPECT_THAT(Of<RosterNews>(site.Hear(RosterNews{{of("Site4")}})), IsEmpty());
  const auto back = Of<RosterNews>(site.Hear(Announced(kTold)));
  ASSERT_THAT(back, SizeIs(1));
  ASSERT_THAT(back[0].entries, SizeIs(2));
  EXPECT_EQ(back[0].entries[0], SignRosterEntry(revoked, organization));  // who goes, first
  EXPECT_EQ(back[0].entries[1], of("Site2"));
  EXPECT_THAT(site.Events(), Contains(Pair("roster-back", ErrorCode::kAlreadyApplied)));
  // News of one site later is no roster.
  site.Hear(RosterNews{{of("Site2")}});
  EXPECT_THAT(Of<RosterNews>(site.Hear(Announced(kTold))), IsEmpty());
  // A broker that knows all hears nothing.
  site.Open();
  site.Hear(
      RosterNews{{of("Site1"), of("Site2"), SignRosterEntry(revoked, organization), of("Site4")}});
  EXPECT_THAT(Of<RosterNews>(site.Hear(Announced(kTold))), IsEmpty());
}

// A broker of before a site was revoked would still let it tell.
TEST(LinkSession, ASiteThatTheOwnRosterRevoked_IsNotRead) {
  LinkSite site("Site1");
  site.Open();
  EXPECT_THAT(Of<Subscribe>(site.Hear(Announced(kTold))), SizeIs(1));
  RosterEntry revoked = RosterEntryOf("Site2");
  revoked.serial = 2;
  revoked.state = SiteState::kRevoked;
  site.Hear(RosterNews{{SignRosterEntry(revoked, TestKey("organization"))}});
  site.Open();
  EXPECT_THAT(Of<Subscribe>(site.Hear(Announced(kTold))), IsEmpty());
}

// Two brokers of one organisation: both ends hear that they differ.
TEST(LinkSession, AnEntryOfTheSameSerial_IsSaidBack) {
  LinkSite site("Site1");
  site.Open();
  RosterEntry other = RosterEntryOf("Site3");
  other.server = "another";
  site.Hear(RosterNews{{SignRosterEntry(RosterEntryOf("Site1"), TestKey("organization")),
                        SignRosterEntry(RosterEntryOf("Site2"), TestKey("organization")),
                        SignRosterEntry(other, TestKey("organization")),
                        SignRosterEntry(RosterEntryOf("Site4", true), TestKey("organization"))}});
  const auto back = Of<RosterNews>(site.Hear(Announced(kTold)));
  ASSERT_THAT(back, SizeIs(1));
  ASSERT_THAT(back[0].entries, SizeIs(1));
  EXPECT_EQ(back[0].entries[0], SignRosterEntry(RosterEntryOf("Site3"), TestKey("organization")));
}

// Mail domains have no case.
TEST(LinkSession, ADomainOfAnotherSite_IsRefusedHoweverItIsSpelled) {
  LinkSite site("Site1");
  site.Open();
  RosterEntry entry = RosterEntryOf("Site3");
  entry.serial = 2;
  entry.domains = {"SITE2.Test"};
  site.Hear(RosterNews{{SignRosterEntry(entry, TestKey("organization"))}});
  EXPECT_THAT(site.Events(), Contains(Pair("roster-refused", ErrorCode::kConflict)));
}

}  // namespace
}  // namespace dirsync
