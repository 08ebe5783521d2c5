// Storage on RocksDB: the only folder that includes it. Settings and why: storage/FORMAT.md.
#pragma once

#include <memory>
#include <string>

#include "storage/io_hook.h"
#include "storage/storage.h"

namespace dirsync::storage {

struct RocksdbOptions {
  std::string path;                               // folder of the database; made if `create`
  bool create = false;                            // false: kNotFound when there is no database
  bool read_only = false;                         // no lock is taken, nothing is written
  std::size_t cache_bytes = 64 * 1024 * 1024;     // block cache
  std::size_t memtable_bytes = 16 * 1024 * 1024;  // write buffer; also bounds the WAL
  IoHook* io_hook = nullptr;                      // for tests; outlives the store
};

// Opens or makes a store. Errors: kLocked (another process has it: its pid if known in the
// message), kNotFound, kNewerFormat, kOlderFormat, kCorrupt (bit flips anywhere that recovery
// reads), kDiskFull, kIo. After the first error of Commit, Sync or of work in the background the
// store is closed for writing, whatever becomes of the disk: reads go on, and opening it again
// decides what is there. A torn tail of the log (power cut) is dropped: only unsynced commits are
// in it.
Result<std::unique_ptr<Storage>> OpenRocksdb(const RocksdbOptions& options);

}  // namespace dirsync::storage
