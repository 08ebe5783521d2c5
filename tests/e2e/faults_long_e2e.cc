// Faults under load: keys that change, and what hours of it leave behind.
#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "proto/base/limits.h"
#include "tests/e2e/sites_faults.h"

namespace dirsync::e2e {
namespace {

// Adds people at Site1 one after the other, and looks when Site2 knows them.
class Load {
 public:
  using Clock = std::chrono::steady_clock;

  explicit Load(const RunningSites& world) : world_(world) {
    typist_ = std::thread([this] { Type(); });
    reader_ = std::thread([this] { Watch(); });
  }
  ~Load() { Stop(); }
  void Stop() {
    stop_ = true;
    if (typist_.joinable()) typist_.join();
    if (reader_.joinable()) reader_.join();
  }
  std::size_t told() {
    const std::lock_guard lock(mutex_);
    return told_.size();
  }
  std::size_t refused() const { return refused_; }
  // How many of those acknowledged from `since` on Site2 knows.
  std::size_t arrived(Clock::time_point since) {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::ranges::count_if(told_, [&](const auto& told) {
      return told.second >= since && seen_.contains(told.first);
    }));
  }
  // The longest time from a command's return to the arrival, of what was told from `since` on.
  double Longest(Clock::time_point since) {
    const std::lock_guard lock(mutex_);
    double longest = 0;
    for (const auto& [name, time] : told_)
      if (const auto seen = seen_.find(name); time >= since && seen != seen_.end())
        longest = std::max(longest, Milliseconds(seen->second - time));
    return longest;
  }

