// Whole or not at all, on the real disk.
#include "agent/file/whole_file.h"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "agent/service/posix_files.h"

namespace dirsync {
namespace {

using testing::UnorderedElementsAre;

class WholeFileTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "dirsync-file-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    path_ = folder_ + "/people.ldif";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<> Write(const std::string& text) {
    return WriteWholeFile(files_, path_, [&](FileOutput& file) { return file.Append(text); });
  }
  std::string Content() const {
    std::ifstream in(path_);
    std::stringstream text;
    text << in.rdbuf();
    return text.str();
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& item : std::filesystem::directory_iterator(folder_))
      names.push_back(item.path().filename().string());
    return names;
  }

  PosixFiles files_;
  std::string folder_;
  std::string path_;
};

TEST_F(WholeFileTest, WhatAKilledWriterLeft_GivesWayToTheNext_AndIsNeverWrittenThrough) {
  std::ofstream(path_ + ".tmp") << "half of it, and longer than what comes now";
  ASSERT_TRUE(Write("whole"));
  EXPECT_EQ(Content(), "whole");
  EXPECT_THAT(Names(), UnorderedElementsAre("people.ldif"));
  std::ofstream(folder_ + "/other") << "other";
  std::filesystem::create_symlink(folder_ + "/other", path_ + ".tmp");
  ASSERT_TRUE(Write("again"));
  EXPECT_EQ(Content(), "again");
  EXPECT_EQ(std::filesystem::file_size(folder_ + "/other"), 5U);
  EXPECT_THAT(Names(), UnorderedElementsAre("people.ldif", "other"));
}

TEST_F(WholeFileTest, AnError_LeavesWhatWasThereAndNothingElse) {
  ASSERT_TRUE(Write("before"));
  const auto failed = WriteWholeFile(files_, path_, [&](FileOutput& file) -> Result<> {
    EXPECT_TRUE(file.Append("half"));
    return Fail(ErrorCode::kDiskFull, "writing: no room");
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, ErrorCode::kDiskFull);
  EXPECT_EQ(Content(), "before");
  EXPECT_THAT(Names(), UnorderedElementsAre("people.ldif"));
  path_ = folder_ + "/folder";
  std::filesystem::create_directory(path_);
  EXPECT_FALSE(Write("over a folder"));
  EXPECT_THAT(Names(), UnorderedElementsAre("people.ldif", "folder"));
}

}  // namespace
}  // namespace dirsync
