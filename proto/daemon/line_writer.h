// Text on its way to a descriptor whose reader may have stopped reading: whoever writes waits only
// as long as it is allowed to.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>

namespace dirsync {

// Thread-safety: Write from one thread; GiveUpAfter from any.
class LineWriter {
 public:
  // `descriptor` stays the caller's, and outlives it. Its own mode is not changed: other processes
  // share it.
  explicit LineWriter(int descriptor);
  ~LineWriter();
  LineWriter(const LineWriter&) = delete;
  LineWriter& operator=(const LineWriter&) = delete;

  // Writes all of `text`, waiting for its reader without a bound until GiveUpAfter sets one. false:
  // its reader is gone, the device failed, or the bound is over; a part may have been written.
  bool Write(std::string_view text);
  // From now on all writes together wait `patience` at most.
  void GiveUpAfter(std::chrono::milliseconds patience);

 private:
  bool WaitForRoom() const;
  std::int64_t WriteSome(std::string_view text) const;

  int descriptor_;
  bool is_own_ = false;  // opened here, not to wait
  bool is_socket_ = false;
  std::atomic<std::int64_t> give_up_at_;  // milliseconds of the steady clock
};

}  // namespace dirsync
