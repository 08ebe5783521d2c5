// Storage in memory: for tests, the simulator and dry runs. Never fails, but for Checkpoint.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/storage.h"

namespace dirsync::storage {

// Not thread-safe, reads neither. A commit copies all rows while a cursor or snapshot is alive.
class MemoryStorage : public Storage {
 public:
  using Map = std::map<std::string, std::string, std::less<>>;

  Result<std::optional<std::string>> Get(std::string_view key) const override;
  std::unique_ptr<Cursor> Scan(std::string_view lower, std::string_view upper) const override;
  Result<void> Commit(WriteBatch batch) override;
  Result<void> Sync() override;
  std::shared_ptr<const ReadView> Snapshot() const override;
  Result<void> Checkpoint(const std::string& path) override;  // kInvalid

  // For the simulator: what a crash keeps. DropUnsynced returns to the state of the last Sync.
  void DropUnsynced();
  const Map& rows() const { return *rows_; }  // until the next commit
  void Restore(Map rows);                     // as if this had been synced

 private:
  Map& OwnRows();  // copied if a view holds them

  std::shared_ptr<Map> rows_ = std::make_shared<Map>();  // copied on write while a view holds it
  std::vector<WriteBatch::Operation> undo_;              // newest last: back to the last Sync
};

}  // namespace dirsync::storage
