// Stores that went back, were lost, or run twice; sites that were away for too long.
#include <csignal>
#include <fstream>

#include "tests/e2e/sites_faults.h"

namespace dirsync::e2e {
namespace {

namespace fs = std::filesystem;

class RestoreFaults : public SitesFaults {
 protected:
  // The broker's newest write-ahead log.
  fs::path BrokerLog() {
    fs::path newest;
    for (const auto& file : fs::directory_iterator(world_->Store(0) + "/db"))
      if (file.path().extension() == ".log" && (newest.empty() || newest < file.path()))
        newest = file.path();
    return newest;
  }
};

// What was lost of the broker's log is told again by those who told it first.
TEST_F(RestoreFaults, TheBrokersLogGoesBack) {
  ASSERT_NO_FATAL_FAILURE(Begin(2));
  AddPeople(1, "early", 20);
  UntilInStep();
  world_->server(0).Terminate();
  Copy(0, "yesterday");
  ASSERT_TRUE(world_->StartBroker());
  AddPeople(1, "late", 10);
  AddPeople(2, "late", 10);
  UntilInStep();
  std::string figure;
  int missing = 0;
  const std::vector<std::pair<std::string, std::function<void()>>> faults = {
      {"put back to yesterday", [&] { PutBack(0, "yesterday"); }},
      {"log cut in half", [&] { fs::resize_file(BrokerLog(), fs::file_size(BrokerLog()) / 2); }},
      {"log deleted", [&] { fs::remove(BrokerLog()); }}};
  int round = 0;
  for (const auto& [name, fault] : faults) {
    ++round;
    const std::string last = "last" + std::to_string(round) + "r";
    // Told while the broker is there, and once it has gone.
    AddPeople(1, last, 5);
    world_->server(0).Kill();
    fault();
    AddPeople(1, last + "y", 5);
    ASSERT_TRUE(world_->StartBroker()) << name << world_->Log(0);
    figure += (figure.empty() ? "" : ", ") + name + " " + Text(UntilInStep(), 0) + " ms";
    missing += Missing(2, 1, "early", 20) + Missing(2, 1, "late", 10) + Missing(1, 2, "late", 10) +
               Missing(2, 1, last, 5) + Missing(2, 1, last + "y", 5);
  }
  EXPECT_EQ(missing, 0);
  Row("T6", "broker's store put back, its log cut, deleted; agents live",
      "in step again after: " + figure + "; missing " + std::to_string(missing));
}

// The broker is put back to before a site was revoked and another one approved.
TEST_F(RestoreFaults, TheBrokersRosterGoesBack) {
  ASSERT_NO_FATAL_FAILURE(Begin(3));
  AddPeople(1, "early", 5);
  UntilInStep();
  world_->server(0).Terminate();
  Copy(0, "yesterday");
  ASSERT_TRUE(world_->StartBroker());
  ASSERT_EQ(world_->AddSite(), "");
  AddPeople(4, "new", 5);
  EXPECT_TRUE(Until([&] { return Missing(1, 4, "new", 5) + Missing(2, 4, "new", 5) == 0; }))
      << Logs();
  Must(0, {"sites", "revoke", "Site3"});
  const auto knows = [&](int site, const std::string& state) {
    return Until([&] { return world_->Said(site, "Site3 is " + state) > 0; });
  };
  EXPECT_TRUE(knows(1, "revoked") && knows(2, "revoked")) << Logs();
  world_->server(0).Kill();
  // Site3 may be the first one there, with something to tell.
  AddPeople(3, "refused", 5);
  PutBack(0, "yesterday");
  const auto begin = Clock::now();
  ASSERT_TRUE(world_->StartBroker());
  const auto state = [&](const std::string& site) -> std::string {
    const auto sites = world_->Json(0, {"sites", "list"});
    if (sites.is_discarded()) return "";
    for (const auto& row : sites)
      if (row.value("site", "") == site) return row.value("state", "");
    return "absent";
  };
  EXPECT_TRUE(Until([&] { return state("Site3") == "revoked" && state("Site4") == "active"; }))
      << Logs();
  const double back = Milliseconds(Clock::now() - begin);
  // Site4 is let in again, and Site3 is heard by nobody.
  AddPeople(4, "late", 5);
  EXPECT_TRUE(Until([&] { return Missing(1, 4, "late", 5) == 0; })) << Logs();
  const int accepted = 5 - Missing(1, 3, "refused", 5) + 5 - Missing(2, 3, "refused", 5);
  EXPECT_EQ(accepted, 0);
  EXPECT_GT(world_->Said(0, "had lost what the roster says of"), 0U);
  Row("T6", "broker put back to before a site was revoked, another approved",
      "the roster is whole again after " + Text(back, 0) +
          " ms, by the sites; accepted of the "
          "revoked one " +
          std::to_string(accepted));
}

// The log is put back and grows beyond a reader that is away.
TEST_F(RestoreFaults, TheLogRegrowsPastAReader) {
  ASSERT_NO_FATAL_FAILURE(Begin(2));
  AddPeople(1, "early", 10);
  UntilInStep();
  world_->server(0).Terminate();
  Copy(0, "yesterday");
  ASSERT_TRUE(world_->StartBroker());
  AddPeople(1, "mid", 10);
  UntilInStep();
  EXPECT_EQ(world_->server(2).Terminate(), 0);
  AddPeople(1, "away", 10);
  world_->server(0).Kill();
  PutBack(0, "yesterday");
  ASSERT_TRUE(world_->StartBroker());
  AddPeople(1, "grown", 30);
  // The log has grown past where the reader stands once the last one is told.
  EXPECT_TRUE(Until([&] {
    const auto streams = world_->Json(0, {"broker", "streams"});
    const auto told = world_->Json(1, {"instance", "show", "OUT"});
    if (streams.is_discarded() || told.is_discarded()) return false;
    for (const auto& stream : streams)
      if (stream.at("site") == "Site1" &&
          stream.at("sequence") == told["state"]["export"]["sequence"])
        return true;
    return false;
  })) << Logs();
  world_->StartAgent(2);
  const double time = UntilInStep();
  const int skipped = Missing(2, 1, "early", 10) + Missing(2, 1, "mid", 10) +
                      Missing(2, 1, "away", 10) + Missing(2, 1, "grown", 30);
  EXPECT_EQ(skipped, 0);
  Row("T7", "broker put back, its log regrown past a reader that is away",
      "the reader is in step after " + Text(time, 0) + " ms; skipped " + std::to_string(skipped));
}

// A machine image from yesterday: nobody says so.
TEST_F(RestoreFaults, AnAgentsStoreGoesBack) {
  ASSERT_NO_FATAL_FAILURE(Begin(2));
  AddPeople(1, "early", 20);
  UntilInStep();
  EXPECT_EQ(world_->server(1).Terminate(), 0);
  Copy(1, "yesterday");
  world_->StartAgent(1);
  AddPeople(1, "late", 15);
  UntilInStep();
  EXPECT_EQ(world_->server(1).Terminate(), 0);
  PutBack(1, "yesterday");
  const auto begin = Clock::now();
  world_->StartAgent(1);
  UntilSaid(0, "was put back from a copy");
  const double found = Milliseconds(Clock::now() - begin);
  // What it tells from now on arrives; what only its age takes away stays until a person decides.
  AddPeople(1, "new", 5);
  EXPECT_TRUE(Until([&] { return Missing(2, 1, "new", 5) == 0; }, std::chrono::seconds(60)))
      << Logs();
  const int wrong = Missing(2, 1, "late", 15) + Missing(2, 1, "early", 20);
  const auto held = world_->Json(2, {"held", "list"});
  EXPECT_EQ(wrong, 0);
  ASSERT_FALSE(held.is_discarded());
  EXPECT_EQ(held.size(), 15U);
  const auto shown = world_->Json(1, {"instance", "show", "OUT"});
  const std::string epoch = shown["state"]["export"].value("epoch", "");
  EXPECT_TRUE(epoch.starts_with("2."));
  Row("T12", "an agent's store put back to yesterday, without a word",
      "found " + Text(found, 0) + " ms after its start, epoch 2; wrong deletes " +
          std::to_string(wrong) + ", held " + std::to_string(held.size()));
}

// The same store on two machines.
TEST_F(RestoreFaults, AnAgentsStoreRunsTwice) {
  ASSERT_NO_FATAL_FAILURE(Begin(2));
  AddPeople(1, "early", 5);
  UntilInStep();
  EXPECT_EQ(world_->server(1).Terminate(), 0);
  Copy(1, "clone");
  world_->StartAgent(1);
  Must(1, {"mailbox", "add", Person("original", 1, 1)});
  UntilInStep();
  std::vector<std::string> arguments = world_->server(1).arguments();
  arguments[2] = world_->Path("clone");
  Server clone(arguments, world_->Path("clone.log"));
  const auto begin = Clock::now();
  clone.Start();
  UntilSaid(0, "runs twice");
  const double found = Milliseconds(Clock::now() - begin);
  const auto at_clone = [&](const std::vector<std::string>& words) {
    std::vector<std::string> all = {DIRSYNC_PROGRAM, "--store", world_->Path("clone")};
    all.insert(all.end(), words.begin(), words.end());
    return RunProcess(all).exit_status;
  };
  for (int i = 1; i <= 5; ++i) {
    EXPECT_EQ(at_clone({"mailbox", "add", Person("copy", 1, i)}), 0);
    Must(1, {"mailbox", "add", Person("original", 1, i + 1)});
  }
  EXPECT_EQ(clone.Terminate(), 0);
  EXPECT_TRUE(Until([&] { return Missing(2, 1, "original", 6) == 0; }, std::chrono::seconds(90)))
      << Logs();
  const int copies = 5 - Missing(2, 1, "copy", 5);
  EXPECT_EQ(copies, 0);
  EXPECT_GT(world_->Said(1, "CLONED") + world_->Said(1, "runs twice"), 0U);
  Row("T13", "an agent's store copied and run twice, both telling",
      "found after " + Text(found, 0) +
          " ms, both told; batches of the copy among the original's " + std::to_string(copies));
}

// Away for longer than the log, and longer than tombstones, are kept.
TEST_F(RestoreFaults, AReaderComesBackAfterTwoMonths) {
  ASSERT_NO_FATAL_FAILURE(Begin(2));
  AddPeople(1, "stay", 20);
  AddPeople(1, "gone", 10);
  UntilInStep();
  EXPECT_EQ(world_->server(2).Terminate(), 0);
  const std::vector<std::string> ahead = {"LD_PRELOAD=" DIRSYNC_FAULT_PRELOAD,
                                          "DIRSYNC_DAYS_AHEAD=61",
                                          "ASAN_OPTIONS=verify_asan_link_order=0"};
  for (int i = 1; i <= 10; ++i) Must(1, {"mailbox", "delete", Person("gone", 1, i)});
  AddPeople(1, "late", 5);
  for (int site = 0; site <= 2; ++site) {
    if (site < 2) {
      EXPECT_EQ(world_->server(site).Terminate(), 0);
    }
    world_->server(site).set_environment(ahead);
  }
  ASSERT_TRUE(world_->StartBroker());
  world_->StartAgent(1);
  UntilSaid(0, "has not read for too long");
  world_->StartAgent(2);
  EXPECT_TRUE(Until([&] { return Missing(2, 1, "late", 5) == 0; }, std::chrono::seconds(60)))
      << Logs();
  const double time = UntilInStep();
  const int resurrected = 10 - Missing(2, 1, "gone", 10) + 10 - Missing(1, 1, "gone", 10);
  EXPECT_EQ(resurrected, 0);
  const bool ranges = world_->Said(2, "no longer in the log") > 0;
  EXPECT_TRUE(ranges);
  Row("T20", "a reader away for 61 days; 10 of 30 deleted meanwhile",
      std::string(ranges ? "NEEDS_RANGES, full copy" : "no full copy") + ", in step; resurrected " +
          std::to_string(resurrected));
  static_cast<void>(time);
}

}  // namespace
}  // namespace dirsync::e2e
