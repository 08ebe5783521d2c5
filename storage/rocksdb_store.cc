#include "storage/rocksdb_store.h"

#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_batch.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "proto/base/limits.h"

namespace dirsync::storage {
namespace {

// Of level 0, where each look-up may meet every file. A command leaves one: from kFilesMerged on
// they are merged by whoever closes the store. Beyond kFilesMost nobody waits with it: bulk
// commits, and processes that were killed one after another.
constexpr std::uint64_t kFilesMerged = 32;
constexpr std::uint64_t kFilesMost = 192;

rocksdb::Slice ToSlice(std::string_view text) { return {text.data(), text.size()}; }

class RocksdbCursor : public Cursor {
 public:
  RocksdbCursor(rocksdb::DB& db, rocksdb::ReadOptions how, const std::string& path,
                std::string_view lower, std::string_view upper)
      : path_(path), lower_(lower), upper_(upper), upper_slice_(upper_) {
    if (!upper_.empty()) how.iterate_upper_bound = &upper_slice_;
    iterator_.reset(db.NewIterator(how));
    iterator_->Seek(lower_);
  }
  bool Valid() const override { return iterator_->Valid(); }
  std::string_view Key() const override { return iterator_->key().ToStringView(); }
  std::string_view Value() const override { return iterator_->value().ToStringView(); }
  void Next() override { iterator_->Next(); }
  void Seek(std::string_view key) override {
    iterator_->Seek(key < std::string_view(lower_) ? rocksdb::Slice(lower_) : ToSlice(key));
  }
  Result<void> status() const override {
    rocksdb::Status status = iterator_->status();
    if (status.ok()) return {};
    return std::unexpected(ErrorOf(status, "read store " + path_));
  }

 private:
  const std::string& path_;  // of the store, which outlives its cursors
  const std::string lower_;
  const std::string upper_;
  const rocksdb::Slice upper_slice_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

Result<std::optional<std::string>> GetFrom(rocksdb::DB& db, const rocksdb::ReadOptions& how,
                                           const std::string& path, std::string_view key) {
  std::optional<std::string> value(std::in_place);
  rocksdb::Status status = db.Get(how, db.DefaultColumnFamily(), ToSlice(key), &*value);
  if (status.ok()) return value;
  if (status.IsNotFound() && !status.IsPathNotFound()) return std::nullopt;
  return std::unexpected(ErrorOf(status, "read store " + path));
}

class RocksdbView : public ReadView {
 public:
  RocksdbView(rocksdb::DB& db, const std::string& path) : db_(db), path_(path) {
    how_.snapshot = db_.GetSnapshot();
  }
  ~RocksdbView() override { db_.ReleaseSnapshot(how_.snapshot); }
  RocksdbView(const RocksdbView&) = delete;
  RocksdbView& operator=(const RocksdbView&) = delete;

  Result<std::optional<std::string>> Get(std::string_view key) const override {
    return GetFrom(db_, how_, path_, key);
  }
  std::unique_ptr<Cursor> Scan(std::string_view lower, std::string_view upper) const override {
    return std::make_unique<RocksdbCursor>(db_, how_, path_, lower, upper);
  }

