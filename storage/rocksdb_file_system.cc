#include "storage/rocksdb_file_system.h"

#include <rocksdb/file_system.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

namespace dirsync::storage {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using Operation = IoHook::Operation;

IOStatus StatusOf(int error, const std::string& path) {
  if (error == 0) return IOStatus::OK();
  if (error == ENOSPC) return IOStatus::NoSpace(path, std::strerror(error));
  return IOStatus::IOError(path, std::strerror(error));
}

// Asks the hook, does the operation, tells the hook.
template <class Do>
IOStatus Hooked(IoHook& hook, Operation operation, const std::string& path, std::size_t bytes,
                Do&& perform) {
  if (int error = hook.Before(operation, path, bytes); error != 0) return StatusOf(error, path);
  IOStatus status = perform();
  if (status.ok()) hook.After(operation, path, bytes);
  return status;
}

class HookedFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  HookedFile(std::unique_ptr<rocksdb::FSWritableFile> file, IoHook& hook, std::string path)
      : FSWritableFileOwnerWrapper(std::move(file)), hook_(hook), path_(std::move(path)) {}

  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  IODebugContext* debug) override {
    return Hooked(hook_, Operation::kAppend, path_, data.size(),
                  [&] { return FSWritableFileOwnerWrapper::Append(data, options, debug); });
  }
  IOStatus Append(const rocksdb::Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo& info, IODebugContext* debug) override {
    return Hooked(hook_, Operation::kAppend, path_, data.size(),
                  [&] { return FSWritableFileOwnerWrapper::Append(data, options, info, debug); });
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return Hooked(hook_, Operation::kSync, path_, 0,
                  [&] { return FSWritableFileOwnerWrapper::Sync(options, debug); });
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Hooked(hook_, Operation::kSync, path_, 0,
                  [&] { return FSWritableFileOwnerWrapper::Fsync(options, debug); });
  }

 private:
  IoHook& hook_;
  const std::string path_;
};

class HookedFolder : public rocksdb::FSDirectoryWrapper {
 public:
  HookedFolder(std::unique_ptr<rocksdb::FSDirectory> folder, IoHook& hook, std::string path)
      : FSDirectoryWrapper(std::move(folder)), hook_(hook), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return Hooked(hook_, Operation::kSyncFolder, path_, 0,
                  [&] { return FSDirectoryWrapper::Fsync(options, debug); });
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug,
                               const rocksdb::DirFsyncOptions& folder_options) override {
    return Hooked(hook_, Operation::kSyncFolder, path_, 0, [&] {
      return FSDirectoryWrapper::FsyncWithDirOptions(options, debug, folder_options);
    });
  }

 private:
  IoHook& hook_;
  const std::string path_;
};

class HookedFileSystem : public rocksdb::FileSystemWrapper {
 public:
  explicit HookedFileSystem(IoHook& hook)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), hook_(hook) {}
  const char* Name() const override { return "HookedFileSystem"; }

  IOStatus NewWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                           std::unique_ptr<rocksdb::FSWritableFile>* file,
                           IODebugContext* debug) override {
    IOStatus status = Hooked(hook_, Operation::kCreate, path, 0,
                             [&] { return target()->NewWritableFile(path, options, file, debug); });
    return Wrap(std::move(status), path, file);
  }
  IOStatus ReopenWritableFile(const std::string& path, const rocksdb::FileOptions& options,
                              std::unique_ptr<rocksdb::FSWritableFile>* file,
                              IODebugContext* debug) override {
    return Wrap(target()->ReopenWritableFile(path, options, file, debug), path, file);
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions& options,
                        std::unique_ptr<rocksdb::FSDirectory>* folder,
                        IODebugContext* debug) override {
    IOStatus status = target()->NewDirectory(path, options, folder, debug);
    if (status.ok()) *folder = std::make_unique<HookedFolder>(std::move(*folder), hook_, path);
    return status;
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions& options,
                      IODebugContext* debug) override {
    return Hooked(hook_, Operation::kRemove, path, 0,
                  [&] { return target()->DeleteFile(path, options, debug); });
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* debug) override {
    return Hooked(hook_, Operation::kRename, to, 0,
                  [&] { return target()->RenameFile(from, to, options, debug); });
  }
  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions& options,
                    IODebugContext* debug) override {
    return Hooked(hook_, Operation::kLink, to, 0,
                  [&] { return target()->LinkFile(from, to, options, debug); });
  }

 private:
  IOStatus Wrap(IOStatus status, const std::string& path,
                std::unique_ptr<rocksdb::FSWritableFile>* file) {
    if (status.ok()) *file = std::make_unique<HookedFile>(std::move(*file), hook_, path);
    return status;
  }

  IoHook& hook_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> HookedEnv(IoHook& hook) {
  return rocksdb::NewCompositeEnv(std::make_shared<HookedFileSystem>(hook));
}

}  // namespace dirsync::storage
