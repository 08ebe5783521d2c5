#include "proto/base/text.h"

#include <gmock/gmock.h>

namespace dirsync {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(Utf8, ValidTextIsAccepted) {
  for (std::string_view valid :
       {"", "abc", "ä", "€", "😀", "\xED\x9F\xBF", "\xEE\x80\x80", "\xF4\x8F\xBF\xBF"})
    EXPECT_TRUE(IsUtf8(valid)) << valid;
  EXPECT_TRUE(IsUtf8(std::string_view("a\0b", 3)));
}

TEST(Utf8, OverlongSurrogateHighAndCutAreRefused) {
  for (std::string_view wrong :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xE0\x80\x80", "\xE0\x9F\xBF", "\xED\xA0\x80",
        "\xED\xBF\xBF", "\xF0\x80\x80\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80", "\xFF", "\xC3", "\xE2\x82", "\xF0\x9F\x98", "a\xC3z", "\xC3\xA4\xA4"})
    EXPECT_FALSE(IsUtf8(wrong)) << Printable(wrong);
}

TEST(FoldName, BlanksAreSqueezed) {
  EXPECT_EQ(FoldName("  Mail \t  Box  "), "mail box");
  EXPECT_EQ(FoldName(" \t "), "");
  EXPECT_EQ(FoldName(""), "");
}

TEST(FoldName, LowersEachAlphabet) {
  EXPECT_EQ(FoldName("ABCXYZ[@`{"), "abcxyz[@`{");
  EXPECT_EQ(FoldName("ÀÖØÞ×ßÿŸ"), "àöøþ×ßÿÿ");
  EXPECT_EQ(FoldName("ĀĶĹŇŊŶŹŽİ"), "āķĺňŋŷźži");
  EXPECT_EQ(FoldName("ΆΈΊΌΎΏΑΡΣΫ"), "άέίόύώαρσϋ");
  EXPECT_EQ(FoldName("ЀЏАЯѠҊӀӁӍӐԮ"), "ѐџаяѡҋӏӂӎӑԯ");
}

TEST(FoldName, BothSigmasAreOne) { EXPECT_EQ(FoldName("ΟΔΟΣ"), FoldName("οδος")); }

TEST(FoldName, IsIdempotentOnEveryTwoByteCharacter) {
  for (unsigned point = 0x80; point < 0x800; ++point) {
    const std::string text = {static_cast<char>(0xC0 | point >> 6),
                              static_cast<char>(0x80 | (point & 0x3F))};
    const std::string folded = FoldName(text);
    EXPECT_TRUE(IsUtf8(folded)) << point;
    EXPECT_EQ(FoldName(folded), folded) << point;
  }
}

TEST(FoldName, BytesThatAreNotUtf8AreKept) {
  EXPECT_EQ(FoldName("A\xFF\xC3"), "a\xFF\xC3");
  EXPECT_EQ(FoldName("\xC3Z"), "\xC3z");
  EXPECT_EQ(FoldName("漢字😀"), "漢字😀");
}

TEST(Ascii, CaseIsIgnoredInAsciiOnly) {
  EXPECT_TRUE(EqualsIgnoreCase("sMtP", "SMTP"));
  EXPECT_FALSE(EqualsIgnoreCase("SMTP", "SMT"));
  EXPECT_FALSE(EqualsIgnoreCase("ä", "Ä"));
  EXPECT_FALSE(EqualsIgnoreCase("@", "`"));
  EXPECT_EQ(ToLowerAscii("ÄB"), "Äb");
  EXPECT_EQ(ToUpperAscii("äb1"), "äB1");
}

TEST(Printable, ControlsAndInvalidBytesAreEscaped) {
  EXPECT_EQ(Printable("a\x1B[2J\r\n\x7F"), "a\\x1b[2J\\x0d\\x0a\\x7f");
  EXPECT_EQ(Printable(std::string_view("\0", 1)), "\\x00");
  EXPECT_EQ(Printable("\xC2\x9B"), "\\xc2\\x9b");
  EXPECT_EQ(Printable("\xE2\x80\xAE"), "\\xe2\\x80\\xae");
  EXPECT_EQ(Printable("\xFFz"), "\\xffz");
  EXPECT_EQ(Printable("Jörg 漢"), "Jörg 漢");
}

TEST(Printable, IsCutAtWholeCharacters) {
  EXPECT_EQ(Printable("abcdef", 3), "abc…");
  EXPECT_EQ(Printable("abc", 3), "abc");
  EXPECT_EQ(Printable("aä", 2), "a…");
  EXPECT_EQ(Printable("a\n", 4), "a…");
  EXPECT_EQ(Printable("x", 0), "…");
  EXPECT_EQ(Printable("", 0), "");
}

TEST(Split, KeepsEmptyParts) {
  EXPECT_THAT(Split("", ','), ElementsAre(""));
  EXPECT_THAT(Split(",a,", ','), ElementsAre("", "a", ""));
  EXPECT_THAT(Split("ab", ','), ElementsAre("ab"));
}

TEST(Join, PutsTheSeparatorBetween) {
  const std::vector<std::string> parts = {"a", "", "b"};
  EXPECT_EQ(Join(parts, ", "), "a, , b");
  EXPECT_EQ(Join({}, ","), "");
}

TEST(TrimBlanks, DropsOnlyOuterBlanks) {
  EXPECT_EQ(TrimBlanks(" \ta b\t "), "a b");
  EXPECT_EQ(TrimBlanks(" \t"), "");
  EXPECT_EQ(TrimBlanks("\na"), "\na");
}

TEST(Nearest, TypingSlipsAreFoundBestFirst) {
  const std::vector<std::string> names = {"Display-Name", "Given-Name", "Surname", "City"};
  EXPECT_THAT(Nearest("surnam", names), ElementsAre("Surname"));
  EXPECT_THAT(Nearest("Displai-Nam", names), ElementsAre("Display-Name"));
  EXPECT_THAT(Nearest("Display", names), ElementsAre("Display-Name"));
  EXPECT_THAT(Nearest("Zzzzzz", names), IsEmpty());
  EXPECT_THAT(Nearest("", names), IsEmpty());
  EXPECT_THAT(Nearest(std::string(10000, 'a'), names), IsEmpty());
}

TEST(Nearest, AtMostThree) {
  const std::vector<std::string> names = {"aaa1", "aaa2", "aaa3", "aaa4", "aaa"};
  EXPECT_THAT(Nearest("aaa", names), SizeIs(3));
  EXPECT_EQ(Nearest("aaa", names).front(), "aaa");
}

TEST(ParseNumber, OnlyWholeNumbersThatFit) {
  EXPECT_EQ(ParseNumber("0"), 0u);
  EXPECT_EQ(ParseNumber("007"), 7u);
  EXPECT_EQ(ParseNumber("18446744073709551615"), ~0ull);
  for (std::string_view wrong : {"", " 1", "1 ", "+1", "-1", "1.0", "0x1", "18446744073709551616"})
    EXPECT_FALSE(ParseNumber(wrong)) << wrong;
}

}  // namespace
}  // namespace dirsync