 private:
  rocksdb::DB& db_;
  const std::string& path_;
  rocksdb::ReadOptions how_;
};

}  // namespace

// Two memtables may wait to be flushed, each with a log file: together they stay within
// memtable_bytes, and so do the logs.
RocksdbStore::RocksdbStore(const RocksdbOptions& options, RocksdbParts parts)
    : path_(options.path),
      flush_bytes_(options.memtable_bytes / 2),
      lock_(std::move(parts.lock)),
      env_(std::move(parts.env)),
      gate_(std::move(parts.gate)),
      db_(std::move(parts.db)),
      ingest_(*db_, Ingester(options.path + "/ingest", std::move(parts.settings))) {
  if (lock_ && FilesAtLevel0() > kFilesMost) LetCompact(true);
}

RocksdbStore::~RocksdbStore() {
  const bool whole = FinishIngest().has_value();
  if (lock_ && whole && gate_->Check()) {
    std::uint64_t rows = 0;
    db_->GetIntProperty(rocksdb::DB::Properties::kNumEntriesActiveMemTable, &rows);
    if (rows > 0) SyncThenFlush(/*wait=*/true).PermitUncheckedError();
    if (FilesAtLevel0() >= kFilesMerged) MergeFiles();
  }
  db_->Close().PermitUncheckedError();
}

Result<std::optional<std::string>> RocksdbStore::Get(std::string_view key) const {
  if (auto pending = ingest_.Find(key)) return *std::move(pending);
  return GetFrom(*db_, rocksdb::ReadOptions(), path_, key);
}

std::unique_ptr<Cursor> RocksdbStore::Scan(std::string_view lower, std::string_view upper) const {
  ingest_.WaitFor(lower, upper);
  return std::make_unique<RocksdbCursor>(*db_, rocksdb::ReadOptions(), path_, lower, upper);
}

Result<void> RocksdbStore::Commit(WriteBatch batch) {
  std::lock_guard lock(writer_);
  DIRSYNC_CHECK(FinishIngest());
  DIRSYNC_CHECK(gate_->Check());
  if (batch.empty()) return {};
  if (batch.bytes() <= limits::kIngestBytes) return Closing(Write(batch), "write store ");
  DIRSYNC_CHECK(Closing(SyncLog(), "write store "));
  LetCompact(FilesAtLevel0() > kFilesMost);
  bulk_ = true;
  ingest_.Start(std::move(batch));
  return {};
}

std::uint64_t RocksdbStore::FilesAtLevel0() const {
  std::string files;
  db_->GetProperty(rocksdb::DB::Properties::kNumFilesAtLevelPrefix + "0", &files);
  return std::strtoull(files.c_str(), nullptr, 10);
}

// A pause waits for the merge that has been begun; the next one begins behind it.
void RocksdbStore::MergeFiles() {
  LetCompact(true);
  for (std::uint64_t before = FilesAtLevel0() + 1; FilesAtLevel0() < before;) {
    before = FilesAtLevel0();
    if (!db_->PauseBackgroundWork().ok()) return;
    if (!db_->ContinueBackgroundWork().ok()) return;
  }
}

// An error costs speed only, and the writes that follow meet its cause themselves.
void RocksdbStore::LetCompact(bool may) {
  if (may == compacts_) return;
  compacts_ = may;
  db_->SetOptions({{"disable_auto_compactions", may ? "false" : "true"}}).PermitUncheckedError();
}

Result<void> RocksdbStore::FinishIngest() { return Closing(ingest_.Finish(), "write store "); }

rocksdb::Status RocksdbStore::Write(const WriteBatch& batch) {
  constexpr std::size_t kRowOverhead = 12;  // of a row in RocksDB's form
  rocksdb::WriteBatch rows(batch.bytes() + batch.operations().size() * kRowOverhead);
  for (const WriteBatch::Operation& operation : batch.operations()) {
    auto status =
        operation.value ? rows.Put(operation.key, *operation.value) : rows.Delete(operation.key);
    if (!status.ok()) return status;
  }
  unsynced_ = true;
  if (auto status = db_->Write(rocksdb::WriteOptions(), &rows); !status.ok()) return status;
  std::uint64_t memtable_bytes = 0;
  db_->GetIntProperty(rocksdb::DB::Properties::kCurSizeActiveMemTable, &memtable_bytes);
  if (memtable_bytes < flush_bytes_) return rocksdb::Status::OK();
  LetCompact(true);
  return SyncThenFlush(/*wait=*/false);
}

rocksdb::Status RocksdbStore::SyncLog() {
  if (!unsynced_) return rocksdb::Status::OK();
  rocksdb::Status status = db_->SyncWAL();
  if (status.ok()) unsynced_ = false;
  return status;
}

rocksdb::Status RocksdbStore::SyncThenFlush(bool wait) {
  if (auto status = SyncLog(); !status.ok()) return status;
  rocksdb::FlushOptions how;
  how.wait = wait;
  how.allow_write_stall = true;
  return db_->Flush(how);
}

Result<void> RocksdbStore::Sync() {
  std::lock_guard lock(writer_);
  if (!lock_) return {};  // read-only: there is nothing to sync
  DIRSYNC_CHECK(FinishIngest());
  DIRSYNC_CHECK(gate_->Check());
  if (std::exchange(bulk_, false)) LetCompact(true);
  return Closing(SyncLog(), "sync store ");
}

Result<void> RocksdbStore::Flush() {
  std::lock_guard lock(writer_);
  DIRSYNC_CHECK(FinishIngest());
  DIRSYNC_CHECK(gate_->Check());
  return Closing(SyncThenFlush(/*wait=*/true), "write store ");
}

std::shared_ptr<const ReadView> RocksdbStore::Snapshot() const {
  ingest_.WaitFor("", "");
  return std::make_shared<RocksdbView>(*db_, path_);
}

Result<void> RocksdbStore::Checkpoint(const std::string& path) {
  std::lock_guard lock(writer_);
  DIRSYNC_CHECK(FinishIngest());
  DIRSYNC_CHECK(gate_->Check());
  std::error_code ignored;
  if (std::filesystem::exists(std::filesystem::symlink_status(path, ignored))) {
    return Fail(ErrorCode::kExists, "copy store to " + path + ": it exists");
  }
  rocksdb::Checkpoint* made = nullptr;
  rocksdb::Status status = SyncThenFlush(/*wait=*/true);
  DIRSYNC_CHECK(Closing(status, "write store "));
  status = rocksdb::Checkpoint::Create(db_.get(), &made);
  std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  if (status.ok()) status = checkpoint->CreateCheckpoint(path);
  if (status.ok()) return {};
  return std::unexpected(ErrorOf(status, "copy store to " + path));
}

Result<void> RocksdbStore::Closing(const rocksdb::Status& status, const char* operation) {
  if (status.ok()) return {};
  Error error = ErrorOf(status, operation + path_);
  gate_->Close(error);
  return std::unexpected(std::move(error));
}

}  // namespace dirsync::storage
