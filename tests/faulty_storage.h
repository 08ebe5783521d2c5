// A storage that fails when it is told to: for tests of whoever commits.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "storage/storage.h"

namespace dirsync::tests {

// Passes everything on to `base`, which outlives it, until a fault that was planned comes up.
// After a failed commit or sync it is closed for writing, as a store on a disk is, until Reopen.
// Not thread-safe.
class FaultyStorage : public storage::Storage {
 public:
  // Whether the rows of a commit that fails are there once the store is open again: on a real disk
  // either can happen.
  enum class AfterReopen { kLost, kKept };

  explicit FaultyStorage(storage::Storage& base) : base_(base) {}

  // The nth commit or sync from now on (1: the next) fails with `code`: kIo or kDiskFull.
  void FailCommit(std::size_t nth, ErrorCode code, AfterReopen rows = AfterReopen::kLost);
  void FailSync(std::size_t nth, ErrorCode code);
  // The nth read from now on (Get or Scan) fails; a cursor fails at its first row.
  void FailRead(std::size_t nth, ErrorCode code);
  // Stops the world: `callback` runs in front of the nth commit, sync or checkpoint from now on. It
  // may read the base, copy it, or throw to leave the code under test.
  void AtOperation(std::size_t nth, std::function<void()> callback);

  // As a process that starts again: planned faults are forgotten, and writing is possible.
  void Reopen();

  std::size_t commits() const { return commits_; }
  std::size_t syncs() const { return syncs_; }
  // Commits, syncs and checkpoints, failed ones too.
  std::size_t operations() const { return operations_; }
  bool closed() const { return closed_.has_value(); }

  Result<std::optional<std::string>> Get(std::string_view key) const override;
  std::unique_ptr<storage::Cursor> Scan(std::string_view lower,
                                        std::string_view upper) const override;
  Result<void> Commit(storage::WriteBatch batch) override;
  Result<void> Sync() override;
  std::shared_ptr<const storage::ReadView> Snapshot() const override;  // reads of it do not fail
  Result<void> Checkpoint(const std::string& path) override;

 private:
  struct Fault {
    std::size_t countdown = 0;  // 0: none is planned
    ErrorCode code = ErrorCode::kIo;
    // Counts one operation; true for the one that fails.
    bool Due() { return countdown > 0 && --countdown == 0; }
  };

  void BeginOperation();
  Result<void> CheckOpen() const;
  std::unexpected<Error> Close(ErrorCode code, const std::string& operation);

  storage::Storage& base_;
  Fault commit_;
  Fault sync_;
  mutable Fault read_;
  AfterReopen failed_rows_ = AfterReopen::kLost;
  std::size_t callback_countdown_ = 0;
  std::function<void()> callback_;
  std::optional<storage::WriteBatch> kept_;  // committed when the store is open again
  std::optional<Error> closed_;
  std::size_t commits_ = 0;
  std::size_t syncs_ = 0;
  std::size_t operations_ = 0;
};

}  // namespace dirsync::tests
