// Keeps a log readable when one thing is said again and again: the first few times are told, the
// others are counted, and the count is told. Pure; not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "proto/base/time.h"

namespace dirsync {

class RepeatFilter {
 public:
  // What was left out, told once its minute is over.
  struct Untold {
    std::string line;
    std::uint64_t count = 0;
  };

  // Whether `line` is to be told now: limits::kRepeatsTold times in a minute.
  bool Pass(const std::string& line, Instant now);
  // Lines whose minute is over and that were left out since, or all of them if `now` is the end.
  std::vector<Untold> Take(Instant now);
  static constexpr Instant kEnd = Instant::max();

 private:
  struct Seen {
    Instant since{};
    std::uint64_t times = 0;
  };
  std::map<std::string, Seen, std::less<>> seen_;
};

}  // namespace dirsync
