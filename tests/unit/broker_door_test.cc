// The join door (R9) and the roster that changes: who may come, who must go.
#include "proto/base/crypto.h"
#include "proto/trust/roster.h"
#include "tests/unit/broker_world.h"

namespace dirsync {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using State = JoinReply::State;

class BrokerDoorTest : public BrokerWorld {
 protected:
  void Invite() {
    storage::Transaction transaction(storage_);
    auto token = broker_->OpenDoor(transaction, now_);
    ASSERT_TRUE(token);
    token_ = *token;
    ASSERT_TRUE(storage_.Commit(transaction.Take()));
  }
  JoinRequest Join(const std::string& site) {
    JoinRequest join;
    join.token = token_;
    join.organization = "Testorg";
    join.site = site;
    join.server = "server of " + site;
    join.transport_key = TransportOf(site);
    join.domains = {ToLowerAscii(site) + ".example"};
    SignJoin(join, TestKey(site));
    return join;
  }
  JoinReply Knock(const JoinRequest& join, SessionId session = 0) {
    if (session == 0) session = ++last_session_ + 1'000'000;
    Run([&](auto& transaction, auto& out) {
      return broker_->HandleAtDoor(transaction, {session, join.transport_key, join}, now_, out);
    });
    const auto reply = Last<JoinReply>(session);
    EXPECT_TRUE(reply);
    return reply.value_or(JoinReply{});
  }
  ErrorCode Refusal(const JoinRequest& join) {
    const JoinReply reply = Knock(join);
    EXPECT_EQ(reply.state, State::kRefused);
    return reply.code;
  }
  void RefuseJoin(const std::string& site, ErrorCode expected = ErrorCode::kAlreadyApplied) {
    storage::Transaction transaction(storage_);
    auto done = broker_->RefuseJoin(transaction, site, now_);
    EXPECT_EQ(done ? ErrorCode::kAlreadyApplied : done.error().code, expected);
    ASSERT_TRUE(storage_.Commit(transaction.Take()));
    Pump();
  }
  std::string token_;
};

TEST_F(BrokerDoorTest, Door_IsClosedUnlessSomebodyWasInvited) {
  EXPECT_EQ(broker_->door_until(), Instant{});
  EXPECT_EQ(Refusal(Join("Site1")), ErrorCode::kNotPermitted);
  EXPECT_EQ(Refusals("JOIN"), 1U);
  EXPECT_THAT(Stats().pending, IsEmpty());
}

TEST_F(BrokerDoorTest, Invitation_OpensForItsTimeAndNoLonger) {
  Invite();
  EXPECT_EQ(broker_->door_until(), now_ + std::chrono::seconds(limits::kDoorSeconds));
  Reopen();
  EXPECT_EQ(broker_->door_until(), now_ + std::chrono::seconds(limits::kDoorSeconds));
  now_ += std::chrono::seconds(limits::kDoorSeconds);
  EXPECT_EQ(Knock(Join("Site1")).state, State::kPending);
  now_ += std::chrono::seconds(1);
  EXPECT_EQ(Refusal(Join("Site2")), ErrorCode::kExpired);
  Tick();
  EXPECT_EQ(broker_->door_until(), Instant{});
  EXPECT_EQ(Refusal(Join("Site2")), ErrorCode::kNotPermitted);
}

TEST_F(BrokerDoorTest, Token_IsTheCurrentOneAndNotInTheStore) {
  Invite();
  for (const auto& [key, value] : storage_.rows()) EXPECT_EQ(value.find(token_), std::string::npos);
  const JoinRequest old = Join("Site1");
  Invite();
  EXPECT_EQ(Refusal(old), ErrorCode::kNotPermitted);
  EXPECT_EQ(Knock(Join("Site1")).state, State::kPending);
  JoinRequest none = Join("Site2");
  none.token.clear();
  SignJoin(none, TestKey("Site2"));
  EXPECT_EQ(Refusal(none), ErrorCode::kNotPermitted);
}

TEST_F(BrokerDoorTest, Keys_MustBeItsOwn) {
  Invite();
  JoinRequest join = Join("Site1");
  const SessionId session = 77;
  Run([&](auto& transaction, auto& out) {
    return broker_->HandleAtDoor(transaction, {session, TransportOf("thief"), join}, now_, out);
  });
  EXPECT_EQ(Last<JoinReply>(session)->code, ErrorCode::kBadSignature);
  join.signing_key = TestKey("Site2").public_key();  // named, not held
  EXPECT_EQ(Refusal(join), ErrorCode::kBadSignature);
  join = Join("Site1");
  join.domains.push_back("more.example");
  EXPECT_EQ(Refusal(join), ErrorCode::kBadSignature);
}

TEST_F(BrokerDoorTest, OnlyJoin_IsTaken) {
  Invite();
  Add("Site1");
  for (const Message& message :
       std::vector<Message>{HelloOf("Site1"), Ping{}, Credit{1}, AdminRequest{}}) {
    const SessionId session = ++last_session_;
    Run([&](auto& transaction, auto& out) {
      return broker_->HandleAtDoor(transaction, {session, TransportOf("Site1"), message}, now_,
                                   out);
    });
    EXPECT_EQ(Ended(session), ErrorCode::kNotPermitted);
  }
  EXPECT_EQ(Refusals("DOOR"), 4U);
}

TEST_F(BrokerDoorTest, Request_IsBounded) {
  Invite();
  JoinRequest join = Join("Site1");
  for (int i = 0; i < 100; ++i) join.domains.push_back(std::string(50, 'x') + std::to_string(i));
  SignJoin(join, TestKey("Site1"));
  EXPECT_EQ(Refusal(join), ErrorCode::kTooLarge);
  for (const char* name : {"", "a/b\x01", "  "}) {
    join = Join("Site1");
    join.site = name;
    SignJoin(join, TestKey("Site1"));
    EXPECT_EQ(Knock(join).state, State::kRefused) << name;
  }
  join = Join("Site1");
  join.organization = "Other";
  SignJoin(join, TestKey("Site1"));
  EXPECT_EQ(Refusal(join), ErrorCode::kNotPermitted);
}

TEST_F(BrokerDoorTest, Pending_SixtyFourAndNoMore) {
  Invite();
  for (std::size_t i = 0; i < limits::kJoinsPending; ++i)
    ASSERT_EQ(Knock(Join("Site" + std::to_string(i))).state, State::kPending);
  EXPECT_EQ(Refusal(Join("Another")), ErrorCode::kBusy);
  EXPECT_EQ(Knock(Join("Site5")).state, State::kPending);  // again
  EXPECT_EQ(Stats().pending.size(), limits::kJoinsPending);
  RefuseJoin("Site5");
  EXPECT_EQ(Stats().pending.size(), limits::kJoinsPending - 1);
}

TEST_F(BrokerDoorTest, Knocking_IsBoundedPerMinute) {
  Invite();
  for (std::size_t i = 0; i < limits::kJoinsPerMinute; ++i) Knock(Join("Site1"));
  EXPECT_EQ(Refusal(Join("Site1")), ErrorCode::kBusy);
  now_ += std::chrono::minutes(1);
  EXPECT_EQ(Knock(Join("Site1")).state, State::kPending);
  EXPECT_LE(Stats().events.size(), 4U);
}

TEST_F(BrokerDoorTest, Pending_OneForAName) {
  Invite();
  EXPECT_EQ(Knock(Join("Site1")).state, State::kPending);
  EXPECT_EQ(Events("join", "Site1"), 1U);
  EXPECT_THAT(Stats().events[0].text, HasSubstr(Fingerprint(TestKey("Site1").public_key())));
  JoinRequest other = Join("SITE1");
  other.transport_key = TransportOf("thief");
  SignJoin(other, TestKey("thief"));
  EXPECT_EQ(Refusal(other), ErrorCode::kExists);
  const PendingJoin pending = Stats().pending.at(0);
  EXPECT_EQ(pending.site, "Site1");
  EXPECT_EQ(pending.signing_key, TestKey("Site1").public_key());
  EXPECT_THAT(pending.domains, ElementsAre("site1.example"));
}

TEST_F(BrokerDoorTest, Approve_AnswersWhoWaitsAndWhoAsksAgain) {
  Add("Site9");
  Invite();
  ASSERT_EQ(Knock(Join("Site1"), 500).state, State::kPending);
  Add("Site1");
  const auto reply = Last<JoinReply>(500);
  EXPECT_EQ(reply->state, State::kApproved);
  ASSERT_EQ(reply->roster.entries.size(), 2U);
  EXPECT_EQ(PeekRosterEntry(reply->roster.entries[0].bytes)->site, "Site1");  // its own first
  EXPECT_THAT(Stats().pending, IsEmpty());
  // Without an invitation, and after a restart.
  now_ += std::chrono::hours(24);
  Tick();
  Reopen();
  EXPECT_EQ(Knock(Join("Site1")).state, State::kApproved);
  EXPECT_FALSE(Connect("Site1").restored);
}

TEST_F(BrokerDoorTest, Approve_AnswersNobodyElse) {
  Invite();
  ASSERT_EQ(Knock(Join("Site1"), 500).state, State::kPending);
  RefuseJoin("Site1");
  ASSERT_EQ(Last<JoinReply>(500)->state, State::kRefused);
  JoinRequest other = Join("Site1");
  other.transport_key = TransportOf("right");
  SignJoin(other, TestKey("right"));
  ASSERT_EQ(Knock(other, 501).state, State::kPending);
  RosterEntry entry = Entry("Site1");
  entry.transport_key = TransportOf("right");
  entry.signing_key = TestKey("right").public_key();
  ASSERT_EQ(Take(entry), ErrorCode::kAlreadyApplied);
  EXPECT_EQ(Last<JoinReply>(501)->state, State::kApproved);
  EXPECT_EQ(All<JoinReply>(500).size(), 2U);
  EXPECT_EQ(Last<JoinReply>(500)->state, State::kRefused);
}

TEST_F(BrokerDoorTest, Refuse_IsRememberedUntilTheNextInvitation) {
  Invite();
  Knock(Join("Site1"), 500);
  RefuseJoin("Nobody", ErrorCode::kNotFound);
  RefuseJoin("site1");
  EXPECT_EQ(Last<JoinReply>(500)->state, State::kRefused);
  EXPECT_TRUE(closed_.contains(500));
  EXPECT_THAT(Stats().pending, IsEmpty());
  Reopen();
  EXPECT_EQ(Refusal(Join("Site1")), ErrorCode::kNotPermitted);
  RefuseJoin("Site1", ErrorCode::kNotFound);
  Invite();
  EXPECT_EQ(Knock(Join("Site1")).state, State::kPending);
}

TEST_F(BrokerDoorTest, Pending_OutlivesTheInvitation) {
  Invite();
  ASSERT_EQ(Knock(Join("Site1")).state, State::kPending);
  now_ += std::chrono::hours(1);
  Tick();
  Reopen();
  EXPECT_EQ(Stats().pending.size(), 1U);
  EXPECT_EQ(Knock(Join("Site1")).state, State::kPending);
}

TEST_F(BrokerDoorTest, KnownSite_NeedsReplaces) {
  Add("Site1");
  Add("Site2");
  Invite();
  JoinRequest join = Join("Site1");
  join.transport_key = TransportOf("Site1 anew");
  SignJoin(join, TestKey("Site1 anew"));
  EXPECT_EQ(Refusal(join), ErrorCode::kExists);
  join.replaces = "Nobody";
  join.site = "Site4";
  SignJoin(join, TestKey("Site1 anew"));
  EXPECT_EQ(Refusal(join), ErrorCode::kNotFound);
  join.site = join.replaces = "Site1";
  SignJoin(join, TestKey("Site1 anew"));
  EXPECT_EQ(Knock(join).state, State::kPending);
  EXPECT_EQ(Stats().pending.at(0).replaces, "Site1");
}

TEST_F(BrokerDoorTest, WhatCouldNotBeApproved_IsRefusedAtOnce) {
  Add("Site1");
  Invite();
  JoinRequest join = Join("Site2");
  for (const char* domain : {"site1.example", "Site1.EXAMPLE"}) {
    join.domains = {domain};
    SignJoin(join, TestKey("Site2"));
    EXPECT_EQ(Refusal(join), ErrorCode::kConflict) << domain;
  }
  join = Join("Site2");
  join.transport_key = TransportOf("Site1");
  SignJoin(join, TestKey("Site2"));
  EXPECT_EQ(Refusal(join), ErrorCode::kConflict);
}

// Whoever approves it signs what is pending.
TEST_F(BrokerDoorTest, Domains_ArePendingInLowerCase) {
  Invite();
  JoinRequest join = Join("Site2");
  join.domains = {"Mail.Site2.EXAMPLE"};
  SignJoin(join, TestKey("Site2"));
  EXPECT_EQ(Knock(join).state, State::kPending);
  EXPECT_THAT(Stats().pending.at(0).domains, ElementsAre("mail.site2.example"));
}

// ---- the roster ----

TEST_F(BrokerDoorTest, Roster_OnlyWhatTheOrganisationSigned) {
  Add("Site1");
  const auto generation = broker_->roster_generation();
  storage::Transaction transaction(storage_);
  std::vector<Outgoing> out;
  auto taken = broker_->TakeRoster(transaction, SignRosterEntry(Entry("Site2"), TestKey("other")),
                                   now_, out);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, ErrorCode::kBadSignature);
  EXPECT_EQ(transaction.rows(), 0U);
  RosterEntry entry = Entry("Site2");
  entry.organization = "Other";
  EXPECT_EQ(Take(entry), ErrorCode::kNotPermitted);
  entry = Entry("Site1");
  entry.serial = 1;
  SetState("Site1", SiteState::kActive);
  EXPECT_EQ(Take(entry), ErrorCode::kOldEpoch);
  EXPECT_EQ(broker_->roster_generation(), generation + 1);
}

