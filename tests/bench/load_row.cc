#include <fstream>

#include "tests/bench/people.h"
#include "tests/bench/rows.h"
#include "tests/bench/table.h"

namespace dirsync::bench {
namespace {

constexpr double kGoal = 60'000;
constexpr std::uint64_t kMemoryMib = 300;

// Seconds of slapadd, as tests/bench/run_network has left them; 0: not installed.
double SlapaddSeconds(const std::string& folder) {
  std::ifstream file(folder + "/slapadd.seconds");
  double seconds = 0;
  file >> seconds;
  return seconds;
}

}  // namespace

void LoadRow(const Programs& programs, std::uint64_t entries) {
  NetworkWorld world(programs, "load");
  world.AddSite("Site1");
  world.AddSite("Site2");
  MakePeople(world.Path("people.ldif"), entries, Reader::kDirsync);
  world.Command("Site1", {"load", world.Path("people.ldif")});
  world.StartAgent("Site1");
  world.StartAgent("Site2");
  Stamps& to = world.stamps("Site2");
  // From the command that makes the people of Site1 known, until Site2 has them all: told at
  // Site1, in the broker's log, and applied at Site2, durable each.
  const std::int64_t start = Nanoseconds();
  world.Ask("Site1", {"instance", "set", "OUT", "--export"});
  const bool all = Until([&] { return to.imported.load() >= entries; },
                         std::chrono::seconds(entries / 1000 + 60));
  const double seconds = static_cast<double>(to.imported_at.load() - start) / 1e9;
  const double rate = all ? static_cast<double>(entries) / seconds : 0;
  const std::string what = "first load of " + std::to_string(entries) + " entries";
  Print({what, Fixed(rate, 0) + "/s", all ? Fixed(seconds, 1) + " s in all" : "NOT ALL ARRIVED", "",
         "60000/s", Verdict(rate >= kGoal)});
  const double peer = SlapaddSeconds(programs.folder);
  Print({"", Fixed(seconds, 1) + " s",
         peer > 0 ? "slapadd -q " + Fixed(peer, 1) + " s" : "slapadd is not installed",
         peer > 0 ? Fixed(seconds / peer, 2) : "", "1.0",
         peer > 0 ? Verdict(all && seconds < peer) : "not compared"});
  for (const auto& [server, name] :
       {std::pair("Site1", "agent that tells"), std::pair("Site2", "agent that reads"),
        std::pair("broker", "broker")}) {
    const std::uint64_t peak = world.PeakMib(server);
    Print({std::string("  peak memory, ") + name, std::to_string(peak) + " MiB", "", "", "300 MiB",
           Verdict(peak > 0 && peak < kMemoryMib)});
  }
}

}  // namespace dirsync::bench
