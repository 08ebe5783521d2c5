#include "agent/service/posix_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "proto/base/text.h"

namespace dirsync {
namespace {

// Owns a file descriptor.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  Descriptor& operator=(Descriptor&&) = delete;
  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }

 private:
  int fd_;
};

std::string FolderOf(const std::string& path) {
  auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string_view NameOf(const std::string& path) {
  auto slash = path.rfind('/');
  return slash == std::string::npos ? std::string_view(path)
                                    : std::string_view(path).substr(slash + 1);
}

Result<> SyncFolder(const std::string& folder) {
  Descriptor fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.ok() || fsync(fd.get()) != 0)
    return std::unexpected(FileError("syncing folder", folder, errno));
  return {};
}

Result<> CheckRegular(const std::string& path, int fd, std::uint64_t* size) {
  struct stat info{};
  if (fstat(fd, &info) != 0) return std::unexpected(FileError("opening", path, errno));
  if (S_ISREG(info.st_mode)) {
    if (size != nullptr) *size = static_cast<std::uint64_t>(info.st_size);
    return {};
  }
  const char* what = S_ISDIR(info.st_mode)    ? "a folder"
                     : S_ISFIFO(info.st_mode) ? "a FIFO"
                     : S_ISSOCK(info.st_mode) ? "a socket"
                                              : "a device";
  return Fail(ErrorCode::kIo, "opening " + Printable(path) + ": it is " + what,
              "name a regular file");
}

class DiskSource : public ByteSource {
 public:
  DiskSource(Descriptor fd, std::string path, std::uint64_t size)
      : fd_(std::move(fd)), path_(std::move(path)), size_(size) {}
  std::uint64_t size() const override { return size_; }
  Result<> Read(std::uint64_t offset, std::size_t count, std::string& out) override {
    std::size_t start = out.size();
    out.resize(start + count);
    std::size_t done = 0;
    while (done < count) {
      ssize_t got = pread(fd_.get(), out.data() + start + done, count - done,
                          static_cast<off_t>(offset + done));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) return std::unexpected(FileError("reading", path_, errno));
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    out.resize(start + done);
    return {};
  }

 private:
  Descriptor fd_;
  std::string path_;
  std::uint64_t size_;
};

class DiskOutput : public FileOutput {
 public:
  DiskOutput(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}
  Result<> Append(std::string_view bytes) override {
    while (!bytes.empty()) {
      ssize_t wrote = write(fd_.get(), bytes.data(), bytes.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return std::unexpected(FileError("writing", path_, errno));
      bytes.remove_prefix(static_cast<std::size_t>(wrote));
    }
    return {};
  }
  Result<> Sync() override {
    if (fsync(fd_.get()) != 0) return std::unexpected(FileError("syncing", path_, errno));
    return SyncFolder(FolderOf(path_));
  }

 private:
  Descriptor fd_;
  std::string path_;
};

}  // namespace

Error FileError(std::string_view operation, const std::string& path, int error_number) {
  ErrorCode code = error_number == ENOENT || error_number == ENOTDIR  ? ErrorCode::kNotFound
                   : error_number == ENOSPC || error_number == EDQUOT ? ErrorCode::kDiskFull
                                                                      : ErrorCode::kIo;
  std::string cause = std::strerror(error_number);
  if (!cause.empty()) cause[0] = static_cast<char>(std::tolower(cause[0]));
  std::string hint;
  if (error_number == EACCES || error_number == EPERM)
    hint = "check the owner and mode of the file and of the folders above it";
  if (code == ErrorCode::kNotFound) hint = "check the path; it is taken from the current folder";
  return {code, std::string(operation) + " " + Printable(path) + ": " + cause, hint};
}

Result<std::unique_ptr<ByteSource>> PosixFiles::Open(const std::string& path) {
  Descriptor fd(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!fd.ok()) return std::unexpected(FileError("opening", path, errno));
  std::uint64_t size = 0;
  DIRSYNC_CHECK(CheckRegular(path, fd.get(), &size));
  return std::make_unique<DiskSource>(std::move(fd), path, size);
}

Result<std::unique_ptr<FileOutput>> PosixFiles::Create(const std::string& path) {
  // A fresh file, so that nothing that stands there (a link, a FIFO) is written through.
  if (unlink(path.c_str()) != 0 && errno != ENOENT)
    return std::unexpected(FileError("replacing", path, errno));
  Descriptor fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640));
  if (!fd.ok()) return std::unexpected(FileError("creating", path, errno));
  return std::make_unique<DiskOutput>(std::move(fd), path);
}

Result<> PosixFiles::CheckPlace(const std::string& path) {
  struct stat info{};
  if (stat(FolderOf(path).c_str(), &info) != 0)
    return std::unexpected(FileError("writing to folder", FolderOf(path), errno));
  if (lstat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode))
    return Fail(ErrorCode::kIo, "replacing " + Printable(path) + ": it is no regular file",
                "remove it, or name another file");
  return {};
}

Result<> PosixFiles::Rename(const std::string& from, const std::string& to) {
  DIRSYNC_CHECK(CheckPlace(to));
  if (rename(from.c_str(), to.c_str()) != 0)
    return std::unexpected(FileError("renaming to", to, errno));
  return SyncFolder(FolderOf(to));
}

Result<> PosixFiles::Remove(const std::string& path) {
  if (unlink(path.c_str()) != 0 && errno != ENOENT)
    return std::unexpected(FileError("removing", path, errno));
  return {};
}

bool PosixFiles::Exists(const std::string& path) {
  struct stat info{};
  return lstat(path.c_str(), &info) == 0;
}

Result<std::vector<std::string>> PosixFiles::ListBeginning(const std::string& path) {
  std::string folder = FolderOf(path);
  std::string_view prefix = NameOf(path);
  DIR* handle = opendir(folder.c_str());
  if (handle == nullptr) return std::unexpected(FileError("reading folder", folder, errno));
  const int descriptor = dirfd(handle);
  std::vector<std::string> names;
  while (dirent* item = descriptor < 0 ? nullptr : readdir(handle)) {
    std::string_view name = item->d_name;
    if (!name.starts_with(prefix)) continue;
    struct stat info{};
    if (fstatat(descriptor, item->d_name, &info, 0) == 0 && S_ISREG(info.st_mode))
      names.emplace_back(name);
  }
  closedir(handle);
  std::sort(names.begin(), names.end());
  return names;
}

Result<std::string> ReadSmallFile(const std::string& path, std::size_t bytes_max) {
  PosixFiles files;
  DIRSYNC_TRY(source, files.Open(path));
  if (source->size() > bytes_max)
    return Fail(ErrorCode::kTooLarge, "reading " + Printable(path) + ": larger than expected");
  std::string bytes;
  DIRSYNC_CHECK(source->Read(0, bytes_max, bytes));
  return bytes;
}

Result<> WriteSmallFile(const std::string& path, std::string_view bytes, unsigned mode) {
  Descriptor fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!fd.ok()) return std::unexpected(FileError("creating", path, errno));
  if (write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()) ||
      fsync(fd.get()) != 0)
    return std::unexpected(FileError("writing", path, errno));
  return SyncFolder(FolderOf(path));
}

}  // namespace dirsync