TEST_F(BrokerDoorTest, Roster_ChangesAreToldToAllSessions) {
  Add("Site1");
  Connect("Site1");
  Drop("Site1");
  Add("Site2");
  ASSERT_TRUE(Last<RosterNews>("Site1"));
  EXPECT_EQ(PeekRosterEntry(Last<RosterNews>("Site1")->entries.at(0).bytes)->site, "Site2");
  EXPECT_THAT(broker_->ActiveKeys(),
              testing::UnorderedElementsAre(TransportOf("Site1"), TransportOf("Site2")));
  SetState("Site2", SiteState::kRevoked);
  EXPECT_THAT(broker_->ActiveKeys(), ElementsAre(TransportOf("Site1")));
  EXPECT_EQ(Events("joined", "Site2"), 1U);
  EXPECT_EQ(Events("revoked", "Site2"), 1U);
  Reopen();
  EXPECT_THAT(broker_->ActiveKeys(), ElementsAre(TransportOf("Site1")));
}

// This store is of before Site2 was revoked and Site3 approved: others know.
TEST_F(BrokerDoorTest, Roster_LostEntriesComeBackFromWhoeverKnowsThem) {
  Add("Site1");
  Add("Site2");
  Connect("Site1");
  Connect("Site2");
  const RosterEntry before = Entry("Site2");
  RosterEntry revoked = Entry("Site2");
  revoked.state = SiteState::kRevoked;
  const RosterEntry approved = Entry("Site3");
  const auto signed_by_all = [&](const RosterEntry& entry) {
    return SignRosterEntry(entry, organization_);
  };
  Drop("Site1");
  Say("Site1", RosterNews{{signed_by_all(revoked), signed_by_all(approved)}});
  EXPECT_THAT(broker_->ActiveKeys(),
              testing::UnorderedElementsAre(TransportOf("Site1"), TransportOf("Site3")));
  EXPECT_EQ(Last<Bye>("Site2")->code, ErrorCode::kNotPermitted);
  ASSERT_TRUE(Last<RosterNews>("Site1"));  // told to all, as any change is
  EXPECT_EQ(Last<RosterNews>("Site1")->entries.size(), 2U);
  EXPECT_EQ(Events("roster-back", "Site1"), 1U);
  // Again, or older: nothing new. Of another key: that is no site's to say.
  const auto generation = broker_->roster_generation();
  Say("Site1", RosterNews{{signed_by_all(revoked), signed_by_all(before)}});
  Say("Site1", RosterNews{{SignRosterEntry(Entry("Site2"), TestKey("Site1"))}});
  EXPECT_EQ(broker_->roster_generation(), generation);
  EXPECT_EQ(Stats().refusals.at("BAD_SIGNATURE"), 1U);
  ASSERT_TRUE(Last<Bye>("Site1"));
  EXPECT_EQ(Last<Bye>("Site1")->code, ErrorCode::kBadSignature);
  Reopen();
  EXPECT_THAT(broker_->ActiveKeys(),
              testing::UnorderedElementsAre(TransportOf("Site1"), TransportOf("Site3")));
}

