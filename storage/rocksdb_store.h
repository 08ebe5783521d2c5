// The open store on RocksDB.
#pragma once

#include <rocksdb/db.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/background_ingest.h"
#include "storage/rocksdb_settings.h"
#include "storage/storage.h"
#include "storage/store_lock.h"

namespace dirsync::storage {

// What a store is made of; all but `lock` and `env` must be set.
struct RocksdbParts {
  std::optional<StoreLock> lock;      // none: read-only
  std::unique_ptr<rocksdb::Env> env;  // none: the default one
  std::shared_ptr<WriteGate> gate;
  std::unique_ptr<rocksdb::DB> db;
  rocksdb::Options settings;  // with which `db` was opened
};

// See Storage. Writers are serialised here, so that a second one is harmless.
class RocksdbStore : public Storage {
 public:
  RocksdbStore(const RocksdbOptions& options, RocksdbParts parts);
  // Writes out what only the log holds, so that the next opening has none to read.
  ~RocksdbStore() override;

  Result<std::optional<std::string>> Get(std::string_view key) const override;
  std::unique_ptr<Cursor> Scan(std::string_view lower, std::string_view upper) const override;
  Result<void> Commit(WriteBatch batch) override;
  Result<void> Sync() override;
  std::shared_ptr<const ReadView> Snapshot() const override;
  Result<void> Checkpoint(const std::string& path) override;

  // All that is committed is in table files and durable when this returns. Errors as of Commit.
  Result<void> Flush();

 private:
  rocksdb::Status Write(const WriteBatch& batch);
  // RocksDB starts a new log file with each memtable and does not sync the old one. A power cut
  // could then leave rows of the new file and not those of the old, so every change of memtable
  // happens here, after a sync.
  rocksdb::Status SyncThenFlush(bool wait);
  rocksdb::Status SyncLog();
  // The bulk commit before is through, or has closed the store: its error.
  Result<void> FinishIngest();
  // Whether RocksDB merges its files in the background. Off at first: most commands end long before
  // anything would come of it, and it would only rewrite again and again what bulk commits add.
  void LetCompact(bool may);
  std::uint64_t FilesAtLevel0() const;
  // Returns once the files of level 0 are merged.
  void MergeFiles();
  // The first error of a write closes the store.
  Result<void> Closing(const rocksdb::Status& status, const char* operation);

  const std::string path_;
  const std::size_t flush_bytes_;  // of the memtable: beyond, it is flushed
  std::optional<StoreLock> lock_;  // before the database: let go after it
  const std::unique_ptr<rocksdb::Env> env_;
  const std::shared_ptr<WriteGate> gate_;
  const std::unique_ptr<rocksdb::DB> db_;
  BackgroundIngest ingest_;
  std::mutex writer_;
  bool unsynced_ = false;  // the log has bytes that no sync covers
  bool bulk_ = false;      // a bulk commit was the last
  bool compacts_ = false;  // see LetCompact
};

}  // namespace dirsync::storage
