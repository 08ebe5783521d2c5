// dirsync_alternation: two simulated sites whose changes travel by the broker, by files, and by
// both in turn, one change of a kind at a time. Processes die at any effect on the way, files and
// broker crash; after each step the told rows of both sites and the mirror rows of both readers
// have equal sums at one position.
//
//   dirsync_alternation [--seeds N] [--first F] [--alternations A]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <set>
#include <string>

#include "agent/core/producer_state.h"
#include "agent/core/reader_state.h"
#include "proto/base/text.h"
#include "tests/sim/checker.h"
#include "tests/sim/network.h"

namespace dirsync::sim {
namespace {

enum class Path { kBroker, kFile };

// What one step does to one site's directory.
struct Kind {
  const char* name;
  Result<> (*make)(Directory& directory);
};

Result<> Add(Directory& d, EntryClass entry_class, const char* container, const char* name) {
  NewEntry fresh;
  fresh.entry_class = entry_class;
  fresh.container = container;
  fresh.name = name;
  DIRSYNC_CHECK(d.Add(std::move(fresh)));
  return {};
}
Result<> Edit(Directory& d, const char* name, const EntryEdit& edit) {
  DIRSYNC_TRY(entry, d.Resolve(name));
  DIRSYNC_CHECK(d.Edit(entry, edit));
  return {};
}
Result<> Set(Directory& d, const char* name, std::string_view attribute,
             std::vector<std::string> values) {
  EntryEdit edit;
  edit.set.push_back({std::string(attribute), std::move(values)});
  return Edit(d, name, edit);
}
Result<> Delete(Directory& d, const char* name) {
  DIRSYNC_TRY(entry, d.Resolve(name));
  return d.Delete(entry);
}
// Members of the group, as references.
Result<> Member(Directory& d, const char* name, bool add) {
  DIRSYNC_TRY(member, d.Resolve(name));
  const Attribute value{std::string(attribute::kMember),
                        {Reference{d.profile().site, member.id}.ToString()}};
  EntryEdit edit;
  (add ? edit.add_values : edit.remove_values).push_back(value);
  return Edit(d, "board", edit);
}
Result<> Value(Directory& d, const char* value, bool add) {
  EntryEdit edit;
  (add ? edit.add_values : edit.remove_values).push_back({"Telephone-Office2", {value}});
  return Edit(d, "anna", edit);
}
Result<> Rename(Directory& d, const char* name, const char* to) {
  EntryEdit edit;
  edit.name = to;
  return Edit(d, name, edit);
}
Result<> Move(Directory& d, const char* name, const char* to) {
  EntryEdit edit;
  edit.container = to;
  return Edit(d, name, edit);
}

// An odd number of them: in turn, each one goes both ways. The last ones undo the first.
constexpr EntryClass kMailbox = EntryClass::kMailbox;
const Kind kKinds[] = {
    {"add", [](Directory& d) { return Add(d, kMailbox, "Recipients", "anna"); }},
    {"add a second one", [](Directory& d) { return Add(d, kMailbox, "Recipients", "ben"); }},
    {"add a group",
     [](Directory& d) { return Add(d, EntryClass::kDistributionList, "Recipients", "board"); }},
    {"new member", [](Directory& d) { return Member(d, "anna", true); }},
    {"another member", [](Directory& d) { return Member(d, "ben", true); }},
    {"lost member", [](Directory& d) { return Member(d, "anna", false); }},
    {"modify", [](Directory& d) { return Set(d, "anna", "Display-Name", {"Anna A."}); }},
    {"one value more", [](Directory& d) { return Value(d, "1", true); }},
    {"two values", [](Directory& d) { return Value(d, "2", true); }},
    {"one value less", [](Directory& d) { return Value(d, "1", false); }},
    {"clear", [](Directory& d) { return Set(d, "anna", "Telephone-Office2", {}); }},
    {"rename", [](Directory& d) { return Rename(d, "anna", "anne"); }},
    {"add a container",
     [](Directory& d) { return Add(d, EntryClass::kContainer, "Recipients", "Team"); }},
    {"move", [](Directory& d) { return Move(d, "anne", "Recipients/cn=Team"); }},
    {"rename a container", [](Directory& d) { return Rename(d, "Team", "Crew"); }},
    {"leave the book", [](Directory& d) { return Set(d, "ben", attribute::kHideFromAb, {"1"}); }},
    {"come back, the same", [](Directory& d) { return Set(d, "ben", attribute::kHideFromAb, {}); }},
    {"delete", [](Directory& d) { return Delete(d, "anne"); }},
    {"delete a container", [](Directory& d) { return Delete(d, "Crew"); }},
    {"come back, another one", [](Directory& d) { return Add(d, kMailbox, "Recipients", "anne"); }},
    {"delete the other one", [](Directory& d) { return Delete(d, "anne"); }},
    {"delete a group", [](Directory& d) { return Delete(d, "board"); }},
    {"delete the last one", [](Directory& d) { return Delete(d, "ben"); }},
};
constexpr std::size_t kKindCount = std::size(kKinds);
static_assert(kKindCount % 2 == 1);

class Alternation {
 public:
  explicit Alternation(std::uint64_t seed)
      : deployment_(seed, 2, true), network_(deployment_), checker_(deployment_) {}