// Site2 was removed, and Alpha approved with its domain: by name, Alpha comes first.
TEST_F(BrokerDoorTest, Roster_WhatNeedsAnothersEndIsTakenBehindIt) {
  Add("Site1");
  Add("Site2");
  Connect("Site1");
  RosterEntry removed = Entry("Site2");
  removed.state = SiteState::kRemoved;
  RosterEntry alpha = Entry("Alpha");
  alpha.domains = removed.domains;
  RosterEntry beta = Entry("Beta");
  beta.domains = Entry("Site1").domains;
  Say("Site1",
      RosterNews{{SignRosterEntry(alpha, organization_), SignRosterEntry(beta, organization_),
                  SignRosterEntry(removed, organization_)}});
  EXPECT_THAT(broker_->ActiveKeys(),
              testing::UnorderedElementsAre(TransportOf("Site1"), TransportOf("Alpha")));
  EXPECT_EQ(Stats().refusals.at("CONFLICT"), 1U);  // Beta's domain is Site1's
  EXPECT_FALSE(Last<Bye>("Site1"));
}

// Whoever waits with other keys goes on waiting; who had those that were revoked does not.
TEST_F(BrokerDoorTest, Roster_AnEntryThatComesBackEndsOnlyItsOwnRequest) {
  Add("Site1");
  Connect("Site1");
  Invite();
  Knock(Join("Site2"));
  Knock(Join("Site3"));
  ASSERT_EQ(Stats().pending.size(), 2U);
  RosterEntry revoked = Entry("Site2");
  revoked.state = SiteState::kRevoked;
  RosterEntry other = Entry("Site3");
  other.signing_key = TestKey("another machine").public_key();
  Say("Site1",
      RosterNews{{SignRosterEntry(revoked, organization_), SignRosterEntry(other, organization_)}});
  ASSERT_EQ(Stats().pending.size(), 1U);
  EXPECT_EQ(Stats().pending.front().site, "Site3");
}

