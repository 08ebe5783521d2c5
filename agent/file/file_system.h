// The files a run reads and writes, behind one interface: the real disk, or the simulator's.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/file/byte_stream.h"
#include "proto/base/error.h"

namespace dirsync {

// A file being written. Destroyed without Sync, its content may be lost by a power cut.
class FileOutput {
 public:
  virtual ~FileOutput() = default;
  virtual Result<> Append(std::string_view bytes) = 0;  // Errors: kDiskFull, kIo
  // Content and name survive a power cut when this returns.
  virtual Result<> Sync() = 0;
};

// Names are paths as its user wrote them. Not thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  // Regular files only; a last symlink is not followed unless it leads to a regular file.
  // Errors: kNotFound, kIo (unreadable, FIFO, device, folder: the message says which).
  virtual Result<std::unique_ptr<ByteSource>> Open(const std::string& path) = 0;
  // New and empty; an existing file of that name is replaced. Errors: kIo, kDiskFull.
  virtual Result<std::unique_ptr<FileOutput>> Create(const std::string& path) = 0;
  // Atomic; durable when it returns (the folder is synced). Replaces `to` if it is a regular file.
  virtual Result<> Rename(const std::string& from, const std::string& to) = 0;
  // Whether a file may come to stand at `path`: nothing or a regular file is there, in a folder
  // that exists. Asked before a commit that a rename depends on. Errors: kIo, kNotFound.
  virtual Result<> CheckPlace(const std::string& path) = 0;
  virtual Result<> Remove(const std::string& path) = 0;  // absent: fine
  virtual bool Exists(const std::string& path) = 0;
  // Names of the regular files in the folder of `path` that begin with its last part, sorted.
  virtual Result<std::vector<std::string>> ListBeginning(const std::string& path) = 0;
};

}  // namespace dirsync
