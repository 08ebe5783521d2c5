// A seam for tests: whoever makes disks fill up, fail, or stop between two writes.
#pragma once

#include <cstddef>
#include <string>

namespace dirsync::storage {

// Is told of each operation by which a store changes its files. Called from several threads at
// once, also from background ones; must not call the store.
class IoHook {
 public:
  enum class Operation { kCreate, kAppend, kSync, kRename, kLink, kRemove, kSyncFolder };

  virtual ~IoHook() = default;
  // 0: the operation goes on. Otherwise an errno (ENOSPC, EIO, …): it fails with that and changes
  // nothing. `bytes` is the length of an append, else 0; `path` that of the file or folder (of the
  // new name for kRename and kLink).
  virtual int Before(Operation operation, const std::string& path, std::size_t bytes) = 0;
  // It went well.
  virtual void After(Operation operation, const std::string& path, std::size_t bytes) = 0;
};

}  // namespace dirsync::storage