TEST_F(BrokerDoorTest, Roster_NobodyBringsMoreThanAnOrganisationHas) {
  Add("Site1");
  Connect("Site1");
  RosterNews news;
  for (std::size_t i = 0; i < limits::kRosterPerMessage; ++i) {
    RosterEntry entry = Entry("Beta");  // of a domain that is Site1's: looked at each time
    entry.domains = Entry("Site1").domains;
    news.entries.push_back(SignRosterEntry(entry, organization_));
  }
  for (std::size_t i = 0; i < limits::kSites / limits::kRosterPerMessage; ++i) Say("Site1", news);
  EXPECT_FALSE(Last<Bye>("Site1"));
  Say("Site1", news);
  ASSERT_TRUE(Last<Bye>("Site1"));
  EXPECT_EQ(Last<Bye>("Site1")->code, ErrorCode::kTooLarge);
}

TEST_F(BrokerDoorTest, ReplacedSite_OldKeyIsRefusedAndOldBatchesGo) {
  Add("Site1");
  Add("Site2");
  Connect("Site1");
  Connect("Site2");
  SignedStream stream = Told("Site1");
  for (int i = 0; i < 3; ++i) Publishes("Site1", stream.Next());
  Subscribes("Site2", stream.name(), stream.At(1).position);
  const SessionId old = sites_.at("Site1").session;
  sites_.at("Site1").key = TestKey("Site1 anew");
  sites_.at("Site1").transport = TransportOf("Site1 anew");
  Drop("Site2");
  ASSERT_EQ(Take(Entry("Site1")), ErrorCode::kAlreadyApplied);
  EXPECT_EQ(Ended(old), ErrorCode::kNotPermitted);
  Say(9000, TransportOf("Site1"), HelloOf("Site1"));
  EXPECT_EQ(Ended(9000), ErrorCode::kNotPermitted);
  EXPECT_EQ(Last<Subscribed>("Site2")->outcome, SubscribeOutcome::kNotFound);
  // Who had not read all needs a full copy; who had goes on with the next epoch.
  EXPECT_EQ(Subscribes("Site2", stream.name(), stream.At(1).position),
            SubscribeOutcome::kNeedsRanges);
  EXPECT_EQ(Subscribes("Site2", stream.name(), stream.At(3).position), SubscribeOutcome::kGoesOn);
  sites_.at("Site1").nonce = {};
  const Welcome welcome = Connect("Site1");
  EXPECT_EQ(welcome.produced.at(0).tail, stream.At(3).position);
  SignedStream next(stream.name(), TestKey("Site1 anew"), 1);
  next.NewEpoch();
  EXPECT_EQ(Publishes("Site1", next.Next()), PublishOutcome::kStored);
  EXPECT_THAT(Delivered("Site2", stream.name()), ElementsAre(1));
}

