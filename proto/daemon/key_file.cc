#include "proto/daemon/key_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::size_t kKeyBytes = 32;

std::unexpected<Error> Failed(const std::string& operation, const std::string& path, int number) {
  return Fail(number == ENOSPC ? ErrorCode::kDiskFull : ErrorCode::kIo,
              operation + " " + Printable(path) + ": " + std::strerror(number));
}

Result<> SyncFolder(const std::string& path) {
  const auto slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash);
  const int descriptor = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return Failed("open folder", folder, errno);
  const int failed = fsync(descriptor) == 0 ? 0 : errno;
  close(descriptor);
  if (failed != 0) return Failed("sync folder", folder, failed);
  return {};
}

}  // namespace

bool HasKeyFile(const std::string& path) {
  struct stat info{};
  return stat(path.c_str(), &info) == 0;
}

Result<std::string> ReadKeyFile(const std::string& path, std::string_view what,
                                std::string_view if_missing) {
  const std::string operation = "reading " + std::string(what) + " ";
  const int descriptor = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0 && errno == ENOENT)
    return Fail(ErrorCode::kConfiguration, operation + Printable(path) + ": it is missing",
                std::string(if_missing));
  if (descriptor < 0) return Failed(operation, path, errno);
  struct stat info{};
  std::string bytes(kKeyBytes + 1, '\0');
  const bool regular = fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode);
  const ssize_t got = regular ? read(descriptor, bytes.data(), bytes.size()) : -1;
  close(descriptor);
  if (!regular || got < 0)
    return Fail(ErrorCode::kIo, operation + Printable(path) + ": it is not a readable file");
  if ((info.st_mode & 077) != 0)
    return Fail(ErrorCode::kConfiguration, operation + Printable(path) + ": others may read it",
                "chmod 600 " + Printable(path));
  if (got != static_cast<ssize_t>(kKeyBytes))
    return Fail(ErrorCode::kCorrupt, operation + Printable(path) + ": not 32 bytes");
  bytes.resize(kKeyBytes);
  return bytes;
}

Result<> WriteKeyFile(const std::string& path, std::string_view bytes) {
  const int descriptor =
      open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (descriptor < 0 && errno == EEXIST)
    return Fail(ErrorCode::kExists, "write key " + Printable(path) + ": one is there already");
  if (descriptor < 0) return Failed("write key", path, errno);
  const ssize_t written = write(descriptor, bytes.data(), bytes.size());
  int failed = written == static_cast<ssize_t>(bytes.size()) ? 0 : (written < 0 ? errno : ENOSPC);
  if (failed == 0 && fsync(descriptor) != 0) failed = errno;
  close(descriptor);
  if (failed != 0) {
    unlink(path.c_str());
    return Failed("write key", path, failed);
  }
  return SyncFolder(path);
}

Result<> ReplaceKeyFile(const std::string& path, std::string_view bytes) {
  if (!HasKeyFile(path))
    return Fail(ErrorCode::kNotFound, "replace key " + Printable(path) + ": there is none");
  const std::string fresh = path + ".new";
  unlink(fresh.c_str());  // of an attempt that was cut off
  DIRSYNC_CHECK(WriteKeyFile(fresh, bytes));
  if (rename(fresh.c_str(), path.c_str()) != 0) return Failed("replace key", path, errno);
  return SyncFolder(path);
}

}  // namespace dirsync
