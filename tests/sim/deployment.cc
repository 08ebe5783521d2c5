#include "tests/sim/deployment.h"

#include "agent/core/producer_state.h"
#include "agent/core/reader_state.h"
#include "agent/core/review.h"
#include "agent/directory/entry_record.h"
#include "proto/base/text.h"
#include "storage/key.h"

namespace dirsync::sim {
namespace {

constexpr std::uint64_t kNames = 12;

SiteProfile ProfileOf(const std::string& name) {
  SiteProfile profile;
  profile.organization = "Testorg";
  profile.site = name;
  profile.server = "Server-" + name;
  profile.templates.push_back(*AddressTemplate::Parse("EDK:@" + name + ".test"));
  return profile;
}

std::string Name(std::uint64_t n) { return "p" + std::to_string(n); }

// For whoever takes turns with the site's link.
Store& Settled(Site& site) {
  (void)site.store->Settle();
  return *site.store;
}

template <class F>
void WithDirectory(Site& site, F&& edit) {
  // Refused edits (a taken name, an imported entry) are part of the workload.
  (void)Settled(site).Write([&](storage::Transaction& transaction) -> Result<> {
    IdSource ids = MakeIds(*site.world);
    Directory directory(transaction, site.profile, ids, site.world->Now());
    return edit(directory);
  });
}

}  // namespace

void Site::Reopen() {
  if (before_reopen) before_reopen();
  auto opened = Store::Over(*world, storage, profile, *key);
  if (opened) store = std::move(*opened);
}

std::vector<InstanceSettings> ImportsFrom(const Site& site, const std::string& from) {
  std::vector<InstanceSettings> found;
  auto instances = ListInstances(*site.storage);
  if (!instances) return found;
  for (InstanceSettings& settings : *instances) {
    auto number = FindNumber(*site.storage, "import/" + FoldName(settings.name));
    if (!settings.imports || !number || !*number) continue;
    auto state = LoadReader(*site.storage, **number);
    if (state && *state && (*state)->stream.site == from) found.push_back(std::move(settings));
  }
  return found;
}

Deployment::Deployment(std::uint64_t seed, std::size_t count, bool imports) : random_(seed) {
  for (std::size_t i = 0; i < count; ++i) {
    Site& site = sites_.emplace_back();
    site.name = "Site" + std::to_string(i + 1);
    site.world = std::make_unique<SimWorld>(random_());
    site.storage = std::make_shared<storage::MemoryStorage>();
    site.profile = ProfileOf(site.name);
    site.key = SigningKey::FromSeed(site.world->Random(32));
    site.Reopen();
    WithDirectory(site, [&](Directory& d) -> Result<> {
      DIRSYNC_CHECK(d.Add({EntryClass::kContainer, "Recipients", "Sub", {}, {}}));
      DIRSYNC_CHECK(d.Add({EntryClass::kContainer, "", "Other", {}, {}}));
      return {};
    });
  }
  for (Site& site : sites_) {
    (void)Settled(site).Write([&](storage::Transaction& transaction) -> Result<> {
      StoreInstance(transaction, ExportOf(site));
      for (const Site& from : sites_)
        if (imports && from.name != site.name) StoreInstance(transaction, ImportOf(site, from));
      return {};
    });
  }
}

InstanceSettings Deployment::ExportOf(const Site& site) const {
  InstanceSettings settings;
  settings.name = "PEOPLE";
  settings.exports = true;
  settings.export_file = "out/SYNC";
  settings.subs = true;
  settings.classes = {EntryClass::kMailbox, EntryClass::kDistributionList};
  for (const Site& other : sites_)
    if (other.name != site.name) settings.readers.push_back(other.name);
  return settings;
}

InstanceSettings Deployment::ImportOf(const Site&, const Site& from) const {
  InstanceSettings settings;
  settings.name = "FROM-" + from.name;
  settings.imports = true;
  settings.import_file = "in/" + from.name;
  settings.domains = {from.name + ".test"};
  return settings;
}

void Deployment::MayDie(Site& site, const char* what, const std::function<void()>& step) {
  if (Draw(4) == 0) site.world->DieAfter(1 + Draw(12));
  try {
    step();
    trace.push_back(site.name + " " + what + ": " + last_);
  } catch (const Death&) {
    ++deaths_;
    trace.push_back(site.name + " " + what + ": died");
    // Unsynced commits may or may not have reached the disk.
    if (Draw(2) == 0) {
      site.storage->DropUnsynced();
    } else {
      (void)site.storage->Sync();
    }
    site.world->disk().Crash(random_);
    site.Reopen();
  }
  site.world->DieAfter(0);
}

std::vector<Entry> Deployment::LocalEntries(Site& site) const {
  std::vector<Entry> entries;
  auto [lower, upper] = storage::TableRange(storage::Table::kEntry);
  for (auto cursor = site.storage->Scan(lower, upper); cursor->Valid(); cursor->Next()) {
    auto entry = DecodeEntry(*EntryId::FromBytes(cursor->Key().substr(1)), cursor->Value());
    if (entry && !entry->is_deleted() && !entry->is_imported() &&
        entry->entry_class != EntryClass::kContainer)
      entries.push_back(std::move(*entry));
  }
  return entries;
}

void Deployment::AddPerson(Site& site) {
  static const char* const kContainers[] = {"Recipients", "Recipients", "Recipients/cn=Sub",
                                            "Other"};
  NewEntry person;
  person.entry_class = Draw(8) == 0 ? EntryClass::kDistributionList : EntryClass::kMailbox;
  person.container = kContainers[Draw(4)];
  person.name = Name(Draw(kNames));
  if (Draw(2) == 0) person.attributes.Set("Telephone-Office", {std::to_string(Draw(5))});
  WithDirectory(site, [&](Directory& d) -> Result<> {
    DIRSYNC_CHECK(d.Add(person));
    return {};
  });
}

// Something local that stands in the way of, or waits for, an entry of another site.
void Deployment::AddObstacle(Site& site) {
  const Site& other = sites_[Draw(sites_.size())];
  std::string address = "EDK:" + Name(Draw(kNames)) + "@" + other.name + ".test";
  NewEntry obstacle;
  obstacle.name = Name(Draw(kNames));
  if (Draw(2) == 0) {
    obstacle.entry_class = EntryClass::kCustomRecipient;
    obstacle.attributes.Set(attribute::kTargetAddress, {address});
  } else {
    obstacle.attributes.Set(attribute::kProxyAddresses, {address});
  }
  WithDirectory(site, [&](Directory& d) -> Result<> {
    DIRSYNC_CHECK(d.Add(obstacle));
    return {};
  });
}

void Deployment::ChangePerson(Site& site, const Entry& person) {
  WithDirectory(site, [&](Directory& d) -> Result<> {
    EntryEdit edit;
    switch (Draw(7)) {
      case 0:
        return d.Delete(person);
      case 1:
        edit.name = Name(Draw(kNames));
        break;
      case 2:
        edit.container = Draw(2) == 0 ? "Recipients" : "Other";
        break;
      case 3:
        edit.set.push_back({"Telephone-Office", {}});
        break;
      case 4:
        edit.set.push_back({std::string(attribute::kHideFromAb), {Draw(2) == 0 ? "1" : "0"}});
        break;
      default:
        edit.set.push_back({"Display-Name", {"d" + std::to_string(Draw(50))}});
        break;
    }
    DIRSYNC_CHECK(d.Edit(person, edit));
    return {};
  });
}

void Deployment::EditDirectory(Site& site) {
  last_.clear();
  auto locals = LocalEntries(site);
  std::uint64_t dice = Draw(10);
  if (dice == 0) {
    AddObstacle(site);
  } else if (dice == 1) {
    // A container that moves or is renamed takes its people with it.
    WithDirectory(site, [&](Directory& d) -> Result<> {
      DIRSYNC_TRY(sub, d.Resolve(d.profile().basepoint().ToString() + "/cn=Recipients/cn=Sub"));
      EntryEdit edit;
      edit.container = "Other";
      DIRSYNC_CHECK(d.Edit(sub, edit));
      return {};
    });
  } else if (locals.empty() || dice < 5) {
    AddPerson(site);
  } else {
    ChangePerson(site, locals[Draw(locals.size())]);
  }
}

void Deployment::Export(Site& site, bool full) {
  MayDie(site, full ? "export full" : "export", [&] {
    RunRequest request;
    auto settings = LoadInstance(Settled(site).storage(), "PEOPLE");
    if (!settings) return;
    request.settings = std::move(*settings);
    request.full = full;
    auto report = RunExport(*site.store, request);
    site.recorded = report && RecordRun(*site.store, *report);
    last_ = report ? report->file + " " + std::to_string(report->sequence) : report.error().message;
  });
}

void Deployment::Import(Site& site, std::size_t from) {
  if (sites_[from].name == site.name) return;
  MayDie(site, "import", [&] {
    RunRequest request;
    auto settings = LoadInstance(Settled(site).storage(), "FROM-" + sites_[from].name);
    if (!settings) return;
    request.settings = std::move(*settings);
    auto report = RunImport(*site.store, request);
    site.recorded = report && RecordRun(*site.store, *report);
    last_ = !report           ? report.error().message
            : report->problem ? report->problem->message
                              : "to " + std::to_string(report->sequence);
  });
}

void Deployment::PickUp(std::size_t from) {
  for (auto& [name, bytes] : sites_[from].world->disk().Beginning("out/SYNC")) {
    std::string suffix = name.substr(8);
    if (suffix.ends_with(".part")) continue;
    bag_.push_back({from, suffix, bytes});
  }
}

void Deployment::Deliver(std::size_t to, const Carried& file) {
  if (file.from == to) return;
  sites_[to].world->disk().Put("in/" + sites_[file.from].name + file.suffix, file.bytes);
}

void Deployment::DeliverMangled(std::size_t to, const Carried& file) {
  Carried mangled = file;
  if (mangled.bytes.empty()) return;
  if (Draw(2) == 0) {
    mangled.bytes.resize(Draw(mangled.bytes.size()));
  } else {
    mangled.bytes[Draw(mangled.bytes.size())] ^= static_cast<char>(1 + Draw(255));
  }
  Deliver(to, mangled);
}

void Deployment::ChangeScope(Site& site) {
  (void)Settled(site).Write([&](storage::Transaction& transaction) -> Result<> {
    DIRSYNC_TRY(settings, LoadInstance(transaction, "PEOPLE"));
    switch (Draw(4)) {
      case 0:
        settings.subs = !settings.subs;
        break;
      case 1:
        settings.containers = {"Recipients", "Other"};
        break;
      case 2:
        settings.containers = {"Recipients"};
        break;
      default:
        settings.attributes =
            Draw(2) == 0 ? std::vector<std::string>{"*"} : std::vector<std::string>{"Display-Name"};
    }
    StoreInstance(transaction, settings);
    trace.push_back(site.name + " scope: " + Join(settings.containers, "+") +
                    (settings.subs ? " subs " : " ") + Join(settings.attributes, ","));
    return {};
  });
}

void Deployment::Pause(Site& site, bool paused) {
  (void)Settled(site).Write([&](storage::Transaction& transaction) -> Result<> {
    DIRSYNC_TRY(settings, LoadInstance(transaction, "PEOPLE"));
    settings.paused = paused;
    StoreInstance(transaction, settings);
    trace.push_back(site.name + (paused ? " paused" : " resumed"));
    return {};
  });
}

void Deployment::ApproveAll(Site& site) {
  for (const Site& from : sites_)
    for (const InstanceSettings& settings : ImportsFrom(site, from.name))
      (void)Settled(site).Write([&](storage::Transaction& t) -> Result<> {
        DIRSYNC_TRY(number, FindNumber(t, "import/" + FoldName(settings.name)));
        DIRSYNC_TRY(state, LoadReader(t, *number));
        if (state->suspect) DIRSYNC_CHECK(ApproveSuspect(*state));
        ApplyInput input{site.profile, settings, site.world->Now(), {}};
        DIRSYNC_TRY(held, ListHeld(t, *number));
        // Contents before their containers: rows stand in EntryId order.
        for (int pass = 0; pass < 3; ++pass)
          for (const HeldRow& row : held) (void)ApproveHeld(t, input, row, *state);
        StoreReader(t, *state);
        return {};
      });
}

void Deployment::RetryAll(Site& site) {
  (void)Settled(site).Write([&](storage::Transaction& t) -> Result<> {
    DIRSYNC_TRY(rows, ListQuarantine(t, 0));
    for (const QuarantineRow& row : rows) {
      DIRSYNC_TRY(stood, RetryQuarantined(t, row));
      if (!stood) return Fail(ErrorCode::kInternal, "a quarantined change is gone");
    }
    return {};
  });
}

void Deployment::Review(Site& site) {
  if (Draw(2) == 0) return ApproveAll(site);
  if (Draw(2) == 0) return RetryAll(site);
  (void)Settled(site).Write([&](storage::Transaction& t) -> Result<> {
    DIRSYNC_TRY(held, ListHeld(t, 0));
    if (held.empty()) return {};
    const HeldRow& row = held[Draw(held.size())];
    DIRSYNC_TRY(state, LoadReader(t, row.number));
    if (!state) return {};
    DIRSYNC_CHECK(RejectHeld(t, row, *state));
    StoreReader(t, *state);
    return {};
  });
}

void Deployment::Backup(Site& site) { site.backup = site.storage->rows(); }

void Deployment::Restore(Site& site, bool silent) {
  if (site.backup.empty()) return;
  trace.push_back(site.name + (silent ? " restored silently" : " restored"));
  site.storage->Restore(site.backup);
  site.restored = true;
  site.Reopen();
  if (silent) return;
  IdSource ids = MakeIds(*site.world);
  (void)Settled(site).Write([&](storage::Transaction& t) -> Result<> {
    auto [lower, upper] = storage::TableRange(storage::Table::kStream);
    auto cursor = site.store->storage().Scan(lower, upper);
    for (; cursor->Valid(); cursor->Next()) {
      DIRSYNC_TRY(state, DecodeProducer(cursor->Value()));
      DIRSYNC_CHECK(BeginEpoch(t, state, ids));
      StoreProducer(t, state);
    }
    return {};
  });
}

bool Deployment::Settle(std::size_t rounds) {
  std::vector<std::string> before;
  for (std::size_t round = 0; round < rounds; ++round) {
    for (std::size_t from = 0; from < sites_.size(); ++from) {
      Site& site = sites_[from];
      site.world->Advance(std::chrono::hours(25));
      RunRequest request;
      request.settings = *LoadInstance(Settled(site).storage(), "PEOPLE");
      request.full = round % 2 == 1;
      auto report = RunExport(*site.store, request);
      trace.push_back(site.name + " settles: " +
                      (report ? report->file + " " + std::to_string(report->sequence)
                              : report.error().ToString()));
    }
    bag_.clear();
    for (std::size_t from = 0; from < sites_.size(); ++from) PickUp(from);
    for (std::size_t to = 0; to < sites_.size(); ++to) {
      for (auto& [name, bytes] : sites_[to].world->disk().Beginning("in/"))
        (void)sites_[to].world->disk().Remove(name);
      for (const Carried& file : bag_) Deliver(to, file);
      for (std::size_t from = 0; from < sites_.size(); ++from) {
        if (from == to) continue;
        RunRequest request;
        request.settings =
            *LoadInstance(Settled(sites_[to]).storage(), "FROM-" + sites_[from].name);
        auto report = RunImport(*sites_[to].store, request);
        trace.push_back(sites_[to].name + " settles from " + sites_[from].name + ": " +
                        (!report           ? report.error().message
                         : report->problem ? report->problem->message
                                           : std::to_string(report->sequence)));
      }
      ApproveAll(sites_[to]);
      RetryAll(sites_[to]);
    }
    // Settled when a whole round, full copies included, left every reader where it was.
    std::vector<std::string> now;
    for (Site& site : sites_) {
      auto [lower, upper] = storage::TableRange(storage::Table::kMirror);
      std::string rows;
      for (auto cursor = site.storage->Scan(lower, upper); cursor->Valid(); cursor->Next())
        rows += std::string(cursor->Key());
      now.push_back(DigestOf(rows).hex());
    }
    if (round >= 3 && now == before) return true;
    before = std::move(now);
  }
  return false;
}

}  // namespace dirsync::sim
