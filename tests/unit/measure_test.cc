#include "proto/base/measure.h"

#include <gtest/gtest.h>

#include <limits>

namespace dirsync {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

TEST(Measure, DurationsAreInTheLargestUnitThatFits) {
  EXPECT_EQ(DurationText(Duration(-5)), "0 s");
  EXPECT_EQ(DurationText(Duration(999)), "0 s");
  EXPECT_EQ(DurationText(seconds(59)), "59 s");
  EXPECT_EQ(DurationText(seconds(60)), "1 min");
  EXPECT_EQ(DurationText(seconds(3599)), "59 min");
  EXPECT_EQ(DurationText(hours(47)), "47 h");
  EXPECT_EQ(DurationText(hours(48)), "2 days");
}

TEST(Measure, BytesHaveAtMostThreeDigits) {
  EXPECT_EQ(BytesText(0), "0 B");
  EXPECT_EQ(BytesText(1023), "1023 B");
  EXPECT_EQ(BytesText(1536), "1.5 KiB");
  EXPECT_EQ(BytesText(12 * 1024 * 1024), "12 MiB");
  EXPECT_EQ(BytesText(std::numeric_limits<std::uint64_t>::max()), "16383 PiB");
}

TEST(Measure, CountsAreGroupedAndAgree) {
  EXPECT_EQ(CountText(0, "batch", "batches"), "0 batches");
  EXPECT_EQ(CountText(1, "batch", "batches"), "1 batch");
  EXPECT_EQ(CountText(1234567, "site"), "1,234,567 sites");
}

}  // namespace
}  // namespace dirsync
