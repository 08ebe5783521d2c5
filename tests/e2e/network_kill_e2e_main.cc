// network_kill_e2e DIRSYNC KILLS SEED [SITES]: a broker and agents as real processes, under load,
// killed by SIGKILL: half at a named point of theirs, half at any moment. Afterwards every site
// must hold what every other one has: what a command acknowledged is there, and nothing else is
// gone.
#include <poll.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <set>
#include <string>

#include "tests/e2e/process.h"
#include "tests/e2e/server.h"

namespace dirsync::e2e {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kPatience{120};

// A little, until something may have changed.
void Pause(int milliseconds) { poll(nullptr, 0, milliseconds); }

template <class Done>
bool Until(Done&& done, std::chrono::seconds patience = kPatience) {
  for (const auto end = Clock::now() + patience; Clock::now() < end; Pause(20))
    if (done()) return true;
  return false;
}

class NetworkKill {
 public:
  NetworkKill(std::string dirsync, std::uint64_t seed, int sites)
      : dirsync_(std::move(dirsync)), random_(seed), sites_(sites) {
    char name[] = "/tmp/dirsync-net-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~NetworkKill() {
    servers_.clear();
    fs::remove_all(folder_);
  }

  int Run(std::uint64_t kills) {
    if (!SetUp()) return 1;
    while (Deaths() < kills && wrong_ < 5) {
      Edit(1 + static_cast<int>(Draw(static_cast<std::uint64_t>(sites_))));
      Disturb();
    }
    const bool settled = Settle();
    std::printf(
        "%llu killed (%llu of the broker); %llu commands acknowledged, %llu cut off; "
        "settled %s in %.1f s; acknowledged and lost %llu, wrong deletes %llu, other %llu\n",
        N(Deaths()), N(servers_[0]->deaths()), N(acknowledged_), N(cut_), settled ? "yes" : "NO",
        settle_seconds_, N(lost_), N(missing_), N(wrong_));
    return settled && lost_ == 0 && missing_ == 0 && wrong_ == 0 ? 0 : 1;
  }

 private:
  static unsigned long long N(std::uint64_t value) { return value; }
  std::uint64_t Draw(std::uint64_t below) { return random_() % below; }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  std::string Store(int site) const { return site == 0 ? "broker" : "site" + std::to_string(site); }

  Outcome Command(int site, std::vector<std::string> words) {
    std::vector<std::string> arguments = {dirsync_, "--store", Path(Store(site))};
    arguments.insert(arguments.end(), words.begin(), words.end());
    return RunProcess(arguments);
  }
  bool Must(int site, const std::vector<std::string>& words) {
    Outcome outcome = Command(site, words);
    if (outcome.exit_status == 0) return true;
    std::printf("WRONG: %s at %s: %s", words.front().c_str(), Store(site).c_str(),
                outcome.errors.c_str());
    ++wrong_;
    return false;
  }

  std::uint64_t Deaths() const {
    std::uint64_t deaths = 0;
    for (const auto& server : servers_) deaths += server->deaths();
    return deaths;
  }

  // Free ports are found once and kept: agents know them.
  bool StartBroker() {
    servers_[0]->Start();
    const bool up = Until([&] { return Contains(servers_[0]->LogOfThisRun(), "listening on "); });
    const std::string said = servers_[0]->LogOfThisRun();
    const auto address = [&](const std::string& before) {
      const auto at = said.find(before) + before.size();
      return said.substr(at, said.find_first_of(",; \n", at) - at);
    };
    if (up)
      servers_[0]->set_arguments(BrokerArguments(address("listening on "), address("joins on ")));
    return up;
  }
  std::vector<std::string> BrokerArguments(const std::string& listen, const std::string& door) {
    return {dirsync_, "--store",       Path("broker"), "broker", "run", "--listen",
            listen,   "--join-listen", door,           "--page", "off"};
  }
  static bool Contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  }

