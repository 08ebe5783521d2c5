#include <gtest/gtest.h>

#include <filesystem>

#include "storage/disk_space.h"
#include "tests/unit/storage_world.h"

namespace dirsync::storage {
namespace {

namespace fs = std::filesystem;

TEST(DiskSpace, TheMarkIsTheGreaterOfBytesAndPercent) {
  TemporaryFolder folder;
  auto space = CheckDiskSpace(folder / ".", {.bytes = 0, .percent = 0});
  ASSERT_TRUE(space);
  EXPECT_GT(space->total_bytes, 0u);
  EXPECT_LE(space->free_bytes, space->total_bytes);
  EXPECT_FALSE(space->below_mark);
  EXPECT_EQ(CheckDiskSpace(folder / ".", {.bytes = 7, .percent = 100})->mark_bytes,
            space->total_bytes / 100 * 100);
  EXPECT_TRUE(CheckDiskSpace(folder / ".", {.bytes = ~0ull, .percent = 5})->below_mark);
}

TEST(DiskSpace, OfNoFolderIsIo) {
  EXPECT_EQ(CheckDiskSpace("/none/such").error().code, ErrorCode::kIo);
}

TEST(ReserveFile, TakesUpItsRoomUntilReleased) {
  TemporaryFolder folder;
  ReserveFile reserve(folder / "reserve", 1 * limits::kMiB);
  EXPECT_FALSE(reserve.held());
  ASSERT_TRUE(reserve.Create());
  EXPECT_TRUE(reserve.held());
  EXPECT_EQ(fs::file_size(folder / "reserve"), 1 * limits::kMiB);
  ASSERT_TRUE(reserve.Create());
  ASSERT_TRUE(reserve.Release());
  EXPECT_FALSE(fs::exists(folder / "reserve"));
  EXPECT_TRUE(reserve.Release());
  ASSERT_TRUE(reserve.Create());
  EXPECT_TRUE(reserve.held());
}

TEST(ReserveFile, AHoleOrAShortFileIsFilled) {
  TemporaryFolder folder;
  ReserveFile reserve(folder / "reserve", 1 * limits::kMiB);
  WriteFileBytes(folder / "reserve", "short");
  EXPECT_FALSE(reserve.held());
  fs::resize_file(folder / "reserve", 1 * limits::kMiB);
  EXPECT_FALSE(reserve.held());
  ASSERT_TRUE(reserve.Create());
  EXPECT_TRUE(reserve.held());
}

TEST(ReserveFile, MoreThanThereIsIsDiskFullAndLeavesNothing) {
  TemporaryFolder folder;
  std::uint64_t too_much = CheckDiskSpace(folder / ".")->total_bytes * 2;
  ReserveFile reserve(folder / "reserve", too_much);
  auto result = reserve.Create();
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().code == ErrorCode::kDiskFull || result.error().code == ErrorCode::kIo);
  EXPECT_FALSE(fs::exists(folder / "reserve"));
}

TEST(ReserveFile, InNoFolderIsIo) {
  EXPECT_EQ(ReserveFile("/none/such/reserve").Create().error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace dirsync::storage
