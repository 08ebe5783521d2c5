// Reading: what is subscribed, what is applied and acked, and what stops a stream.
#include "tests/unit/link_world.h"

namespace dirsync {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::SizeIs;

// Site1 reads what Site2 tells; whatever Site2 publishes is kept in order.
class LinkReaderTest : public testing::Test {
 protected:
  LinkReaderTest() {
    producer_.Export("OUT");
    Keep(producer_.Open());
    reader_.Open();
    reader_.Events();
  }
  void Keep(const Messages& said) {
    for (const Publish& publish : Of<Publish>(said)) {
      told_.push_back(publish);
      Keep(producer_.Hear(Answered(publish, PublishOutcome::kStored)));
    }
  }
  // One batch more.
  const Publish& Tell(const std::string& name, const std::string& address = "") {
    producer_.AddMailbox(name, address);
    Keep(producer_.Pump());
    return told_.back();
  }
  Messages Subscribes() {
    Messages said =
        reader_.Hear(Announced(kTold, told_.empty() ? Position{} : told_.back().position));
    reader_.Hear(Answered(SubscribeOutcome::kGoesOn));
    return said;
  }
  Messages Deliver(const Publish& publish) { return reader_.Hear(Delivered(publish)); }
  // Everything told so far.
  void CatchUp() {
    Subscribes();
    for (const Publish& publish : told_) Deliver(publish);
    ASSERT_EQ(reader_.Cursor(kTold), told_.back().position);
    reader_.Events();
  }

  LinkSite producer_{"Site2"};
  LinkSite reader_{"Site1"};
  std::vector<Publish> told_;
};

TEST_F(LinkReaderTest, StreamsOfTheRosterThatAreWanted_GetAnImport_OthersDoNot) {
  LinkSettings settings;
  settings.subscribe = {"site2/out", "Site3"};
  LinkSite picky("Site1", settings);
  picky.Open();
  const auto asks = [&](const StreamName& stream) {
    return Of<Subscribe>(picky.Hear(Announced(stream))).size();
  };
  EXPECT_EQ(asks({"Testorg", "Site2", "OUT"}), 1U);
  EXPECT_EQ(asks({"Testorg", "Site2", "OTHER"}), 0U);
  EXPECT_EQ(asks({"Testorg", "Site3", "OTHER"}), 1U);
  EXPECT_EQ(asks({"Testorg", "Site4", "OUT"}), 0U);
  LinkSite all("Site1");
  all.Open();
  for (const StreamName& stream :
       {StreamName{"Testorg", "Nobody", "OUT"}, StreamName{"Testorg", "Site1", "OUT"},
        StreamName{"Otherorg", "Site2", "OUT"}}) {
    EXPECT_THAT(Of<Subscribe>(all.Hear(Announced(stream))), IsEmpty());
    EXPECT_FALSE(all.Reader(stream).has_value());
  }
}

TEST_F(LinkReaderTest, BatchesInOrder_AreAppliedAndAcked_RepeatsAreNot) {
  Tell("Mailbox21");
  Subscribes();
  for (const Publish& publish : told_) {
    const auto acks = Of<Ack>(Deliver(publish));
    ASSERT_THAT(acks, SizeIs(1));
    EXPECT_EQ(acks.front().position, publish.position);
    EXPECT_EQ(reader_.Cursor(kTold), publish.position);
  }
  EXPECT_TRUE(reader_.Has("Mailbox21"));
  EXPECT_THAT(reader_.Events(), Contains(Pair("imported", ErrorCode::kAlreadyApplied)));
  const Messages again = Deliver(told_.front());
  EXPECT_THAT(Of<Ack>(again), IsEmpty());
  EXPECT_THAT(Of<Nack>(again), IsEmpty());
  EXPECT_THAT(Of<Credit>(again), SizeIs(1)) << "its bytes are no longer on the way";
  EXPECT_THAT(reader_.Events(), IsEmpty());
}

TEST_F(LinkReaderTest, Gap_AsksAgainFromTheCursor_AndTakesNothingUntilItIsAnswered) {
  Tell("Mailbox21");
  CatchUp();
  const Position cursor = reader_.Cursor(kTold);
  const Publish missed = Tell("Mailbox22");
  const Publish next = Tell("Mailbox23");
  const auto asked = Of<Subscribe>(Deliver(next));
  ASSERT_THAT(asked, SizeIs(1));
  EXPECT_EQ(asked.front().cursor, cursor);
  EXPECT_THAT(Of<Ack>(Deliver(missed)), IsEmpty());
  EXPECT_EQ(reader_.Cursor(kTold), cursor);
  reader_.Hear(Answered(SubscribeOutcome::kGoesOn));
  Deliver(missed);
  Deliver(next);
  EXPECT_EQ(reader_.Cursor(kTold), next.position);
  EXPECT_TRUE(reader_.Has("Mailbox22"));
}

// R11.
TEST_F(LinkReaderTest, Fork_StopsTheStream_AndItsProducerHearsOfIt) {
  Tell("Mailbox21");
  CatchUp();
  const Position cursor = reader_.Cursor(kTold);
  // Another life of the producer's store tells another batch of the same number.
  Batch other;
  other.stream = kTold;
  other.epoch = cursor.epoch;
  other.sequence = cursor.sequence + 1;
  other.previous = TestId<Digest>(99);
  other.kind = BatchKind::kCanary;
  const auto bytes = std::make_shared<const std::string>(*EncodeBatch(other, TestKey("Site2")));
  const Position at{other.epoch, other.sequence, DigestOf(*bytes)};
  const Messages said = reader_.Hear(dirsync::Deliver{kTold, TestId<IncarnationId>(1), at, bytes});
  const auto refused = Of<Nack>(said);
  ASSERT_THAT(refused, SizeIs(1));
  EXPECT_EQ(refused.front().code, ErrorCode::kFork);
  const auto told = Of<AdminRequest>(said);
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told.front().target, "Site2");
  EXPECT_THAT(told.front().words,
              ElementsAre("position", kTold.ToString(), cursor.epoch.ToString(),
                          std::to_string(cursor.sequence), cursor.digest.hex()));
  EXPECT_THAT(reader_.Events(), Contains(Pair("stopped", ErrorCode::kFork)));
  EXPECT_TRUE(reader_.Reader(kTold)->hold_all_deletes);
  EXPECT_THAT(Of<Ack>(Deliver(Tell("Mailbox22"))), IsEmpty());
  EXPECT_EQ(reader_.Cursor(kTold), cursor);
  EXPECT_FALSE(reader_.Has("Mailbox22"));
}

