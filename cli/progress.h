// How far a long command is: a bar on a terminal, one line a minute otherwise, JSON lines with
// --json. All on stderr.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string>

#include "agent/service/run.h"

namespace dirsync::cli {

// Not thread-safe. Erases its bar when destroyed.
class ProgressMeter {
 public:
  enum class Style { kNone, kBar, kLines, kJson };
  using Clock = std::function<std::chrono::steady_clock::time_point()>;
  ProgressMeter(std::ostream& err, Style style, Clock clock = std::chrono::steady_clock::now);
  ~ProgressMeter() { Clear(); }
  ProgressMeter(const ProgressMeter&) = delete;
  ProgressMeter& operator=(const ProgressMeter&) = delete;

  void Update(const Progress& progress);
  // Takes the bar off the line, for other text; the next update draws it again.
  void Clear();

 private:
  std::string BarLine(const Progress& progress, double rate) const;
  std::string TextLine(const Progress& progress, double rate) const;

  std::ostream& err_;
  Style style_;
  Clock clock_;
  std::string what_;  // the job being shown
  std::chrono::steady_clock::time_point begun_{};
  std::uint64_t begun_at_ = 0;
  std::chrono::steady_clock::time_point shown_{};
  bool drawn_ = false;
};

// "0:05", "1:02:09".
std::string Clocked(std::uint64_t seconds);

}  // namespace dirsync::cli
