// dirsync_bench PHASE FOLDER ENTRIES: one phase of the benchmark, in a process of its own so that
// its peak memory is its own. tests/bench/run calls the phases and prints the table.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

#include "agent/service/bulk.h"
#include "agent/service/run.h"
#include "storage/rocksdb_storage.h"
#include "tests/bench/recording_storage.h"

namespace dirsync::bench {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

struct Folder {
  std::string root;
  std::string Path(const std::string& name) const { return root + "/" + name; }
};

double Since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double PeakMib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

// "PHASE SECONDS COUNT PEAK_MIB" for tests/bench/run.
void Report(const std::string& phase, double seconds, std::uint64_t count) {
  std::printf("%s %.6f %llu %.0f\n", phase.c_str(), seconds, static_cast<unsigned long long>(count),
              PeakMib());
}

[[noreturn]] void Die(const Error& error) {
  std::fprintf(stderr, "%s\n", error.ToString().c_str());
  std::exit(1);
}

template <class T>
T Must(Result<T> result) {
  if (!result) Die(result.error());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

SiteProfile ProfileOf(const std::string& site) {
  SiteProfile profile{"Testorg", site, "Server-" + site, {}};
  profile.templates.push_back(Must(AddressTemplate::Parse("EDK:@" + site + ".Testorg.com")));
  return profile;
}

// People of 12 attributes, 600 to 800 bytes, in no order of names.
void MakeLdif(const std::string& path, std::uint64_t entries) {
  std::mt19937_64 random(7);
  std::ofstream out(path);
  auto word = [&](std::size_t length) {
    std::string text;
    for (std::size_t i = 0; i < length; ++i) text.push_back(static_cast<char>('a' + random() % 26));
    return text;
  };
  out << "version: 1\n\n";
  for (std::uint64_t i = 0; i < entries; ++i) {
    std::string n = std::to_string(i);
    std::string given = word(6), family = word(8);
    out << "dn: cn=mbx" << n
        << ",cn=Recipients,ou=Site1,o=Testorg\nobjectClass: inetOrgPerson\ncn: mbx" << n
        << "\ndisplayName: " << given << " " << family << " " << n << "\ngivenName: " << given
        << "\nsn: " << family << "\ntelephoneNumber: +49 30 " << random() % 10000000
        << "\nmobile: +49 170 " << random() % 10000000 << "\ntitle: " << word(18)
        << "\ncompany: " << word(24) << "\ndepartment: " << word(22)
        << "\nphysicalDeliveryOfficeName: " << word(12) << "\nstreetAddress: " << word(30)
        << "\nl: " << word(12) << "\ninfo: " << word(160) << "\nproxyAddresses: EDK:mbx" << n
        << "@Site1.Testorg.com\nproxyAddresses: SMTP:mbx" << n << "@site1.testorg.example\n\n";
  }
}

InstanceSettings ExportSettings(const Folder& folder) {
  InstanceSettings settings;
  settings.name = "OUT";
  settings.exports = true;
  settings.export_file = folder.Path("SYNC");
  return settings;
}

InstanceSettings ImportSettings(const Folder& folder) {
  InstanceSettings settings;
  settings.name = "IN";
  settings.imports = true;
  settings.import_file = folder.Path("SYNC");
  settings.max_deletes = DeleteBudget{100, true};
  return settings;
}

std::unique_ptr<Store> OpenOrCreate(const Folder& folder, const std::string& site) {
  std::string path = folder.Path(site);
  if (fs::exists(path)) return Must(Store::Open(RealWorld(), path));
  return Must(Store::Create(RealWorld(), path, ProfileOf(site)));
}

// A store whose storage calls are written down for the floor.
std::unique_ptr<Store> Recorded(const Folder& folder, const std::string& name,
                                const std::string& site, const std::string& log) {
  fs::create_directories(folder.Path(name));
  std::shared_ptr<storage::Storage> inner =
      Must(storage::OpenRocksdb({.path = folder.Path(name) + "/db", .create = true}));
  auto key = SigningKey::FromSeed(std::string(32, 'k'));
  return Must(Store::Over(RealWorld(), std::make_shared<RecordingStorage>(inner, folder.Path(log)),
                          ProfileOf(site), *key));
}

void Load(Store& store, const Folder& folder, const std::string& phase) {
  auto start = Clock::now();
  auto report = Must(LoadLdif(store, folder.Path("people.ldif"), false, {}));
  Report(phase, Since(start), report.added + report.unchanged);
}

RunReport Export(Store& store, const Folder& folder, bool full) {
  RunRequest request;
  request.settings = ExportSettings(folder);
  request.full = full;
  return Must(RunExport(store, request));
}

RunReport Import(Store& store, const Folder& folder) {
  RunRequest request;
  request.settings = ImportSettings(folder);
  return Must(RunImport(store, request));
}

std::uint64_t Effects(const ApplyCounts& counts) {
  return counts.added + counts.modified + counts.unchanged;
}

// Every entry gets another telephone number: the full file that follows changes all of them.
void ChangeEverybody(const Folder& folder) {
  std::ifstream in(folder.Path("people.ldif"));
  std::ofstream out(folder.Path("changed.ldif"));
  for (std::string line; std::getline(in, line);)
    out << (line.starts_with("telephoneNumber:") ? line + "9" : line) << "\n";
}

void Change100(Store& store, std::uint64_t entries, std::uint64_t salt) {
  Must(store.Write([&](storage::Transaction& transaction) -> Result<> {
    IdSource ids = MakeIds(store.world());
    Directory directory(transaction, store.profile(), ids, store.world().Now());
    for (std::uint64_t i = 0; i < 100; ++i) {
      DIRSYNC_TRY(entry, directory.Resolve("EDK:mbx" + std::to_string(i * (entries / 100)) +
                                           "@Site1.Testorg.com"));
      EntryEdit edit;
      edit.set.push_back({"Title", {"changed " + std::to_string(salt)}});
      DIRSYNC_CHECK(directory.Edit(entry, edit));
    }
    return {};
  }));
}

// Capture and file of 100 changes, best of several.
void Capture100(const Folder& folder, std::uint64_t entries) {
  auto store = OpenOrCreate(folder, "Site1");
  double best = 1e9;
  for (std::uint64_t round = 0; round < 7; ++round) {
    Change100(*store, entries, round + static_cast<std::uint64_t>(std::random_device{}()));
    auto start = Clock::now();
    Export(*store, folder, false);
    best = std::min(best, Since(start));
  }
  Report("capture", best, 100);
}

void Floor(const Folder& folder, const std::string& log, const std::string& phase,
           const std::string& base, bool look_ups, std::uint64_t entries) {
  std::string path = folder.Path("floor");
  fs::remove_all(path);
  if (!base.empty()) fs::copy(folder.Path(base), path, fs::copy_options::recursive);
  {
    auto storage = Must(storage::OpenRocksdb({.path = path, .create = true}));
    Report(phase, Replay(folder.Path(log), *storage, look_ups), entries);
  }
  fs::remove_all(path);
}

void CopyStore(const Folder& folder, const std::string& from, const std::string& to) {
  fs::remove_all(folder.Path(to));
  fs::copy(folder.Path(from), folder.Path(to), fs::copy_options::recursive);
}

int Run(const std::string& phase, const Folder& folder, std::uint64_t entries) {
  if (phase == "prepare") {
    fs::create_directories(folder.root);
    MakeLdif(folder.Path("people.ldif"), entries);
    ChangeEverybody(folder);
  } else if (phase == "load") {
    Load(*OpenOrCreate(folder, "Site1"), folder, phase);
  } else if (phase == "load-recorded") {
    Load(*Recorded(folder, "SiteR", "Site1", "load.log"), folder, phase);
    fs::remove_all(folder.Path("SiteR"));
  } else if (phase == "load-floor") {
    Floor(folder, "load.log", phase, "", false, entries);
  } else if (phase == "load-loop") {
    Floor(folder, "load.log", phase, "", true, entries);
  } else if (phase == "export-first" || phase == "export-full") {
    auto store = OpenOrCreate(folder, "Site1");
    auto start = Clock::now();
    auto report = Export(*store, folder, true);
    Report(phase, Since(start), report.counts.added);
  } else if (phase == "import-empty" || phase == "import-unchanged" || phase == "import-full") {
    auto store = OpenOrCreate(folder, "Site2");
    auto start = Clock::now();
    auto report = Import(*store, folder);
    Report(phase, Since(start), Effects(report.counts));
  } else if (phase == "import-empty-recorded") {
    Import(*Recorded(folder, "SiteE", "Site2", "import.log"), folder);
    fs::remove_all(folder.Path("SiteE"));
  } else if (phase == "import-empty-floor") {
    Floor(folder, "import.log", phase, "", false, entries);
  } else if (phase == "import-full-recorded") {
    CopyStore(folder, "Site2", "SiteF");
    Import(*Recorded(folder, "SiteF", "Site2", "update.log"), folder);
    fs::remove_all(folder.Path("SiteF"));
  } else if (phase == "import-full-loop") {
    Floor(folder, "update.log", phase, "Site2/db", true, entries);
  } else if (phase == "change-all") {
    auto store = OpenOrCreate(folder, "Site1");
    auto start = Clock::now();
    auto report = Must(LoadLdif(*store, folder.Path("changed.ldif"), true, {}));
    Report(phase, Since(start), report.added);
  } else if (phase == "capture") {
    Capture100(folder, entries);
  } else {
    std::fprintf(stderr, "unknown phase %s\n", phase.c_str());
    return 2;
  }
  return 0;
}

}  // namespace
}  // namespace dirsync::bench

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "dirsync_bench PHASE FOLDER ENTRIES\n");
    return 2;
  }
  return dirsync::bench::Run(argv[1], {argv[2]}, std::strtoull(argv[3], nullptr, 10));
}
