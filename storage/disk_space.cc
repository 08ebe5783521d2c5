#include "storage/disk_space.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace dirsync::storage {
namespace {

std::unexpected<Error> FailedBy(int error, const std::string& operation) {
  bool full = error == ENOSPC || error == EDQUOT;
  return Fail(full ? ErrorCode::kDiskFull : ErrorCode::kIo,
              operation + ": " + std::strerror(error));
}

}  // namespace

Result<DiskSpace> CheckDiskSpace(const std::string& path, const SoftMark& mark) {
  struct statvfs info{};
  if (statvfs(path.c_str(), &info) != 0) return FailedBy(errno, "look at disk of " + path);
  DiskSpace space;
  space.free_bytes = std::uint64_t{info.f_bavail} * info.f_frsize;
  space.total_bytes = std::uint64_t{info.f_blocks} * info.f_frsize;
  space.mark_bytes = std::max(mark.bytes, space.total_bytes / 100 * mark.percent);
  space.below_mark = space.free_bytes < space.mark_bytes;
  return space;
}

ReserveFile::ReserveFile(std::string path, std::uint64_t bytes)
    : path_(std::move(path)), bytes_(bytes) {}

Result<void> ReserveFile::Create() {
  if (held()) return {};
  int descriptor = open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) return FailedBy(errno, "reserve room in " + path_);
  int error = posix_fallocate(descriptor, 0, static_cast<off_t>(bytes_));
  if (error == 0 && fsync(descriptor) != 0) error = errno;
  close(descriptor);
  if (error == 0) return {};
  unlink(path_.c_str());
  return FailedBy(error, "reserve room in " + path_);
}

Result<void> ReserveFile::Release() {
  if (unlink(path_.c_str()) != 0 && errno != ENOENT) {
    return FailedBy(errno, "release room of " + path_);
  }
  return {};
}

bool ReserveFile::held() const {
  struct stat info{};
  if (lstat(path_.c_str(), &info) != 0 || !S_ISREG(info.st_mode)) return false;
  constexpr std::uint64_t kBlockUnit = 512;  // of st_blocks, whatever the file system
  return static_cast<std::uint64_t>(info.st_size) >= bytes_ &&
         static_cast<std::uint64_t>(info.st_blocks) * kBlockUnit >= bytes_;
}

}  // namespace dirsync::storage
