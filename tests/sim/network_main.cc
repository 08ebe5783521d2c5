// dirsync_network_sim: seeded schedules of sites around a broker, some of which carry files too.
//
//   dirsync_network_sim --seeds N [--first F] [--seconds S] [--steps K] [--seed N]
//   dirsync_network_sim --fresh --seconds S      seeds that nobody has seen
//
// Faults, besides those of dirsync_sim: connections lost with what is under way, messages that
// arrive late from a connection before, partitions, the broker killed between any two of commit,
// sync and send, its store put back or lost, a site's store put back or running twice. In every
// fifth schedule sites hold each other to limits, which come and go.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>
#include <string>

#include "agent/core/site_policy.h"
#include "agent/core/site_usage.h"
#include "tests/sim/checker.h"
#include "tests/sim/network.h"

namespace dirsync::sim {
namespace {

struct Totals {
  std::uint64_t schedules = 0, steps = 0, deaths = 0, restores = 0, failed = 0;
  Network::Counts wire;
};

// Lower seeds are kept ones, found before instances paused: their schedules stay what they were.
constexpr std::uint64_t kPausesFrom = 10'000;

class Schedule {
 public:
  Schedule(std::uint64_t seed, Totals& totals)
      : files_(seed % 3 == 0),
        pauses_(seed >= kPausesFrom),
        limits_(pauses_ && seed % 5 == 1),
        roster_(pauses_ && seed % 4 == 3),
        limits_random_(seed),
        deployment_(seed, 2 + (seed * 7) % 6, files_),
        network_(deployment_),
        checker_(deployment_),
        totals_(totals) {
    if (files_) BindByFiles();
  }

  bool Run(std::size_t steps, bool verbose);

 private:
  // Each import has met its stream once, by file.
  void BindByFiles();
  void Step();
  void CarryFile(std::size_t actor);
  void Fault(std::size_t actor);
  void Import(std::size_t actor, const std::function<void()>& import);
  void Limit();
  void SettleWithinLimits();
  void LiftLimits();
  std::map<std::string, SiteObjects> ObjectsAt(std::size_t site);
  void CheckLimits(std::size_t site, const std::map<std::string, SiteObjects>& before);
  void Collect() {
    for (std::string& problem : network_.TakeProblems()) problems_.push_back(std::move(problem));
  }
  bool Failed() { return !problems_.empty() || !checker_.problems().empty(); }

