// One suite for every storage: what storage.h promises.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "proto/base/limits.h"
#include "storage/memory_storage.h"
#include "storage/transaction.h"
#include "tests/unit/storage_world.h"

namespace dirsync::storage {
namespace {

// A storage under test, and what a power cut makes of it.
class World {
 public:
  virtual ~World() = default;
  virtual Storage& store() = 0;
  // Afterwards store() is what survived.
  virtual void Crash() = 0;
};

class MemoryWorld : public World {
 public:
  Storage& store() override { return store_; }
  void Crash() override { store_.DropUnsynced(); }

 private:
  MemoryStorage store_;
};

class RocksdbWorld : public World {
 public:
  RocksdbWorld() { store_ = MustOpen(folder_ / "0", &disk_); }
  Storage& store() override { return *store_; }
  void Crash() override {
    std::string before = folder_ / std::to_string(crashes_);
    std::string after = folder_ / std::to_string(++crashes_);
    disk_.PowerCut(before, after);
    store_.reset();
    store_ = MustOpen(after, &disk_);
  }

 private:
  TemporaryFolder folder_;
  TestDisk disk_;
  int crashes_ = 0;
  std::unique_ptr<Storage> store_;
};

// A transaction on top of half the rows, which never commits.
class TransactionStorage : public MemoryStorage {
 public:
  Result<void> Commit(WriteBatch batch) override {
    bool to_base = commits_++ % 2 == 0 && transaction_.rows() == 0;
    if (to_base) return MemoryStorage::Commit(std::move(batch));
    for (const auto& [key, value] : batch.operations()) {
      value ? transaction_.Put(key, *value) : transaction_.Delete(key);
    }
    return {};
  }
  Result<std::optional<std::string>> Get(std::string_view key) const override {
    return in_transaction() ? transaction_.Get(key) : MemoryStorage::Get(key);
  }
  std::unique_ptr<Cursor> Scan(std::string_view lower, std::string_view upper) const override {
    return in_transaction() ? transaction_.Scan(lower, upper) : MemoryStorage::Scan(lower, upper);
  }

 private:
  class Base : public ReadView {
   public:
    explicit Base(const TransactionStorage& store) : store_(store) {}
    Result<std::optional<std::string>> Get(std::string_view key) const override {
      return store_.MemoryStorage::Get(key);
    }
    std::unique_ptr<Cursor> Scan(std::string_view lower, std::string_view upper) const override {
      return store_.MemoryStorage::Scan(lower, upper);
    }

   private:
    const TransactionStorage& store_;
  };
  bool in_transaction() const { return transaction_.rows() > 0; }

  int commits_ = 0;
  Base base_{*this};
  Transaction transaction_{base_};
};

class TransactionWorld : public World {
 public:
  Storage& store() override { return store_; }
  void Crash() override {}

 private:
  TransactionStorage store_;
};

std::unique_ptr<World> MakeWorld(const std::string& kind) {
  if (kind == "Memory") return std::make_unique<MemoryWorld>();
  if (kind == "Rocksdb") return std::make_unique<RocksdbWorld>();
  return std::make_unique<TransactionWorld>();
}

std::string NameOf(const testing::TestParamInfo<std::string>& info) { return info.param; }

class ContractTest : public testing::TestWithParam<std::string> {
 protected:
  Storage& store() { return world_->store(); }
  void Put(const std::string& key, const std::string& value) { MustPut(store(), key, value); }
  void Delete(const std::string& key) {
    WriteBatch batch;
    batch.Delete(key);
    ASSERT_TRUE(store().Commit(batch));
  }
  void Commit(const WriteBatch& batch) {
    auto result = store().Commit(batch);
    ASSERT_TRUE(result) << result.error().ToString();
  }
  std::optional<std::string> Get(const std::string& key) {
    auto value = store().Get(key);
    EXPECT_TRUE(value);
    return value.value_or(std::nullopt);
  }

