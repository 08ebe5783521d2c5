// A directory in memory for the tests of its layers.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "agent/directory/consistency.h"
#include "agent/directory/entry_store.h"
#include "proto/base/text.h"
#include "proto/model/attribute_table.h"
#include "storage/key.h"
#include "storage/memory_storage.h"
#include "storage/transaction.h"

namespace dirsync {

inline EntryId IdOf(unsigned number) {
  EntryId id;
  id.bytes[14] = static_cast<std::uint8_t>(number >> 8);
  id.bytes[15] = static_cast<std::uint8_t>(number);
  return id;
}

inline Entry MakeEntry(unsigned number, std::string name, const EntryId& parent = {}) {
  Entry entry;
  entry.id = IdOf(number);
  entry.name = std::move(name);
  entry.parent = parent;
  return entry;
}

inline Entry MakeContainer(unsigned number, std::string name, const EntryId& parent = {}) {
  Entry entry = MakeEntry(number, std::move(name), parent);
  entry.entry_class = EntryClass::kContainer;
  return entry;
}

// Expects the error `code` of a Result; returns its message.
template <class T>
std::string ExpectError(const Result<T>& result, ErrorCode code) {
  EXPECT_FALSE(result.has_value());
  if (result) return {};
  EXPECT_EQ(result.error().code, code) << result.error().ToString();
  return result.error().message;
}

#define EXPECT_OK(expression)                                               \
  do {                                                                      \
    const auto& expected_ok = (expression);                                 \
    EXPECT_TRUE(expected_ok.has_value()) << expected_ok.error().ToString(); \
  } while (false)

inline void ExpectConsistent(const storage::ReadView& view) {
  const auto problems = CheckConsistency(view);
  ASSERT_TRUE(problems.has_value()) << problems.error().ToString();
  EXPECT_EQ(Join(*problems, "\n"), "");
}

// Storage with one open transaction at a time and one store on it.
class DirectoryWorld : public ::testing::Test {
 protected:
  DirectoryWorld() { Open(); }

  EntryStore& store() { return *store_; }
  storage::Transaction& transaction() { return *transaction_; }

  void Commit() {
    EXPECT_OK(storage_.Commit(transaction_->Take()));
    Open();
  }
  void Rollback() {
    transaction_->Rollback();
    Open();
  }
  void SetTime(std::int64_t ms) {
    now_ = FromMillis(ms);
    store_ = std::make_unique<EntryStore>(*transaction_, now_);
  }

  storage::MemoryStorage storage_;
  Instant now_ = FromMillis(1000);

 private:
  void Open() {
    store_.reset();
    transaction_ = std::make_unique<storage::Transaction>(storage_);
    store_ = std::make_unique<EntryStore>(*transaction_, now_);
  }

  std::unique_ptr<storage::Transaction> transaction_;
  std::unique_ptr<EntryStore> store_;
};

}  // namespace dirsync
