#include "agent/service/world.h"

#include <sys/random.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>

#include "agent/service/posix_files.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

// "NAME:COUNT" in DIRSYNC_KILL_AT: die by SIGKILL at the COUNTth effect of that name ("*" = any).
// Only tests set it; it can stop a command nowhere that a power cut could not.
class KillPoint {
 public:
  KillPoint() {
    const char* text = std::getenv("DIRSYNC_KILL_AT");
    if (text == nullptr) return;
    auto parts = Split(text, ':');
    if (parts.size() != 2) return;
    name_ = parts[0];
    left_ = ParseNumber(parts[1]).value_or(0);
  }
  void Pass(std::string_view effect) {
    if (left_ == 0 || (name_ != "*" && name_ != effect)) return;
    if (--left_ == 0) kill(getpid(), SIGKILL);
  }

 private:
  std::string name_;
  std::uint64_t left_ = 0;
};

class MachineWorld : public World {
 public:
  Instant Now() override {
    return std::chrono::time_point_cast<Duration>(std::chrono::system_clock::now());
  }
  std::string Random(std::size_t count) override {
    std::string bytes(count, '\0');
    for (std::size_t done = 0; done < count;) {
      ssize_t got = getrandom(bytes.data() + done, count - done, 0);
      if (got > 0) done += static_cast<std::size_t>(got);
    }
    return bytes;
  }
  FileSystem& files() override { return files_; }
  void Effect(std::string_view name) override { kill_point_.Pass(name); }

 private:
  PosixFiles files_;
  KillPoint kill_point_;
};

}  // namespace

IdSource MakeIds(World& world) { return IdSource(*Digest::FromBytes(world.Random(32))); }

World& RealWorld() {
  static MachineWorld world;
  return world;
}

}  // namespace dirsync