  std::unique_ptr<World> world_ = MakeWorld(GetParam());
};

// What reads show: holds for transactions too.
using ViewContract = ContractTest;
// What only a store of its own can promise.
using StorageContract = ContractTest;

INSTANTIATE_TEST_SUITE_P(All, ViewContract, testing::Values("Memory", "Rocksdb", "Transaction"),
                         NameOf);

TEST_P(ViewContract, Get_OfAMissingKeyIsNothingAndNoError) {
  auto value = store().Get("E-none");
  ASSERT_TRUE(value);
  EXPECT_FALSE(*value);
  Put("E-none-longer", "x");
  EXPECT_EQ(Get("E-none"), std::nullopt);
}

TEST_P(ViewContract, Get_TellsEmptyFromMissing) {
  Put("Ea", "");
  EXPECT_EQ(Get("Ea"), "");
}

TEST_P(ViewContract, Bytes_AreKeptAsTheyAre) {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  Put("E" + all, all + all);
  EXPECT_EQ(Get("E" + all), all + all);
}

TEST_P(ViewContract, Commit_TheLastWriteOfAKeyWins) {
  WriteBatch batch;
  batch.Put("Ea", "1");
  batch.Put("Ea", "2");
  batch.Put("Eb", "1");
  batch.Delete("Eb");
  batch.Delete("Ec");
  batch.Put("Ec", "3");
  Commit(batch);
  EXPECT_EQ(RowsOf(store()), (Rows{{"Ea", "2"}, {"Ec", "3"}}));
}

TEST_P(ViewContract, Delete_OfAMissingKeyIsNoError) {
  Delete("Ea");
  EXPECT_EQ(RowsOf(store()), Rows());
}

TEST_P(ViewContract, Scan_IsInUnsignedByteOrder) {
  for (std::string key : {"E\xff", "E", "Ea", "E\x7f", "E\x80"}) Put(key, "");
  Put(std::string("E\0", 2), "");
  std::vector<std::string> keys;
  for (auto cursor = store().Scan("E", "F"); cursor->Valid(); cursor->Next()) {
    keys.emplace_back(cursor->Key());
  }
  EXPECT_EQ(keys, (std::vector<std::string>{"E", std::string("E\0", 2), "Ea", "E\x7f", "E\x80",
                                            "E\xff"}));
}

TEST_P(ViewContract, Scan_KeepsItsBounds) {
  for (std::string key : {"Ea", "Eb", "Ec", "Ed"}) Put(key, key);
  EXPECT_EQ(RowsOf(store(), "Eb", "Ed"), (Rows{{"Eb", "Eb"}, {"Ec", "Ec"}}));
  EXPECT_EQ(RowsOf(store(), "Ebb", "Ec\x01"), (Rows{{"Ec", "Ec"}}));
  Put("z", "z");
  EXPECT_EQ(RowsOf(store(), "n", ""), (Rows{{"z", "z"}}));
  EXPECT_EQ(RowsOf(store(), "Eb", "Eb"), Rows());
  EXPECT_EQ(RowsOf(store(), "Ee", "F"), Rows());
}

TEST_P(ViewContract, Seek_StaysWithinTheBounds) {
  for (std::string key : {"Ea", "Eb", "Ec", "Ed"}) Put(key, key);
  auto cursor = store().Scan("Eb", "Ed");
  cursor->Seek("Ea");
  ASSERT_TRUE(cursor->Valid());
  EXPECT_EQ(cursor->Key(), "Eb");
  cursor->Seek("Ebx");
  ASSERT_TRUE(cursor->Valid());
  EXPECT_EQ(cursor->Key(), "Ec");
  cursor->Seek("Ed");
  EXPECT_FALSE(cursor->Valid());
  EXPECT_TRUE(cursor->status());
  cursor->Seek("");
  ASSERT_TRUE(cursor->Valid());
  EXPECT_EQ(cursor->Key(), "Eb");
}

TEST_P(ViewContract, Cursor_SeesTheStateOfItsMaking) {
  for (std::string key : {"Ea", "Eb", "Ec", "Ed"}) Put(key, "old");
  auto cursor = store().Scan("E", "F");
  cursor->Next();
  std::string_view key = cursor->Key();
  std::string_view value = cursor->Value();
  Put("Eb", "new and longer than any small string");
  Delete("Ec");
  Put("Ebb", "new");
  Put("Ed", "new");
  EXPECT_EQ(key, "Eb");
  EXPECT_EQ(value, "old");
  Rows seen;
  for (cursor->Seek(""); cursor->Valid(); cursor->Next()) {
    seen.emplace(cursor->Key(), cursor->Value());
  }
  EXPECT_EQ(seen, (Rows{{"Ea", "old"}, {"Eb", "old"}, {"Ec", "old"}, {"Ed", "old"}}));
}

TEST_P(ViewContract, RandomWritesReadAsAMap) {
  std::mt19937 random(7);
  Rows model;
  const auto some_key = [&] { return "E" + std::to_string(random() % 60); };
  for (int round = 0; round < 60; ++round) {
    WriteBatch batch;
    for (int i = 0; i < 8; ++i) {
      std::string key = some_key();
      if (random() % 3 == 0) {
        batch.Delete(key);
        model.erase(key);
      } else {
        std::string value(random() % 40, static_cast<char>('a' + random() % 26));
        batch.Put(key, value);
        model[key] = value;
      }
    }
    Commit(batch);
    std::string lower = some_key(), upper = some_key(), to = some_key();
    if (upper < lower) std::swap(lower, upper);
    auto in_model = model.lower_bound(lower);
    Rows expected(in_model, model.lower_bound(upper));
    EXPECT_EQ(RowsOf(store(), lower, upper), expected);
    auto cursor = store().Scan(lower, upper);
    cursor->Seek(to);
    auto row = expected.lower_bound(to);
    ASSERT_EQ(cursor->Valid(), row != expected.end());
    if (row != expected.end()) {
      EXPECT_EQ(cursor->Key(), row->first);
    }
  }
  EXPECT_EQ(RowsOf(store()), model);
}

INSTANTIATE_TEST_SUITE_P(All, StorageContract, testing::Values("Memory", "Rocksdb"), NameOf);

TEST_P(StorageContract, Commit_OfNothingIsNoError) {
  EXPECT_TRUE(store().Commit(WriteBatch()));
  EXPECT_TRUE(store().Sync());
}

TEST_P(StorageContract, Snapshot_StaysFrozen) {
  Put("Ea", "1");
  Put("Eb", "1");
  auto snapshot = store().Snapshot();
  Put("Ea", "2");
  Delete("Eb");
  Put("Ec", "2");
  EXPECT_EQ(RowsOf(*snapshot), (Rows{{"Ea", "1"}, {"Eb", "1"}}));
  auto value = snapshot->Get("Eb");
  ASSERT_TRUE(value);
  EXPECT_EQ(*value, "1");
  EXPECT_EQ(RowsOf(store()), (Rows{{"Ea", "2"}, {"Ec", "2"}}));
}

TEST_P(StorageContract, Sync_KeepsAllEarlierCommits) {
  Put("Ea", "1");
  Put("Eb", "1");
  ASSERT_TRUE(store().Sync());
  Put("Ea", "2");
  world_->Crash();
  EXPECT_EQ(RowsOf(store()), (Rows{{"Ea", "1"}, {"Eb", "1"}}));
  Put("Ec", "3");
  ASSERT_TRUE(store().Sync());
  world_->Crash();
  EXPECT_EQ(RowsOf(store()), (Rows{{"Ea", "1"}, {"Eb", "1"}, {"Ec", "3"}}));
}

TEST_P(StorageContract, Sync_KeepsDeletesToo) {
  Put("Ea", "1");
  ASSERT_TRUE(store().Sync());
  Delete("Ea");
  ASSERT_TRUE(store().Sync());
  world_->Crash();
  EXPECT_EQ(RowsOf(store()), Rows());
}

// More than limits::kIngestBytes: random keys of three tables, overwrites and deletes among them.
WriteBatch BigBatch(unsigned seed, Rows& model) {
  std::mt19937 random(seed);
  WriteBatch batch;
  while (batch.bytes() <= limits::kIngestBytes + 1024) {
    std::string key = std::string(1, "ENU"[random() % 3]) + std::to_string(random() % 9000);
    if (random() % 5 == 0) {
      batch.Delete(key);
      model.erase(key);
    } else {
      std::string value = std::to_string(random()) + std::string(600, 'v');
      model[key] = value;
      batch.Put(key, value);
    }
  }
  return batch;
}

// The rows of all tables in a BigBatch; a store's own row of table M lies between them.
Rows BigRows(const ReadView& view) {
  Rows rows = RowsOf(view, "E", "F");
  rows.merge(RowsOf(view, "N", "V"));
  return rows;
}

// Whether it is in table files yet or not.
TEST_P(StorageContract, BigCommit_IsSeenAtOnce) {
  Put("E1", "small");
  Rows model{{"E1", "small"}};
  WriteBatch batch = BigBatch(4, model);
  std::set<std::string> keys;
  for (const auto& [key, value] : batch.operations()) keys.insert(key);
  Commit(batch);
  for (const std::string& key : keys) {
    const auto row = model.find(key);
    ASSERT_EQ(Get(key), row == model.end() ? std::nullopt : std::optional(row->second)) << key;
  }
  Put("E1", "newer");
  model["E1"] = "newer";
  Commit(BigBatch(5, model));
  EXPECT_EQ(BigRows(store()), model);
  Commit(BigBatch(6, model));
  EXPECT_EQ(BigRows(*store().Snapshot()), model);
  ASSERT_TRUE(store().Sync());
  world_->Crash();
  EXPECT_EQ(BigRows(store()), model);
}

TEST_P(StorageContract, BigCommit_EqualsSmallOnes) {
  Rows model;
  for (unsigned i = 0; i < 3; ++i) {
    Put("E1", "small");
    model["E1"] = "small";
    Commit(BigBatch(i, model));
    Put("E2", std::to_string(i));
    model["E2"] = std::to_string(i);
  }
  EXPECT_TRUE(SameRows(BigRows(store()), model));
  ASSERT_TRUE(store().Sync());
  world_->Crash();
  EXPECT_TRUE(SameRows(BigRows(store()), model));
}

TEST_P(StorageContract, BigCommit_IsNotSeenByEarlierCursorsAndSnapshots) {
  for (int i = 0; i < 100; ++i) Put("E" + std::to_string(i), "old");
  Rows before = BigRows(store());
  auto snapshot = store().Snapshot();
  auto cursor = store().Scan("E", "F");
  Rows model = before;
  Commit(BigBatch(1, model));
  EXPECT_TRUE(SameRows(BigRows(*snapshot), before));
  Rows seen;
  for (; cursor->Valid(); cursor->Next()) seen.emplace(cursor->Key(), cursor->Value());
  EXPECT_TRUE(SameRows(seen, before));
  EXPECT_TRUE(SameRows(BigRows(store()), model));
}

TEST_P(StorageContract, BigCommit_IsNeverDurableWithoutEarlierOnes) {
  Put("Ea", "1");
  const Rows first{{"Ea", "1"}};
  Rows model = first;
  Commit(BigBatch(1, model));
  world_->Crash();
  Rows after = BigRows(store());
  EXPECT_TRUE(after.empty() || after == first || after == model);
}

TEST_P(StorageContract, Checkpoint_IsAStoreOfItsOwn) {
  TemporaryFolder folder;
  std::string path = folder / "copy";
  Put("Ea", "1");
  auto made = store().Checkpoint(path);
  if (GetParam() == "Memory") {
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, ErrorCode::kInvalid);
    return;
  }
  ASSERT_TRUE(made) << made.error().ToString();
  Put("Ea", "2");
  auto copy = MustOpen(path);
  EXPECT_EQ(RowsOf(*copy), (Rows{{"Ea", "1"}}));
  MustPut(*copy, "Eb", "of the copy");
  EXPECT_EQ(RowsOf(store()), (Rows{{"Ea", "2"}}));
  auto again = store().Checkpoint(path);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, ErrorCode::kExists);
}

}  // namespace
}  // namespace dirsync::storage
