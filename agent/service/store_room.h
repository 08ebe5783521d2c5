// Room on the disk of a site's store (R30): when telling and loading must stop, and a reserve for
// what frees room.
#pragma once

#include <string>

#include "storage/disk_space.h"

namespace dirsync {

// A site's store needs less ahead than a broker's log: one run's batches and their file.
inline constexpr storage::SoftMark kSiteSoftMark{.bytes = 2 * limits::kReserveBytes, .percent = 1};

// Not thread-safe.
class StoreRoom {
 public:
  explicit StoreRoom(std::string folder, const storage::SoftMark& mark = kSiteSoftMark);

  // Whether there is room for much. Below the mark the reserve is given up, so that acks and
  // trims can still be written; above mark and reserve it is taken. Errors: kReadOnly below the
  // mark, naming both figures; kIo.
  Result<> Check();
  // Gives the reserve up at once: a write has failed.
  void Release();

 private:
  const std::string folder_;
  const storage::SoftMark mark_;
  storage::ReserveFile reserve_;
};

}  // namespace dirsync
