// What a command has at hand: files that are written whole, or not at all when it is interrupted.
#include "cli/context.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace dirsync::cli {
namespace {

using testing::ElementsAre;

class ContextTest : public testing::Test {
 protected:
  ContextTest() {
    console_.interrupted = [this] { return interrupted_; };
    console_.hold_signals = [this](bool held) { held_.push_back(held); };
  }
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "dirsync-context-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<> Write(const std::function<Result<>(FileOutput&)>& write) {
    return Context(RealWorld(), console_, {}).WriteFile(folder_ + "/file", write);
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& item : std::filesystem::directory_iterator(folder_))
      names.push_back(item.path().filename().string());
    return names;
  }
  std::string Content() const {
    std::stringstream text;
    text << std::ifstream(folder_ + "/file").rdbuf();
    return text.str();
  }

  std::istringstream in_;
  std::ostringstream out_, err_;
  Console console_{.in = in_, .out = out_, .err = err_};
  bool interrupted_ = false;
  std::vector<bool> held_;
  std::string folder_;
};

TEST_F(ContextTest, AFileIsWrittenWhileSignalsAreHeld) {
  const auto written = Write([&](FileOutput& file) {
    EXPECT_THAT(held_, ElementsAre(true));
    return file.Append("whole");
  });
  EXPECT_TRUE(written);
  EXPECT_THAT(held_, ElementsAre(true, false));
  EXPECT_THAT(Names(), ElementsAre("file"));
  EXPECT_EQ(Content(), "whole");
}

TEST_F(ContextTest, AnInterruptedFileTakesNothingMore_AndLeavesWhatWasThere) {
  std::ofstream(folder_ + "/file") << "before";
  const auto written = Write([&](FileOutput& file) -> Result<> {
    EXPECT_TRUE(file.Append("half"));
    interrupted_ = true;
    return file.Append("the rest");
  });
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kInterrupted);
  EXPECT_THAT(held_, ElementsAre(true, false));
  EXPECT_THAT(Names(), ElementsAre("file"));
  EXPECT_EQ(Content(), "before");
}

TEST_F(ContextTest, InterruptedBehindTheLastPiece_AFileIsNotReplacedEither) {
  std::ofstream(folder_ + "/file") << "before";
  const auto written = Write([&](FileOutput& file) {
    auto appended = file.Append("whole");
    interrupted_ = true;
    return appended;
  });
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ErrorCode::kInterrupted);
  EXPECT_THAT(Names(), ElementsAre("file"));
  EXPECT_EQ(Content(), "before");
}

}  // namespace
}  // namespace dirsync::cli