  bool files_;
  bool pauses_;
  bool limits_;
  bool roster_;  // it changes; in some, so that the seeds that are kept stay what they were
  std::mt19937_64 limits_random_;  // of its own: the rest of a schedule is what it was without
  Deployment deployment_;
  Network network_;
  Checker checker_;
  Totals& totals_;
  std::vector<std::string> problems_;
};

void Schedule::BindByFiles() {
  for (std::size_t from = 0; from < deployment_.sites().size(); ++from) {
    deployment_.Export(deployment_.sites()[from], true);
    checker_.AfterStep(from, false);
    deployment_.PickUp(from);
    for (std::size_t to = 0; to < deployment_.sites().size(); ++to) {
      for (const Carried& file : deployment_.bag()) deployment_.Deliver(to, file);
      if (to != from) deployment_.Import(deployment_.sites()[to], from);
    }
    deployment_.bag().clear();
  }
  for (std::size_t site = 0; site < deployment_.sites().size(); ++site) network_.Relink(site);
}

void Schedule::Import(std::size_t actor, const std::function<void()>& import) {
  checker_.BeforeImport(actor);
  const auto before = ObjectsAt(actor);
  import();
  checker_.AfterStep(actor, true);
  CheckLimits(actor, before);
}

std::map<std::string, SiteObjects> Schedule::ObjectsAt(std::size_t site) {
  auto objects = ObjectsBySite(deployment_.sites()[site].store->storage());
  if (!objects) problems_.push_back(objects.error().ToString());
  return objects ? std::move(*objects) : std::map<std::string, SiteObjects>();
}

// Whoever is over a limit here has not become more.
void Schedule::CheckLimits(std::size_t site, const std::map<std::string, SiteObjects>& before) {
  if (!limits_) return;
  const Site& here = deployment_.sites()[site];
  for (const auto& [folded, now] : ObjectsAt(site)) {
    const auto was = before.find(folded);
    const std::uint64_t least = was == before.end() ? 0 : was->second.objects;
    const auto limits = LimitsOf(here.store->storage(), now.site);
    if (!limits || now.objects <= std::max(least, limits->max_objects)) continue;
    problems_.push_back(now.site + " has " + std::to_string(now.objects) + " objects at " +
                        here.name + ", and had " + std::to_string(least) + ", over a limit of " +
                        std::to_string(limits->max_objects));
  }
}

void Schedule::Limit() {
  const auto draw = [&](std::uint64_t below) { return limits_random_() % below; };
  if (!limits_ || draw(8) != 0) return;
  std::vector<Site>& sites = deployment_.sites();
  Site& at = sites[draw(sites.size())];
  SitePolicy policy{draw(4) == 0 ? "*" : sites[draw(sites.size())].name, {}, {}, {}};
  if (draw(3) != 0) policy.max_objects = draw(6);
  if (draw(3) != 0) policy.max_changes_per_hour = draw(8);
  (void)at.store->Settle();
  const auto set = at.store->Write([&](storage::Transaction& transaction) -> Result<> {
    StorePolicy(transaction, policy);
    return {};
  });
  const auto text = [](const std::optional<std::uint64_t>& limit) {
    return limit ? std::to_string(*limit) : std::string("as ever");
  };
  if (set)
    deployment_.trace.push_back(at.name + " limits " + policy.site + ": objects " +
                                text(policy.max_objects) + ", changes " +
                                text(policy.max_changes_per_hour));
}

// What waits for a limit waits for ever, or for the hour; then nothing does.
void Schedule::SettleWithinLimits() {
  std::vector<std::map<std::string, SiteObjects>> before;
  for (std::size_t site = 0; site < deployment_.sites().size(); ++site)
    before.push_back(ObjectsAt(site));
  (void)network_.Settle(12);
  for (std::size_t site = 0; site < before.size(); ++site) CheckLimits(site, before[site]);
  LiftLimits();
}

void Schedule::LiftLimits() {
  for (Site& site : deployment_.sites()) {
    (void)site.store->Settle();
    const auto lifted = site.store->Write([&](storage::Transaction& transaction) -> Result<> {
      DIRSYNC_TRY(policies, ListPolicies(transaction));
      for (const SitePolicy& policy : policies) StorePolicy(transaction, {policy.site, {}, {}, {}});
      return {};
    });
    if (!lifted) problems_.push_back(lifted.error().ToString());
  }
}

void Schedule::CarryFile(std::size_t actor) {
  const std::uint64_t before = deployment_.deaths();
  deployment_.Export(deployment_.sites()[actor], deployment_.Draw(12) == 0);
  if (deployment_.deaths() != before) network_.Relink(actor);
  checker_.AfterStep(actor, false);
  deployment_.PickUp(actor);
  if (deployment_.bag().empty()) return;
  const std::size_t to = deployment_.Draw(deployment_.sites().size());
  const std::size_t which = deployment_.Draw(deployment_.bag().size());
  deployment_.Deliver(to, deployment_.bag()[which]);
  Import(to, [&] {
    const std::uint64_t deaths = deployment_.deaths();
    deployment_.Import(deployment_.sites()[to], deployment_.bag()[which].from);
    if (deployment_.deaths() != deaths) network_.Relink(to);
  });
}

void Schedule::Fault(std::size_t actor) {
  Site& site = deployment_.sites()[actor];
  switch (deployment_.Draw(12)) {
    case 0:
      return network_.CrashBroker();
    case 1:
      network_.BackupBroker();
      if (roster_) network_.ChangeRoster(actor);  // which the copy does not know
      return;
    case 2:
      return network_.RestoreBroker();
    case 3:
      if (deployment_.Draw(4) == 0) network_.LoseBroker();
      return;
    case 4:
      return deployment_.Backup(site);
    case 5:
      ++totals_.restores;
      deployment_.Restore(site, deployment_.Draw(2) == 0);
      return network_.Relink(actor);
    case 6:
      return network_.Clone(
          actor, [&](const storage::ReadView& rows) { checker_.AfterClone(actor, rows); });
    case 7:
      return network_.Partition(actor, true);
    case 8:
      return network_.Partition(actor, false);
    case 9:
      return network_.Resync(actor);
    case 10:
      return deployment_.ChangeScope(site);
    default:
      site.world->Advance(std::chrono::minutes(7));
  }
}

void Schedule::Step() {
  const std::size_t actor = deployment_.Draw(deployment_.sites().size());
  Site& site = deployment_.sites()[actor];
  const std::uint64_t dice = deployment_.Draw(100);
  if (dice < 22) {
    deployment_.EditDirectory(site);
  } else if (dice < 34) {
    network_.PumpSite(actor);
  } else if (dice < 42) {
    network_.Connect(actor);
  } else if (dice < 60) {
    network_.Up(1 + deployment_.Draw(20));
  } else if (dice < 78) {
    return Import(actor, [&] { network_.Down(actor, 1 + deployment_.Draw(12)); });
  } else if (dice < 81) {
    network_.Drop(actor);
  } else if (dice < 85) {
    network_.TickSite(actor);
  } else if (dice < 88) {
    network_.TickBroker();
  } else if (dice < 90) {
    deployment_.Review(site);
  } else if (dice < 94 && files_) {
    CarryFile(actor);
  } else if (dice == 94 && pauses_) {
    deployment_.Pause(site, deployment_.Draw(2) == 0);
  } else {
    Fault(actor);
  }
  checker_.AfterStep(actor, false);
}

bool Schedule::Run(std::size_t steps, bool verbose) {
  for (std::size_t step = 0; step < steps && !Failed(); ++step) {
    Step();
    Limit();
    Collect();
    ++totals_.steps;
  }
  if (limits_) SettleWithinLimits();
  if (!Failed()) {
    if (pauses_)
      for (Site& site : deployment_.sites()) deployment_.Pause(site, false);
    if (!network_.Settle(60)) problems_.emplace_back("does not settle");
    network_.CheckRosters();
    Collect();
    checker_.AtEnd();
  }
  ++totals_.schedules;
  totals_.deaths += deployment_.deaths();
  const Network::Counts& wire = network_.counts();
  totals_.wire.messages += wire.messages;
  totals_.wire.drops += wire.drops;
  totals_.wire.broker_crashes += wire.broker_crashes;
  totals_.wire.broker_restores += wire.broker_restores;
  totals_.wire.clones += wire.clones;
  totals_.wire.stored += wire.stored;
  totals_.wire.duplicates += wire.duplicates;
  totals_.wire.refused += wire.refused;
  totals_.wire.ranges += wire.ranges;
  if (Failed()) ++totals_.failed;
  if (Failed() || verbose) {
    network_.Explain();
    for (const std::string& line : deployment_.trace) std::printf("  %s\n", line.c_str());
    for (const std::string& problem : problems_) std::printf("  problem: %s\n", problem.c_str());
    for (const std::string& problem : checker_.problems())
      std::printf("  problem: %s\n", problem.c_str());
  }
  return !Failed();
}

void Print(const Totals& totals, double seconds, std::uint64_t first) {
  const auto n = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "%llu schedules, %llu steps, %llu messages, %llu connections lost, %llu deaths, %llu broker "
      "crashes, %llu broker stores put back, %llu site stores put back, %llu clones\n",
      n(totals.schedules), n(totals.steps), n(totals.wire.messages), n(totals.wire.drops),
      n(totals.deaths), n(totals.wire.broker_crashes), n(totals.wire.broker_restores),
      n(totals.restores), n(totals.wire.clones));
  std::printf(
      "%llu batches stored, %llu duplicates, %llu refused, %llu ranges; %llu failed, %.1f s (first "
      "seed %llu)\n",
      n(totals.wire.stored), n(totals.wire.duplicates), n(totals.wire.refused),
      n(totals.wire.ranges), n(totals.failed), seconds, n(first));
}

}  // namespace
}  // namespace dirsync::sim

