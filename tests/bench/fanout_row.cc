#include <filesystem>

#include "agent/service/bulk.h"
#include "agent/service/run.h"
#include "storage/rocksdb_storage.h"
#include "tests/bench/people.h"
#include "tests/bench/recording_storage.h"
#include "tests/bench/rows.h"
#include "tests/bench/table.h"

namespace dirsync::bench {
namespace {

namespace fs = std::filesystem;

constexpr int kReaders = 4;
constexpr double kGoal = 10'000;

template <class T>
T Must(Result<T> result) {
  if (result) {
    if constexpr (std::is_void_v<T>) {
      return;
    } else {
      return std::move(*result);
    }
  }
  std::fprintf(stderr, "%s\n", result.error().ToString().c_str());
  std::exit(1);
}

SiteProfile ProfileOf(const std::string& site) {
  SiteProfile profile{"Testorg", site, "V", {}};
  profile.templates.push_back(Must(AddressTemplate::Parse("EDK:@" + site + ".Testorg.com")));
  return profile;
}

// What the rows of the changes cost four bare stores, one after the other: the rows are those that
// a reader of these changes commits, batch by batch.
struct Loop {
  double rows = 0;           // seconds of commits and syncs
  double with_look_ups = 0;  // and of the look-ups that apply makes
};

void ExportTo(Store& store, const std::string& file, bool full) {
  RunRequest request;
  request.settings.name = "OUT";
  request.settings.exports = true;
  request.settings.export_file = file;
  request.full = full;
  Must(RunExport(store, request));
}

void ImportFrom(Store& store, const std::string& file) {
  RunRequest request;
  request.settings.name = "IN";
  request.settings.imports = true;
  request.settings.import_file = file;
  Must(RunImport(store, request));
}

Loop BareLoop(const std::string& folder, std::uint64_t changes) {
  fs::create_directories(folder);
  const auto path = [&](const std::string& name) { return folder + "/" + name; };
  MakePeople(path("people.ldif"), changes, Reader::kDirsync);
  MakePeople(path("changed.ldif"), changes, Reader::kDirsync, 1);
  const auto key = SigningKey::FromSeed(std::string(32, 'k'));
  {
    auto from = Must(Store::Create(RealWorld(), path("Site1"), ProfileOf("Site1")));
    std::shared_ptr<storage::Storage> inner =
        Must(storage::OpenRocksdb({.path = path("base"), .create = true}));
    Must(LoadLdif(*from, path("people.ldif"), false, {}));
    ExportTo(*from, path("SYNC"), true);
    ImportFrom(*Must(Store::Over(RealWorld(), inner, ProfileOf("Site2"), *key)), path("SYNC"));
    Must(inner->Sync());
    for (int i = 0; i < 2 * kReaders; ++i)
      Must(inner->Checkpoint(path("copy" + std::to_string(i))));
    Must(LoadLdif(*from, path("changed.ldif"), true, {}));
    ExportTo(*from, path("SYNC"), false);
    auto recording = std::make_shared<RecordingStorage>(inner, path("log"));
    for (const auto& file : {"SYNC", "SYNC.2"})
      if (fs::exists(path(file)))
        ImportFrom(*Must(Store::Over(RealWorld(), recording, ProfileOf("Site2"), *key)),
                   path("SYNC"));
  }
  Loop loop;
  for (int i = 0; i < 2 * kReaders; ++i) {
    auto storage = Must(storage::OpenRocksdb({.path = path("copy" + std::to_string(i))}));
    const bool look_ups = i >= kReaders;
    (look_ups ? loop.with_look_ups : loop.rows) += Replay(path("log"), *storage, look_ups);
  }
  fs::remove_all(folder);
  return loop;
}

}  // namespace

void FanOutRow(const Programs& programs, std::uint64_t changes) {
  const Loop loop = BareLoop(programs.folder + "/loop", changes);
  NetworkWorld world(programs, "fanout");
  std::vector<std::string> readers;
  world.AddSite("Site1");
  for (int i = 0; i < kReaders; ++i) {
    readers.push_back("Site" + std::to_string(i + 2));
    world.AddSite(readers.back());
  }
  MakePeople(world.Path("people.ldif"), changes, Reader::kDirsync);
  MakePeople(world.Path("changed.ldif"), changes, Reader::kDirsync, 1);
  world.Command("Site1", {"load", world.Path("people.ldif")});
  world.StartAgent("Site1");
  for (const std::string& reader : readers) world.StartAgent(reader);
  world.Ask("Site1", {"instance", "set", "OUT", "--export"});
  const auto have = [&](std::uint64_t count) {
    return Until(
        [&] {
          for (const std::string& reader : readers)
            if (world.stamps(reader).imported.load() < count) return false;
          return true;
        },
        std::chrono::seconds(120));
  };
  have(changes);
  Pause(1000);
  world.Ask("Site1", {"load", "--replace", world.Path("changed.ldif")});
  const std::int64_t start = Nanoseconds();
  const bool all = have(2 * changes);
  double slowest = 0;
  for (const std::string& reader : readers)
    slowest = std::max(slowest,
                       static_cast<double>(world.stamps(reader).imported_at.load() - start) / 1e9);
  const auto count = static_cast<double>(changes);
  const double rate = all ? count / slowest : 0;
  const std::string what = std::to_string(changes) + " changes to 4 sites";
  Print({what, all ? Fixed(rate, 0) + "/s" : "NOT ALL ARRIVED", "", "", "10000/s",
         Verdict(rate >= kGoal)});
  Print({"", Fixed(rate, 0) + "/s",
         "four bare stores, look-ups: " + Fixed(count / loop.with_look_ups, 0) + "/s",
         Fixed(rate * loop.with_look_ups / count, 2), "0.4",
         Verdict(rate >= 0.4 * count / loop.with_look_ups)});
  Print({"", Fixed(rate, 0) + "/s", "  their rows alone: " + Fixed(count / loop.rows, 0) + "/s",
         Fixed(rate * loop.rows / count, 2), "", ""});
}

}  // namespace dirsync::bench