// Its producer may not have been there the first time.
TEST_F(LinkReaderTest, Fork_IsSaidToItsProducerAgain) {
  Tell("Mailbox21");
  CatchUp();
  const Position tail = told_.back().position;
  for (int times = 0; times < 3; ++times)
    EXPECT_THAT(Of<AdminRequest>(reader_.Hear(Answered(SubscribeOutcome::kFork, tail))), SizeIs(1));
}

TEST_F(LinkReaderTest, ABrokerThatNamesStreamsWithoutEnd_GetsABoundedNumberOfImports) {
  for (std::size_t i = 0; i < 2 * limits::kStreamsPerSite; ++i)
    reader_.Hear(Announced({"Testorg", "Site2", "OUT" + std::to_string(i)}));
  EXPECT_EQ(ListInstances(reader_.store().storage())->size(), limits::kStreamsPerSite);
}

TEST_F(LinkReaderTest, ForkSaidByTheBroker_StopsTheStreamToo_AndANewEpochEndsIt) {
  Tell("Mailbox21");
  CatchUp();
  const Position tail = told_.back().position;
  const Messages said = reader_.Hear(Answered(SubscribeOutcome::kFork, tail));
  EXPECT_THAT(Of<Nack>(said), SizeIs(1));
  EXPECT_TRUE(reader_.Reader(kTold)->hold_all_deletes);
  EXPECT_THAT(Of<Subscribe>(reader_.Hear(Announced(kTold, tail))), IsEmpty());
  Position later = tail;
  ++later.epoch.counter;
  EXPECT_THAT(Of<Subscribe>(reader_.Hear(Announced(kTold, later))), SizeIs(1));
}

