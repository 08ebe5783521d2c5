// Faults between running sites: partitions.
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
  EXPECT_TRUE(
      Until([&] { return world_->BookOf(3, 1) == world_->BookOf(1, 1); }, std::chrono::seconds(20)))
      << Logs();
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

}  // namespace
}  // namespace dirsync::e2e
