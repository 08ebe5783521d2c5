// kill_e2e DIRSYNC POINTS SEED: real processes of export, import and load, killed by SIGKILL at
// seeded points (half at a named effect, half after a random time), then run again. The end state
// must be the one of a run without kills: every file whole, both address books equal to the model.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <string>

#include "tests/e2e/process.h"

namespace dirsync::e2e {
namespace {

namespace fs = std::filesystem;

class KillTest {
 public:
  KillTest(std::string dirsync, std::uint64_t seed) : dirsync_(std::move(dirsync)), random_(seed) {
    char name[] = "/tmp/dirsync-kill-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~KillTest() { fs::remove_all(folder_); }

  int Run(std::uint64_t points) {
    SetUp();
    while (killed_ < points) {
      std::uint64_t dice = Draw(10);
      if (dice == 0) {
        LoadOnce();
      } else {
        ExchangeOnce();
      }
      if (++rounds_ % 25 == 0) Compare();
      if (rounds_ % 100 == 0) Tell();
      if (failures_ > 5) break;
    }
    Compare();
    Tell();
    return failures_ == 0 ? 0 : 1;
  }

 private:
  void Tell() const {
    std::printf("%llu killed, %llu more ended before their point; %llu wrong\n",
                static_cast<unsigned long long>(killed_),
                static_cast<unsigned long long>(survived_),
                static_cast<unsigned long long>(failures_));
    std::fflush(stdout);
  }
  std::uint64_t Draw(std::uint64_t below) { return random_() % below; }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  Outcome Command(const std::string& store, std::vector<std::string> words, const Kill& kill = {}) {
    std::vector<std::string> arguments = {dirsync_, "--store", Path(store)};
    arguments.insert(arguments.end(), words.begin(), words.end());
    return RunProcess(arguments, kill);
  }

  void Must(const std::string& store, const std::vector<std::string>& words) {
    Outcome outcome = Command(store, words);
    if (outcome.exit_status == 0 && !outcome.killed) return;
    Wrong(words.front() + " " + words[1] + " at " + store + " failed: " + outcome.errors);
  }

  void Wrong(const std::string& what) {
    ++failures_;
    std::printf("WRONG: %s\n", what.c_str());
  }

  // Runs a step that is killed somewhere, then again without.
  void Killed(const std::string& store, const std::vector<std::string>& words) {
    Kill kill;
    if (Draw(2) == 0) {
      kill.effect = 1 + Draw(16);
    } else {
      kill.microseconds = 1 + Draw(90000);
    }
    Outcome outcome = Command(store, words, kill);
    ++(outcome.killed ? killed_ : survived_);
    Must(store, words);
    for (const auto& file : fs::directory_iterator(folder_))
      if (file.path().extension() == ".part")
        Wrong("half a file is there: " + file.path().string());
  }

  void Init(const std::string& store, const std::string& site) {
    Must(store, {"init", "--organization", "Testorg", "--site", site, "--server", "S-" + site,
                 "--address-type", "EDK", "--domain", site + ".Testorg.com"});
  }

  void SetUp() {
    Init("a", "Site1");
    Init("b", "Site2");
    Must("a", {"instance", "set", "OUT", "--export", "--export-file", Path("SYNC")});
    Must("b", {"instance", "set", "IN", "--import", "--import-file", Path("SYNC"), "--max-deletes",
               "100%"});
    Must("b", {"instance", "set", "BACK", "--export", "--export-file", Path("ACK")});
    Must("a", {"instance", "set", "ACKS", "--import", "--import-file", Path("ACK")});
    for (int i = 0; i < 30; ++i) AddOne();
    WriteLdif();
  }

  void AddOne() {
    std::string name = "p" + std::to_string(next_++);
    Must("a", {"mailbox", "add", name, "--display-name", "d " + name});
    model_[name] = "d " + name;
  }

  void EditOne() {
    auto entry = std::next(model_.begin(), static_cast<long>(Draw(model_.size())));
    if (Draw(3) == 0 && model_.size() > 10) {
      Must("a", {"mailbox", "delete", entry->first});
      model_.erase(entry);
      return;
    }
    entry->second = "d" + std::to_string(random_());
    Must("a", {"mailbox", "set", entry->first, "--display-name", entry->second});
  }

  void ExchangeOnce() {
    Draw(2) == 0 ? AddOne() : EditOne();
    if (Draw(12) == 0) {
      Killed("a", {"run", "OUT", "--full"});
    } else {
      Killed("a", {"run", "OUT"});
    }
    Outcome whole = Command("a", {"file", "verify", Path("SYNC")});
    if (whole.exit_status != 0) Wrong("SYNC is not whole: " + whole.errors);
    Killed("b", {"run", "IN", "--yes"});
    if (Draw(4) == 0) {
      Must("b", {"run", "BACK"});
      Must("a", {"run", "ACKS", "--yes"});
    }
  }

  void WriteLdif() {
    std::ofstream out(Path("people.ldif"));
    for (int i = 0; i < kLoaded; ++i)
      out << "dn: cn=l" << i << ",cn=Recipients\nobjectClass: inetOrgPerson\ncn: l" << i
          << "\ndisplayName: person " << i << "\n\n";
  }

  void LoadOnce() {
    Init("load", "Site3");
    Killed("load", {"load", Path("people.ldif")});
    auto names = People("load");
    if (names.size() != kLoaded) Wrong("load brought " + std::to_string(names.size()) + " people");
    fs::remove_all(Path("load"));
  }

  std::map<std::string, std::string> People(const std::string& store) {
    Outcome list = Command(store, {"list", "--json"});
    std::map<std::string, std::string> people;
    auto parsed = nlohmann::json::parse(list.output, nullptr, false);
    if (!parsed.is_array()) {
      Wrong("list --json of " + store + " is no array");
      return people;
    }
    for (const auto& entry : parsed) {
      if (entry["class"] == "container") continue;
      std::string dn = entry["dn"];
      std::string shown = entry["attributes"].contains("Display-Name")
                              ? entry["attributes"]["Display-Name"][0].get<std::string>()
                              : "";
      people[dn.substr(dn.rfind('=') + 1)] = shown;
    }
    return people;
  }

  void Compare() {
    if (People("a") != model_) Wrong("the source differs from the model");
    if (People("b") != model_) Wrong("the reader differs from the model");
  }

  static constexpr int kLoaded = 2000;
  std::string dirsync_, folder_;
  std::mt19937_64 random_;
  std::map<std::string, std::string> model_;
  std::uint64_t next_ = 0, killed_ = 0, survived_ = 0, failures_ = 0, rounds_ = 0;
};

}  // namespace
}  // namespace dirsync::e2e

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "kill_e2e DIRSYNC POINTS SEED\n");
    return 2;
  }
  return dirsync::e2e::KillTest(argv[1], std::strtoull(argv[3], nullptr, 10))
      .Run(std::strtoull(argv[2], nullptr, 10));
}
