// Bulk commits written by a thread of their own: whoever makes the next one need not wait for the
// table files of this one, and reads see its rows from the beginning.
#pragma once

#include <rocksdb/db.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "storage/key_table.h"
#include "storage/rocksdb_ingest.h"
#include "storage/storage.h"

namespace dirsync::storage {

// Thread-safety: Start and Finish from one thread at a time, reads from any.
class BackgroundIngest {
 public:
  BackgroundIngest(rocksdb::DB& db, Ingester ingester);
  ~BackgroundIngest();
  BackgroundIngest(const BackgroundIngest&) = delete;
  BackgroundIngest& operator=(const BackgroundIngest&) = delete;

  // Takes the batch in, see Ingester::Ingest. REQUIRES: Finish since the last Start.
  void Start(WriteBatch batch);
  // Waits; how the last one ended. Asked again, or without a Start: ok.
  rocksdb::Status Finish();

  // What the batch under way says about the key: its row, or (the inner nullopt) that it is
  // deleted. nullopt: ask the database.
  std::optional<std::optional<std::string>> Find(std::string_view key) const;
  // Returns once the database alone answers for [lower, upper); empty `upper` = to the last key.
  void WaitFor(std::string_view lower, std::string_view upper) const;

 private:
  // Rows on their way, by key.
  struct Pending {
    explicit Pending(WriteBatch rows);
    bool MayHold(std::string_view lower, std::string_view upper) const;

    WriteBatch batch;
    KeyTable by_key;  // numbers of operations, of each key the last one
    std::map<char, std::pair<std::string_view, std::string_view>> spans;  // of each table's keys
  };

  rocksdb::DB& db_;
  Ingester ingester_;
  std::thread thread_;
  rocksdb::Status ended_;  // of `thread_`, once it is joined
  mutable std::mutex mutex_;
  mutable std::condition_variable done_;
  std::shared_ptr<const Pending> pending_;  // null once the database has it, or never will
};

}  // namespace dirsync::storage
