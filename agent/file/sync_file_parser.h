// The whole grammar of a sync file between its first line and its trailer, line by line.
#pragma once

#include <cstdint>
#include <string_view>

#include "agent/file/head_parser.h"
#include "agent/file/record_parser.h"
#include "agent/file/sync_file.h"

namespace dirsync {

// Not thread-safe. Errors are kBadRecord or kTooLarge and name the line; after one the parser must
// not be used.
class SyncFileParser {
 public:
  enum class Event { kNone, kHeader, kBatch, kChange };

  // `line` without its end; `number` from 1.
  Result<Event> Line(std::string_view line, std::uint64_t number);
  // At the trailer: nothing may be missing.
  Result<> Finish(std::uint64_t number) const;

  // Whole after kHeader.
  const FileHeader& header() const { return header_.header(); }
  // After kBatch, until the next one.
  const FileBatch& batch() const { return batch_.batch(); }
  // After kChange, until the next line; may be swapped for another.
  Change& change() { return record_.change(); }
  // Index of the batch that change() belongs to.
  std::size_t batch_index() const { return batches_ == 0 ? 0 : batches_ - 1; }
  std::uint64_t records() const { return records_; }

 private:
  enum class Phase { kHeader, kBatch, kRecords };

  Result<Event> Dispatch(std::string_view line);
  Result<Event> MachineLine(std::string_view line);
  Result<Event> BlankLine();
  Result<> BeginBatch(std::string_view rest);
  Result<> CheckChange();
  Result<> CountChange();
  Result<> CheckBatchWhole() const;

  Phase phase_ = Phase::kHeader;
  HeaderParser header_;
  BatchParser batch_;
  RecordParser record_;
  std::size_t batches_ = 0;
  std::size_t weight_ = 0;     // of all batches, see BatchWeight
  std::uint64_t changes_ = 0;  // of the batch so far, as the two below
  std::size_t bytes_ = 0;      // see StoredBytesLeast
  std::size_t values_ = 0;
  std::uint64_t records_ = 0;
  Sequence last_sequence_ = 0;
  Digest last_digest_;
};

}  // namespace dirsync