int main(int argc, char** argv) {
  std::uint64_t first = 1, seeds = 1000, steps = 80, seconds = 0;
  bool one = false;
  for (int i = 1; i < argc; i += 2) {
    if (std::strcmp(argv[i], "--fresh") == 0) {
      first = std::random_device{}();
      seeds = UINT32_MAX;
      --i;
      continue;
    }
    if (i + 1 == argc) break;
    const std::uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (std::strcmp(argv[i], "--seeds") == 0) seeds = value;
    if (std::strcmp(argv[i], "--first") == 0) first = value;
    if (std::strcmp(argv[i], "--steps") == 0) steps = value;
    if (std::strcmp(argv[i], "--seconds") == 0) seconds = value;
    if (std::strcmp(argv[i], "--seed") == 0) {
      first = value;
      seeds = 1;
      one = true;
    }
  }
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  dirsync::sim::Totals totals;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    if (seconds > 0 && elapsed() > static_cast<double>(seconds)) break;
    if (!dirsync::sim::Schedule(seed, totals).Run(steps, one))
      std::printf("seed %llu failed\n", static_cast<unsigned long long>(seed));
    if (totals.failed >= 5) break;
  }
  dirsync::sim::Print(totals, elapsed(), first);
  return totals.failed == 0 ? 0 : 1;
}
