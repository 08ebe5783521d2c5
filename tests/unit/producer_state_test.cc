#include "agent/core/producer_state.h"

#include <gtest/gtest.h>

#include "proto/base/crypto.h"
#include "proto/base/limits.h"
#include "storage/memory_storage.h"

namespace dirsync {
namespace {

class ProducerStateTest : public testing::Test {
 protected:
  // `count` batches of 100 bytes behind the last one.
  void Append(int count) {
    for (int i = 0; i < count; ++i) {
      ++state_.sequence;
      const std::string stored = std::to_string(state_.sequence) + std::string(100, 'x');
      state_.digest = DigestOf(stored);
      AppendOutbox(transaction_, state_, stored.substr(0, 100));
      digests_.push_back(state_.digest);
    }
  }
  Position At(Sequence sequence) const {
    return {state_.epoch, sequence, sequence == 0 ? Digest{} : digests_[sequence - 1]};
  }
  AckOutcome Ack(std::string_view site, const Position& position,
                 const std::vector<std::string>& required = {}) {
    return *TakeAck(transaction_, state_, site, position, required);
  }
  bool Kept(Sequence sequence) const { return ReadOutbox(transaction_, 1, sequence)->has_value(); }

  storage::MemoryStorage storage_;
  storage::Transaction transaction_{storage_};
  IdSource ids_{DigestOf("producer state")};
  ProducerState state_ = NewProducer(1, {"Testorg", "Site1", "INSTANCE1"}, 0, ids_);
  std::vector<Digest> digests_;
};

ProducerState Full(IdSource& ids) {
  ProducerState state = NewProducer(7, {"Testorg", "Site1", "INSTANCE1"}, 5, ids);
  state.sequence = 300;
  state.digest = DigestOf("batch");
  state.previous_epoch = {{4, ids.NextEpochId()}, 12, DigestOf("old")};
  state.terms.address_type = "EDK";
  state.terms.attributes = {"City", "Display-Name"};
  state.scope = DigestOf("scope");
  state.mark = 1'000'000;
  state.sum = {1, 2};
  state.rows = 99;
  state.trimmed = 200;
  state.outbox_bytes = 12345;
  state.seen = true;
  state.compare = CompareJob{55, true, CompareStage::kRecipients, DerivedId("here")};
  return state;
}

TEST_F(ProducerStateTest, Row_CutAnywhereIsCorrupt) {
  const std::string row = EncodeProducer(Full(ids_));
  for (std::size_t size = 0; size < row.size(); ++size) {
    const auto read = DecodeProducer(std::string_view(row).substr(0, size));
    ASSERT_FALSE(read) << size;
    EXPECT_EQ(read.error().code, ErrorCode::kCorrupt);
  }
  EXPECT_FALSE(DecodeProducer(row + "x"));
}

TEST_F(ProducerStateTest, Row_OfImpossibleContentIsCorrupt) {
  ProducerState state = Full(ids_);
  state.compare->stage = static_cast<CompareStage>(9);
  EXPECT_FALSE(DecodeProducer(EncodeProducer(state)));
  state = Full(ids_);
  state.trimmed = state.sequence + 1;
  EXPECT_FALSE(DecodeProducer(EncodeProducer(state)));
  std::string row = EncodeProducer(Full(ids_));
  row[0] = 9;
  EXPECT_FALSE(DecodeProducer(row));
}

TEST_F(ProducerStateTest, Row_SurvivesItsBytes) {
  const ProducerState state = Full(ids_);
  EXPECT_EQ(*DecodeProducer(EncodeProducer(state)), state);
  EXPECT_EQ(*LoadProducer(transaction_, 7), std::nullopt);
  StoreProducer(transaction_, state);
  EXPECT_EQ(*LoadProducer(transaction_, 7), state);
  EXPECT_EQ(*LoadProducer(transaction_, 8), std::nullopt);
}

TEST_F(ProducerStateTest, NewStream_BeginsWithEpochOneAndItsOwnKey) {
  EXPECT_EQ(state_.epoch.counter, 1u);
  EXPECT_EQ(state_.sequence, 0u);
  EXPECT_TRUE(state_.scope.is_zero());
  EXPECT_FALSE(state_.seen);
  const ProducerState other = NewProducer(2, {}, 8, ids_);
  EXPECT_EQ(other.epoch.counter, 8u);
  EXPECT_NE(other.epoch.id, state_.epoch.id);
  EXPECT_NE(other.terms.hash_key, state_.terms.hash_key);
}

TEST_F(ProducerStateTest, BeginEpoch_NamesTheEndOfTheLastOne) {
  Append(3);
  const ProducerState before = state_;
  ASSERT_TRUE(BeginEpoch(transaction_, state_, ids_));
  EXPECT_EQ(state_.epoch.counter, 2u);
  EXPECT_NE(state_.epoch.id, before.epoch.id);
  EXPECT_EQ(state_.previous_epoch, before.position());
  EXPECT_EQ(state_.sequence, 0u);
  EXPECT_TRUE(state_.digest.is_zero());
  EXPECT_EQ(state_.terms.hash_key, before.terms.hash_key);
  EXPECT_EQ(state_.outbox_bytes, 0u);
  for (Sequence sequence = 1; sequence <= 3; ++sequence) EXPECT_FALSE(Kept(sequence));
}

TEST_F(ProducerStateTest, BeginEpoch_TwiceWithoutStartNamesTheLastSeenEnd) {
  Append(3);
  const Position end = state_.position();
  ASSERT_TRUE(BeginEpoch(transaction_, state_, ids_));
  ASSERT_TRUE(BeginEpoch(transaction_, state_, ids_));
  EXPECT_EQ(state_.epoch.counter, 3u);
  EXPECT_EQ(state_.previous_epoch, end);
}

TEST_F(ProducerStateTest, Outbox_KeepsBytesAndCountsThem) {
  Append(2);
  EXPECT_EQ(**ReadOutbox(transaction_, 1, 1), "1" + std::string(99, 'x'));
  EXPECT_EQ(state_.outbox_bytes, 200u);
  EXPECT_FALSE(Kept(3));
}

TEST_F(ProducerStateTest, Ack_OfAnotherDigestIsAFork) {
  Append(3);
  Position position = At(2);
  position.digest = DigestOf("other");
  EXPECT_EQ(Ack("Site2", position), AckOutcome::kFork);
  EXPECT_TRUE(ListAcks(transaction_, 1)->empty());
  EXPECT_TRUE(Kept(1));
}

TEST_F(ProducerStateTest, Ack_OfOurEpochNumberUnderAnotherIdIsAFork) {
  Append(3);
  Position position = At(2);
  position.epoch.id = ids_.NextEpochId();
  EXPECT_EQ(Ack("Site2", position), AckOutcome::kFork);
}

TEST_F(ProducerStateTest, Ack_AboveOurEndMeansThisStoreWasRolledBack) {
  Append(3);
  EXPECT_EQ(Ack("Site2", {state_.epoch, 4, DigestOf("later")}), AckOutcome::kAhead);
  EXPECT_EQ(Ack("Site2", {{2, ids_.NextEpochId()}, 1, DigestOf("later")}), AckOutcome::kAhead);
  EXPECT_TRUE(Kept(1));
}

TEST_F(ProducerStateTest, Ack_OfAnEarlierLifeChangesNothing) {
  Append(3);
  const Position old = At(3);
  ASSERT_TRUE(BeginEpoch(transaction_, state_, ids_));
  digests_.clear();
  Append(2);
  EXPECT_EQ(Ack("Site2", old), AckOutcome::kOtherEpoch);
  EXPECT_TRUE(Kept(1));
  EXPECT_TRUE(ListAcks(transaction_, 1)->empty());
}

TEST_F(ProducerStateTest, Ack_BeforeTheFirstBatchSaysNothing) {
  Append(1);
  EXPECT_EQ(Ack("Site2", At(0)), AckOutcome::kOld);
}

TEST_F(ProducerStateTest, Ack_RepeatedOrLateIsOld) {
  Append(3);
  EXPECT_EQ(Ack("Site2", At(2)), AckOutcome::kTaken);
  EXPECT_EQ(Ack("Site2", At(2)), AckOutcome::kOld);
  EXPECT_EQ(Ack("Site2", At(1)), AckOutcome::kOld);
  EXPECT_EQ(ListAcks(transaction_, 1)->front().position, At(2));
}

TEST_F(ProducerStateTest, Ack_ReplacesOneOfAnEarlierLife) {
  Append(3);
  EXPECT_EQ(Ack("Site2", At(3)), AckOutcome::kTaken);
  ASSERT_TRUE(BeginEpoch(transaction_, state_, ids_));
  digests_.clear();
  Append(2);
  EXPECT_EQ(*AckedSequence(transaction_, state_, {}), 0u);
  EXPECT_EQ(Ack("Site2", At(1)), AckOutcome::kTaken);
  EXPECT_EQ(*AckedSequence(transaction_, state_, {}), 1u);
}

TEST_F(ProducerStateTest, Ack_OfAnyoneTrimsWhenNobodyIsNamed) {
  Append(5);
  EXPECT_EQ(Ack("Site2", At(3)), AckOutcome::kTaken);
  EXPECT_FALSE(Kept(3));
  EXPECT_TRUE(Kept(4));
  EXPECT_EQ(state_.trimmed, 3u);
  EXPECT_EQ(state_.outbox_bytes, 200u);
  EXPECT_EQ(Ack("Site3", At(1)), AckOutcome::kTaken);
  EXPECT_EQ(state_.trimmed, 3u);
}

TEST_F(ProducerStateTest, Ack_TrimsOnlyWhatAllNamedSitesHave) {
  const std::vector<std::string> required = {"Site2", "Site3"};
  Append(5);
  EXPECT_EQ(Ack("SITE2", At(4), required), AckOutcome::kTaken);
  EXPECT_EQ(state_.trimmed, 0u);
  EXPECT_EQ(Ack("Site9", At(5), required), AckOutcome::kTaken);
  EXPECT_EQ(state_.trimmed, 0u);
  EXPECT_EQ(Ack("Site3", At(2), required), AckOutcome::kTaken);
  EXPECT_EQ(state_.trimmed, 2u);
  EXPECT_EQ(*AckedSequence(transaction_, state_, required), 2u);
  EXPECT_EQ(*AckedSequence(transaction_, state_, {}), 5u);
}

TEST_F(ProducerStateTest, Ack_RepeatedTrimsWhatFewerReadersNowNeed) {
  Append(5);
  EXPECT_EQ(Ack("Site2", At(4), {"Site2", "Site3"}), AckOutcome::kTaken);
  EXPECT_EQ(Ack("Site2", At(4), {"Site2"}), AckOutcome::kOld);
  EXPECT_EQ(state_.trimmed, 4u);
}

TEST_F(ProducerStateTest, Ack_IsCheckedWhileItsDigestIsKept) {
  Append(static_cast<int>(limits::kDigestsKept) + 10);
  Position oldest_known = At(11);
  oldest_known.digest = DigestOf("other");
  EXPECT_EQ(Ack("Site2", oldest_known), AckOutcome::kFork);
  Position forgotten = At(10);
  forgotten.digest = DigestOf("other");
  EXPECT_EQ(Ack("Site2", forgotten), AckOutcome::kTaken);
}

TEST_F(ProducerStateTest, Ack_DamagedRowIsCorrupt) {
  Append(1);
  transaction_.Put(storage::AckKey(1, "site2"), "x");
  EXPECT_EQ(ListAcks(transaction_, 1).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(TakeAck(transaction_, state_, "Site2", At(1), {}).error().code, ErrorCode::kCorrupt);
}

TEST_F(ProducerStateTest, Wants_AreBounded) {
  std::vector<EntryId> ids;
  for (std::size_t i = 0; i < limits::kWantIds + 5; ++i)
    ids.push_back(DerivedId(std::to_string(i)));
  TakeWants(transaction_, state_, ids);
  EXPECT_EQ(transaction_.rows(), limits::kWantIds);
}

}  // namespace
}  // namespace dirsync
