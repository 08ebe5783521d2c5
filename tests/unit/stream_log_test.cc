// Conformance of the log of streams: what an append answers, what is kept, what a reader that comes
// back is told. Errors first.
#include "broker/core/stream_log.h"

#include <gmock/gmock.h>

#include "proto/base/limits.h"
#include "storage/memory_storage.h"
#include "tests/unit/signed_stream.h"

namespace dirsync {
namespace {

using enum PublishOutcome;

class StreamLogTest : public testing::Test {
 protected:
  StreamLogTest() {
    state_.number = 1;
    state_.stream = stream_.name();
  }

  Published Append(const Publish& publish) {
    storage::Transaction transaction(storage_);
    auto answer = StreamLog::Append(transaction, state_, publish, TestId<IncarnationId>(++fresh_),
                                    TestTime(now_));
    EXPECT_TRUE(answer) << (answer ? "" : answer.error().ToString());
    if (answer && answer->outcome != kStored) {
      EXPECT_EQ(transaction.rows(), 0U);
    }
    Commit(transaction);
    return answer ? *answer : Published{};
  }
  PublishOutcome Try(const Publish& publish) { return Append(publish).outcome; }
  void Fill(Sequence count) {
    for (Sequence i = 0; i < count; ++i) ASSERT_EQ(Try(stream_.Next()), kStored);
  }
  Publish Begins(Publish publish) {
    publish.begins_log = true;
    return publish;
  }
  void Commit(storage::Transaction& transaction) {
    ASSERT_TRUE(storage_.Commit(transaction.Take()));
    ASSERT_TRUE(storage_.Sync());
    // What is remembered is what is written.
    auto states = StreamLog::Open(storage_);
    ASSERT_TRUE(states);
    if (!states->empty()) {
      EXPECT_EQ(states->at(0), state_);
    }
  }
  void Trim(const Position& position) {
    storage::Transaction transaction(storage_);
    ASSERT_TRUE(StreamLog::Trim(transaction, state_, position));
    Commit(transaction);
  }
  // Sweeps to the end; the number of calls.
  int Sweep() {
    for (int calls = 1;; ++calls) {
      storage::Transaction transaction(storage_);
      auto more = StreamLog::Sweep(transaction, state_);
      EXPECT_TRUE(more);
      EXPECT_LE(transaction.rows(), limits::kStepRows + 1);
      Commit(transaction);
      if (!more || !*more) return calls;
    }
  }
  std::vector<Sequence> Read(const Position& cursor, std::uint64_t bytes = 1 << 30) {
    auto batches = StreamLog::Read(storage_, state_, cursor, bytes);
    EXPECT_TRUE(batches) << (batches ? "" : batches.error().ToString());
    std::vector<Sequence> sequences;
    if (!batches) return sequences;
    for (const LogBatch& batch : *batches) {
      EXPECT_EQ(DigestOf(*batch.payload), batch.position.digest);
      sequences.push_back(batch.position.sequence);
    }
    return sequences;
  }
  ErrorCode Refusal(const Position& cursor) {
    auto batches = StreamLog::Read(storage_, state_, cursor, 1 << 30);
    EXPECT_FALSE(batches);
    return batches ? ErrorCode::kAlreadyApplied : batches.error().code;
  }
  std::size_t Rows(storage::Table table) {
    const auto [lower, upper] = storage::TableRange(table);
    std::size_t rows = 0;
    for (auto cursor = storage_.Scan(lower, upper); cursor->Valid(); cursor->Next()) ++rows;
    return rows;
  }

