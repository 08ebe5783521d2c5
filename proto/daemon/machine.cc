#include "proto/daemon/machine.h"

#include <sys/random.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>

#include "proto/base/text.h"

namespace dirsync {
namespace {

class KillPoint {
 public:
  KillPoint() {
    const char* text = std::getenv("DIRSYNC_KILL_AT");
    if (text == nullptr) return;
    const auto parts = Split(text, ':');
    if (parts.size() != 2) return;
    name_ = parts[0];
    left_ = ParseNumber(parts[1]).value_or(0);
  }
  void Pass(std::string_view point) {
    if (left_ == 0 || (name_ != "*" && name_ != point)) return;
    if (--left_ == 0) kill(getpid(), SIGKILL);
  }

 private:
  std::string name_;
  std::uint64_t left_ = 0;
};

}  // namespace

Instant MachineTime() {
  return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
}

std::string MachineRandom(std::size_t count) {
  std::string bytes(count, '\0');
  for (std::size_t done = 0; done < count;) {
    const ssize_t got = getrandom(bytes.data() + done, count - done, 0);
    if (got > 0) done += static_cast<std::size_t>(got);
  }
  return bytes;
}

void PassKillPoint(std::string_view name) {
  static KillPoint point;
  point.Pass(name);
}

}  // namespace dirsync
