// Faults between running sites: partitions, a broker that answers late.
#include "tests/e2e/cable.h"
#include "tests/e2e/sites_faults.h"

namespace dirsync::e2e {
namespace {

class NetworkFaults : public SitesFaults {};

// One site is cut off; both sides change and delete what is theirs; then they meet again.
TEST_F(NetworkFaults, Partition) {
  const auto cable = Cable::Make();
  ASSERT_NO_FATAL_FAILURE(Begin(3, cable->host()));
  EXPECT_EQ(world_->server(2).Terminate(), 0);
  world_->server(2).set_arguments(
      cable->Around(world_->server(2).arguments(), world_->address(), world_->folder()));
  world_->StartAgent(2);
  for (int site = 1; site <= 3; ++site) AddPeople(site, "early", 8);
  UntilInStep();
  cable->Pull();
  for (int site = 1; site <= 3; ++site) {
    AddPeople(site, "apart", 4);
    for (int i = 1; i <= 4; ++i) {
      Must(site, {"mailbox", "delete", Person("early", site, i)});
      Must(site, {"mailbox", "set", Person("early", site, 4 + i), "--display-name",
                  "Changed" + std::to_string(site)});
    }
  }
  // The others do not wait for the one that is gone.
  const auto apart = Clock::now();
  EXPECT_TRUE(Until([&] { return world_->BookOf(3, 1) == world_->BookOf(1, 1); })) << Logs();
  const double others = Milliseconds(Clock::now() - apart);
  EXPECT_EQ(Missing(1, 2, "apart", 4), 4);
  EXPECT_EQ(Missing(2, 1, "apart", 4), 4);
  cable->Plug();
  const double healed = UntilInStep();
  int wrong = 0;
  for (int site = 1; site <= 3; ++site)
    for (int origin = 1; origin <= 3; ++origin) {
      const auto book = world_->BookOf(site, origin).value_or(RunningSites::Book{});
      wrong += Missing(site, origin, "apart", 4);
      for (int i = 5; i <= 8; ++i) wrong += book.contains(Person("early", origin, i)) ? 0 : 1;
      // What came twice would be here under another name.
      wrong += static_cast<int>(book.size()) - 8;
    }
  EXPECT_EQ(wrong, 0);
  Row("T15", "3 sites, one cut off by a " + cable->kind() + "; all add, change, delete",
      "the others in step in " + Text(others, 0) + " ms; healed in " + Text(healed, 0) +
          " ms; wrong deletes, losses, duplicates " + std::to_string(wrong));
}

// Each sync of the broker takes two seconds; nobody is called silent for it.
TEST_F(NetworkFaults, SlowDisk) {
  constexpr int kPeople = 10;
  ASSERT_NO_FATAL_FAILURE(Begin(2));
  EXPECT_EQ(world_->server(0).Terminate(), 0);
  world_->server(0).set_environment({"LD_PRELOAD=" DIRSYNC_FAULT_PRELOAD, "DIRSYNC_SYNC_MS=2000",
                                     "ASAN_OPTIONS=verify_asan_link_order=0"});
  ASSERT_TRUE(world_->StartBroker());
  const std::size_t before = world_->Said(1, "connected:") + world_->Said(2, "connected:");
  EXPECT_TRUE(Until(
      [&] { return world_->Said(1, "connected:") + world_->Said(2, "connected:") > before + 1; },
      std::chrono::seconds(120)))
      << Logs();
  const std::size_t sessions = world_->Said(1, "connected:") + world_->Said(2, "connected:");
  const auto begin = Clock::now();
  for (int site = 1; site <= 2; ++site) AddPeople(site, "slow", kPeople);
  const double commands = Milliseconds(Clock::now() - begin);
  EXPECT_LT(commands, 60'000);  // the sites' own disks are not slow
  const double in_step = UntilInStep(std::chrono::seconds(180));
  const std::size_t dropped =
      world_->Said(1, "connected:") + world_->Said(2, "connected:") - sessions;
  EXPECT_EQ(dropped, 0U) << Logs();
  EXPECT_EQ(Missing(2, 1, "slow", kPeople) + Missing(1, 2, "slow", kPeople), 0);
  Row("T11", "the broker's disk takes 2 s for each sync; 20 people added at 2 sites",
      "in step " + Text(in_step, 0) + " ms after the last; sessions dropped " +
          std::to_string(dropped));
}

}  // namespace
}  // namespace dirsync::e2e
