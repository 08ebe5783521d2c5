// Reads our own sync files. Pass 1 (VerifySyncFile) proves the whole file before anything is
// believed; pass 2 (SyncFileRecords) reads it again, each 4 MiB block checked against what pass 1
// saw before it is parsed (R13). One bad record refuses the file (R23).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/file/byte_stream.h"
#include "agent/file/sync_file.h"

namespace dirsync {

// What the first bytes say, without proof: for choosing what to do with a file.
enum class FileNature : std::uint8_t {
  kOurs,     // begins with "#! dirsync-file"
  kForeign,  // anything else
};
Result<FileNature> NatureOf(ByteSource& source);
// The header of one of our files, unproved. Errors: kHeaderless, kUnknownVersion, kBadRecord,
// kTruncated.
Result<FileHeader> PeekSyncFile(ByteSource& source);

// What pass 1 proved.
struct VerifiedFile {
  FileHeader header;
  std::vector<FileBatch> batches;  // kChanges: in order, consecutive, digests chained
  FileTrailer trailer;
  // For each limits::kFileBlockBytes of raw bytes the digest of all text up to the last line that
  // ends within them; the last is trailer.text.
  std::vector<Digest> blocks;
  std::uint64_t size = 0;
};

// Sees every change in file order during pass 1; `batch` indexes `batches` (0 for other kinds).
// What it learns must be thrown away when verification fails in the end.
using RecordVisitor = std::function<Result<>(std::size_t batch, const Change& change)>;
// Sees each batch before its changes (kChanges only).
using BatchVisitor = std::function<Result<>(std::size_t batch, const FileBatch& info)>;

// The whole file: header, every record, trailer, digest, signature by the key that the header
// names. `expected` = the pinned key: another one is kKeyChanged; nullopt: none pinned yet.
// Errors, in this order of precedence: kHeaderless, kUnknownVersion, kTruncated (no trailer),
// kUnsigned (no signature line), kDamaged (text digest, or bytes behind the end), kBadSignature,
// kKeyChanged, kBadRecord or kTooLarge (with the line), kIo.
// Precedence is held by reading on to the trailer before a record's error is reported.
Result<VerifiedFile> VerifySyncFile(ByteSource& source, const std::optional<PublicKey>& expected,
                                    const RecordVisitor& visit = {},
                                    const BatchVisitor& visit_batch = {});

// Pass 2. Not thread-safe; `source` and `file` must outlive it.
class SyncFileRecords {
 public:
  SyncFileRecords(ByteSource& source, const VerifiedFile& file);
  ~SyncFileRecords();
  struct Record {
    std::size_t batch = 0;
    Change change;
  };
  // Into `record` (its memory is reused); false at the end. Errors: kDamaged (the file changed
  // since pass 1), kIo.
  Result<bool> Next(Record& record);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace dirsync
