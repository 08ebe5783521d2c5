#include "tests/bench/timed_agent.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "agent/loop/agent_loop.h"
#include "cli/answer.h"

namespace dirsync::bench {
namespace {

class TimedWorld : public World {
 public:
  explicit TimedWorld(Stamps& stamps) : stamps_(stamps) {}
  Instant Now() override { return RealWorld().Now(); }
  std::string Random(std::size_t count) override { return RealWorld().Random(count); }
  FileSystem& files() override { return RealWorld().files(); }
  void Effect(std::string_view name) override {
    if (name != "committed") return;
    last_ = Nanoseconds();
    const std::uint64_t number = stamps_.commits.load();
    stamps_.at[number % Stamps::kKept] = last_;
    stamps_.commits = number + 1;
  }
  std::int64_t last() const { return last_; }

 private:
  Stamps& stamps_;
  std::int64_t last_ = 0;
};

// "imported NAME: 12 changes of …", "full-copy-done NAME: 12 entries: …"
std::uint64_t Imported(std::string_view line) {
  if (!line.starts_with("imported ") && !line.starts_with("full-copy-done ")) return 0;
  const auto at = line.find(": ");
  if (at == std::string_view::npos) return 0;
  return std::strtoull(std::string(line.substr(at + 2)).c_str(), nullptr, 10);
}

}  // namespace

std::int64_t Nanoseconds() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

Stamps& MapStamps(const std::string& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  void* mapped = MAP_FAILED;
  if (file >= 0 && ftruncate(file, sizeof(Stamps)) == 0)
    mapped = mmap(nullptr, sizeof(Stamps), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (file >= 0) close(file);
  if (mapped == MAP_FAILED) {
    std::perror(path.c_str());
    std::exit(1);
  }
  return *static_cast<Stamps*>(mapped);
}

int RunTimedAgent(const std::string& store, const std::string& stamps) {
  Stamps& page = MapStamps(stamps);
  TimedWorld world(page);
  AgentSettings settings;
  settings.store = store;
  settings.session.link.program = "benchmark";
  settings.answer = [](AgentControl& agent, CommandCall& call, const std::function<bool()>& stop) {
    cli::AnswerCall(agent, call, stop);
  };
  settings.log = [&](std::string_view level, std::string_view text) {
    std::fprintf(stderr, "%.6f %s %s\n", static_cast<double>(Nanoseconds()) / 1e9,
                 std::string(level).c_str(), std::string(text).c_str());
    const std::uint64_t imported = Imported(text);
    if (imported == 0) return;
    page.imported_at = world.last();
    page.imported += imported;
  };
  const auto ran = RunAgent(world, std::move(settings));
  if (!ran) std::fprintf(stderr, "%s\n", ran.error().ToString().c_str());
  return ran ? 0 : 1;
}

}  // namespace dirsync::bench
