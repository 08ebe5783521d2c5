#include "broker/core/histogram.h"

#include <gmock/gmock.h>

#include <array>

namespace dirsync {
namespace {

using testing::ElementsAre;

constexpr std::array<std::uint64_t, 3> kBounds = {1, 10, 100};

TEST(Histogram, ABoundCountsBelowItself) {
  Histogram histogram(kBounds);
  EXPECT_THAT(histogram.counts(), ElementsAre(0, 0, 0, 0));
  for (const std::uint64_t value : {0U, 1U, 2U, 10U, 11U, 100U, 101U}) histogram.Count(value);
  EXPECT_THAT(histogram.counts(), ElementsAre(2, 2, 2, 1));
  EXPECT_EQ(histogram.count(), 7U);
  EXPECT_EQ(histogram.sum(), 225U);
}

TEST(Histogram, WhatWasSeenSeveralTimesIsAddedOnce) {
  Histogram histogram(kBounds);
  histogram.Count(50, 512);
  EXPECT_THAT(histogram.counts(), ElementsAre(0, 0, 512, 0));
  EXPECT_EQ(histogram.count(), 512U);
  EXPECT_EQ(histogram.sum(), 50U * 512);
}

TEST(Histogram, StaysAsLargeAsItsBounds) {
  Histogram histogram(kBounds);
  for (std::uint64_t i = 0; i < 100'000; ++i) histogram.Count(i);
  EXPECT_EQ(histogram.counts().size(), kBounds.size() + 1);
  EXPECT_EQ(histogram.count(), 100'000U);
}

}  // namespace
}  // namespace dirsync
