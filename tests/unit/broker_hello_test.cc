// Greetings: who is let in, what WELCOME says, copies and restored stores (R18).
#include "proto/codec/message_codec.h"
#include "tests/unit/broker_world.h"

namespace dirsync {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class BrokerHelloTest : public BrokerWorld {
 protected:
  BrokerHelloTest() {
    Add("Site1");
    Add("Site2");
  }
  // As an agent that was put back from a copy of its store.
  void Restore(const std::string& site, const Nonce& nonce) { sites_.at(site).nonce = nonce; }
};

TEST_F(BrokerHelloTest, UnknownKey_IsRefusedAndCounted) {
  Hello hello = HelloOf("Site1");
  Say(7, TransportOf("nobody"), hello);
  EXPECT_EQ(Ended(7), ErrorCode::kNotPermitted);
  EXPECT_EQ(Refusals("NOT_PERMITTED"), 1U);
  EXPECT_EQ(Events("refused"), 1U);
  // Of many, one is told.
  for (SessionId session = 100; session < 200; ++session)
    Say(session, TransportOf("nobody"), hello);
  EXPECT_EQ(Refusals("NOT_PERMITTED"), 101U);
  EXPECT_EQ(Events("refused"), 1U);
}

TEST_F(BrokerHelloTest, AnythingBeforeHello_IsRefused) {
  sites_.at("Site1").session = ++last_session_;
  Say("Site1", Credit{1});
  EXPECT_EQ(Ended("Site1"), ErrorCode::kUnreachable);
  EXPECT_EQ(Refusals("HELLO"), 1U);
}

TEST_F(BrokerHelloTest, AnotherSitesName_IsRefused) {
  sites_.at("Site1").session = ++last_session_;
  Say("Site1", HelloOf("Site2"));
  EXPECT_EQ(Ended("Site1"), ErrorCode::kNotPermitted);
  Hello hello = HelloOf("Site1");
  hello.organization = "Other";
  sites_.at("Site1").session = ++last_session_;
  Say("Site1", hello);
  EXPECT_EQ(Ended("Site1"), ErrorCode::kNotPermitted);
}

TEST_F(BrokerHelloTest, AnotherKeyOnASession_IsRefused) {
  Connect("Site1");
  const SessionId session = sites_.at("Site1").session;
  Say(session, sites_.at("Site2").transport, Ping{});
  EXPECT_EQ(Ended(session), ErrorCode::kNotPermitted);
}

TEST_F(BrokerHelloTest, NoCommonVersion_NamesBothRanges) {
  Hello hello = HelloOf("Site1");
  hello.version_min = kProtocolMax + 1;
  hello.version_max = kProtocolMax + 3;
  const SessionId session = sites_.at("Site1").session = ++last_session_;
  Say("Site1", hello);
  EXPECT_EQ(Ended(session), ErrorCode::kUnknownVersion);
  const std::string text = Last<Bye>(session)->text;
  EXPECT_THAT(text, testing::HasSubstr(std::to_string(kProtocolMax + 3)));
  EXPECT_THAT(text, testing::HasSubstr("protocol " + std::to_string(kProtocolMin)));
}

TEST_F(BrokerHelloTest, NewerAgent_GetsTheHighestCommonVersion) {
  Hello hello = HelloOf("Site1");
  hello.version_max = kProtocolMax + 3;
  sites_.at("Site1").session = ++last_session_;
  Say("Site1", hello);
  EXPECT_EQ(Last<Welcome>("Site1")->version, kProtocolMax);
}

TEST_F(BrokerHelloTest, RevokedOnALiveSession_IsRefusedAtOnce) {
  Connect("Site1");
  Connect("Site2");
  const SessionId session = sites_.at("Site1").session;
  SetState("Site1", SiteState::kRevoked);
  EXPECT_EQ(Ended(session), ErrorCode::kNotPermitted);
  for (const SiteState state : {SiteState::kRevoked, SiteState::kRemoved}) {
    SetState("Site1", state);
    const SessionId next = Greet("Site1");
    EXPECT_EQ(Ended(next), ErrorCode::kNotPermitted);
  }
  EXPECT_EQ(Ended("Site2"), ErrorCode::kAlreadyApplied);
  EXPECT_GE(Refusals("NOT_PERMITTED"), 2U);
}

TEST_F(BrokerHelloTest, TooManySessions_AreRefused) {
  settings_.sessions_max = 1;
  broker_->Apply(settings_);
  Connect("Site1");
  Greet("Site2");
  EXPECT_EQ(Ended("Site2"), ErrorCode::kBusy);
}

TEST_F(BrokerHelloTest, Ping_IsAnsweredAndSilenceEnds) {
  Connect("Site1");
  Say("Site1", Ping{});
  ASSERT_TRUE(Last<Ping>("Site1"));
  EXPECT_TRUE(Last<Ping>("Site1")->answer);
  Tick(settings_.silence_seconds);
  EXPECT_EQ(Ended("Site1"), ErrorCode::kAlreadyApplied);
  Say("Site1", Ping{true});
  EXPECT_EQ(All<Ping>("Site1").size(), 1U);
  Tick(settings_.silence_seconds);
  EXPECT_EQ(Ended("Site1"), ErrorCode::kAlreadyApplied);
  Tick(1);
  EXPECT_EQ(Ended("Site1"), ErrorCode::kUnreachable);
  EXPECT_EQ(Stats().sessions_open, 0U);
}

// ---- what is said first ----

TEST_F(BrokerHelloTest, Welcome_SaysLimitsRosterAndStreams) {
  SignedStream stream = Told("Site2");
  Connect("Site2");
  ASSERT_EQ(Publishes("Site2", stream.Next()), PublishOutcome::kStored);
  const Welcome welcome = Connect("Site1");
  EXPECT_FALSE(welcome.nonce.is_zero());
  EXPECT_FALSE(welcome.restored);
  EXPECT_EQ(welcome.window_bytes, settings_.window_bytes);
  EXPECT_EQ(welcome.message_bytes_max, limits::kMessageBytes);
  EXPECT_EQ(welcome.heartbeat_seconds, settings_.heartbeat_seconds);
  EXPECT_THAT(welcome.produced, IsEmpty());
  EXPECT_EQ(Last<RosterNews>("Site1")->entries.size(), 2U);
  const auto streams = Last<Streams>("Site1");
  ASSERT_EQ(streams->logs.size(), 1U);
  EXPECT_EQ(streams->logs[0].stream, stream.name());
  EXPECT_EQ(streams->logs[0].tail, stream.position());
  EXPECT_TRUE(streams->logs[0].producer_online);
}

TEST_F(BrokerHelloTest, Welcome_SaysWhereOwnStreamsAndTheirReadersStand) {
  SignedStream stream = Told("Site1");
  Connect("Site1");
  Connect("Site2");
  for (int i = 0; i < 3; ++i) Publishes("Site1", stream.Next());
  Subscribes("Site2", stream.name(), stream.At(1).position);
  Acks("Site2", stream.At(2));
  Tick();
  Reopen();
  const Welcome welcome = Connect("Site1");
  ASSERT_EQ(welcome.produced.size(), 1U);
  EXPECT_EQ(welcome.produced[0].tail, stream.position());
  EXPECT_EQ(welcome.produced[0].first, 3U);
  EXPECT_THAT(welcome.produced[0].readers,
              ElementsAre(ReaderPosition{"Site2", stream.At(2).position, false}));
}

TEST_F(BrokerHelloTest, ProducerComesAndGoes_OthersHearOnce) {
  SignedStream stream = Told("Site1");
  Connect("Site2");
  Connect("Site1");
  Drop("Site2");
  Publishes("Site1", stream.Next());
  ASSERT_EQ(All<Streams>("Site2").size(), 1U);
  EXPECT_TRUE(Last<Streams>("Site2")->logs[0].producer_online);
  // Not for each batch.
  Publishes("Site1", stream.Next());
  EXPECT_EQ(All<Streams>("Site2").size(), 1U);
  Gone("Site1");
  ASSERT_EQ(All<Streams>("Site2").size(), 2U);
  EXPECT_FALSE(Last<Streams>("Site2")->logs[0].producer_online);
  Connect("Site1");
  EXPECT_TRUE(Last<Streams>("Site2")->logs[0].producer_online);
  Say("Site1", Bye{});
  EXPECT_FALSE(Last<Streams>("Site2")->logs[0].producer_online);
  EXPECT_EQ(Stats().sessions_open, 1U);
}

// A list that is longer than a message goes in parts, and nothing of it is lost.
TEST_F(BrokerHelloTest, LongLists_GoInParts) {
  constexpr int kSites = 1500;
  pumping_ = false;
  SignedStream own = Told("Site1");
  Connect("Site1");
  Publishes("Site1", own.Next());
  for (int i = 0; i < kSites; ++i) {
    const std::string name =
        "A site with a longer name than most have, number " + std::to_string(1000000 + i);
    Add(name);
    Connect(name);
    SignedStream stream = Told(name);
    Publishes(name, stream.Next());
    Subscribes(name, own.name(), own.At(1).position);
    DropAll();
  }
  Greet("Site1");
  std::size_t readers = Last<Welcome>("Site1")->produced[0].readers.size();
  readers += All<Ack>("Site1").size();
  EXPECT_EQ(readers, kSites);
  std::set<std::string> streams, sites;
  for (const Streams& part : All<Streams>("Site1")) {
    EXPECT_LE(EncodeMessage(part).header.size(), limits::kMessageHeaderBytes);
    for (const Streams::Log& log : part.logs) streams.insert(log.stream.ToString());
  }
  EXPECT_EQ(streams.size(), kSites);
  for (const RosterNews& part : All<RosterNews>("Site1")) {
    EXPECT_LE(EncodeMessage(part).header.size(), limits::kMessageHeaderBytes);
    for (const auto& entry : part.entries) sites.insert(PeekRosterEntry(entry.bytes)->site);
  }
  EXPECT_EQ(sites.size(), kSites + 2U);
  EXPECT_LE(EncodeMessage(*Last<Welcome>("Site1")).header.size(), limits::kMessageHeaderBytes);
}

// ---- nonces (R18) ----

TEST_F(BrokerHelloTest, EachWelcome_GivesANewNonce) {
  const Nonce first = Connect("Site1").nonce;
  Gone("Site1");
  const Welcome second = Connect("Site1");
  EXPECT_NE(second.nonce, first);
  EXPECT_FALSE(second.restored);
}

TEST_F(BrokerHelloTest, LostWelcomes_AreNoRestore) {
  Connect("Site1");
  for (int i = 0; i < 5; ++i) {
    Gone("Site1");
    Greet("Site1");  // the answer never comes
    EXPECT_FALSE(Last<Welcome>("Site1")->restored);
  }
  Gone("Site1");
  EXPECT_FALSE(Connect("Site1").restored);
}

// WELCOME arrived and was stored, and the connection broke before anything was said; the next
// WELCOME is lost.
TEST_F(BrokerHelloTest, StoredNonceThatOnlyHelloShows_IsKnown) {
  Connect("Site1");
  Gone("Site1");
  Greet("Site1");
  sites_.at("Site1").nonce = Last<Welcome>("Site1")->nonce;
  Gone("Site1");
  Greet("Site1");
  EXPECT_FALSE(Last<Welcome>("Site1")->restored);
  Gone("Site1");
  Greet("Site1");
  EXPECT_FALSE(Last<Welcome>("Site1")->restored);
}

// A heartbeat may be under way before WELCOME is read.
TEST_F(BrokerHelloTest, Ping_DoesNotShowThatTheNonceIsStored) {
  Connect("Site1");
  Gone("Site1");
  Greet("Site1");
  Say("Site1", Ping{});
  Gone("Site1");
  EXPECT_FALSE(Connect("Site1").restored);
}

TEST_F(BrokerHelloTest, StaleNonceWithoutASession_IsRestored) {
  const Nonce old = Connect("Site1").nonce;
  Gone("Site1");
  Connect("Site1");
  Gone("Site1");
  Reopen();  // the broker remembers
  Restore("Site1", old);
  EXPECT_TRUE(Connect("Site1").restored);
  EXPECT_EQ(Events("restored", "Site1"), 1U);
  // Once; from then on it is as any other.
  Gone("Site1");
  EXPECT_FALSE(Connect("Site1").restored);
}

// The store is a copy of the middle of a session that is over.
TEST_F(BrokerHelloTest, NonceFromBeforeTheLastSession_IsRestored) {
  const Nonce before = Connect("Site1").nonce;
  Gone("Site1");
  Connect("Site1");  // used: it gave credit
  Gone("Site1");
  Restore("Site1", before);
  EXPECT_TRUE(Connect("Site1").restored);
}

TEST_F(BrokerHelloTest, RestoredUntilItHeard) {
  const Nonce old = Connect("Site1").nonce;
  Gone("Site1");
  Connect("Site1");
  Gone("Site1");
  Restore("Site1", old);
  Greet("Site1");  // lost
  EXPECT_TRUE(Last<Welcome>("Site1")->restored);
  Gone("Site1");
  EXPECT_TRUE(Connect("Site1").restored);
}

TEST_F(BrokerHelloTest, ABrokerThatWasPutBack_TakesNoStoreForRestored) {
  Connect("Site1");
  Gone("Site1");
  const auto image = storage_.rows();
  const Nonce middle = Connect("Site1").nonce;
  Gone("Site1");
  Connect("Site1");
  Gone("Site1");
  storage_.Restore(image);
  Reopen();
  EXPECT_FALSE(Connect("Site1").restored);
  EXPECT_EQ(Events("broker-behind", "Site1"), 1U);
  Gone("Site1");
  EXPECT_FALSE(Connect("Site1").restored);
  EXPECT_EQ(Events("broker-behind", "Site1"), 1U);
  // A store that is put back from then on is found as ever.
  Gone("Site1");
  Restore("Site1", middle);
  EXPECT_TRUE(Connect("Site1").restored);
}

TEST_F(BrokerHelloTest, StaleNonceBesideALiveSession_IsACloneAndBothEnd) {
  const Nonce old = Connect("Site1").nonce;
  Gone("Site1");
  Connect("Site1");
  const SessionId live = sites_.at("Site1").session;
  const Nonce current = sites_.at("Site1").nonce;
  Restore("Site1", old);
  const SessionId copy = Greet("Site1");
  EXPECT_EQ(Ended(live), ErrorCode::kCloned);
  EXPECT_EQ(Ended(copy), ErrorCode::kCloned);
  EXPECT_FALSE(Last<Welcome>(copy));
  EXPECT_EQ(Events("cloned", "Site1"), 1U);
  EXPECT_EQ(Refusals("CLONED"), 1U);
  EXPECT_THAT(Stats().events[0].text, testing::HasSubstr("dirsync test on Site1"));
  // The copy stays refused, although it greets first, and more than once.
  EXPECT_EQ(Ended(Greet("Site1")), ErrorCode::kCloned);
  Reopen();
  EXPECT_EQ(Ended(Greet("Site1")), ErrorCode::kCloned);
  EXPECT_EQ(Events("cloned", "Site1"), 1U);
  // The one that is right goes on as if nothing had been.
  Restore("Site1", current);
  EXPECT_FALSE(Connect("Site1").restored);
  Gone("Site1");
  now_ += std::chrono::hours(4);
  const Nonce newest = sites_.at("Site1").nonce;
  Restore("Site1", old);
  EXPECT_EQ(Ended(Greet("Site1")), ErrorCode::kCloned);
  Restore("Site1", newest);
  EXPECT_FALSE(Connect("Site1").restored);
}

// The session beside was that of a machine that died without a word: its store was put back.
TEST_F(BrokerHelloTest, CopyWhoseOriginalDoesNotComeBack_IsRestoredInTheEnd) {
  const Nonce old = Connect("Site1").nonce;
  Gone("Site1");
  Connect("Site1");
  Restore("Site1", old);
  EXPECT_EQ(Ended(Greet("Site1")), ErrorCode::kCloned);
  EXPECT_EQ(Ended(Greet("Site1")), ErrorCode::kCloned);
  now_ += std::chrono::minutes(4);
  EXPECT_TRUE(Connect("Site1").restored);
}

// Whoever keeps the copy puts it back, and it then shows no nonce.
TEST_F(BrokerHelloTest, CopyThatWasPutBackByCommand_BeginsAnew) {
  const Nonce old = Connect("Site1").nonce;
  Gone("Site1");
  Connect("Site1");
  Restore("Site1", old);
  EXPECT_EQ(Ended(Greet("Site1")), ErrorCode::kCloned);
  Restore("Site1", {});
  EXPECT_TRUE(Connect("Site1").restored);
}

TEST_F(BrokerHelloTest, SecondSessionWithTheCurrentNonce_FencesTheFirst) {
  Connect("Site1");
  const SessionId first = sites_.at("Site1").session;
  Connect("Site1");
  EXPECT_EQ(Ended(first), ErrorCode::kFenced);
  EXPECT_EQ(Ended("Site1"), ErrorCode::kAlreadyApplied);
  EXPECT_EQ(Stats().sessions_open, 1U);
  // The first one's store is the stale one now.
  const auto& nonce = sites_.at("Site1").nonce;
  EXPECT_FALSE(nonce.is_zero());
}

TEST_F(BrokerHelloTest, RunningCopies_AreFoundAtTheSecondRound) {
  Connect("Site1");
  const Nonce shared = sites_.at("Site1").nonce;  // both have it
  Connect("Site1");                               // the copy; the original is fenced
  const SessionId copy = sites_.at("Site1").session;
  Restore("Site1", shared);
  const SessionId original = Greet("Site1");
  EXPECT_EQ(Ended(copy), ErrorCode::kCloned);
  EXPECT_EQ(Ended(original), ErrorCode::kCloned);
}

TEST_F(BrokerHelloTest, HelloAgainOnTheSameSession_BeginsItAnew) {
  SignedStream stream = Told("Site2");
  Connect("Site2");
  Publishes("Site2", stream.Next());
  Connect("Site1");
  Subscribes("Site1", stream.name(), stream.At(1).position);
  Say("Site1", HelloOf("Site1"));
  EXPECT_EQ(Ended("Site1"), ErrorCode::kAlreadyApplied);
  Drop("Site1");
  Publishes("Site2", stream.Next());
  EXPECT_THAT(All<Deliver>("Site1"), IsEmpty());
}

TEST_F(BrokerHelloTest, NewTransportKey_ForgetsTheNonces) {
  Connect("Site1");
  Gone("Site1");
  sites_.at("Site1").transport = TransportOf("Site1 anew");
  ASSERT_EQ(Take(Entry("Site1")), ErrorCode::kAlreadyApplied);
  sites_.at("Site1").nonce = {};
  EXPECT_FALSE(Connect("Site1").restored);
}

// Its store knows nothing of what the one before it has told.
// The server that was replaced comes back in the place of the one that replaced it.
TEST_F(BrokerHelloTest, OldServerInThePlaceOfTheNew_IsRestoredToo) {
  for (int session = 0; session < 3; ++session) {
    Connect("Site1");
    Gone("Site1");
  }
  const auto old = sites_.at("Site1");
  sites_.at("Site1").key = TestKey("Site1 anew");
  sites_.at("Site1").transport = TransportOf("Site1 anew");
  ASSERT_EQ(Take(Entry("Site1")), ErrorCode::kAlreadyApplied);
  sites_.at("Site1").nonce = {};
  EXPECT_TRUE(Connect("Site1").restored);
  Gone("Site1");
  sites_.at("Site1").key = old.key;
  sites_.at("Site1").transport = old.transport;
  ASSERT_EQ(Take(Entry("Site1")), ErrorCode::kAlreadyApplied);
  sites_.at("Site1").nonce = old.nonce;
  EXPECT_TRUE(Connect("Site1").restored);
  EXPECT_EQ(Events("broker-behind", "Site1"), 0U);
}

TEST_F(BrokerHelloTest, NewSigningKey_IsAnotherLifeOfTheSite) {
  Connect("Site1");
  Gone("Site1");
  sites_.at("Site1").key = TestKey("Site1 anew");
  sites_.at("Site1").transport = TransportOf("Site1 anew");
  ASSERT_EQ(Take(Entry("Site1")), ErrorCode::kAlreadyApplied);
  Reopen();
  sites_.at("Site1").nonce = {};
  EXPECT_TRUE(Connect("Site1").restored);
  Gone("Site1");
  EXPECT_FALSE(Connect("Site1").restored);
}

}  // namespace
}  // namespace dirsync
