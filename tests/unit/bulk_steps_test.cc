// Steps of a long write, and one that stays open while others have their turns.
#include "agent/service/bulk_steps.h"

#include <gmock/gmock.h>

#include "agent/directory/directory.h"
#include "proto/base/limits.h"
#include "storage/key.h"
#include "storage/memory_storage.h"
#include "tests/sim/sim_world.h"
#include "tests/unit/signed_stream.h"

namespace dirsync {
namespace {

class BulkStepsTest : public testing::Test {
 protected:
  BulkStepsTest() {
    store_ = *Store::Over(world_, std::make_shared<storage::MemoryStorage>(),
                          SiteProfile{"Testorg", "Site1", "Server1", {}}, TestKey("Site1"));
  }
  storage::Transaction& Open() {
    return steps_->Open([this] { return steps_->Settle(); });
  }
  std::optional<std::string> Stored(const std::string& key) { return *store_->storage().Get(key); }
  Result<> Put(const std::string& key) {
    return store_->Write([&](storage::Transaction& transaction) -> Result<> {
      transaction.Put(key, "value");
      return {};
    });
  }
  // A step that makes the filter worth its while: with an entry of each number below `count`.
  void WriteLargeStep(std::uint64_t count) {
    storage::Transaction step(steps_->view());
    for (std::uint64_t i = 0; i < count; ++i)
      step.Put(storage::EntryKey(TestId<EntryId>(i)),
               std::string(limits::kIngestBytes / count + 1, 'v'));
    ASSERT_TRUE(steps_->CommitStep(step));
  }

  sim::SimWorld world_{7};
  std::unique_ptr<Store> store_;
  std::optional<BulkSteps> steps_;
};

TEST_F(BulkStepsTest, WhatIsOpen_IsSeenByNobodyUntilItIsSettled) {
  steps_.emplace(*store_);
  Open().Put("a", "1");
  EXPECT_TRUE(steps_->is_open());
  EXPECT_EQ(Stored("a"), std::nullopt);
  EXPECT_EQ(*Open().Get("a"), "1") << "the same one";
  ASSERT_TRUE(store_->Settle());
  EXPECT_FALSE(steps_->is_open());
  EXPECT_EQ(Stored("a"), "1");
  EXPECT_TRUE(store_->Settle()) << "nothing is open";
}

TEST_F(BulkStepsTest, BesideAnOpenStep_NobodyCommits) {
  steps_.emplace(*store_);
  Open().Put("a", "1");
  const auto beside = Put("b");
  ASSERT_FALSE(beside);
  EXPECT_EQ(beside.error().code, ErrorCode::kInternal);
  EXPECT_EQ(Stored("b"), std::nullopt);
  ASSERT_TRUE(store_->Settle());
  EXPECT_TRUE(Put("b"));
}

TEST_F(BulkStepsTest, WhatIsDropped_OrLeftOpenAtTheEnd_IsNotWritten_AndInNobodysWay) {
  steps_.emplace(*store_);
  Open().Put("a", "1");
  steps_->Drop();
  EXPECT_TRUE(Put("b"));
  Open().Put("a", "2");
  steps_.reset();
  EXPECT_TRUE(Put("c"));
  EXPECT_EQ(Stored("a"), std::nullopt);
}

TEST_F(BulkStepsTest, AbsentRowsAreKnown_AndThoseThatOthersWriteAreFound) {
  steps_.emplace(*store_);
  WriteLargeStep(8);
  const std::string by_other = storage::EntryKey(TestId<EntryId>(100));
  EXPECT_EQ(*steps_->view().Get(by_other), std::nullopt);
  ASSERT_TRUE(Put(by_other));
  EXPECT_EQ(*steps_->view().Get(by_other), "value");
  EXPECT_TRUE(steps_->view().Get(storage::EntryKey(TestId<EntryId>(7)))->has_value());
}

}  // namespace
}  // namespace dirsync
