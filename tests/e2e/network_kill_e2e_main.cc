// network_kill_e2e DIRSYNC KILLS SEED [SITES]: a broker and agents as real processes, under load,
// killed by SIGKILL: half at a named point of theirs, half at any moment. Afterwards every site
// must hold what every other one has: what a command acknowledged is there, and nothing else is
// gone.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>

#include "tests/e2e/running_sites.h"

namespace dirsync::e2e {
namespace {

using Clock = std::chrono::steady_clock;

class NetworkKill {
 public:
  NetworkKill(std::string dirsync, std::uint64_t seed, int sites)
      : world_(std::move(dirsync), sites), random_(seed), sites_(sites) {}

  int Run(std::uint64_t kills) {
    if (const std::string wrong = world_.SetUp(); !wrong.empty()) {
      std::printf("WRONG: %s\n", wrong.c_str());
      return 1;
    }
    while (Deaths() < kills && wrong_ < 5) {
      Edit(1 + static_cast<int>(Draw(static_cast<std::uint64_t>(sites_))));
      Disturb();
    }
    const bool settled = Settle();
    std::printf(
        "%llu killed (%llu of the broker); %llu commands acknowledged, %llu cut off; "
        "settled %s in %.1f s; acknowledged and lost %llu, wrong deletes %llu, other %llu\n",
        N(Deaths()), N(world_.server(0).deaths()), N(acknowledged_), N(cut_),
        settled ? "yes" : "NO", settle_seconds_, N(lost_), N(missing_), N(wrong_));
    return settled && lost_ == 0 && missing_ == 0 && wrong_ == 0 ? 0 : 1;
  }

 private:
  static unsigned long long N(std::uint64_t value) { return value; }
  std::uint64_t Draw(std::uint64_t below) { return random_() % below; }
  std::uint64_t Deaths() {
    std::uint64_t deaths = 0;
    for (int site = 0; site <= sites_; ++site) deaths += world_.server(site).deaths();
    return deaths;
  }

  // One command; what it says is what counts. One that was cut off may have happened or not.
  void Edit(int site) {
    RunningSites::Book& people = model_[site];
    const std::string name = "p" + std::to_string(site) + "x" + std::to_string(Draw(40));
    const std::string text = "d" + std::to_string(random_() % 100000);
    const bool known = people.contains(name);
    const std::vector<std::string> words =
        !known         ? std::vector<std::string>{"mailbox", "add", name, "--display-name", text}
        : Draw(4) == 0 ? std::vector<std::string>{"mailbox", "delete", name}
                       : std::vector<std::string>{"mailbox", "set", name, "--display-name", text};
    const Outcome outcome = world_.Command(site, words);
    if (outcome.exit_status == 0) {
      ++acknowledged_;
      unsure_[site].erase(name);
      if (words[1] == "delete") {
        people.erase(name);
      } else {
        people[name] = text;
      }
      return;
    }
    ++cut_;
    unsure_[site].insert(name);
  }

  // Kills somebody now, or lets it die at a point of its own; brings back who is dead.
  void Disturb() {
    const auto any = static_cast<std::uint64_t>(sites_) + 1;
    if (Draw(3) == 0) world_.server(static_cast<int>(Draw(any))).Kill();
    for (int site = 0; site <= sites_; ++site)
      if (Server& server = world_.server(site); !server.running())
        server.Start(Draw(2) == 0 ? 1 + Draw(60) : 0);
  }

  void Explain() {
    for (int origin = 1; origin <= sites_; ++origin) {
      const RunningSites::Book own = world_.BookOf(origin, origin).value_or(RunningSites::Book{});
      for (int site = 1; site <= sites_; ++site) {
        if (site == origin) continue;
        const RunningSites::Book copy = world_.BookOf(site, origin).value_or(RunningSites::Book{});
        for (const auto& [name, text] : own)
          if (!copy.contains(name)) {
            ++missing_;
            std::printf("Site%d lacks %s\n", site, name.c_str());
          }
        for (const auto& [name, text] : copy)
          if (!own.contains(name))
            std::printf("Site%d still has %s, or another text\n", site, name.c_str());
      }
    }
    for (int site = 0; site <= sites_; ++site)
      std::printf("%s: %s\n", world_.Store(site).c_str(),
                  world_.Command(site, {"status"}).output.c_str());
  }

  bool Settle() {
    const auto begin = Clock::now();
    for (int site = 0; site <= sites_; ++site) {
      world_.server(site).Kill();
      world_.server(site).Start();
    }
    // The gate holds deletes beyond its budget: a person lets them pass.
    const bool settled = Until([&] {
      for (int site = 0; site <= sites_; ++site)
        if (!world_.server(site).running()) world_.server(site).Start();
      for (int site = 1; site <= sites_; ++site)
        static_cast<void>(world_.Command(site, {"held", "approve", "--all"}));
      return world_.InStep();
    });
    settle_seconds_ = std::chrono::duration<double>(Clock::now() - begin).count();
    if (!settled) Explain();
    for (int site = 1; site <= sites_; ++site) {
      const RunningSites::Book own = world_.BookOf(site, site).value_or(RunningSites::Book{});
      for (const auto& [name, text] : model_[site]) {
        if (unsure_[site].contains(name)) continue;
        const auto found = own.find(name);
        if (found != own.end() && found->second == text) continue;
        ++lost_;
        std::printf("WRONG: Site%d lost %s\n", site, name.c_str());
      }
      for (const auto& [name, text] : own)
        if (!model_[site].contains(name) && !unsure_[site].contains(name)) {
          ++wrong_;
          std::printf("WRONG: Site%d still has %s\n", site, name.c_str());
        }
    }
    return settled;
  }

  RunningSites world_;
  std::mt19937_64 random_;
  int sites_;
  std::map<int, RunningSites::Book> model_;
  std::map<int, std::set<std::string>> unsure_;
  std::uint64_t acknowledged_ = 0, cut_ = 0, lost_ = 0, missing_ = 0, wrong_ = 0;
  double settle_seconds_ = 0;
};

}  // namespace
}  // namespace dirsync::e2e

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "network_kill_e2e DIRSYNC KILLS SEED [SITES]\n");
    return 2;
  }
  const int sites = argc > 4 ? std::atoi(argv[4]) : 3;
  return dirsync::e2e::NetworkKill(argv[1], std::strtoull(argv[3], nullptr, 10), sites)
      .Run(std::strtoull(argv[2], nullptr, 10));
}
