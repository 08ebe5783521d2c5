// alternation_e2e DIRSYNC [ALTERNATIONS]: two sites whose changes travel by the broker, by files,
// and by both in turn, acknowledgements included. One change of every kind at a time; after each
// step what the producer has told and what the reader holds have equal sums at one position, both
// address books say the same, and the producer knows that it was read.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <string>

#include "tests/e2e/running_sites.h"

namespace dirsync::e2e {
namespace {

enum class Path { kBroker, kFile };

struct Kind {
  const char* name;
  std::vector<std::string> words;
};

// An odd number of them: alternating, each one goes both ways. They can be done again and again.
const std::vector<Kind> kKinds = {
    {"add", {"mailbox", "add", "Anna.%"}},
    {"add a group", {"group", "add", "Board.%", "--member", "Anna.%"}},
    {"modify", {"mailbox", "set", "Anna.%", "--display-name", "Anna A."}},
    {"first value", {"mailbox", "set", "Anna.%", "--attribute", "Telephone-Office2=1"}},
    {"one value more", {"mailbox", "set", "Anna.%", "--add", "Telephone-Office2=2"}},
    {"one value less", {"mailbox", "set", "Anna.%", "--remove", "Telephone-Office2=1"}},
    {"clear", {"mailbox", "set", "Anna.%", "--attribute", "Telephone-Office2="}},
    {"another address", {"mailbox", "set", "Anna.%", "--address", "SMTP:anna.a@%.test"}},
    {"rename", {"mailbox", "rename", "Anna.%", "Anne.%"}},
    {"add a container", {"container", "add", "Sub", "--container", "Recipients"}},
    {"move", {"mailbox", "move", "Anne.%", "Recipients/cn=Sub"}},
    {"rename a container", {"container", "rename", "Sub", "Team"}},
    {"a group's new member", {"group", "members", "Board.%", "--add", "Ben.%"}},
    {"a group's lost member", {"group", "members", "Board.%", "--remove", "Anne.%"}},
    {"leave the book", {"mailbox", "set", "Ben.%", "--hide"}},
    {"come back, the same", {"mailbox", "set", "Ben.%", "--unhide"}},
    {"add another container", {"container", "add", "Floor", "--container", "Recipients"}},
    {"move a container", {"container", "move", "Team", "Recipients/cn=Floor"}},
    {"delete", {"mailbox", "delete", "Anne.%"}},
    {"come back, another one", {"mailbox", "add", "Anne.%"}},
    {"delete an empty container", {"container", "delete", "Team"}},
    {"delete what held it", {"container", "delete", "Floor"}},
    {"delete a group", {"group", "delete", "Board.%"}},
};

class Alternation {
 public:
  explicit Alternation(std::string dirsync) : world_(std::move(dirsync), 2) {}

  int Run(int alternations) {
    if (!SetUp()) return 1;
    const auto all = kKinds.size();
    for (std::size_t i = 0; i < all; ++i) Step(1, i, Path::kBroker);
    Say("by the broker alone", all);
    Stop();
    for (std::size_t i = 0; i < all; ++i) Step(1, i, Path::kFile);
    Say("by files alone", all);
    for (int i = 0; i < alternations && wrong_ == 0; ++i) {
      const std::size_t at = static_cast<std::size_t>(i);
      // A life of this history at one site, then at the other.
      Step(1 + static_cast<int>(at / all % 2), at % all, i % 2 == 0 ? Path::kBroker : Path::kFile);
    }
    for (int site = 1; site <= 2; ++site)
      for (const char* bad : {"FORK", "diverged", "publish-refused", "in quarantine"})
        if (world_.Said(site, bad) > 0) Wrong("Site" + std::to_string(site) + " says " + bad);
    std::printf("%d alternations, %llu changes of %zu kinds, %s\n", alternations,
                static_cast<unsigned long long>(changes_), ways_.size(),
                wrong_ == 0 ? "sums equal at each" : "SUMS NOT EQUAL");
    for (const auto& [kind, ways] : ways_)
      if (ways.size() != 2) std::printf("%s went one way only\n", kind.c_str());
    std::printf("%llu acks by the broker, %llu by file; %llu broker deaths\n",
                static_cast<unsigned long long>(acks_[Path::kBroker]),
                static_cast<unsigned long long>(acks_[Path::kFile]),
                static_cast<unsigned long long>(world_.server(0).deaths()));
    return wrong_ == 0 ? 0 : 1;
  }

