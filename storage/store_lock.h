// One process per store: the file owner.pid, locked while the store is open for writing.
#pragma once

#include <sys/types.h>

#include <string>

#include "proto/base/error.h"

namespace dirsync::storage {

// Holds the lock until destroyed; the kernel lets go of it when the process dies, however it dies.
class StoreLock {
 public:
  // Takes the lock of the store in folder `path`, which exists. Errors: kLocked, with the number
  // of the process that holds it; kIo, kDiskFull.
  static Result<StoreLock> Take(const std::string& path);

  // The process that opened the store in folder `path` for writing last, by its own word; it may
  // be gone. 0: none, or not known. Takes no lock: a look must not keep an agent from starting.
  static pid_t Holder(const std::string& path);

  StoreLock(StoreLock&& other) noexcept;
  StoreLock& operator=(StoreLock&& other) noexcept;
  ~StoreLock();

 private:
  explicit StoreLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_ = -1;
};

}  // namespace dirsync::storage
