#include "tests/bench/bare_chain.h"
#include "tests/bench/people.h"
#include "tests/bench/rows.h"
#include "tests/bench/syncrepl_peer.h"
#include "tests/bench/table.h"

namespace dirsync::bench {
namespace {

constexpr int kPeople = 20'000;
constexpr int kWarmUp = 30;

// One after the other, each when the one before has arrived.
std::vector<double> Changes(NetworkWorld& world, int count) {
  Stamps& from = world.stamps("Site1");
  Stamps& to = world.stamps("Site2");
  std::vector<double> milliseconds;
  for (int i = 0; i < count; ++i) {
    const std::uint64_t told = from.commits.load();
    const std::uint64_t taken = to.commits.load();
    const std::uint64_t before = to.imported.load();
    world.Ask("Site1", {"mailbox", "set", "mbx" + std::to_string(i * 7 % kPeople), "--display-name",
                        "changed " + std::to_string(i)});
    if (!Until([&] { return to.imported.load() > before; }, std::chrono::seconds(20))) break;
    if (i < kWarmUp) continue;
    milliseconds.push_back(static_cast<double>(to.at[taken % Stamps::kKept].load() -
                                               from.at[told % Stamps::kKept].load()) /
                           1e6);
    Pause(3);
  }
  return milliseconds;
}

}  // namespace

void ChangeRow(const Programs& programs, int changes) {
  NetworkWorld world(programs, "change");
  world.AddSite("Site1");
  world.AddSite("Site2");
  MakePeople(world.Path("people.ldif"), kPeople, Reader::kDirsync);
  world.Command("Site1", {"load", world.Path("people.ldif")});
  world.StartAgent("Site1");
  world.StartAgent("Site2");
  world.Ask("Site1", {"instance", "set", "OUT", "--export"});
  Stamps& to = world.stamps("Site2");
  Until([&] { return to.imported.load() >= kPeople; }, std::chrono::seconds(120));
  // The floor before and after, so that a disk that changes its mind shows.
  std::vector<double> floor = RunBareChain(programs.self, world.Path("chain"), changes / 2);
  const std::vector<double> ours = Changes(world, changes + kWarmUp);
  const std::vector<double> after = RunBareChain(programs.self, world.Path("chain"), changes / 2);
  const std::vector<double> peer = RunSyncrepl(world.Path("syncrepl"), kPeople, changes / 2);
  floor.insert(floor.end(), after.begin(), after.end());
  if (ours.size() < static_cast<std::size_t>(changes)) {
    Print({"one change", "did not arrive", "", "", "", Verdict(false)});
    return;
  }
  const double p50 = Percentile(ours, 0.5);
  const double p99 = Percentile(ours, 0.99);
  const double floor50 = Percentile(floor, 0.5);
  const std::string chain =
      "bare chain p50 " + Fixed(floor50, 3) + ", p99 " + Fixed(Percentile(floor, 0.99), 3) + " ms";
  Print({"one change, signed and encrypted, p50", Fixed(p50, 3) + " ms", chain,
         Fixed(p50 / floor50, 2), "1.6", Verdict(p50 <= 1.6 * floor50)});
  if (!peer.empty()) {
    const double peer50 = Percentile(peer, 0.5);
    Print({"", Fixed(p50, 3) + " ms",
           "syncrepl p50 " + Fixed(peer50, 3) + ", p99 " + Fixed(Percentile(peer, 0.99), 3) + " ms",
           Fixed(p50 / peer50, 2), "1.0", Verdict(p50 < peer50)});
  }
  Print({"  p99", Fixed(p99, 3) + " ms", "the chain's p50", Fixed(p99 / floor50, 2), "4",
         Verdict(p99 <= 4 * floor50)});
}

}  // namespace dirsync::bench