 private:
  bool SetUp() {
    if (std::string wrong =
            world_.SetUp({"--subs", "--container", "Recipients", "--container", "Other", "--class",
                          "mailbox", "--class", "distribution-list"});
        !wrong.empty()) {
      std::printf("%s\n", wrong.c_str());
      return false;
    }
    // Until their container is there the exports are refused; then they go on by themselves.
    for (int site = 1; site <= 2; ++site) {
      Must(site, {"container", "add", "Other"});
      Must(site, Of(site, {"mailbox", "add", "Ben.%"}));
      Must(site, Of(site, {"mailbox", "add", "Charles.%"}));
    }
    for (int site = 1; site <= 2; ++site)
      if (wrong_ == 0 && !ByBroker(site)) Wrong("at the beginning: " + Compare(site));
    return wrong_ == 0;
  }

  void Say(const char* how, std::size_t steps) const {
    std::printf("%s: %zu kinds of change, %s\n", how, steps,
                wrong_ == 0 ? "sums equal at each" : "SUMS NOT EQUAL");
  }
  void Wrong(const std::string& text) {
    ++wrong_;
    std::printf("WRONG: %s\n", text.c_str());
  }
  bool Must(int site, const std::vector<std::string>& words) {
    const Outcome outcome = world_.Command(site, words);
    if (outcome.exit_status == 0) return true;
    Wrong(words[0] + " " + words[1] + " at Site" + std::to_string(site) + ": " + outcome.errors);
    return false;
  }

  // The broker stands still, as behind a cable that was pulled: what is sent to it waits. Now and
  // then it dies instead.
  void Stop() {
    if (stopped_) return;
    if (++stops_ % 10 == 0) {
      world_.server(0).Kill();
    } else {
      world_.server(0).Signal(SIGSTOP);
    }
    stopped_ = true;
  }
  void GoOn() {
    if (!stopped_) return;
    if (world_.server(0).running()) {
      world_.server(0).Signal(SIGCONT);
    } else if (!world_.StartBroker()) {
      Wrong("the broker does not start again");
    }
    stopped_ = false;
  }

  void Step(int site, std::size_t kind, Path path) {
    if (wrong_ > 0) return;
    if (path == Path::kBroker) GoOn();
    if (path == Path::kFile) Stop();
    const std::vector<std::string> words = Of(site, kKinds[kind].words);
    // A life ends without leaving anything behind: the next one begins alike.
    if (kKinds[kind].name == std::string("add") && !Clear(site, path)) return;
    if (!Must(site, words)) return;
    ++changes_;
    ways_[kKinds[kind].name].insert(path);
    const bool arrived = path == Path::kBroker ? ByBroker(site) : ByFile(site);
    if (!arrived) {
      Wrong(std::string(kKinds[kind].name) + (path == Path::kBroker ? " by broker" : " by file") +
            " from Site" + std::to_string(site) + ": " + Compare(site) + "\n" + world_.Log(1) +
            world_.Log(2));
      return;
    }
    ++acks_[path];
  }

  // Names are of the site: both books hold those of both.
  static std::vector<std::string> Of(int site, std::vector<std::string> words) {
    for (std::string& word : words)
      if (const auto at = word.find('%'); at != std::string::npos)
        word.replace(at, 1, RunningSites::NameOf(site));
    return words;
  }

  bool Clear(int site, Path path) {
    if (world_.Command(site, Of(site, {"show", "Anne.%"})).exit_status != 0) return true;
    ++changes_;
    return Must(site, Of(site, {"mailbox", "delete", "Anne.%"})) &&
           (path == Path::kBroker ? ByBroker(site) : ByFile(site));
  }