TEST_F(BrokerDoorTest, RevokedProducer_IsReadByNobody) {
  Add("Site1");
  Add("Site2");
  Connect("Site1");
  Connect("Site2");
  SignedStream stream = Told("Site1");
  Publishes("Site1", stream.Next());
  Publishes("Site1", stream.Next());
  Gone("Site2");
  SetState("Site1", SiteState::kRevoked);
  Connect("Site2");
  EXPECT_THAT(Last<Streams>("Site2")->logs, IsEmpty());
  EXPECT_EQ(Subscribes("Site2", stream.name(), stream.At(1).position), SubscribeOutcome::kNotFound);
  Tick();
  EXPECT_EQ(StatsOf(stream.name()).batches, 0U);
  // Back again, with the same key: it goes on in the same log.
  SetState("Site1", SiteState::kActive);
  Connect("Site1");
  EXPECT_EQ(Publishes("Site1", stream.Next()), PublishOutcome::kStored);
  EXPECT_EQ(Subscribes("Site2", stream.name(), stream.At(2).position), SubscribeOutcome::kGoesOn);
}

// The key of an entry that is no longer active may be another's now.
TEST_F(BrokerDoorTest, KeyOfAnActiveSite_IsItsAlone) {
  Add("Site1");
  SetState("Site1", SiteState::kRemoved);
  RosterEntry heir = Entry("Site2");
  heir.transport_key = TransportOf("Site1");
  ASSERT_EQ(Take(heir), ErrorCode::kAlreadyApplied);
  sites_.at("Site2").transport = TransportOf("Site1");
  SetState("Site1", SiteState::kRemoved);  // once more
  const auto holder = FindByTransportKey(storage_, TransportOf("Site1"));
  ASSERT_TRUE(holder && *holder);
  EXPECT_EQ((*holder)->site, "Site2");
  EXPECT_FALSE(Connect("Site2").nonce.is_zero());
  Reopen();
  EXPECT_FALSE(Connect("Site2").nonce.is_zero());
}

}  // namespace
}  // namespace dirsync
