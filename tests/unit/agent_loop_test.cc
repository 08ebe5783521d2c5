// The agent's loop in this process: how it ends.
#include "agent/loop/agent_loop.h"

#include <gmock/gmock.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "agent/service/world.h"
#include "storage/key.h"

namespace dirsync {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// The real one; once armed, SIGTERM comes whenever somebody asks what time it is, which the loop
// does in the middle of a write.
class TerminatingWorld : public World {
 public:
  Instant Now() override {
    if (armed) {
      ++raised;
      std::raise(SIGTERM);
    }
    return RealWorld().Now();
  }
  std::string Random(std::size_t count) override { return RealWorld().Random(count); }
  FileSystem& files() override { return RealWorld().files(); }
  void Effect(std::string_view name) override { RealWorld().Effect(name); }

  bool armed = false;
  int raised = 0;
};

class AgentLoopTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "dirsync-agent-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string folder_;
  TerminatingWorld world_;
};

TEST_F(AgentLoopTest, TerminatedWithinAWrite_EndsWithoutAnErrorAndWithoutTheWrite) {
  const std::string path = folder_ + "/store";
  const std::string row = storage::TombstoneKey(1, EntryId{});
  {
    auto store = Store::Create(world_, path, SiteProfile{"Testorg", "Site1", "Server1", {}});
    ASSERT_TRUE(store) << store.error().ToString();
    // Its time of grace is over: the loop's first turn removes it.
    ASSERT_TRUE((*store)->Write([&](storage::Transaction& transaction) -> Result<> {
      transaction.Put(row, "");
      return {};
    }));
  }
  std::vector<std::string> lines;
  AgentSettings settings;
  settings.store = path;
  settings.log = [&](std::string_view level, std::string_view text) {
    lines.push_back(std::string(level) + ": " + std::string(text));
    world_.armed = world_.armed || text.starts_with("serving");
  };
  const auto ended = RunAgent(world_, std::move(settings));
  EXPECT_TRUE(ended) << ended.error().ToString();
  EXPECT_GE(world_.raised, 1);
  EXPECT_THAT(lines, Not(Contains(StartsWith("error"))));
  EXPECT_THAT(lines, Not(Contains(HasSubstr("store failed"))));
  EXPECT_EQ(lines.back(), "info: stopping");
  world_.armed = false;
  auto store = Store::Open(world_, path);
  ASSERT_TRUE(store) << store.error().ToString();
  EXPECT_TRUE((*store)->storage().Get(row)->has_value()) << "the write was to be stopped";
}

}  // namespace
}  // namespace dirsync
