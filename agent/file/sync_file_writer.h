// Writes a sync file piece by piece; memory does not grow with the file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "agent/file/byte_stream.h"
#include "agent/file/sync_file.h"
#include "proto/base/crypto.h"

namespace dirsync {

// Calls in order: kChanges: (BeginBatch Write*)* Finish; kFull, kAdhoc: Write* Finish.
// Not thread-safe. Lines end in CR LF. Errors are the sink's, kTooLarge, or kInvalid: calls out of
// order, or what no line can say; a refused change or batch leaves no trace in the file.
class SyncFileWriter {
 public:
  SyncFileWriter(FileHeader header, const SigningKey& key, ByteSink sink);
  ~SyncFileWriter();

  // kChanges only: the changes that follow are of this batch.
  Result<> BeginBatch(const FileBatch& batch);
  // kFull, kAdhoc: changes of kind kAdd only. A rename becomes D + A with the same id.
  Result<> Write(const Change& change);
  // Writes trailer and signature and hands the last bytes to the sink. Returns the trailer.
  Result<FileTrailer> Finish(const RowSum& sum, std::uint64_t rows);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace dirsync
