// Output on its way to slow descriptors: kept in order, in memory up to a bound, beyond it in a
// file without a name. Thread-safety: one thread.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>

#include "proto/base/error.h"

namespace dirsync {

class OutputSpool {
 public:
  explicit OutputSpool(std::size_t memory_max) : memory_max_(memory_max) {}
  ~OutputSpool();
  OutputSpool(const OutputSpool&) = delete;
  OutputSpool& operator=(const OutputSpool&) = delete;

  // Errors: kIo, kDiskFull (the file).
  Result<> Add(int descriptor, std::string_view text);
  bool empty() const { return pieces_.empty(); }
  // Where the next piece goes. REQUIRES !empty().
  int descriptor() const { return pieces_.front().descriptor; }
  // Writes one piece, or what of it does not wait once the descriptor is ready to be written.
  // Errors: kIo.
  Result<> WriteSome();

 private:
  struct Piece {
    int descriptor;
    std::string text;
  };
  Result<> Spill(int descriptor, std::string_view text);
  Result<> Refill();

  std::size_t memory_max_;
  std::size_t bytes_ = 0;  // of pieces_
  std::deque<Piece> pieces_;
  int file_ = -1;
  std::uint64_t read_ = 0;  // of the file
  std::uint64_t written_ = 0;
};

}  // namespace dirsync
