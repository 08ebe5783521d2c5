// Bulk commits: a write batch as sorted table files that the database takes in as one atom.
#pragma once

#include <rocksdb/db.h>

#include <cstdint>
#include <string>
#include <vector>

#include "proto/base/error.h"
#include "storage/storage.h"

namespace dirsync::storage {

// Writes into the folder INGEST of one store. Not thread-safe.
class Ingester {
 public:
  // Removes whatever a process that died left in `folder`, and makes it if missing.
  static Result<void> Clean(const std::string& folder);

  // `settings` are those of the database.
  Ingester(std::string folder, rocksdb::Options settings);

  // All of `batch` visible and durable, or nothing. The caller has synced all earlier commits.
  // After an error the files are gone as far as the disk allows.
  rocksdb::Status Ingest(rocksdb::DB& db, const WriteBatch& batch);

 private:
  // Writes one row per key, in order, into new files, and lists them.
  rocksdb::Status WriteFiles(const std::vector<const WriteBatch::Operation*>& rows,
                             std::vector<std::string>& files);

  const std::string folder_;
  const rocksdb::Options settings_;
  std::uint64_t next_file_ = 1;
};

}  // namespace dirsync::storage