  // What went wrong; empty: nothing.
  std::string Run(std::size_t alternations);

  std::uint64_t changes() const { return changes_; }
  std::uint64_t deaths() const { return deployment_.deaths(); }
  std::uint64_t crashes() const { return network_.counts().broker_crashes; }
  const std::map<std::string, std::set<Path>>& ways() const { return ways_; }
  void PrintTrace() const {
    for (const std::string& line : deployment_.trace) std::printf("  %s\n", line.c_str());
  }

 private:
  std::string Step(std::size_t site, const Kind& kind, Path path);
  std::string Arrive(Path path);
  void ByBroker();
  void ByFile();
  std::string Compare();
  std::string Compare(Site& from, Site& to);
  // Runs a step that may end in a death, which the link must learn of.
  template <class F>
  void Carefully(std::size_t site, F&& step) {
    const std::uint64_t deaths = deployment_.deaths();
    step();
    if (deployment_.deaths() != deaths) network_.Relink(site);
  }

  Deployment deployment_;
  Network network_;
  Checker checker_;
  std::uint64_t changes_ = 0;
  std::map<std::string, std::set<Path>> ways_;
};

std::string Alternation::Run(std::size_t alternations) {
  if (std::string wrong = Arrive(Path::kFile); !wrong.empty()) return "at the beginning: " + wrong;
  for (const Path path : {Path::kBroker, Path::kFile})
    for (const Kind& kind : kKinds)
      if (std::string wrong = Step(0, kind, path); !wrong.empty()) return wrong;
  for (std::size_t i = 0; i < alternations; ++i) {
    const Path path = i % 2 == 0 ? Path::kBroker : Path::kFile;
    if (std::string wrong = Step(i / kKindCount % 2, kKinds[i % kKindCount], path); !wrong.empty())
      return "alternation " + std::to_string(i) + ": " + wrong;
  }
  for (const auto& [kind, ways] : ways_)
    if (ways.size() != 2) return kind + " went one way only";
  checker_.AtEnd();
  return checker_.problems().empty() ? "" : checker_.problems().front();
}

std::string Alternation::Step(std::size_t index, const Kind& kind, Path path) {
  Site& site = deployment_.sites()[index];
  const auto changed = site.store->Write([&](storage::Transaction& transaction) -> Result<> {
    IdSource ids = MakeIds(*site.world);
    Directory directory(transaction, site.profile, ids, site.world->Now());
    return kind.make(directory);
  });
  const std::string what =
      std::string(kind.name) + (path == Path::kFile ? " by file" : " by broker");
  if (!changed) return what + ": " + changed.error().ToString();
  (void)site.storage->Sync();
  deployment_.trace.push_back(site.name + ": " + what);
  ++changes_;
  ways_[kind.name].insert(path);
  if (std::string wrong = Arrive(path); !wrong.empty()) return what + ": " + wrong;
  return "";
}

// Until both readers are where their producers are: each round may end in a death.
std::string Alternation::Arrive(Path path) {
  std::string wrong;
  for (int round = 0; round < 60; ++round) {
    // Time passes, so that what is to be said again is.
    for (Site& site : deployment_.sites()) site.world->Advance(std::chrono::minutes(1));
    path == Path::kBroker ? ByBroker() : ByFile();
    for (const std::string& problem : network_.TakeProblems()) return problem;
    if (!checker_.problems().empty()) return checker_.problems().front();
    wrong = Compare();
    if (wrong.empty()) return "";
  }
  return "does not arrive: " + wrong;
}

void Alternation::ByBroker() {
  for (std::size_t site = 0; site < 2; ++site) {
    network_.Partition(site, false);
    network_.Connect(site);
  }
  for (int turn = 0; turn < 12; ++turn) {
    network_.Up(64);
    for (std::size_t site = 0; site < 2; ++site) {
      checker_.BeforeImport(site);
      network_.Down(site, 64);
      checker_.AfterStep(site, true);
      network_.PumpSite(site);
      network_.TickSite(site);
      checker_.AfterStep(site, false);
    }
  }
  network_.TickBroker();
}

// Nobody is connected. Files both ways, and once more: the acknowledgement of the second one.
void Alternation::ByFile() {
  for (std::size_t site = 0; site < 2; ++site) network_.Partition(site, true);
  for (std::size_t leg = 0; leg < 3; ++leg) {
    const std::size_t from = leg % 2;
    const std::size_t to = 1 - from;
    Carefully(from, [&] { deployment_.Export(deployment_.sites()[from], false); });
    checker_.AfterStep(from, false);
    deployment_.bag().clear();
    deployment_.PickUp(from);
    for (const Carried& file : deployment_.bag()) deployment_.Deliver(to, file);
    checker_.BeforeImport(to);
    Carefully(to, [&] { deployment_.Import(deployment_.sites()[to], from); });
    checker_.AfterStep(to, true);
  }
}

std::string Alternation::Compare() {
  auto& sites = deployment_.sites();
  std::string wrong = Compare(sites[0], sites[1]);
  return wrong.empty() ? Compare(sites[1], sites[0]) : wrong;
}

std::string Alternation::Compare(Site& from, Site& to) {
  const auto number = FindNumber(*from.storage, "export/people");
  if (!number || !*number) return from.name + " has told nothing";
  const auto told = LoadProducer(*from.storage, **number);
  const auto imports = ImportsFrom(to, from.name);
  if (imports.size() != 1) return to.name + " has " + std::to_string(imports.size()) + " imports";
  const auto import = FindNumber(*to.storage, "import/" + FoldName(imports.front().name));
  const auto read = LoadReader(*to.storage, **import);
  if (!told || !*told || !read || !*read) return "no state";
  const std::string where = from.name + " at " + std::to_string((*told)->sequence) + ", " +
                            to.name + " at " + std::to_string((*read)->cursor.sequence);
  if ((*told)->position() != (*read)->cursor) return where;
  if ((*told)->sum != (*read)->sum) return where + ": sums differ";
  const auto acks = ListAcks(*from.storage, **number);
  for (const ReaderAck& ack : *acks)
    if (ack.site == to.name && ack.position == (*told)->position()) return "";
  return where + ": not acknowledged";
}

}  // namespace
}  // namespace dirsync::sim

