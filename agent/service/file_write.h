// Sync files as one write: into PATH.part, synced, ready to be renamed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "agent/file/sync_file_writer.h"
#include "agent/service/store.h"

namespace dirsync {

// A sync file on its way out. Destroyed without Close, it leaves a .part file that the next run
// replaces or removes.
class FileWrite {
 public:
  // Errors: kIo, kDiskFull, kNotFound (folder).
  static Result<std::unique_ptr<FileWrite>> Begin(Store& store, const std::string& path,
                                                  FileHeader header);
  SyncFileWriter& writer() { return *writer_; }
  // Trailer, signature, sync: the part is durable when this returns.
  Result<FileTrailer> Close(const RowSum& sum, std::uint64_t rows);

 private:
  FileWrite() = default;
  std::unique_ptr<FileOutput> output_;
  std::unique_ptr<SyncFileWriter> writer_;
  World* world_ = nullptr;
};

}  // namespace dirsync
