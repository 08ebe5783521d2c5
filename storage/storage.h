// Durable state as one ordered map of bytes to bytes. Three implementations: memory, RocksDB and
// (in tests) faulty; one contract suite holds them to this text. Keys: storage/FORMAT.md.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/error.h"

namespace dirsync::storage {

// Walks keys in bytewise order within the bounds it was made with. Key and Value stay valid until
// the next call that moves it. Sees the state as of its making. Not thread-safe.
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual bool Valid() const = 0;
  virtual std::string_view Key() const = 0;    // REQUIRES Valid()
  virtual std::string_view Value() const = 0;  // REQUIRES Valid()
  virtual void Next() = 0;                     // REQUIRES Valid()
  // To the first key >= `key` (never below the lower bound).
  virtual void Seek(std::string_view key) = 0;
  // Why Valid() became false: ok at the end of the bounds, else kCorrupt or kIo. A caller that
  // draws conclusions from the end (absence!) must ask.
  virtual Result<void> status() const = 0;
};

// What may be read.
class ReadView {
 public:
  virtual ~ReadView() = default;
  // nullopt: no such key, which is not an error. Errors: kCorrupt, kIo.
  virtual Result<std::optional<std::string>> Get(std::string_view key) const = 0;
  // Positioned at the first key in [lower, upper); empty `upper` = to the last key.
  virtual std::unique_ptr<Cursor> Scan(std::string_view lower, std::string_view upper) const = 0;
};

// Puts and deletes, applied as one atom, the last one of a key wins.
class WriteBatch {
 public:
  struct Operation {
    std::string key;
    std::optional<std::string> value;  // nullopt = delete
  };
  void Put(std::string key, std::string value);
  void Delete(std::string key);
  void Reserve(std::size_t operations);
  const std::vector<Operation>& operations() const { return operations_; }
  std::size_t bytes() const { return bytes_; }  // of keys and values
  bool empty() const { return operations_.empty(); }
  // Whether every key is greater than the one before it, as in a batch from a Transaction.
  bool ascending() const { return ascending_; }
  void Clear();
  // The operations; the batch is empty afterwards.
  std::vector<Operation> Release();

 private:
  void Add(std::string key, std::optional<std::string> value);

  std::vector<Operation> operations_;
  std::size_t bytes_ = 0;
  bool ascending_ = true;
};

// Thread-safety: reads from any thread; Commit and Sync from one at a time.
class Storage : public ReadView {
 public:
  // Applies the batch atomically and makes it visible to later reads. Not durable until Sync
  // returns, except that a commit is never durable without all earlier ones. Above
  // limits::kIngestBytes an implementation may make it durable at once, or go on writing it after
  // the return: then the next call of Commit or Sync waits for it, and has its error.
  // Errors: kDiskFull, kIo: nothing of the batch is visible, or the store is closed (every later
  // call fails) and reopening decides; kCorrupt.
  virtual Result<void> Commit(WriteBatch batch) = 0;
  // All earlier commits survive a power cut when this returns. After an error the process must
  // stop: what is on disk is not known.
  virtual Result<void> Sync() = 0;
  // A frozen view; must not outlive the storage.
  virtual std::shared_ptr<const ReadView> Snapshot() const = 0;
  // A consistent copy of all that is committed, in the new folder `path`, openable as a store.
  // Errors: kExists when `path` exists; kInvalid where there are no folders (memory).
  virtual Result<void> Checkpoint(const std::string& path) = 0;
};

}  // namespace dirsync::storage
