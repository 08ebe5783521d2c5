// The settings of RocksDB that this project relies on. Why each is as it is: storage/FORMAT.md.
#pragma once

#include <rocksdb/options.h>

#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "proto/base/error.h"
#include "storage/rocksdb_storage.h"

namespace dirsync::storage {

// The error for `status`, which is not ok: kDiskFull, kCorrupt (the message names the file when
// RocksDB does) or kIo. `operation` is "open store /path" or the like.
Error ErrorOf(const rocksdb::Status& status, const std::string& operation);

// Open for writing until the first error, from whichever thread it comes; then closed for good.
// Thread-safe.
class WriteGate {
 public:
  // The first one stays.
  void Close(Error cause);
  // Ok while open; else the error for whoever wants to write.
  Result<void> Check() const;

 private:
  mutable std::mutex mutex_;
  std::optional<Error> cause_;
};

// `env` may be null (the default one) and must outlive the database. Background errors close
// `gate`; RocksDB's own recovery from them is off.
rocksdb::Options MakeSettings(const RocksdbOptions& options, rocksdb::Env* env,
                              std::shared_ptr<WriteGate> gate);

}  // namespace dirsync::storage
