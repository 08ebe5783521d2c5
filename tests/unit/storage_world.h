// What the storage tests share: a folder that goes away, a disk that fails or loses power, and
// rows.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "storage/io_hook.h"
#include "storage/rocksdb_storage.h"
#include "storage/storage.h"

namespace dirsync::storage {

using Rows = std::map<std::string, std::string>;

// A new folder, removed with all that is in it at the end.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "storage-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// Fails on demand, and knows which bytes of each file a power cut would leave.
class TestDisk : public IoHook {
 public:
  // From the nth operation on (1: the next) all fail with `error`, until Heal.
  void FailFrom(std::size_t nth, int error) {
    std::lock_guard lock(mutex_);
    fail_from_ = operations_ + nth;
    error_ = error;
  }
  // Every operation for which `matches` fails with `error`, until Heal.
  void FailWhere(std::function<bool(Operation, const std::string&)> matches, int error) {
    std::lock_guard lock(mutex_);
    matches_ = std::move(matches);
    error_ = error;
  }
  void Heal() {
    std::lock_guard lock(mutex_);
    fail_from_ = 0;
    matches_ = nullptr;
  }
  std::size_t operations() const {
    std::lock_guard lock(mutex_);
    return operations_;
  }

  // Copies a folder as it is after a power cut: of each file only what was synced, and `torn_bytes`
  // more where there were more.
  void PowerCut(const std::string& from, const std::string& to, std::uint64_t torn_bytes = 0) {
    std::lock_guard lock(mutex_);
    CopyLiving(from, to);
    for (const auto& item : std::filesystem::recursive_directory_iterator(to)) {
      auto file = files_.find(from + item.path().string().substr(to.size()));
      if (!item.is_regular_file() || file == files_.end()) continue;
      std::uint64_t size = std::min(item.file_size(), file->second.synced + torn_bytes);
      std::filesystem::resize_file(item.path(), size);
    }
  }

  int Before(Operation operation, const std::string& path, std::size_t) override {
    std::lock_guard lock(mutex_);
    ++operations_;
    if (fail_from_ > 0 && operations_ >= fail_from_) return error_;
    return matches_ && matches_(operation, path) ? error_ : 0;
  }
  void After(Operation operation, const std::string& path, std::size_t bytes) override {
    std::lock_guard lock(mutex_);
    // A file that is not in the list (linked, renamed, from an earlier life) was synced whole.
    auto file = files_.find(path);
    switch (operation) {
      case Operation::kCreate:
        files_[path] = {};
        break;
      case Operation::kAppend:
        if (file != files_.end()) file->second.appended += bytes;
        break;
      case Operation::kSync:
        if (file != files_.end()) file->second.synced = file->second.appended;
        break;
      case Operation::kRename:
      case Operation::kLink:
      case Operation::kRemove:
        files_.erase(path);
        break;
      case Operation::kSyncFolder:
        break;
    }
  }

 private:
  // A file that is deleted meanwhile, in another thread, is passed over.
  static void CopyLiving(const std::filesystem::path& from, const std::filesystem::path& to) {
    std::filesystem::create_directories(to);
    std::error_code gone;
    for (const auto& item : std::filesystem::directory_iterator(from)) {
      const auto copy = to / item.path().filename();
      if (item.is_directory()) {
        CopyLiving(item.path(), copy);
      } else {
        std::filesystem::copy_file(item.path(), copy, gone);
      }
    }
  }
  struct File {
    std::uint64_t appended = 0;
    std::uint64_t synced = 0;
  };
  mutable std::mutex mutex_;
  std::map<std::string, File> files_;
  std::size_t operations_ = 0;
  std::size_t fail_from_ = 0;
  int error_ = 0;
  std::function<bool(Operation, const std::string&)> matches_;
};

inline std::unique_ptr<Storage> MustOpen(const std::string& path, IoHook* disk = nullptr) {
  RocksdbOptions options;
  options.path = path;
  options.create = true;
  options.io_hook = disk;
  auto store = OpenRocksdb(options);
  EXPECT_TRUE(store) << store.error().ToString();
  return store ? std::move(*store) : nullptr;
}

// All rows from `lower` to before `upper`; fails the test when the cursor ends with an error.
inline Rows RowsOf(const ReadView& view, std::string_view lower = "E",
                   std::string_view upper = "F") {
  Rows rows;
  auto cursor = view.Scan(lower, upper);
  for (; cursor->Valid(); cursor->Next()) {
    EXPECT_TRUE(rows.emplace(cursor->Key(), cursor->Value()).second);
  }
  EXPECT_TRUE(cursor->status()) << cursor->status().error().ToString();
  return rows;
}

// Like EXPECT_EQ of the rows, without printing megabytes.
inline testing::AssertionResult SameRows(const Rows& rows, const Rows& expected) {
  if (rows == expected) return testing::AssertionSuccess();
  for (const auto& [key, value] : expected) {
    auto row = rows.find(key);
    if (row == rows.end()) return testing::AssertionFailure() << "row " << key << " is missing";
    if (row->second != value) return testing::AssertionFailure() << "row " << key << " differs";
  }
  return testing::AssertionFailure() << rows.size() << " rows instead of " << expected.size();
}

inline void MustPut(Storage& store, const std::string& key, const std::string& value) {
  WriteBatch batch;
  batch.Put(key, value);
  auto result = store.Commit(batch);
  ASSERT_TRUE(result) << result.error().ToString();
}

inline std::string FileBytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline void WriteFileBytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

}  // namespace dirsync::storage
