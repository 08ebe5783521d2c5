// dirsync_sim: seeded schedules of a deployment that exchanges files. A failing seed is printed
// with its trace; `dirsync_sim --seed N` plays it again.
//
//   dirsync_sim --seeds N [--first F] [--seconds S] [--steps K]
//
// Faults: death at any effect, unsynced writes lost or kept, files late, twice, never, cut,
// altered; stores restored, said and unsaid; scopes changed; reviews at any time.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "tests/sim/checker.h"
#include "tests/sim/deployment.h"

namespace dirsync::sim {
namespace {

struct Totals {
  std::uint64_t schedules = 0, steps = 0, deaths = 0, restores = 0, mangled = 0, failed = 0;
};

void Step(Deployment& d, Checker& checker, Totals& totals) {
  std::size_t actor = d.Draw(d.sites().size());
  Site& site = d.sites()[actor];
  bool imported = false;
  std::uint64_t dice = d.Draw(100);
  if (dice < 34) {
    d.EditDirectory(site);
  } else if (dice < 52) {
    d.Export(site, d.Draw(10) == 0);
    if (d.Draw(4) != 0) d.PickUp(actor);
  } else if (dice < 66) {
    d.PickUp(actor);
    if (!d.bag().empty()) {
      // Mostly what was picked up last; now and then something old.
      std::size_t which =
          d.Draw(4) == 0 ? d.Draw(d.bag().size())
                         : d.bag().size() - 1 - d.Draw(std::min<std::size_t>(3, d.bag().size()));
      const Carried& file = d.bag()[which];
      std::size_t to = d.Draw(d.sites().size());
      if (d.Draw(8) == 0) {
        ++totals.mangled;
        d.DeliverMangled(to, file);
      } else {
        d.Deliver(to, file);
      }
    }
  } else if (dice < 88) {
    checker.BeforeImport(actor);
    d.Import(site, d.Draw(d.sites().size()));
    imported = true;
  } else if (dice < 91) {
    d.ChangeScope(site);
  } else if (dice < 95) {
    d.Review(site);
  } else if (dice < 98) {
    d.Backup(site);
  } else if (d.Draw(2) == 0) {
    ++totals.restores;
    d.Restore(site, d.Draw(3) == 0);
  } else {
    // Now and then so long that tombstones end.
    site.world->Advance(std::chrono::hours(d.trace.size() % 4 == 0 ? 31 * 24 : 7));
  }
  checker.AfterStep(actor, imported);
  ++totals.steps;
}

bool RunSeed(std::uint64_t seed, std::size_t steps, bool verbose, Totals& totals) {
  Deployment deployment(seed, 2 + seed % 2);
  Checker checker(deployment);
  for (std::size_t step = 0; step < steps && checker.problems().empty(); ++step)
    Step(deployment, checker, totals);
  if (checker.problems().empty()) {
    if (!deployment.Settle(14)) {
      std::printf("seed %llu: does not settle\n", static_cast<unsigned long long>(seed));
    }
    checker.AtEnd();
  }
  ++totals.schedules;
  totals.deaths += deployment.deaths();
  bool failed = !checker.problems().empty();
  if (failed) ++totals.failed;
  if (failed || verbose) {
    for (const std::string& line : deployment.trace) std::printf("  %s\n", line.c_str());
    for (const std::string& problem : checker.problems())
      std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed), problem.c_str());
  }
  return !failed;
}

}  // namespace
}  // namespace dirsync::sim

int main(int argc, char** argv) {
  std::uint64_t first = 1, seeds = 1000, steps = 24;
  double seconds = 0;
  bool one = false;
  for (int i = 1; i + 1 < argc; i += 2) {
    std::uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--seeds") == 0) seeds = value;
    if (std::strcmp(argv[i], "--first") == 0) first = value;
    if (std::strcmp(argv[i], "--steps") == 0) steps = value;
    if (std::strcmp(argv[i], "--seconds") == 0) seconds = static_cast<double>(value);
    if (std::strcmp(argv[i], "--seed") == 0) {
      first = value;
      seeds = 1;
      one = true;
    }
  }
  auto start = std::chrono::steady_clock::now();
  auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  dirsync::sim::Totals totals;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    if (seconds > 0 && elapsed() > seconds) break;
    dirsync::sim::RunSeed(seed, steps, one, totals);
    if (totals.failed >= 5) break;
  }
  std::printf(
      "%llu schedules, %llu steps, %llu deaths, %llu restores, %llu altered files, %llu failed, "
      "%.1f s (first seed %llu)\n",
      static_cast<unsigned long long>(totals.schedules),
      static_cast<unsigned long long>(totals.steps), static_cast<unsigned long long>(totals.deaths),
      static_cast<unsigned long long>(totals.restores),
      static_cast<unsigned long long>(totals.mangled),
      static_cast<unsigned long long>(totals.failed), elapsed(),
      static_cast<unsigned long long>(first));
  return totals.failed == 0 ? 0 : 1;
}