 private:
  void Type() {
    for (int i = 1; !stop_; ++i) {
      const std::string name = "load" + std::to_string(i);
      const bool done = world_.Command(1, {"mailbox", "add", name}).exit_status == 0;
      if (!done) ++refused_;
      const std::lock_guard lock(mutex_);
      if (done) told_[name] = Clock::now();
    }
  }
  void Watch() {
    while (!stop_) {
      const auto book = world_.BookOf(2, 1);
      if (!book) continue;
      const auto now = Clock::now();
      const std::lock_guard lock(mutex_);
      for (const auto& [name, text] : *book) seen_.try_emplace(name, now);
    }
  }
  const RunningSites& world_;
  std::mutex mutex_;
  std::map<std::string, Clock::time_point> told_, seen_;
  std::atomic<std::size_t> refused_{0};
  std::atomic<bool> stop_{false};
  std::thread typist_, reader_;
};

class LongFaults : public SitesFaults {
 protected:
  std::string Invitation() {
    std::string text = world_->Command(0, {"broker", "invite"}).output;
    text.erase(text.find_last_not_of('\n') + 1);
    return text;
  }
};

TEST_F(LongFaults, NewKeys) {
  ASSERT_NO_FATAL_FAILURE(Begin(2));
  AddPeople(1, "early", 3);
  UntilInStep();
  Load load(*world_);
  EXPECT_TRUE(Until([&] { return load.told() > 10; }));
  // A site's.
  auto begin = Clock::now();
  Must(1, {"keys", "renew"});
  const std::string invitation = Invitation();
  Must(1, {"join", invitation, "--replaces"});
  Must(0, {"sites", "approve", "Site1"});
  auto renewed = Clock::now();
  EXPECT_TRUE(Until([&] { return load.arrived(renewed) > 10; })) << Logs();
  const double client = load.Longest(begin);
  // The broker's: it starts again, and the sites are invited anew.
  begin = Clock::now();
  Must(0, {"keys", "renew"});
  EXPECT_EQ(world_->server(0).Terminate(), 0);
  ASSERT_TRUE(world_->StartBroker());
  const std::string again = Invitation();
  Must(1, {"join", again});
  Must(2, {"join", again});
  renewed = Clock::now();
  EXPECT_TRUE(Until([&] { return load.arrived(renewed) > 10; })) << Logs();
  const double server = load.Longest(begin);
  load.Stop();
  UntilInStep();
  const auto book = world_->BookOf(2, 1).value_or(RunningSites::Book{});
  const std::size_t lost = load.told() + 3 - std::min(load.told() + 3, book.size());
  EXPECT_EQ(lost, 0U);
  EXPECT_EQ(load.refused(), 0U);
  Row("T38", "keys of a site, then of the broker, renewed while people are added",
      "longest wait of a change: site " + Text(client, 0) + " ms, broker " + Text(server, 0) +
          " ms; " + std::to_string(load.told()) + " told, lost " + std::to_string(lost));
}

// The slope of a line through the second half of the points, per minute.
double Slope(const std::vector<std::pair<double, double>>& points) {
  const std::size_t begin = points.size() / 2;
  double n = 0, x = 0, y = 0, xx = 0, xy = 0;
  for (std::size_t i = begin; i < points.size(); ++i) {
    const auto& [at, value] = points[i];
    n += 1;
    x += at;
    y += value;
    xx += at * at;
    xy += at * value;
  }
  const double below = n * xx - x * x;
  return below == 0 ? 0 : (n * xy - x * y) / below;
}

// Load, and a death ten times over; ten minutes by hand (DIRSYNC_SOAK_SECONDS=600).
TEST_F(LongFaults, Soak) {
  const char* asked = std::getenv("DIRSYNC_SOAK_SECONDS");
  const double seconds = asked == nullptr ? 10 : std::atof(asked);
  ASSERT_NO_FATAL_FAILURE(Begin(2));
  constexpr int kPeople = 40;
  for (int site = 1; site <= 2; ++site) AddPeople(site, "soak", kPeople);
  UntilInStep();
  const auto begin = Clock::now();
  const auto passed = [&] { return Milliseconds(Clock::now() - begin) / 1000; };
  std::vector<std::pair<double, double>> memory, descriptors, disk;
  std::mt19937_64 random(1);
  std::uint64_t changes = 0, deaths = 0, peak = 0, most = 0;
  double sample_at = 0, kill_at = seconds / 10;
  while (passed() < seconds) {
    const int site = 1 + static_cast<int>(random() % 2);
    Must(site, {"mailbox", "set", Person("soak", site, 1 + static_cast<int>(random() % kPeople)),
                "--display-name", "D" + std::to_string(random() % 100000)});
    ++changes;
    if (passed() >= kill_at && passed() < seconds * 0.95) {
      const int victim = static_cast<int>(deaths++ % 3);
      world_->server(victim).Kill();
      if (victim == 0) {
        ASSERT_TRUE(world_->StartBroker());
      } else {
        world_->StartAgent(victim);
      }
      kill_at += seconds / 10;
    }
    if (passed() < sample_at) continue;
    sample_at += seconds / 60;
    double resident = 0, files = 0, bytes = 0;
    for (int i = 0; i <= 2; ++i) {
      const ProcessUse use = UseOf(world_->server(i).pid());
      resident += static_cast<double>(use.resident) / limits::kKiB;
      files += static_cast<double>(use.descriptors);
      peak = std::max(peak, use.peak);
      most = std::max(most, use.descriptors);
      std::error_code ignored;
      for (const auto& file :
           std::filesystem::recursive_directory_iterator(world_->Store(i), ignored))
        bytes += file.is_regular_file(ignored)
                     ? static_cast<double>(file.file_size(ignored)) / limits::kKiB
                     : 0;
    }
    memory.emplace_back(passed() / 60, resident);
    descriptors.emplace_back(passed() / 60, files);
    disk.emplace_back(passed() / 60, bytes);
  }
  const double settled = UntilInStep();
  EXPECT_LT(peak, 300 * limits::kMiB);
  EXPECT_LT(most, 200U);
  Row("T31", Text(seconds, 0) + " s of changes at 2 sites, " + std::to_string(deaths) + " deaths",
      std::to_string(changes) + " changes, in step " + Text(settled, 0) +
          " ms after; slopes a minute of all three: memory " + Text(Slope(memory), 0) +
          " KiB, descriptors " + Text(Slope(descriptors), 1) + ", disk " + Text(Slope(disk), 0) +
          " KiB; peak " + Mib(peak) + ", " + std::to_string(most) + " descriptors");
}

}  // namespace
}  // namespace dirsync::e2e
