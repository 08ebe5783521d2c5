#include "proto/base/bytes.h"

#include <gtest/gtest.h>

#include "proto/base/time.h"

namespace dirsync {
namespace {

TEST(Hex, RoundTripsAllBytes) {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  EXPECT_EQ(FromHex(ToHex(all)), all);
  EXPECT_EQ(FromHex("aAfF"), "\xAA\xFF");
  EXPECT_EQ(FromHex(""), "");
}

TEST(Hex, OddLengthAndForeignDigitsAreRefused) {
  for (std::string_view wrong : {"a", "abc", "gg", "0x", " 1", "1 ", "\xC3\xA4"})
    EXPECT_FALSE(FromHex(wrong)) << wrong;
}

TEST(Row, PrimitivesRoundTrip) {
  std::string row;
  RowWriter writer(row);
  const EntryId id = *EntryId::FromHex("00112233445566778899aabbccddeeff");
  writer.U8(0xFE);
  writer.U32Big(0xDEADBEEF);
  writer.U64Big(0x0123456789ABCDEF);
  for (std::uint64_t v : {0ull, 127ull, 128ull, 300ull, ~0ull}) writer.Varint(v);
  writer.Bytes(std::string_view("a\0b", 3));
  writer.Bytes("");
  writer.Id(id);
  writer.Raw("end");
  RowReader reader(row);
  EXPECT_EQ(reader.U8(), 0xFE);
  EXPECT_EQ(reader.U32Big(), 0xDEADBEEF);
  EXPECT_EQ(reader.U64Big(), 0x0123456789ABCDEF);
  for (std::uint64_t v : {0ull, 127ull, 128ull, 300ull, ~0ull}) EXPECT_EQ(reader.Varint(), v);
  EXPECT_EQ(reader.Bytes(), std::string_view("a\0b", 3));
  EXPECT_EQ(reader.Bytes(), "");
  EXPECT_EQ(reader.Id<EntryId>(), id);
  EXPECT_EQ(reader.rest(), "end");
  EXPECT_EQ(reader.Raw(3), "end");
  EXPECT_TRUE(reader.ok());
  EXPECT_TRUE(reader.at_end());
}

TEST(Row, BigEndianKeepsTheOrderOfNumbers) {
  std::string small, large;
  RowWriter(small).U64Big(255);
  RowWriter(large).U64Big(256);
  EXPECT_LT(small, large);
}

TEST(Row, EveryCutIsSeen) {
  std::string row;
  RowWriter writer(row);
  writer.U32Big(1);
  writer.U64Big(2);
  writer.Varint(300);
  writer.Bytes("abc");
  writer.Id(EntryId{});
  for (std::size_t length = 0; length < row.size(); ++length) {
    RowReader reader(std::string_view(row).substr(0, length));
    reader.U32Big();
    reader.U64Big();
    reader.Varint();
    reader.Bytes();
    reader.Id<EntryId>();
    EXPECT_FALSE(reader.ok()) << length;
  }
}

TEST(Row, AfterAShortReadEverythingIsZero) {
  RowReader reader(
      "\x05"
      "abc");
  EXPECT_EQ(reader.Bytes(), "");
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.U8(), 0);
  EXPECT_EQ(reader.Varint(), 0u);
  EXPECT_EQ(reader.Raw(1), "");
  EXPECT_EQ(reader.Raw(0), "");
  EXPECT_TRUE(reader.Id<EntryId>().is_zero());
}

TEST(Row, LengthOfAllOnesIsRefused) {
  std::string row;
  RowWriter(row).Varint(~0ull);
  row += "abc";
  RowReader reader(row);
  EXPECT_EQ(reader.Bytes(), "");
  EXPECT_FALSE(reader.ok());
}

TEST(Row, VarintBeyondSixtyFourBitsIsRefused) {
  for (const std::string& wrong :
       {std::string(10, '\xFF'), std::string(11, '\x80'), std::string(9, '\xFF') + "\x02"}) {
    RowReader reader(wrong);
    reader.Varint();
    EXPECT_FALSE(reader.ok());
  }
}

TEST(Time, FormatsSecondsInUtc) {
  EXPECT_EQ(FormatTime(FromMillis(0)), "1970-01-01T00:00:00Z");
  EXPECT_EQ(FormatTime(FromMillis(1795378320999)), "2026-11-22T20:12:00Z");
  EXPECT_EQ(FormatTime(FromMillis(-1)), "1969-12-31T23:59:59Z");
  EXPECT_EQ(FormatTime(FromMillis(951782400000)), "2000-02-29T00:00:00Z");
  EXPECT_EQ(ToMillis(FromMillis(42)), 42);
}

}  // namespace
}  // namespace dirsync
