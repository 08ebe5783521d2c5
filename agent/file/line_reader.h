// Lines of a source, read in pieces: memory is one piece or one line, whichever is larger.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "agent/file/byte_stream.h"
#include "proto/base/limits.h"

namespace dirsync {

// Ends of lines are LF or CR LF. Not thread-safe; `source` must outlive it.
class LineReader {
 public:
  static constexpr std::size_t kPieceBytes = 256 * limits::kKiB;  // stays in the processor's cache

  explicit LineReader(ByteSource& source, std::uint64_t offset = 0)
      : source_(source), base_(offset), next_read_(offset) {}

  // The next line without its end, valid until the next call. False at the end or on an error:
  // see status(). The last line need not end in a newline.
  bool Next(std::string_view& line) {
    const char* begin = buffer_.data() + begin_;
    const std::size_t rest = buffer_.size() - begin_;
    const void* found = rest > 1 ? std::memchr(begin, '\n', rest - 1) : nullptr;
    if (found == nullptr) return NextSlow(line);
    Take(begin, static_cast<std::size_t>(static_cast<const char*>(found) - begin), line);
    return true;
  }

  // kIo; kTooLarge for a line of more than limits::kLineBytes. No error at a plain end.
  const Result<>& status() const { return status_; }
  // The byte behind the line that Next gave last; -1 at the end.
  int PeekByte() const {
    return begin_ < buffer_.size() ? static_cast<unsigned char>(buffer_[begin_]) : -1;
  }
  // False if the line that Next gave last is the last one and has no newline.
  bool had_newline() const { return had_newline_; }
  // In the source, behind the line that Next gave last and its end.
  std::uint64_t offset() const { return base_ + begin_; }
  // Of the line that Next gave last, from 1.
  std::uint64_t number() const { return number_; }

 private:
  void Take(const char* begin, std::size_t size, std::string_view& line) {
    begin_ += size + 1;
    ++number_;
    if (size > 0 && begin[size - 1] == '\r') --size;
    line = {begin, size};
  }
  bool NextSlow(std::string_view& line);
  bool Fill();

  ByteSource& source_;
  std::string buffer_;
  std::size_t begin_ = 0;  // of what Next has not given, in buffer_
  std::uint64_t base_;     // offset of buffer_[0] in the source
  std::uint64_t next_read_;
  std::uint64_t number_ = 0;
  bool at_end_ = false;  // the source has no more
  bool had_newline_ = true;
  Result<> status_;
};

}  // namespace dirsync
