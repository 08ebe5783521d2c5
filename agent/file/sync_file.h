// The sync file in its domain form: what its `#!` lines say. Grammar: agent/file/FORMAT.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/ids.h"
#include "proto/base/time.h"
#include "proto/model/batch.h"

namespace dirsync {

enum class FileKind : std::uint8_t {
  kChanges = 1,  // consecutive batches of one stream
  kFull = 2,     // the told state at a position, whole
  kAdhoc = 3,    // outside every stream: upserts, never a delete (R15)
};
std::string_view FileKindName(FileKind kind);  // "changes" "full" "adhoc"

// A cursor that the file's writer holds for a stream of somebody else (R12).
struct FileAck {
  StreamName stream;
  Position position;
  auto operator<=>(const FileAck&) const = default;
};

// Entries of somebody else's stream that the file's writer asks for whole (R3).
struct FileWant {
  StreamName stream;
  std::vector<EntryId> ids;  // at most limits::kWantIds
  auto operator<=>(const FileWant&) const = default;
};

struct FileHeader {
  FileKind kind = FileKind::kChanges;
  StreamName stream;  // kAdhoc: instance may be empty
  Epoch epoch;        // kAdhoc: zero
  PublicKey signer;
  Instant time{};
  StreamTerms terms;
  // kFull: the position that its entries were told at. kChanges: the one its first batch follows.
  Position as_of;
  // kFull: counts by class (adds only), for the gate and progress.
  RunTotals totals;
  std::vector<FileAck> acks;
  std::vector<FileWant> wants;
  auto operator<=>(const FileHeader&) const = default;
};

// A batch as the file carries it: all of Batch but its changes, and the digest of its stored
// bytes, which the file's signature vouches for (R10).
struct FileBatch {
  Batch batch;  // `changes` empty
  Digest digest;
  std::uint64_t change_count = 0;
  auto operator<=>(const FileBatch&) const = default;
};

// Last lines of a file.
struct FileTrailer {
  std::uint64_t records = 0;  // all changes or entries
  RowSum sum;                 // kFull, kChanges: of all told rows at the file's last position
  std::uint64_t rows = 0;
  Digest text;  // BLAKE2b-256 of every line before the trailer, ends as LF
  auto operator<=>(const FileTrailer&) const = default;
};

}  // namespace dirsync
