// The digest of a sync file's text, and of every beginning of it that a block of the file ends.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/base/crypto.h"
#include "proto/base/ids.h"
#include "proto/base/limits.h"

namespace dirsync {

// Lines, each with LF behind it, under BLAKE2b-256. One pass gives both the file's digest and the
// proof of each block: a block's digest is that of all text from the first line to the last line
// that ends within it. Not thread-safe.
class TextDigest {
 public:
  // `end`: offset in the file behind the line and its end.
  void Line(std::string_view line, std::uint64_t end) {
    while (end > block_end_) EndBlock();
    text_.append(line);
    text_.push_back('\n');
    if (text_.size() >= kPieceBytes) Flush();
  }
  // Of all blocks; the last one is the digest of the whole text. Call once, as the last.
  std::vector<Digest> Finish() {
    EndBlock();
    return std::move(blocks_);
  }

 private:
  static constexpr std::size_t kPieceBytes = 32 * limits::kKiB;

  void Flush() {
    digest_.Update(text_);
    text_.clear();
  }
  void EndBlock() {
    Flush();
    blocks_.push_back(digest_.Peek());
    block_end_ += limits::kFileBlockBytes;
  }

  DigestStream digest_;
  std::string text_;
  std::uint64_t block_end_ = limits::kFileBlockBytes;
  std::vector<Digest> blocks_;
};

}  // namespace dirsync
