#include "storage/rocksdb_settings.h"

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>

#include <cstdarg>
#include <limits>
#include <utility>

#include "proto/base/limits.h"

namespace dirsync::storage {
namespace {

// Debian's library keeps its asserts: its own log file aborts the process on a full disk. So there
// is no log file; errors reach us as values.
class NoLog : public rocksdb::Logger {
 public:
  NoLog() : Logger(rocksdb::InfoLogLevel::FATAL_LEVEL) {}
  using Logger::Logv;
  void Logv(const char* /*format*/, va_list /*arguments*/) override {}
};

class GateCloser : public rocksdb::EventListener {
 public:
  GateCloser(std::shared_ptr<WriteGate> gate, std::string operation)
      : gate_(std::move(gate)), operation_(std::move(operation)) {}

  void OnBackgroundError(rocksdb::BackgroundErrorReason /*reason*/,
                         rocksdb::Status* status) override {
    gate_->Close(ErrorOf(*status, operation_));
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/, rocksdb::Status /*status*/,
                            bool* recover) override {
    *recover = false;
  }

 private:
  const std::shared_ptr<WriteGate> gate_;
  const std::string operation_;
};

void SetTables(const RocksdbOptions& options, rocksdb::Options& settings) {
  rocksdb::BlockBasedTableOptions table;
  // Few shards, and indexes and filters in small parts: a filter of a million keys in one piece
  // (1.2 MiB) fits no shard of a small cache and is read again by every look-up.
  constexpr int kCacheShardBits = 3;
  table.block_cache = rocksdb::NewLRUCache(options.cache_bytes, kCacheShardBits);
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.metadata_block_size = 8 * limits::kKiB;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.whole_key_filtering = true;
  table.block_size = 8 * limits::kKiB;
  table.format_version = 5;
  settings.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  settings.compression = rocksdb::kLZ4Compression;
}

void SetLog(const RocksdbOptions& options, rocksdb::Options& settings) {
  settings.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  settings.max_total_wal_size = limits::kWalBytes;
  // RocksdbStore flushes long before this, after a sync of the log: see SyncThenFlush.
  settings.write_buffer_size = 4 * options.memtable_bytes;
  settings.max_write_buffer_number = 2;
  settings.arena_block_size = 1 * limits::kMiB;
}

// A load of a million entries arrives as some 30 commits of about 10 files, and most of them
// overlap what is there: they all wait in level 0 without slowing the writer (RocksdbStore).
void SetLevels(rocksdb::Options& settings) {
  settings.max_background_jobs = 2;
  settings.disable_auto_compactions = true;  // until RocksdbStore says so
  settings.level_compaction_dynamic_level_bytes = true;
  settings.level0_file_num_compaction_trigger = 16;
  settings.level0_slowdown_writes_trigger = 400;
  settings.level0_stop_writes_trigger = 800;
  settings.soft_pending_compaction_bytes_limit = 0;
  settings.hard_pending_compaction_bytes_limit = 0;
  settings.target_file_size_base = 64 * limits::kMiB;
  settings.compaction_readahead_size = 1 * limits::kMiB;
  settings.ttl = 0;
  settings.periodic_compaction_seconds = 0;
}

void SetQuiet(rocksdb::Options& settings) {
  settings.info_log = std::make_shared<NoLog>();
  settings.stats_dump_period_sec = 0;
  settings.stats_persist_period_sec = 0;
  settings.skip_stats_update_on_db_open = true;
  settings.max_bgerror_resume_count = 0;
}

}  // namespace

Error ErrorOf(const rocksdb::Status& status, const std::string& operation) {
  std::string cause = status.ToString();
  ErrorCode code = ErrorCode::kIo;
  if (status.IsNoSpace() || cause.find("Disk quota exceeded") != std::string::npos) {
    code = ErrorCode::kDiskFull;
  } else if (status.IsCorruption()) {
    code = ErrorCode::kCorrupt;
  }
  return Error{code, operation + ": " + cause, ""};
}

void WriteGate::Close(Error cause) {
  std::lock_guard lock(mutex_);
  if (!cause_) cause_ = std::move(cause);
}

Result<void> WriteGate::Check() const {
  std::lock_guard lock(mutex_);
  if (!cause_) return {};
  return Fail(cause_->code, "closed for writing after " + cause_->message, cause_->hint);
}

rocksdb::Options MakeSettings(const RocksdbOptions& options, rocksdb::Env* env,
                              std::shared_ptr<WriteGate> gate) {
  rocksdb::Options settings;
  if (env != nullptr) settings.env = env;
  settings.create_if_missing = options.create;
  settings.paranoid_checks = true;
  // A reader beside a writer keeps every file open: the writer may remove them at any time.
  settings.max_open_files = options.read_only ? -1 : 512;
  settings.allow_concurrent_memtable_write = false;  // one writer
  settings.listeners.push_back(
      std::make_shared<GateCloser>(std::move(gate), "write store " + options.path));
  SetTables(options, settings);
  SetLog(options, settings);
  SetLevels(settings);
  SetQuiet(settings);
  return settings;
}

}  // namespace dirsync::storage
