// Reads the `#!` lines of a file's header and of a batch's head. Strict in order and spelling.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/file/sync_file.h"
#include "proto/base/error.h"

namespace dirsync {

// Text that one line begins and lines "#! + TEXT" go on with.
class TextTarget {
 public:
  // False if `text` is not what a writer makes of a value, or more than `bytes_max`.
  bool Begin(std::string_view text, std::string& target, std::size_t bytes_max);
  // The same; false too if no text was begun.
  bool GoOn(std::string_view text);
  void Close() { target_ = nullptr; }

 private:
  std::string* target_ = nullptr;  // outlives its continuation lines
  std::string piece_;
  std::size_t bytes_max_ = 0;
};

// The lines behind the first one. Not thread-safe.
class HeaderParser {
 public:
  // `line`: without "#! ". True when it was `records`: header() is whole. Errors: kBadRecord,
  // kTooLarge.
  Result<bool> Line(std::string_view line);
  const FileHeader& header() const { return header_; }

 private:
  Result<> Item(int rank, std::string_view rest);
  Result<> Finish();

  FileHeader header_;
  TextTarget text_;
  std::string stream_;
  std::vector<std::string> acks_, wants_;  // texts of their streams
  std::size_t want_ids_ = 0;
  int last_ = 0;
};

// The lines of one batch behind its blank line's predecessor. Not thread-safe.
class BatchParser {
 public:
  // `rest` of the line "#! batch REST". Errors: kBadRecord.
  Result<> Begin(std::string_view rest, const FileHeader& header);
  // A later line, without "#! ". Errors: kBadRecord, kTooLarge.
  Result<> Line(std::string_view line);
  // At the blank line that ends the head. Errors: kBadRecord.
  Result<> Finish();
  const FileBatch& batch() const { return info_; }

 private:
  FileBatch info_;
  TextTarget text_;
  int last_ = 0;
};

}  // namespace dirsync
