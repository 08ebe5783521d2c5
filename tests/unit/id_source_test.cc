#include "proto/base/id_source.h"

#include <gtest/gtest.h>

#include <set>

#include "proto/base/crypto.h"

namespace dirsync {
namespace {

TEST(IdSource, SameSeedSameIds) {
  IdSource a(DigestOf("seed")), b(DigestOf("seed"));
  EXPECT_EQ(a.NextEntryId(FromMillis(1)), b.NextEntryId(FromMillis(1)));
  EXPECT_EQ(a.NextRunId(), b.NextRunId());
  EXPECT_EQ(a.NextEpochId(), b.NextEpochId());
  EXPECT_EQ(a.NextHashKey(), b.NextHashKey());
}

TEST(IdSource, OtherSeedOtherIds) {
  IdSource a(DigestOf("seed")), b(DigestOf("other"));
  EXPECT_NE(a.NextRunId(), b.NextRunId());
  EXPECT_NE(a.NextEntryId(FromMillis(1)), b.NextEntryId(FromMillis(1)));
}

TEST(IdSource, NothingComesTwice) {
  IdSource source(DigestOf("seed"));
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    EXPECT_TRUE(seen.insert(source.NextRunId().hex()).second);
    EXPECT_TRUE(seen.insert(source.NextEpochId().hex()).second);
    EXPECT_TRUE(seen.insert(source.NextEntryId(FromMillis(5)).hex()).second);
  }
}

TEST(IdSource, EntryIdsBeginWithTheTimeAndAscend) {
  IdSource source(DigestOf("seed"));
  const EntryId first = source.NextEntryId(FromMillis(0x0123456789AB));
  EXPECT_EQ(first.hex().substr(0, 12), "0123456789ab");
  EntryId before = first;
  for (int i = 0; i < 60000; ++i) {
    const EntryId next = source.NextEntryId(FromMillis(0x0123456789AB));
    ASSERT_LT(before, next);
    before = next;
  }
  EXPECT_LT(before, source.NextEntryId(FromMillis(0x0123456789AC)));
}

}  // namespace
}  // namespace dirsync
