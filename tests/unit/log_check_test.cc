// Whatever was done to a log is found, and a whole one is found whole.
#include "broker/core/log_check.h"

#include <gmock/gmock.h>

#include "storage/key.h"
#include "storage/memory_storage.h"
#include "tests/unit/signed_stream.h"

namespace dirsync {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class LogCheckTest : public testing::Test {
 protected:
  LogCheckTest() {
    state_.number = 1;
    state_.stream = stream_.name();
  }
  void Fill(int count) {
    for (int i = 0; i < count; ++i) {
      storage::Transaction transaction(storage_);
      const auto answer = StreamLog::Append(transaction, state_, stream_.Next(),
                                            TestId<IncarnationId>(1), TestTime(i));
      ASSERT_TRUE(answer && answer->outcome == PublishOutcome::kStored);
      ASSERT_TRUE(storage_.Commit(transaction.Take()));
    }
  }
  void Overwrite(Sequence sequence, const std::string& bytes) {
    storage::Transaction transaction(storage_);
    transaction.Put(storage::LogKey(1, 1, sequence), bytes);
    ASSERT_TRUE(storage_.Commit(transaction.Take()));
  }
  LogCheck Check() {
    auto check = CheckLog(storage_, state_, state_.base, {});
    EXPECT_TRUE(check);
    return check ? *check : LogCheck{};
  }
  storage::MemoryStorage storage_;
  SignedStream stream_{{"Testorg", "Site1", "OUT"}, TestKey("Site1")};
  LogState state_;
};

TEST_F(LogCheckTest, AnEmptyLogAndAWholeOne_AreAllRight) {
  EXPECT_THAT(Check().faults, IsEmpty());
  Fill(5);
  stream_.NewEpoch();
  Fill(3);
  EXPECT_EQ(Check().batches, 8U);
  EXPECT_THAT(Check().faults, IsEmpty());
}

TEST_F(LogCheckTest, OneFlippedBit_IsFoundInEveryBatch) {
  Fill(4);
  for (Sequence sequence = 1; sequence <= 4; ++sequence) {
    const std::string whole = *stream_.At(sequence).payload;
    std::string flipped = whole;
    flipped[flipped.size() / 2] ^= 1;
    Overwrite(sequence, flipped);
    EXPECT_THAT(Check().faults, testing::Contains(HasSubstr("sequence " + std::to_string(sequence) +
                                                            " of epoch 1")));
    Overwrite(sequence, whole);
  }
  EXPECT_THAT(Check().faults, IsEmpty());
}

TEST_F(LogCheckTest, ABatchOfAnotherPlace_IsFound) {
  Fill(4);
  Overwrite(3, *stream_.At(2).payload);
  const auto faults = Check().faults;
  EXPECT_THAT(faults, testing::Contains(HasSubstr("it says that it is sequence 2")));
}

TEST_F(LogCheckTest, AMissingBatch_IsFound) {
  Fill(4);
  storage::Transaction transaction(storage_);
  transaction.Delete(storage::LogKey(1, 1, 3));
  ASSERT_TRUE(storage_.Commit(transaction.Take()));
  EXPECT_THAT(Check().faults, testing::Not(IsEmpty()));
}

TEST_F(LogCheckTest, TheLastBatches_AreLookedAtOnly) {
  Fill(10);
  const auto from = LastBatches(storage_, state_, 4);
  ASSERT_TRUE(from);
  const auto check = CheckLog(storage_, state_, *from, {});
  ASSERT_TRUE(check);
  EXPECT_EQ(check->batches, 4U);
  EXPECT_THAT(check->faults, IsEmpty());
  EXPECT_EQ(*LastBatches(storage_, state_, 100), state_.base);
}

TEST_F(LogCheckTest, ItStopsWhenAsked) {
  Fill(2);
  const auto check = CheckLog(storage_, state_, state_.base, [] { return true; });
  ASSERT_FALSE(check);
  EXPECT_EQ(check.error().code, ErrorCode::kInterrupted);
}

}  // namespace
}  // namespace dirsync