  bool ByBroker(int from) {
    return Until([&] { return Compare(from).empty(); }, std::chrono::seconds(120), 5);
  }

  // The changes in a file one way, and the acknowledgement in a file the other way.
  bool ByFile(int from) {
    return Carry(from, 3 - from, true) && Carry(3 - from, from, false) && Compare(from).empty();
  }
  bool Carry(int from, int to, bool news) {
    const std::string out = world_.Path("CARRIED." + std::to_string(from));
    const Outcome written = world_.Command(from, {"run", "OUT", "--export-file", out, "--json"});
    if (written.exit_status != 0) Wrong("export: " + written.output + written.errors);
    const Outcome outcome = world_.Command(
        to, {"run", RunningSites::NameOf(from) + ".OUT", "--import-file", out, "--json"});
    if (outcome.exit_status != 0) Wrong("import of " + out + ": " + outcome.errors);
    const auto report = nlohmann::json::parse(outcome.output, nullptr, false);
    if (news && (report.is_discarded() || !report.value("sums_equal", false)))
      Wrong("sums are not equal: written " + written.output + written.errors + "read " +
            outcome.output);
    return outcome.exit_status == 0;
  }

  // What differs between the producer and its reader; empty: nothing.
  std::string Compare(int from) {
    const int to = 3 - from;
    const auto told = world_.Json(from, {"instance", "show", "OUT"});
    const auto held = world_.Json(to, {"instance", "show", RunningSites::NameOf(from) + ".OUT"});
    if (told.is_discarded() || held.is_discarded()) return "an instance is not there";
    const auto telling = told.at("state").value("export", nlohmann::json::object());
    const auto reading = held.at("state").value("import", nlohmann::json::object());
    for (const char* what : {"epoch", "sequence", "sum"})
      if (telling.value(what, nlohmann::json()) != reading.value(what, nlohmann::json()))
        return std::string(what) + " told " + telling.dump() + ", read " + reading.dump();
    for (const auto& reader : telling.value("readers", nlohmann::json::array()))
      if (reader.at("site") == RunningSites::NameOf(to) &&
          reader.at("sequence") == telling["sequence"])
        return Book(from, from) == Book(to, from) ? "" : "the books differ";
    return "not acknowledged: " + telling.dump();
  }

  // What a site's book says of the people and groups of `origin`: name -> all that both ends have.
  std::map<std::string, std::string> Book(int site, int origin) {
    std::map<std::string, std::string> book;
    const std::string wanted = RunningSites::NameOf(origin);
    const auto entries = world_.Json(site, {"list", "--subs"});
    if (entries.is_discarded()) return {{"no list", std::to_string(site)}};
    for (const auto& entry : entries) {
      const std::string from = entry.value("origin", "");
      if (site == origin ? !from.empty() : !from.starts_with(wanted + "/")) continue;
      if (entry.value("class", "") == "container") continue;
      if (entry.at("attributes").contains("Hide-From-AB")) continue;
      std::string dn = entry.value("dn", "");
      std::string text;
      for (const char* name : {"Display-Name", "Telephone-Office2", "Member"})
        if (entry.at("attributes").contains(name)) text += entry["attributes"][name].dump();
      book[dn.substr(dn.rfind('=') + 1)] = text;
    }
    return book;
  }

  RunningSites world_;
  bool stopped_ = false;
  int stops_ = 0;
  int wrong_ = 0;
  std::uint64_t changes_ = 0;
  std::map<std::string, std::set<Path>> ways_;
  std::map<Path, std::uint64_t> acks_;
};

}  // namespace
}  // namespace dirsync::e2e

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "alternation_e2e DIRSYNC [ALTERNATIONS]\n");
    return 2;
  }
  return dirsync::e2e::Alternation(argv[1]).Run(argc > 2 ? std::atoi(argv[2]) : 100);
}
