#include "storage/store_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "proto/base/text.h"

namespace dirsync::storage {
namespace {

// What the holder wrote about itself; it may be just about to, or may have had no room.
std::string HolderOf(int descriptor) {
  char buffer[32];
  ssize_t n = pread(descriptor, buffer, sizeof buffer, 0);
  std::string digits;
  for (ssize_t i = 0; i < n && buffer[i] >= '0' && buffer[i] <= '9'; ++i) digits += buffer[i];
  return digits;
}

}  // namespace

Result<StoreLock> StoreLock::Take(const std::string& path) {
  std::string file = path + "/owner.pid";
  int descriptor = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) {
    return Fail(errno == ENOSPC || errno == EDQUOT ? ErrorCode::kDiskFull : ErrorCode::kIo,
                "lock store " + file + ": " + std::strerror(errno));
  }
  StoreLock lock(descriptor);
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) {
      return Fail(ErrorCode::kIo, "lock store " + file + ": " + std::strerror(errno));
    }
    std::string holder = HolderOf(descriptor);
    return Fail(ErrorCode::kLocked, "open store " + path + ": in use by " +
                                        (holder.empty() ? "another process" : "process " + holder));
  }
  // The number only serves the message above, so a full disk does not stop us here.
  std::string pid = std::to_string(getpid()) + "\n";
  if (ftruncate(descriptor, 0) != 0 ||
      pwrite(descriptor, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    errno = 0;
  }
  return lock;
}

pid_t StoreLock::Holder(const std::string& path) {
  const std::string file = path + "/owner.pid";
  const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (descriptor < 0) return 0;
  const std::string holder = HolderOf(descriptor);
  close(descriptor);
  return static_cast<pid_t>(ParseNumber(holder).value_or(0));
}

StoreLock::StoreLock(StoreLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

StoreLock& StoreLock::operator=(StoreLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

StoreLock::~StoreLock() {
  if (descriptor_ >= 0) close(descriptor_);
}

}  // namespace dirsync::storage
