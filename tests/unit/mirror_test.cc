#include "agent/core/mirror.h"

#include <gtest/gtest.h>

#include "tests/unit/reader_world.h"

namespace dirsync {
namespace {

MirrorRow Sample() {
  MirrorRow row;
  row.version = {3, 70000};
  row.time = FromMillis(1'700'000'000'123);
  row.status = MirrorStatus::kKept;
  row.joined = JoinedBy::kName;
  row.renamed = true;
  row.absent = true;
  row.local = IdOf(5);
  row.told = StateOf(FilledId<HashKey>(1), Person(7, "Anna"));
  row.told.attributes.push_back({"X-Badge-No", 77});
  row.stale = {"City", "Title"};
  return row;
}

bool Same(const MirrorRow& a, const MirrorRow& b) { return EncodeMirror(a) == EncodeMirror(b); }

TEST(Mirror_ReadsWhatItWrote, AllFields) {
  Result<MirrorRow> row = DecodeMirror(EncodeMirror(Sample()));
  ASSERT_TRUE(row.has_value());
  EXPECT_TRUE(Same(*row, Sample()));
  EXPECT_EQ(row->told, Sample().told);
  EXPECT_EQ(row->version, Sample().version);
  EXPECT_EQ(row->status, MirrorStatus::kKept);
  EXPECT_TRUE(row->absent && row->renamed);
}

// Rows of before sites chose what they take are those of now that keep nothing out.
TEST(Mirror_ReadsWhatItWrote, WithoutKeptOutNamesInItsFirstVersion) {
  const std::string row = EncodeMirror(Sample());
  EXPECT_EQ(row[0], 1);
  MirrorRow memory = Sample();
  memory.kept_out = {"City"};
  ASSERT_TRUE(DecodeMirrorInto(row, memory).has_value());
  EXPECT_TRUE(memory.kept_out.empty());
}

TEST(Mirror_ReadsWhatItWrote, KeptOutNames) {
  MirrorRow keeping = Sample();
  keeping.kept_out = {"Title", "X-Badge-No"};
  const std::string row = EncodeMirror(keeping);
  EXPECT_EQ(row[0], 2);
  EXPECT_EQ(DecodeMirror(row).value().kept_out, keeping.kept_out);
  for (std::size_t size = 0; size < row.size(); ++size)
    ExpectError(DecodeMirror(std::string_view(row).substr(0, size)), ErrorCode::kCorrupt);
  ExpectError(DecodeMirror(row + "x"), ErrorCode::kCorrupt);
}

TEST(Mirror_RefusesDamage, CutAtEveryByteOrLonger) {
  const std::string whole = EncodeMirror(Sample());
  for (std::size_t size = 0; size < whole.size(); ++size)
    ExpectError(DecodeMirror(std::string_view(whole).substr(0, size)), ErrorCode::kCorrupt);
  ExpectError(DecodeMirror(whole + "x"), ErrorCode::kCorrupt);
}

TEST(Mirror_RefusesDamage, FieldsOutOfRange) {
  for (std::size_t at : {0, 1, 2, 3, 4}) {
    std::string row = EncodeMirror(Sample());
    row[at] = 99;
    ExpectError(DecodeMirror(row), ErrorCode::kCorrupt);
  }
}

TEST(Mirror_RefusesDamage, HugeCountAsksNoMemory) {
  MirrorRow row = Sample();
  row.told.attributes.clear();
  std::string bytes = EncodeMirror(row);
  bytes.resize(bytes.size() - 1 - 1 - 5 - 6);  // stale: a count and two names
  bytes.pop_back();
  bytes += std::string("\xff\xff\xff\xff\xff\xff\xff\xff\x01", 9);
  ExpectError(DecodeMirror(bytes), ErrorCode::kCorrupt);
}

TEST(Mirror_ReusesMemory, FewerAndMoreAttributes) {
  MirrorRow row = Sample();
  MirrorRow few = Sample();
  few.told.attributes.resize(1);
  EXPECT_OK(DecodeMirrorInto(EncodeMirror(few), row));
  EXPECT_EQ(row.told, few.told);
  EXPECT_OK(DecodeMirrorInto(EncodeMirror(Sample()), row));
  EXPECT_EQ(row.told, Sample().told);
}

TEST(LocalId_IsOfSiteAndId, NeverOfTheirConcatenation) {
  EXPECT_EQ(LocalIdOf("Site1", IdOf(1)), LocalIdOf("Site1", IdOf(1)));
  EXPECT_NE(LocalIdOf("Site1", IdOf(1)), LocalIdOf("Site1", IdOf(2)));
  EXPECT_NE(LocalIdOf("Site1", IdOf(1)), LocalIdOf("Site2", IdOf(1)));
  EXPECT_NE(LocalIdOf("Site1", IdOf(1)), IdOf(1));
}

}  // namespace
}  // namespace dirsync