TEST_F(LinkReaderTest, NeedsRanges_TakesAFullCopy_AndNothingElseMeanwhile) {
  Tell("Mailbox21");
  reader_.Hear(Announced(kTold, told_.back().position));
  const Messages said = reader_.Hear(Answered(SubscribeOutcome::kNeedsRanges));
  const auto asked = Of<GetRange>(said);
  ASSERT_THAT(asked, SizeIs(1));
  EXPECT_THAT(Of<Unsubscribe>(said), SizeIs(1));
  EXPECT_THAT(reader_.Events(), Contains(Pair("needs-ranges", ErrorCode::kNeedsRanges)));
  Deliver(told_.front());
  EXPECT_EQ(reader_.Cursor(kTold), Position{});
  // One that answers nothing we asked is not taken.
  auto ranges = Of<dirsync::Range>(producer_.Hear(asked.front()));
  ASSERT_THAT(ranges, SizeIs(1));
  dirsync::Range other = ranges.front();
  other.request += 100;
  reader_.Hear(other);
  reader_.Pump();
  EXPECT_FALSE(reader_.Has("Mailbox21"));
  reader_.Hear(ranges.front());
  const Messages end = reader_.Pump();
  EXPECT_TRUE(reader_.Has("Mailbox21"));
  EXPECT_EQ(reader_.Cursor(kTold).sequence, told_.back().position.sequence);
}

TEST_F(LinkReaderTest, TruncatedLog_IsWaitedFor_NotTakenWhole) {
  Tell("Mailbox21");
  CatchUp();
  const Messages said = reader_.Hear(Answered(SubscribeOutcome::kTruncated));
  EXPECT_THAT(Of<GetRange>(said), IsEmpty());
  // Its producer hears how far it was read: with its own store put back too, it would not know.
  const Position cursor = reader_.Cursor(kTold);
  const auto told = Of<AdminRequest>(said);
  ASSERT_THAT(told, SizeIs(1));
  EXPECT_EQ(told.front().target, "Site2");
  EXPECT_THAT(told.front().words,
              ElementsAre("position", kTold.ToString(), cursor.epoch.ToString(),
                          std::to_string(cursor.sequence), cursor.digest.hex()));
  EXPECT_THAT(reader_.Events(), Contains(Pair("log-truncated", ErrorCode::kLogTruncated)));
  EXPECT_THAT(Of<Subscribe>(reader_.Tick()), IsEmpty());
  EXPECT_THAT(Of<Subscribe>(reader_.Tick(std::chrono::seconds(10))), SizeIs(1));
}

TEST_F(LinkReaderTest, BytesAlteredOrSignedByAnother_ChangeNothing) {
  Tell("Mailbox21");
  CatchUp();
  const Position cursor = reader_.Cursor(kTold);
  const Publish good = Tell("Mailbox22");
  std::string bytes = *good.payload;
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  Publish altered = good;
  altered.payload = std::make_shared<const std::string>(bytes);
  const auto damaged = Of<Nack>(Deliver(altered));
  ASSERT_THAT(damaged, SizeIs(1));
  EXPECT_EQ(damaged.front().code, ErrorCode::kDamaged);
  EXPECT_EQ(reader_.Cursor(kTold), cursor);
  // With a digest that fits: now only the signature tells.
  reader_.Tick(std::chrono::seconds(10));
  reader_.Hear(Answered(SubscribeOutcome::kGoesOn));
  altered.position.digest = DigestOf(bytes);
  const auto forged = Of<Nack>(Deliver(altered));
  ASSERT_THAT(forged, SizeIs(1));
  EXPECT_EQ(forged.front().code, ErrorCode::kBadSignature);
  EXPECT_EQ(reader_.Cursor(kTold), cursor);
  EXPECT_FALSE(reader_.Has("Mailbox22"));
}

// A person in the way of one change does not stop the others.
TEST_F(LinkReaderTest, WhatGoesToQuarantine_IsToldAndAcked) {
  CatchUp();
  reader_.AddMailbox("Mailbox11", "EDK:Mailbox22@Site2.test");
  const Publish& publish = Tell("Mailbox22");
  const auto acks = Of<Ack>(Deliver(publish));
  ASSERT_THAT(acks, SizeIs(1));
  EXPECT_EQ(acks.front().position, publish.position);
  EXPECT_THAT(reader_.Events(), Contains(Pair("quarantined", ErrorCode::kAddressTaken)));
  EXPECT_FALSE(reader_.Has("Mailbox22"));
  Deliver(Tell("Mailbox23"));
  EXPECT_TRUE(reader_.Has("Mailbox23"));
}

}  // namespace
}  // namespace dirsync