  storage::MemoryStorage storage_;
  SignedStream stream_{{"Testorg", "Site1", "OUT"}, TestKey("Site1")};
  LogState state_;
  std::uint64_t fresh_ = 0;
  std::int64_t now_ = 0;
};

// ---- outcomes of an append ----

TEST_F(StreamLogTest, NotABatch_IsVersion) {
  Publish publish = stream_.Next();
  publish.payload = nullptr;
  EXPECT_EQ(Try(publish), kVersion);
  publish.payload = std::make_shared<const std::string>("DSYB?");
  EXPECT_EQ(Try(publish), kVersion);
  std::string newer = *stream_.At(1).payload;
  newer[4] = 99;
  publish.payload = std::make_shared<const std::string>(newer);
  EXPECT_EQ(Try(publish), kVersion);
  EXPECT_EQ(storage_.rows().size(), 0U);
}

TEST_F(StreamLogTest, TooLarge_IsRefused) {
  Publish publish = stream_.Next();
  publish.payload = std::make_shared<const std::string>(limits::kBatchBytes + 1, 'x');
  EXPECT_EQ(Try(publish), kTooLarge);
}

TEST_F(StreamLogTest, HeaderThatSaysOtherwise_IsUnauthorized) {
  const Publish good = stream_.Next();
  Publish wrong = good;
  wrong.stream.instance = "OTHER";
  EXPECT_EQ(Try(wrong), kUnauthorized);
  wrong = good;
  wrong.position.epoch.id = TestId<EpochId>(9);
  EXPECT_EQ(Try(wrong), kUnauthorized);
  wrong = good;
  wrong.position.sequence = 2;
  EXPECT_EQ(Try(wrong), kUnauthorized);
  wrong = good;
  wrong.previous = TestId<Digest>(1);
  EXPECT_EQ(Try(wrong), kUnauthorized);
  wrong = good;
  wrong.position.digest = {};
  EXPECT_EQ(Try(wrong), kUnauthorized);
  EXPECT_EQ(Try(good), kStored);
}

TEST_F(StreamLogTest, Range_IsNeverLogged) {
  Batch batch;
  batch.stream = stream_.name();
  batch.epoch = stream_.position().epoch;
  batch.sequence = 1;
  batch.kind = BatchKind::kRange;
  batch.terms.hash_key = TestId<HashKey>(7);
  auto stored = EncodeBatch(batch, TestKey("Site1"));
  ASSERT_TRUE(stored);
  Publish publish{stream_.name(),
                  {batch.epoch, 1, DigestOf(*stored)},
                  {},
                  false,
                  std::make_shared<const std::string>(*stored)};
  EXPECT_EQ(Try(publish), kUnauthorized);
}

TEST_F(StreamLogTest, Stored_ThenDuplicate_MovesOnce) {
  const Publish first = stream_.Next();
  EXPECT_EQ(Try(first), kStored);
  const LogState after = state_;
  EXPECT_EQ(Try(first), kDuplicate);
  EXPECT_EQ(state_, after);
  EXPECT_EQ(state_.tail, first.position);
  EXPECT_EQ(state_.batches(), 1U);
  EXPECT_EQ(state_.bytes(), first.payload->size());
}

TEST_F(StreamLogTest, Gap_NamesWhatWouldBeTaken) {
  stream_.Next();
  EXPECT_EQ(Append(stream_.Next()).expected, 1U);  // nothing here: from 1
  EXPECT_EQ(Try(stream_.At(1)), kStored);
  const Published answer = Append(stream_.Next());
  EXPECT_EQ(answer.outcome, kGap);
  EXPECT_EQ(answer.expected, 2U);
  EXPECT_EQ(Try(stream_.At(2)), kStored);
  EXPECT_EQ(Try(stream_.At(3)), kStored);
}

TEST_F(StreamLogTest, SameNumberOtherDigest_IsConflict) {
  Fill(3);
  const Publish tail = stream_.At(3);
  stream_.GoBack(1, 1);
  const Publish other = stream_.Next();
  EXPECT_EQ(Try(other), kConflict);
  EXPECT_EQ(Try(Begins(other)), kConflict);
  stream_.Next();
  EXPECT_EQ(Try(stream_.Next()), kConflict);  // 4 on top of another 3
  EXPECT_EQ(state_.tail, tail.position);
}

TEST_F(StreamLogTest, SameCounterOtherEpoch_IsConflict) {
  Fill(2);
  stream_.NewEpoch();
  ASSERT_EQ(Try(stream_.Next()), kStored);
  SignedStream other({"Testorg", "Site1", "OUT"}, TestKey("Site1"), 5);
  other.NewEpoch();  // counter 2, another id
  EXPECT_EQ(Try(other.Next()), kConflict);
}

TEST_F(StreamLogTest, EarlierEpoch_IsFencedForEver) {
  Fill(2);
  const Publish old = stream_.Next();
  stream_.NewEpoch();
  ASSERT_EQ(Try(stream_.Next()), kStored);
  EXPECT_EQ(Try(old), kFenced);
  EXPECT_EQ(Try(Begins(old)), kFenced);
  Trim(state_.tail);
  Sweep();
  now_ += 400LL * 24 * 3600;
  EXPECT_EQ(Try(old), kFenced);
  EXPECT_EQ(Try(stream_.At(1, 1)), kFenced);
}

TEST_F(StreamLogTest, NewEpoch_FollowsWithItsStartOnly) {
  Fill(2);
  const IncarnationId incarnation = state_.incarnation;
  stream_.NewEpoch();
  stream_.Next();
  EXPECT_EQ(Append(stream_.Next()).expected, 1U);
  EXPECT_EQ(Try(stream_.At(1)), kStored);
  EXPECT_EQ(Try(stream_.At(2)), kStored);
  EXPECT_EQ(state_.incarnation, incarnation);
  // A reader that stands at the end of the old one is given START next (R17).
  EXPECT_THAT(Read(stream_.At(1, 2).position), testing::ElementsAre(1, 2));
  EXPECT_THAT(Read(stream_.At(1, 1).position), testing::ElementsAre(2, 1, 2));
}

// ---- repeats, however late ----

TEST_F(StreamLogTest, RepeatAfterThirtyDaysIdle_IsDuplicate) {
  Fill(5);
  now_ += 30LL * 24 * 3600;
  for (Sequence i = 1; i <= 5; ++i) EXPECT_EQ(Try(stream_.At(i)), kDuplicate);
  EXPECT_EQ(state_.batches(), 5U);
}

TEST_F(StreamLogTest, RepeatAfterTheLogWasTrimmedEmpty_IsDuplicate) {
  Fill(5);
  Trim(state_.tail);
  Sweep();
  EXPECT_EQ(state_.batches(), 0U);
  EXPECT_EQ(state_.bytes(), 0U);
  for (Sequence i = 1; i <= 5; ++i) EXPECT_EQ(Try(stream_.At(i)), kDuplicate);
  // The producer goes on where it stood, in the same incarnation (B7).
  const IncarnationId incarnation = state_.incarnation;
  EXPECT_EQ(Try(stream_.Next()), kStored);
  EXPECT_EQ(state_.incarnation, incarnation);
  EXPECT_EQ(state_.batches(), 1U);
}

TEST_F(StreamLogTest, ForkOfTheTailOfATrimmedLog_IsConflict) {
  Fill(5);
  Trim(state_.tail);
  Sweep();
  stream_.GoBack(4, 1);
  EXPECT_EQ(Try(stream_.Next()), kConflict);
}

// ---- beginning anew ----

TEST_F(StreamLogTest, LostLog_BeginsWhereTheOutboxBegins) {
  for (int i = 0; i < 10; ++i) stream_.Next();
  EXPECT_EQ(Try(stream_.At(7)), kGap);
  EXPECT_EQ(Try(Begins(stream_.At(7))), kStored);
  EXPECT_EQ(state_.base, stream_.At(6).position);
  EXPECT_EQ(Try(stream_.At(8)), kStored);
  EXPECT_THAT(Read(stream_.At(6).position), testing::ElementsAre(7, 8));
  EXPECT_EQ(Refusal(stream_.At(5).position), ErrorCode::kNeedsRanges);
}

TEST_F(StreamLogTest, BeginsAnew_MintsAnIncarnationAndKeepsNothingOlder) {
  Fill(5);
  const IncarnationId incarnation = state_.incarnation;
  for (int i = 0; i < 5; ++i) stream_.Next();
  EXPECT_EQ(Append(stream_.At(8)).expected, 6U);
  EXPECT_EQ(Try(Begins(stream_.At(8))), kStored);
  EXPECT_NE(state_.incarnation, incarnation);
  EXPECT_EQ(state_.batches(), 1U);
  EXPECT_EQ(Refusal(stream_.At(5).position), ErrorCode::kNeedsRanges);
  EXPECT_THAT(Read(stream_.At(7).position), testing::ElementsAre(8));
  Sweep();
  EXPECT_EQ(Rows(storage::Table::kLog), 1U);
  EXPECT_EQ(Rows(storage::Table::kLogIndex), 1U);
}

TEST_F(StreamLogTest, BeginsLogWhereItGoesOnAnyway_KeepsTheIncarnation) {
  Fill(3);
  const IncarnationId incarnation = state_.incarnation;
  EXPECT_EQ(Try(Begins(stream_.Next())), kStored);
  EXPECT_EQ(state_.incarnation, incarnation);
  EXPECT_EQ(state_.batches(), 4U);
}

// ---- reading ----

TEST_F(StreamLogTest, Read_NothingHeldNeedsRanges) {
  Fill(3);
  EXPECT_EQ(Refusal({}), ErrorCode::kNeedsRanges);
}

TEST_F(StreamLogTest, Read_IsBoundedByBytesAndGivesOneAtLeast) {
  Fill(5);
  const std::uint64_t size = stream_.At(2).payload->size();
  const Position first = stream_.At(1).position;
  EXPECT_THAT(Read(first, 0), testing::ElementsAre(2));
  EXPECT_THAT(Read(first, 2 * size), testing::ElementsAre(2, 3));
  EXPECT_THAT(Read(first), testing::ElementsAre(2, 3, 4, 5));
  EXPECT_THAT(Read(state_.tail), testing::IsEmpty());
}

TEST_F(StreamLogTest, Read_AnotherDigestIsAFork) {
  Fill(5);
  Position forked = stream_.At(3).position;
  forked.digest = TestId<Digest>(1);
  EXPECT_EQ(Refusal(forked), ErrorCode::kFork);
  forked = state_.tail;
  forked.digest = TestId<Digest>(1);
  EXPECT_EQ(Refusal(forked), ErrorCode::kFork);
  Trim(stream_.At(3).position);
  forked = stream_.At(3).position;
  forked.digest = TestId<Digest>(1);
  EXPECT_EQ(Refusal(forked), ErrorCode::kFork);
}

TEST_F(StreamLogTest, Read_ForkOfAnEndedEpochNeedsRanges) {
  Fill(3);
  Position forked = stream_.At(2).position;
  forked.digest = TestId<Digest>(1);
  const Position beyond{stream_.position().epoch, 9, TestId<Digest>(2)};
  stream_.NewEpoch();
  ASSERT_EQ(Try(stream_.Next()), kStored);
  EXPECT_EQ(Refusal(forked), ErrorCode::kNeedsRanges);
  EXPECT_EQ(Refusal(beyond), ErrorCode::kNeedsRanges);
}

TEST_F(StreamLogTest, Read_RecentPayloadsAreTheVeryBytes) {
  Fill(3);
  RecentPayloads recent;
  const Publish& third = stream_.At(3);
  recent.Put(1, third.position, third.payload);
  auto batches = StreamLog::Read(storage_, state_, stream_.At(1).position, 1 << 30, &recent);
  ASSERT_TRUE(batches);
  EXPECT_EQ(batches->at(1).payload.get(), third.payload.get());
  EXPECT_NE(batches->at(0).payload.get(), stream_.At(2).payload.get());
}

// What is not in the view is not read, whatever memory has of it.
TEST_F(StreamLogTest, Read_NothingThatTheViewHasNot) {
  Fill(3);
  const auto view = storage_.Snapshot();
  RecentPayloads recent;
  const Publish& fourth = stream_.Next();
  ASSERT_EQ(Try(fourth), kStored);
  recent.Put(1, fourth.position, fourth.payload);
  auto batches = StreamLog::Read(*view, state_, stream_.At(2).position, 1 << 30, &recent);
  ASSERT_TRUE(batches);
  ASSERT_EQ(batches->size(), 1U);
  EXPECT_EQ(batches->at(0).position.sequence, 3U);
}

TEST_F(StreamLogTest, RecentPayloads_AreBounded) {
  RecentPayloads recent(1000);
  for (Sequence i = 1; i <= 100; ++i)
    recent.Put(1, {{1, {}}, i, {}}, std::make_shared<const std::string>(300, 'x'));
  EXPECT_LE(recent.bytes(), 1000U);
  EXPECT_EQ(recent.Get(1, {{1, {}}, 97, {}}), nullptr);
  EXPECT_NE(recent.Get(1, {{1, {}}, 100, {}}), nullptr);
  recent.Put(1, {{1, {}}, 101, {}}, std::make_shared<const std::string>(1001, 'x'));
  EXPECT_EQ(recent.Get(1, {{1, {}}, 101, {}}), nullptr);
}

// ---- a log that went back (B3) ----

class LostTailTest : public StreamLogTest {
 protected:
  // 1..500 are in a copy of the store, 501..1000 are lost with the store itself.
  void Lose() {
    Fill(500);
    const auto rows = storage_.rows();
    const LogState state = state_;
    Fill(500);
    storage_.Restore(rows);
    state_ = state;
  }
};

TEST_F(LostTailTest, ReaderAboveTheTail_IsToldTruncated) {
  Lose();
  EXPECT_EQ(Refusal(stream_.At(700).position), ErrorCode::kLogTruncated);
}

TEST_F(LostTailTest, RefilledByItsProducer_ReaderSkipsNothing) {
  Lose();
  for (Sequence i = 501; i <= 1000; ++i) ASSERT_EQ(Try(stream_.At(i)), kStored);
  Fill(200);
  const std::vector<Sequence> read = Read(stream_.At(700).position);
  ASSERT_EQ(read.size(), 500U);
  EXPECT_EQ(read.front(), 701U);
  EXPECT_EQ(read.back(), 1200U);
}

TEST_F(LostTailTest, RegrownWithAnotherHistory_ReaderIsToldFork) {
  Lose();
  const Position reader = stream_.At(700).position;
  const Position before = stream_.At(500).position;
  stream_.GoBack(500, 1);
  Fill(700);  // to 1200
  EXPECT_EQ(Refusal(reader), ErrorCode::kFork);
  EXPECT_EQ(Read(before).front(), 501U);
}

TEST_F(LostTailTest, OutboxBeginsLater_NewIncarnationAndNoHoleForAnybody) {
  Lose();
  const IncarnationId incarnation = state_.incarnation;
  // All have acked 650: the producer has 651.. only.
  ASSERT_EQ(Try(stream_.At(651)), kGap);
  ASSERT_EQ(Try(Begins(stream_.At(651))), kStored);
  for (Sequence i = 652; i <= 1000; ++i) ASSERT_EQ(Try(stream_.At(i)), kStored);
  EXPECT_NE(state_.incarnation, incarnation);
  EXPECT_EQ(Read(stream_.At(700).position).front(), 701U);
  EXPECT_EQ(Read(stream_.At(650).position).front(), 651U);
  EXPECT_EQ(Refusal(stream_.At(500).position), ErrorCode::kNeedsRanges);
  Sweep();
  EXPECT_EQ(Rows(storage::Table::kLog), 350U);
}

// ---- trimming ----

TEST_F(StreamLogTest, Trim_KeepsTheProducersState) {
  Fill(5);
  Trim(stream_.At(3).position);
  EXPECT_EQ(state_.batches(), 2U);
  EXPECT_EQ(state_.bytes(), stream_.At(4).payload->size() + stream_.At(5).payload->size());
  EXPECT_EQ(Refusal(stream_.At(2).position), ErrorCode::kNeedsRanges);
  EXPECT_THAT(Read(stream_.At(3).position), testing::ElementsAre(4, 5));
  EXPECT_EQ(Try(stream_.At(2)), kDuplicate);
}

TEST_F(StreamLogTest, Trim_OfWhatIsNotThereDoesNothing) {
  Fill(5);
  const LogState before = state_;
  Position forked = stream_.At(3).position;
  forked.digest = TestId<Digest>(1);
  for (const Position& position : {Position{}, forked, Position{{9, {}}, 9, {}}}) {
    storage::Transaction transaction(storage_);
    auto changed = StreamLog::Trim(transaction, state_, position);
    ASSERT_TRUE(changed);
    EXPECT_FALSE(*changed);
    EXPECT_EQ(transaction.rows(), 0U);
  }
  EXPECT_EQ(state_, before);
  Trim(stream_.At(4).position);
  Trim(stream_.At(2).position);  // never back
  EXPECT_EQ(state_.base, stream_.At(4).position);
}

TEST_F(StreamLogTest, Sweep_IsBoundedAndLeavesTheLastBatch) {
  Fill(limits::kStepRows + 10);
  Trim(state_.tail);
  EXPECT_EQ(Sweep(), 3);
  EXPECT_EQ(Rows(storage::Table::kLog), 1U);
  EXPECT_EQ(Sweep(), 1);
  auto last = StreamLog::Find(storage_, state_, state_.tail);
  ASSERT_TRUE(last);
  ASSERT_TRUE(*last);
  EXPECT_EQ((*last)->position, state_.tail);
  EXPECT_FALSE(*StreamLog::Find(storage_, state_, stream_.At(2).position));
  // It goes when the next one has come and is trimmed.
  Fill(1);
  Sweep();
  EXPECT_EQ(Rows(storage::Table::kLog), 1U);
}

TEST_F(StreamLogTest, After_IsTheOldestKept) {
  Fill(5);
  Trim(stream_.At(2).position);
  auto mark = StreamLog::After(storage_, state_, stream_.At(1).position);
  ASSERT_TRUE(mark && *mark);
  EXPECT_EQ((*mark)->position, stream_.At(3).position);
  EXPECT_FALSE(*StreamLog::After(storage_, state_, state_.tail));
}

TEST_F(StreamLogTest, BrokenRows_AreCorrupt) {
  Fill(2);
  auto rows = storage_.rows();
  for (auto& [key, value] : rows)
    if (key[0] == static_cast<char>(storage::Table::kLogIndex)) value.pop_back();
  storage_.Restore(rows);
  EXPECT_EQ(Refusal(stream_.At(1).position), ErrorCode::kCorrupt);
  for (auto& [key, value] : rows)
    if (key[0] == static_cast<char>(storage::Table::kLogState)) value.pop_back();
  storage_.Restore(rows);
  auto states = StreamLog::Open(storage_);
  ASSERT_FALSE(states);
  EXPECT_EQ(states.error().code, ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace dirsync
