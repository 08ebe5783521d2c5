#include "agent/file/line_reader.h"

namespace dirsync {

// Drops what was given and reads one more piece behind what was not.
bool LineReader::Fill() {
  buffer_.erase(0, begin_);
  base_ += begin_;
  begin_ = 0;
  const std::size_t held = buffer_.size();
  if (auto read = source_.Read(next_read_, kPieceBytes, buffer_); !read) {
    status_ = read;
    return false;
  }
  next_read_ += buffer_.size() - held;
  at_end_ = buffer_.size() - held < kPieceBytes;
  return true;
}

// A line is given when the byte behind it is in memory too, so that PeekByte needs no reading.
bool LineReader::NextSlow(std::string_view& line) {
  if (!status_) return false;
  std::size_t seen = 0;  // bytes behind begin_ that hold no newline
  for (;;) {
    const std::size_t end = buffer_.find('\n', begin_ + seen);
    const bool found = end != std::string::npos;
    const std::size_t size = (found ? end : buffer_.size()) - begin_;
    if (size > limits::kLineBytes) {
      status_ = Fail(ErrorCode::kTooLarge, "read line " + std::to_string(number_ + 1) +
                                               ": it is longer than " +
                                               std::to_string(limits::kLineBytes) + " bytes");
      return false;
    }
    if (found && (end + 1 < buffer_.size() || at_end_)) {
      Take(buffer_.data() + begin_, size, line);
      return true;
    }
    if (at_end_) break;
    seen = size;
    if (!Fill()) return false;
  }
  if (begin_ == buffer_.size()) return false;
  had_newline_ = false;
  const std::size_t size = buffer_.size() - begin_;
  Take(buffer_.data() + begin_, size, line);
  begin_ = buffer_.size();
  return true;
}

}  // namespace dirsync