  bool SetUp() {
    if (!Must(0, {"organization", "init", "Testorg"})) return false;
    servers_.push_back(std::make_unique<Server>(
        BrokerArguments("tcp://127.0.0.1:*", "tcp://127.0.0.1:*"), Path("broker.log")));
    if (!StartBroker()) return false;
    const std::string invitation = Command(0, {"broker", "invite"}).output;
    for (int site = 1; site <= sites_; ++site) {
      const std::string name = "Site" + std::to_string(site);
      if (!Must(site, {"init", "--organization", "Testorg", "--site", name, "--server", "V",
                       "--address-type", "SMTP", "--domain", name + ".test"}) ||
          !Must(site, {"join", invitation}) || !Must(0, {"sites", "approve", name}) ||
          !Must(site, {"join", invitation}) || !Must(site, {"instance", "set", "OUT", "--export"}))
        return false;
      servers_.push_back(std::make_unique<Server>(
          std::vector<std::string>{dirsync_, "--store", Path(Store(site)), "agent", "run"},
          Path(Store(site) + ".log")));
      servers_.back()->Start();
    }
    return true;
  }

  // One command; what it says is what counts. One that was cut off may have happened or not.
  void Edit(int site) {
    std::map<std::string, std::string>& people = model_[site];
    const std::string name = "p" + std::to_string(site) + "x" + std::to_string(Draw(40));
    const std::string text = "d" + std::to_string(random_() % 100000);
    const bool known = people.contains(name);
    const std::vector<std::string> words =
        !known         ? std::vector<std::string>{"mailbox", "add", name, "--display-name", text}
        : Draw(4) == 0 ? std::vector<std::string>{"mailbox", "delete", name}
                       : std::vector<std::string>{"mailbox", "set", name, "--display-name", text};
    const Outcome outcome = Command(site, words);
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
    if (Draw(3) == 0) servers_[Draw(servers_.size())]->Kill();
    for (auto& server : servers_)
      if (!server->running()) server->Start(Draw(2) == 0 ? 1 + Draw(60) : 0);
  }

  using Book = std::map<std::string, std::string>;  // name -> display name

  // What a site has: its own people, or those of another one.
  std::optional<Book> Read(int site, int origin) {
    const Outcome outcome = Command(site, {"list", "Recipients", "--json"});
    if (outcome.exit_status != 0) return std::nullopt;
    Book book;
    const std::string wanted = "Site" + std::to_string(origin);
    for (const auto& entry : nlohmann::json::parse(outcome.output)) {
      std::string from = entry.value("origin", "");  // "Site1/ID"
      from = from.substr(0, from.find('/'));
      const bool own = origin == site && (from.empty() || from == wanted);
      if (!own && from != wanted) continue;
      if (entry.value("class", "") == "container") continue;
      const std::string dn = entry.value("dn", "");
      book[dn.substr(dn.rfind('=') + 1)] = entry["attributes"]["Display-Name"][0];
    }
    return book;
  }

  bool InStep() {
    for (int origin = 1; origin <= sites_; ++origin) {
      const auto own = Read(origin, origin);
      if (!own) return false;
      for (int site = 1; site <= sites_; ++site)
        if (site != origin && Read(site, origin) != own) return false;
    }
    return true;
  }

  void Explain() {
    for (int origin = 1; origin <= sites_; ++origin) {
      const Book own = Read(origin, origin).value_or(Book{});
      for (int site = 1; site <= sites_; ++site) {
        if (site == origin) continue;
        const Book copy = Read(site, origin).value_or(Book{});
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
      std::printf("%s: %s\n", Store(site).c_str(), Command(site, {"status"}).output.c_str());
  }

  bool Settle() {
    const auto begin = Clock::now();
    for (auto& server : servers_) {
      server->Kill();
      server->Start();
    }
    // The gate holds deletes beyond its budget: a person lets them pass.
    const bool settled = Until([&] {
      for (auto& server : servers_)
        if (!server->running()) server->Start();
      for (int site = 1; site <= sites_; ++site)
        static_cast<void>(Command(site, {"held", "approve", "--all"}));
      return InStep();
    });
    settle_seconds_ = std::chrono::duration<double>(Clock::now() - begin).count();
    if (!settled) Explain();
    for (int site = 1; site <= sites_; ++site) {
      const Book own = Read(site, site).value_or(Book{});
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

  std::string dirsync_;
  std::mt19937_64 random_;
  int sites_;
  std::string folder_;
  std::vector<std::unique_ptr<Server>> servers_;  // 0: the broker
  std::map<int, Book> model_;
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
