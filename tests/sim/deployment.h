// A simulated deployment: sites that export, import and carry files, with everything that may go
// wrong on the way. The same service code runs here as in the real command.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/service/run.h"
#include "storage/memory_storage.h"
#include "tests/sim/sim_world.h"

namespace dirsync::sim {

struct Site {
  std::string name;
  std::unique_ptr<SimWorld> world;
  std::shared_ptr<storage::MemoryStorage> storage;
  std::unique_ptr<Store> store;
  SiteProfile profile;
  std::optional<SigningKey> key;
  storage::MemoryStorage::Map backup;  // rows of an earlier day; empty = none
  bool restored = false;               // since the checkers looked last
  bool recorded = false;               // a run came to its end and was recorded, likewise

  std::function<void()> before_reopen;  // lets go of the store; empty: nobody holds it

  // Opens the store again over what the disk kept.
  void Reopen();
};

// A file as someone picked it up once: may be delivered late, twice, or never.
struct Carried {
  std::size_t from = 0;
  std::string suffix;  // behind the export file's name: "", ".2" …
  std::string bytes;
};

class Deployment {
 public:
  // `imports`: an import instance per other site exists from the beginning.
  Deployment(std::uint64_t seed, std::size_t sites, bool imports = true);

  std::vector<Site>& sites() { return sites_; }
  std::mt19937_64& random() { return random_; }
  std::uint64_t Draw(std::uint64_t below) { return random_() % below; }

  // Steps of the workload. Each may die on the way if the site's world was told to; then the site
  // is reopened over what was durable.
  void EditDirectory(Site& site);
  void Export(Site& site, bool full);
  void Import(Site& site, std::size_t from);
  void PickUp(std::size_t from);                      // into the bag
  void Deliver(std::size_t to, const Carried& file);  // from the bag
  void DeliverMangled(std::size_t to, const Carried& file);
  void ChangeScope(Site& site);
  void Pause(Site& site, bool paused);  // its export
  void Review(Site& site);              // approves or rejects held deletes, retries quarantine
  void Backup(Site& site);
  void Restore(Site& site, bool silent);  // silent: nobody said so (a machine image)
  std::vector<Carried>& bag() { return bag_; }

  // Settings of the export, and of the import at `site` from `from`.
  InstanceSettings ExportOf(const Site& site) const;
  InstanceSettings ImportOf(const Site& site, const Site& from) const;
  // Everything carried, held deletes approved, until nothing moves; false when that does not
  // happen within `rounds`.
  bool Settle(std::size_t rounds);
  void ApproveAll(Site& site);
  void RetryAll(Site& site);
  // Runs a step of the site that may die on the way; then only what was durable goes on.
  void MayDie(Site& site, const char* what, const std::function<void()>& step);

  std::uint64_t deaths() const { return deaths_; }
  // What the last import or export said, for a failing seed's trace.
  const std::string& last() const { return last_; }
  std::vector<std::string> trace;

 private:
  void AddPerson(Site& site);
  void AddObstacle(Site& site);
  void ChangePerson(Site& site, const Entry& person);
  std::vector<Entry> LocalEntries(Site& site) const;

  std::mt19937_64 random_;
  std::vector<Site> sites_;
  std::vector<Carried> bag_;
  std::string last_;
  std::uint64_t deaths_ = 0;
};

// The import instances at `site` that read a stream of `from`, bound to it already.
std::vector<InstanceSettings> ImportsFrom(const Site& site, const std::string& from);

}  // namespace dirsync::sim
