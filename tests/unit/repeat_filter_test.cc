// What is left out of a log is counted, and the count is told.
#include "proto/daemon/repeat_filter.h"

#include <gmock/gmock.h>

#include "proto/base/limits.h"

namespace dirsync {
namespace {

const Instant kNow = FromMillis(1'000'000);
using std::chrono::seconds;

TEST(RepeatFilter, ThousandRepeats_AreAFewLinesAndACount) {
  RepeatFilter filter;
  std::uint64_t told = 0;
  for (int i = 0; i < 1000; ++i) told += filter.Pass("refused", kNow + seconds(i % 50)) ? 1 : 0;
  EXPECT_EQ(told, limits::kRepeatsTold);
  EXPECT_TRUE(filter.Pass("another", kNow));
  EXPECT_TRUE(filter.Take(kNow + seconds(59)).empty());
  const auto untold = filter.Take(kNow + seconds(60));
  ASSERT_EQ(untold.size(), 1U);
  EXPECT_EQ(untold[0].line, "refused");
  EXPECT_EQ(untold[0].count, 1000 - limits::kRepeatsTold);
  EXPECT_TRUE(filter.Pass("refused", kNow + seconds(61)));
}

TEST(RepeatFilter, AtTheEndAndWhenTheClockGoesBack_NothingIsForgotten) {
  RepeatFilter filter;
  for (std::size_t i = 0; i < limits::kRepeatsTold + 3; ++i) filter.Pass("a", kNow);
  EXPECT_EQ(filter.Take(kNow - seconds(3600)).size(), 1U);
  for (std::size_t i = 0; i < limits::kRepeatsTold + 3; ++i) filter.Pass("a", kNow);
  EXPECT_EQ(filter.Take(RepeatFilter::kEnd).size(), 1U);
}

TEST(RepeatFilter, MoreLinesThanAreWatched_AreAllTold) {
  RepeatFilter filter;
  for (std::size_t i = 0; i < 3 * limits::kRepeatsKept; ++i)
    EXPECT_TRUE(filter.Pass(std::to_string(i), kNow));
}

}  // namespace
}  // namespace dirsync
