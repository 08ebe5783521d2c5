// A storage that writes down every look-up and commit that passes through it, and a bare loop that
// does them again: the floor that a benchmark's figure is held against, with the same rows.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "storage/storage.h"

namespace dirsync::bench {

class RecordingStorage : public storage::Storage {
 public:
  RecordingStorage(std::shared_ptr<storage::Storage> inner, const std::string& log_path);
  ~RecordingStorage() override;
  Result<std::optional<std::string>> Get(std::string_view key) const override;
  std::unique_ptr<storage::Cursor> Scan(std::string_view lower,
                                        std::string_view upper) const override;
  Result<void> Commit(storage::WriteBatch batch) override;
  Result<void> Sync() override;
  std::shared_ptr<const storage::ReadView> Snapshot() const override;
  Result<void> Checkpoint(const std::string& path) override;

 private:
  void Write(char kind, std::string_view bytes) const;
  std::shared_ptr<storage::Storage> inner_;
  std::FILE* log_;
};

// Replays a log against `storage`; returns the seconds spent in storage calls alone. With
// `look_ups` false only commits and syncs are replayed.
double Replay(const std::string& log_path, storage::Storage& storage, bool look_ups);

}  // namespace dirsync::bench
