// Room on the disk of a store: how much is left, and a file that can be given back for the last
// writes that free room (acks, trims).
#pragma once

#include <cstdint>
#include <string>

#include "proto/base/error.h"
#include "proto/base/limits.h"

namespace dirsync::storage {

// The soft mark is the greater of both.
struct SoftMark {
  std::uint64_t bytes = 1 * limits::kGiB;
  unsigned percent = 5;  // of the whole disk
};

struct DiskSpace {
  std::uint64_t free_bytes = 0;   // for this user
  std::uint64_t total_bytes = 0;  // of the file system
  std::uint64_t mark_bytes = 0;
  bool below_mark = false;  // free_bytes < mark_bytes: publish nothing more
};

// Of the file system that holds `path`, which exists. Error: kIo.
Result<DiskSpace> CheckDiskSpace(const std::string& path, const SoftMark& mark = {});

// A file that only takes up room. Not thread-safe.
class ReserveFile {
 public:
  // Touches nothing yet.
  explicit ReserveFile(std::string path, std::uint64_t bytes = limits::kReserveBytes);

  // Makes the file with all its blocks, if it is not there whole. Errors: kDiskFull (then there is
  // none of it), kIo.
  Result<void> Create();
  // Removes the file; its room is free when this returns. Ok if there was none. Error: kIo.
  Result<void> Release();
  // Whether it is there with all its blocks.
  bool held() const;

 private:
  const std::string path_;
  const std::uint64_t bytes_;
};

}  // namespace dirsync::storage
