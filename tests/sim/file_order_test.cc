// A sync file is out only behind the commit that knows it, and one that was committed comes out: an
// export of each kind, dead at each of its effects in turn (R13).
#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "agent/core/producer_state.h"
#include "agent/service/file_outbox.h"
#include "proto/base/text.h"
#include "tests/sim/deployment.h"

namespace dirsync::sim {
namespace {

void AddPerson(Site& site, const std::string& name) {
  const Result<> added = site.store->Write([&](storage::Transaction& transaction) -> Result<> {
    IdSource ids = MakeIds(*site.world);
    Directory directory(transaction, site.profile, ids, site.world->Now());
    DIRSYNC_CHECK(directory.Add({EntryClass::kMailbox, "Recipients", name, {}, {}}));
    return {};
  });
  ASSERT_TRUE(added.has_value()) << added.error().ToString();
}

void Export(Site& site, bool full) {
  auto settings = LoadInstance(*site.storage, "PEOPLE");
  ASSERT_TRUE(settings.has_value());
  RunRequest request;
  request.settings = std::move(*settings);
  request.full = full;
  const auto report = RunExport(*site.store, request);
  ASSERT_TRUE(report.has_value()) << report.error().ToString();
}

// Files that a carrier finds, and parts of files.
struct Found {
  std::set<std::string> whole;
  std::size_t parts = 0;
};
Found Out(const Site& site) {
  Found found;
  for (const auto& [path, bytes] : site.world->disk().Beginning("out/SYNC")) {
    if (path.ends_with(".part")) {
      ++found.parts;
    } else {
      found.whole.insert(path);
    }
  }
  return found;
}

// Files that the store knows to be out, and how many it is about to put out.
struct Known {
  std::set<std::string> paths;
  std::size_t pending = 0;
};
Known KnownAt(const Site& site) {
  Known known;
  const auto number = FindNumber(*site.storage, "export/" + FoldName("PEOPLE"));
  if (!number || !*number) return known;
  const auto files = ListOutboxFiles(*site.storage, **number);
  EXPECT_TRUE(files.has_value());
  for (const OutboxFile& file : *files) {
    known.paths.insert(file.path);
    known.pending += file.pending ? 1 : 0;
  }
  return known;
}

void ExpectKnown(const Site& site, std::uint64_t effects) {
  const Known known = KnownAt(site);
  for (const std::string& path : Out(site).whole)
    EXPECT_TRUE(known.paths.contains(path)) << path << " is out unknown, dead at " << effects;
}

// Leads a new deployment to where the export of interest begins, lets it die at its `effects`th
// effect, and starts the site again. False: it came to its end before.
bool DieAt(std::uint64_t effects, bool full, const std::function<void(Site&)>& before,
           bool lose_unsynced) {
  Deployment deployment(1, 2);
  Site& site = deployment.sites()[0];
  before(site);
  bool died = false;
  site.world->DieAfter(effects);
  try {
    Export(site, full);
  } catch (const Death&) {
    died = true;
    if (lose_unsynced) site.storage->DropUnsynced();
    site.world->disk().Crash(deployment.random());
    site.Reopen();
  }
  site.world->DieAfter(0);
  ExpectKnown(site, effects);
  Export(site, false);
  ExpectKnown(site, effects);
  EXPECT_EQ(KnownAt(site).pending, 0u) << "dead at " << effects;
  EXPECT_EQ(Out(site).parts, 0u) << "dead at " << effects;
  EXPECT_TRUE(Out(site).whole.contains("out/SYNC")) << "dead at " << effects;
  return died;
}

void DieEverywhere(bool full, const std::function<void(Site&)>& before) {
  for (const bool lose_unsynced : {false, true}) {
    std::uint64_t effects = 1;
    while (DieAt(effects, full, before, lose_unsynced)) ++effects;
    EXPECT_GT(effects, 5u);
  }
}

TEST(FileOrderTest, TheFirstFileOfAStream) {
  DieEverywhere(false, [](Site& site) { AddPerson(site, "p1"); });
}

TEST(FileOrderTest, AFileOfChangesBesideAnUnreadOne) {
  DieEverywhere(false, [](Site& site) {
    AddPerson(site, "p1");
    Export(site, true);
    AddPerson(site, "p2");
  });
}

TEST(FileOrderTest, AFullFileInPlaceOfUnreadOnes) {
  DieEverywhere(true, [](Site& site) {
    AddPerson(site, "p1");
    Export(site, true);
    AddPerson(site, "p2");
    Export(site, false);
  });
}

}  // namespace
}  // namespace dirsync::sim
