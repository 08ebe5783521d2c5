#include "agent/file/value_text.h"

#include <gmock/gmock.h>

#include <random>

namespace dirsync {
namespace {

std::string TextOf(std::string_view value) {
  std::string text;
  AppendValueText(text, value);
  return text;
}

TEST(ValueText, PlainText_StandsRaw) {
  for (const char* value : {"Mailbox Eleven", "a", "ä€𝄞", "x\\x41", "say \"hi\"", "- a:b", "#! x",
                            "12345678", "12345678ä", "\\y"})
    EXPECT_EQ(TextOf(value), value);
}

TEST(ValueText, WhatCouldBreakALine_IsHex) {
  EXPECT_EQ(TextOf("a\nb"), "\\x610a62");
  EXPECT_EQ(TextOf("a\r"), "\\x610d");
  EXPECT_EQ(TextOf(" a"), "\\x2061");
  EXPECT_EQ(TextOf("a "), "\\x6120");
  EXPECT_EQ(TextOf("\"a\""), "\\x226122");
  EXPECT_EQ(TextOf("\\x41"), "\\x5c783431");
  EXPECT_EQ(TextOf("\x7f"), "\\x7f");
  EXPECT_EQ(TextOf("abcdefg\x7f"), "\\x616263646566677f");
  EXPECT_EQ(TextOf("\t"), "\\x09");
  EXPECT_EQ(TextOf("\xC2\x85"), "\\xc285");
  EXPECT_EQ(TextOf("\xff"), "\\xff");
  EXPECT_EQ(TextOf(std::string_view("\0", 1)), "\\x00");
}

TEST(ValueText, TheEmptyValue_IsAMarkWithoutDigits) {
  EXPECT_EQ(TextOf(""), "\\x");
  std::string value = "old";
  EXPECT_TRUE(ParseValueText("\\x", value));
  EXPECT_EQ(value, "");
  EXPECT_FALSE(ParseValueText("", value));
}

TEST(ValueText, OnlyWhatIsWritten_IsRead) {
  std::string value;
  for (const char* text : {"\\x4", "\\x4A", "\\xzz", "\\x41 ", " a", "a ", "\"a\"", "a\tb", "\xff",
                           "\xC2\x9b", "a\x7f"})
    EXPECT_FALSE(ParseValueText(text, value)) << text;
}

TEST(ValueText, EveryByteAtEveryPlace_ComesBack) {
  std::string value;
  for (int byte = 0; byte < 256; ++byte)
    for (std::size_t at = 0; at < 20; ++at) {
      std::string text(20, 'a');
      text[at] = static_cast<char>(byte);
      const std::string written = TextOf(text);
      EXPECT_EQ(written.find_first_of("\r\n"), std::string::npos);
      ASSERT_TRUE(ParseValueText(written, value));
      EXPECT_EQ(value, text);
    }
}

TEST(ValueText, RandomBytes_ComeBack) {
  std::mt19937_64 random(1);
  std::string value;
  for (int i = 0; i < 20000; ++i) {
    std::string bytes(random() % 40, '\0');
    for (char& c : bytes) c = static_cast<char>(random() % (i % 2 == 0 ? 256 : 0xC4));
    ASSERT_TRUE(ParseValueText(TextOf(bytes), value));
    ASSERT_EQ(value, bytes);
  }
}

TEST(ValueText, HexIds_AreExactlyLowerCase) {
  EntryId id;
  EXPECT_TRUE(ParseLowerHex("00112233445566778899aabbccddeeff", id));
  EXPECT_EQ(id.hex(), "00112233445566778899aabbccddeeff");
  EXPECT_FALSE(ParseLowerHex("00112233445566778899aabbccddeefF", id));
  EXPECT_FALSE(ParseLowerHex("00112233445566778899aabbccddeef", id));
  EXPECT_FALSE(ParseLowerHex("00112233445566778899aabbccddeeff0", id));
}

TEST(ValueText, MemoryOfOneHugeValue_IsNotKept) {
  std::string slot;
  AssignText(slot, std::string(1 << 20, 'a'));
  AssignText(slot, "small");
  EXPECT_LT(slot.capacity(), 2048u);
  EXPECT_EQ(slot, "small");
}

}  // namespace
}  // namespace dirsync