int main(int argc, char** argv) {
  std::uint64_t first = 1, seeds = 20, alternations = 100;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--seeds") == 0) seeds = value;
    if (std::strcmp(argv[i], "--first") == 0) first = value;
    if (std::strcmp(argv[i], "--alternations") == 0) alternations = value;
  }
  std::uint64_t changes = 0, deaths = 0, crashes = 0, failed = 0;
  std::size_t kinds = 0;
  for (std::uint64_t seed = first; seed < first + seeds && failed < 5; ++seed) {
    dirsync::sim::Alternation run(seed);
    const std::string wrong = run.Run(alternations);
    changes += run.changes();
    deaths += run.deaths();
    crashes += run.crashes();
    kinds = run.ways().size();
    if (wrong.empty()) continue;
    ++failed;
    if (seeds == 1) run.PrintTrace();
    std::printf("seed %llu failed: %s\n", static_cast<unsigned long long>(seed), wrong.c_str());
  }
  const auto n = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "%llu alternations from each of %llu seeds, %llu changes of %zu kinds, %s; %llu "
      "deaths, %llu broker crashes\n",
      n(alternations), n(seeds), n(changes), kinds,
      failed == 0 ? "sums equal at each" : "SUMS NOT EQUAL", n(deaths), n(crashes));
  return failed == 0 ? 0 : 1;
}
