#include <gtest/gtest.h>

#include <string>

#include "storage/memory_storage.h"
#include "tests/faulty_storage.h"

namespace dirsync::tests {
namespace {

class FaultyStorageTest : public testing::Test {
 protected:
  Result<void> Put(const std::string& key) {
    storage::WriteBatch batch;
    batch.Put(key, "v");
    return faulty_.Commit(batch);
  }
  storage::MemoryStorage base_;
  FaultyStorage faulty_{base_};
};

TEST_F(FaultyStorageTest, TheNthCommitFailsAndClosesTheStore) {
  faulty_.FailCommit(2, ErrorCode::kDiskFull);
  EXPECT_TRUE(Put("a"));
  EXPECT_EQ(Put("b").error().code, ErrorCode::kDiskFull);
  EXPECT_EQ(Put("c").error().code, ErrorCode::kDiskFull);
  EXPECT_FALSE(faulty_.Sync());
  EXPECT_TRUE(faulty_.closed());
  EXPECT_TRUE(faulty_.Get("a"));
  faulty_.Reopen();
  EXPECT_TRUE(Put("d"));
  EXPECT_EQ(base_.rows().size(), 2u);
  EXPECT_EQ(faulty_.commits(), 4u);
}

TEST_F(FaultyStorageTest, AFailedCommitCanTurnOutToBeThere) {
  faulty_.FailCommit(1, ErrorCode::kIo, FaultyStorage::AfterReopen::kKept);
  EXPECT_FALSE(Put("a"));
  EXPECT_TRUE(base_.rows().empty());
  faulty_.Reopen();
  EXPECT_EQ(base_.rows().size(), 1u);
}

TEST_F(FaultyStorageTest, TheNthSyncFails) {
  faulty_.FailSync(2, ErrorCode::kIo);
  EXPECT_TRUE(faulty_.Sync());
  EXPECT_EQ(faulty_.Sync().error().code, ErrorCode::kIo);
  EXPECT_FALSE(Put("a"));
}

TEST_F(FaultyStorageTest, TheNthReadFails) {
  ASSERT_TRUE(Put("a"));
  faulty_.FailRead(2, ErrorCode::kCorrupt);
  EXPECT_TRUE(faulty_.Get("a"));
  auto cursor = faulty_.Scan("", "");
  EXPECT_FALSE(cursor->Valid());
  EXPECT_EQ(cursor->status().error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(faulty_.Get("a"));
}

TEST_F(FaultyStorageTest, TheWorldStopsBeforeTheNthOperation) {
  std::size_t rows_then = 0;
  faulty_.AtOperation(3, [&] { rows_then = base_.rows().size(); });
  ASSERT_TRUE(Put("a"));
  ASSERT_TRUE(faulty_.Sync());
  ASSERT_TRUE(Put("b"));
  EXPECT_EQ(rows_then, 1u);
  faulty_.AtOperation(1, [] { throw std::string("crash"); });
  EXPECT_THROW((void)Put("c"), std::string);
  EXPECT_EQ(base_.rows().size(), 2u);
}

}  // namespace
}  // namespace dirsync::tests
