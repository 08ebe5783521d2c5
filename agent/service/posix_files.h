// FileSystem on the machine's disk.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/file/file_system.h"

namespace dirsync {

class PosixFiles : public FileSystem {
 public:
  Result<std::unique_ptr<ByteSource>> Open(const std::string& path) override;
  Result<std::unique_ptr<FileOutput>> Create(const std::string& path) override;
  Result<> Rename(const std::string& from, const std::string& to) override;
  Result<> CheckPlace(const std::string& path) override;
  Result<> Remove(const std::string& path) override;
  bool Exists(const std::string& path) override;
  Result<std::vector<std::string>> ListBeginning(const std::string& path) override;
};

// "opening SYNC1: permission denied", as kNotFound, kDiskFull or kIo by `error_number`.
Error FileError(std::string_view operation, const std::string& path, int error_number);

// Reads or writes a small file whole (keys). `mode` is that of a new file.
Result<std::string> ReadSmallFile(const std::string& path, std::size_t bytes_max);
Result<> WriteSmallFile(const std::string& path, std::string_view bytes, unsigned mode);

}  // namespace dirsync
