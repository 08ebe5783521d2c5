#include "proto/base/ids.h"

#include <gtest/gtest.h>

#include <limits>

namespace dirsync {
namespace {

TEST(FixedId, WrongLengthIsRefused) {
  EXPECT_FALSE(EntryId::FromBytes(""));
  EXPECT_FALSE(EntryId::FromBytes(std::string(15, 'a')));
  EXPECT_FALSE(EntryId::FromBytes(std::string(17, 'a')));
  EXPECT_FALSE(EntryId::FromHex(std::string(31, 'a')));
  EXPECT_FALSE(EntryId::FromHex(std::string(33, 'a')));
  EXPECT_FALSE(EntryId::FromHex(std::string(34, 'a')));
  EXPECT_FALSE(EntryId::FromHex(std::string(31, 'a') + "g"));
}

TEST(FixedId, HexAndBytesRoundTrip) {
  const std::string hex = "00112233445566778899aabbccddeeff";
  const std::optional<EntryId> id = EntryId::FromHex(hex);
  ASSERT_TRUE(id);
  EXPECT_EQ(id->hex(), hex);
  EXPECT_EQ(EntryId::FromHex("00112233445566778899AABBCCDDEEFF"), id);
  EXPECT_EQ(EntryId::FromBytes(id->view()), id);
  EXPECT_FALSE(id->is_zero());
  EXPECT_TRUE(EntryId{}.is_zero());
}

TEST(FixedId, OrderIsByBytes) {
  EXPECT_LT(*EntryId::FromHex("7f000000000000000000000000000000"),
            *EntryId::FromHex("80000000000000000000000000000000"));
}

TEST(Epoch, TextRoundTripsAndWrongTextIsRefused) {
  const Epoch epoch{7, *EpochId::FromHex("00112233445566778899aabbccddeeff")};
  EXPECT_EQ(epoch.ToString(), "7.00112233445566778899aabbccddeeff");
  EXPECT_EQ(Epoch::Parse(epoch.ToString()), epoch);
  for (std::string_view wrong :
       {"", ".", "7", "7.", ".00112233445566778899aabbccddeeff",
        "-7.00112233445566778899aabbccddeeff", "7.00112233445566778899aabbccddee",
        "18446744073709551616.00112233445566778899aabbccddeeff",
        "7 .00112233445566778899aabbccddeeff", "7.00112233445566778899aabbccddeeff "})
    EXPECT_FALSE(Epoch::Parse(wrong)) << wrong;
}

TEST(Version, EpochCounterGoesBeforeSequence) {
  EXPECT_LT((Version{1, 100}), (Version{2, 1}));
  EXPECT_LT((Version{2, 1}), (Version{2, 2}));
}

TEST(StreamName, SpecialCharactersAreEscapedAndComeBack) {
  EXPECT_EQ((StreamName{"Testorg", "Site1", "INSTANCE1"}).ToString(), "Testorg/Site1/INSTANCE1");
  const StreamName odd{"A/B", "50 %", "tab\tö\x7F"};
  EXPECT_EQ(odd.ToString(), "A%2fB/50%20%25/tab%09ö%7f");
  EXPECT_EQ(StreamName::Parse(odd.ToString()), odd);
  EXPECT_EQ(StreamName::Parse("A%2FB/50%20%25/tab%09ö%7F"), odd);
}

TEST(StreamName, DistinctNamesHaveDistinctTexts) {
  EXPECT_NE((StreamName{"a", "b/c", "d"}).ToString(), (StreamName{"a/b", "c", "d"}).ToString());
  EXPECT_NE((StreamName{"a%2f", "b", "c"}).ToString(), (StreamName{"a/", "b", "c"}).ToString());
}

TEST(StreamName, WrongTextIsRefused) {
  for (std::string_view wrong :
       {"", "a", "a/b", "a/b/c/d", "a//c", "/b/c", "a/b/", "a/b/%", "a/b/%4", "a/b/%zz", "a/b/c%"})
    EXPECT_FALSE(StreamName::Parse(wrong)) << wrong;
  EXPECT_FALSE(StreamName::Parse("a/b/" + std::string(257, 'c')));
}

TEST(RowSum, AdditionCarriesWrapsAndIsUndone) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  RowSum sum{0, kMax};
  sum.Add({0, 1});
  EXPECT_EQ(sum, (RowSum{1, 0}));
  sum.Subtract({0, 1});
  EXPECT_EQ(sum, (RowSum{0, kMax}));
  RowSum full{kMax, kMax};
  full.Add({0, 1});
  EXPECT_EQ(full, RowSum{});
  full.Subtract({0, 1});
  EXPECT_EQ(full, (RowSum{kMax, kMax}));
}

TEST(RowSum, OrderOfRowsDoesNotMatter) {
  const RowSum a{3, ~0ull}, b{~0ull, 5}, c{17, 1};
  RowSum one, other;
  for (const RowSum& row : {a, b, c}) one.Add(row);
  for (const RowSum& row : {c, a, b}) other.Add(row);
  EXPECT_EQ(one, other);
  one.Subtract(b);
  other = a;
  other.Add(c);
  EXPECT_EQ(one, other);
}

TEST(RowSum, HexRoundTripsAndWrongHexIsRefused) {
  const RowSum sum{0x0123456789abcdef, 0xfedcba9876543210};
  EXPECT_EQ(sum.hex(), "0123456789abcdeffedcba9876543210");
  EXPECT_EQ(RowSum::FromHex(sum.hex()), sum);
  EXPECT_FALSE(RowSum::FromHex(""));
  EXPECT_FALSE(RowSum::FromHex("0123456789abcdeffedcba987654321"));
  EXPECT_FALSE(RowSum::FromHex("0123456789abcdeffedcba98765432100"));
  EXPECT_FALSE(RowSum::FromHex("0123456789abcdeffedcba9876543210aa"));
  EXPECT_FALSE(RowSum::FromHex("x123456789abcdeffedcba9876543210"));
}

}  // namespace
}  // namespace dirsync
