// Room on the broker's disk (R30): when publishing must stop, and a reserve for what frees room.
#pragma once

#include <cstdint>
#include <string>

#include "storage/disk_space.h"

namespace dirsync {

// Not thread-safe.
class DiskGuard {
 public:
  DiskGuard(std::string folder, const storage::SoftMark& mark);

  struct Verdict {
    std::uint64_t free_bytes = 0;
    bool full = false;  // publish nothing more: below the mark
  };
  // Looks at the disk. Below the mark the reserve is given up, so that acks and trims can still be
  // written; once the mark is passed by twice the reserve it is taken again. Error: kIo.
  Result<Verdict> Check();
  // Gives the reserve up at once: a write has failed.
  void Release();
  void SetMark(const storage::SoftMark& mark) { mark_ = mark; }

 private:
  const std::string folder_;
  storage::SoftMark mark_;
  storage::ReserveFile reserve_;
};

}  // namespace dirsync
