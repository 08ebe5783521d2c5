#include <gtest/gtest.h>

#include <array>
#include <map>
#include <random>
#include <string>

#include "storage/absence_filter.h"
#include "storage/memory_storage.h"

namespace dirsync::storage {
namespace {

constexpr std::array kTables = {Table::kName, Table::kAddress};

// Counts the look-ups that come through.
class Counted : public MemoryStorage {
 public:
  Result<std::optional<std::string>> Get(std::string_view key) const override {
    ++gets;
    return MemoryStorage::Get(key);
  }
  mutable std::size_t gets = 0;
};

class AbsenceFilterTest : public testing::Test {
 protected:
  void Commit(WriteBatch batch) {
    filter_.Note(batch);
    ASSERT_TRUE(base_.Commit(std::move(batch)));
  }
  void Put(const std::string& key) {
    WriteBatch batch;
    batch.Put(key, "v");
    Commit(std::move(batch));
  }

  Counted base_;
  AbsenceFilter filter_{base_};
};

TEST_F(AbsenceFilterTest, AnswersAsTheBaseWouldWhateverWasWritten) {
  Put("Nbefore");
  ASSERT_TRUE(filter_.Learn(kTables, 10));
  std::mt19937 random(1);
  std::map<std::string, bool> expected{{"Nbefore", true}};
  for (int i = 0; i < 20000; ++i) {
    const std::string key = std::string(1, "NAE"[random() % 3]) + std::to_string(random() % 9000);
    WriteBatch batch;
    const bool put = random() % 4 != 0;
    put ? batch.Put(key, "v") : batch.Delete(key);
    Commit(std::move(batch));
    expected[key] = put;
  }
  for (const auto& [key, there] : expected) EXPECT_EQ((*filter_.Get(key)).has_value(), there);
}

TEST_F(AbsenceFilterTest, MostAbsentRowsAreKnownWithoutTheBase) {
  ASSERT_TRUE(filter_.Learn(kTables, 10));
  for (int i = 0; i < 10000; ++i) Put("N" + std::to_string(i));
  base_.gets = 0;
  for (int i = 10000; i < 20000; ++i)
    EXPECT_FALSE(filter_.Get("N" + std::to_string(i))->has_value());
  EXPECT_LT(base_.gets, 100u);
}

TEST_F(AbsenceFilterTest, WithoutLearningAndInOtherTablesTheBaseAnswers) {
  Put("N1");
  EXPECT_TRUE(filter_.Get("N1")->has_value());
  ASSERT_TRUE(filter_.Learn(kTables, 10));
  EXPECT_FALSE(filter_.Get("E1")->has_value());
  EXPECT_TRUE(filter_.Get("N1")->has_value());
  EXPECT_EQ(base_.gets, 3u);
}

TEST_F(AbsenceFilterTest, ATableOfManyRowsIsLeftToTheBase) {
  for (int i = 0; i < 11; ++i) Put("N" + std::to_string(i));
  ASSERT_TRUE(filter_.Learn(kTables, 10));
  EXPECT_FALSE(filter_.Get("N99")->has_value());
  EXPECT_EQ(base_.gets, 1u);
  EXPECT_FALSE(filter_.Get("A99")->has_value());
  EXPECT_EQ(base_.gets, 1u);
}

}  // namespace
}  // namespace dirsync::storage
