#include "proto/daemon/key_file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

namespace dirsync {
namespace {

class KeyFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "dirsync-key-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    path_ = folder_ + "/transport.key";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string folder_, path_;
  const std::string old_ = std::string(32, 'o');
  const std::string new_ = std::string(32, 'n');
};

TEST_F(KeyFile, AKeyIsNeverWrittenOver) {
  ASSERT_TRUE(WriteKeyFile(path_, old_).has_value());
  EXPECT_EQ(WriteKeyFile(path_, new_).error().code, ErrorCode::kExists);
  EXPECT_EQ(*ReadKeyFile(path_, "the key"), old_);
}

TEST_F(KeyFile, WhatOthersMayReadOrIsNoKeyIsRefused) {
  EXPECT_EQ(ReadKeyFile(path_, "the key").error().code, ErrorCode::kConfiguration);
  ASSERT_TRUE(WriteKeyFile(path_, std::string(31, 'k')).has_value());
  EXPECT_EQ(ReadKeyFile(path_, "the key").error().code, ErrorCode::kCorrupt);
  ASSERT_EQ(chmod(path_.c_str(), 0640), 0);
  EXPECT_EQ(ReadKeyFile(path_, "the key").error().code, ErrorCode::kConfiguration);
}

TEST_F(KeyFile, Replace_LeavesOneWholeKeyOfMode0600) {
  EXPECT_EQ(ReplaceKeyFile(path_, new_).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(WriteKeyFile(path_, old_).has_value());
  // An attempt that was cut off is in nobody's way.
  ASSERT_TRUE(WriteKeyFile(path_ + ".new", "half").has_value());
  ASSERT_TRUE(ReplaceKeyFile(path_, new_).has_value());
  EXPECT_EQ(*ReadKeyFile(path_, "the key"), new_);
  struct stat info{};
  ASSERT_EQ(stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_FALSE(HasKeyFile(path_ + ".new"));
}

}  // namespace
}  // namespace dirsync
