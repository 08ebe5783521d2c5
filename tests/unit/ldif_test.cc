#include "agent/file/ldif.h"

#include <gmock/gmock.h>

#include <random>

#include "agent/file/base64.h"
#include "proto/base/limits.h"

namespace dirsync {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

Result<std::vector<LdifRecord>> ReadText(const std::string& text, std::uint64_t offset = 0) {
  std::vector<LdifRecord> records;
  MemorySource source(text);
  DIRSYNC_CHECK(ReadLdif(source, offset, [&](LdifRecord& record) -> Result<> {
    records.push_back(record);
    return {};
  }));
  return records;
}

LdifRecord One(const std::string& text) {
  Result<std::vector<LdifRecord>> records = ReadText(text);
  if (!records || records->size() != 1) {
    ADD_FAILURE() << (records ? "not one record" : records.error().message);
    return {};
  }
  return records->front();
}

std::string ErrorOf(const std::string& text) {
  Result<std::vector<LdifRecord>> records = ReadText(text);
  if (records) return "no error";
  return std::string(InfoOf(records.error().code).text) + " " + records.error().message;
}

std::string LineOf(std::string_view name, std::string_view value) {
  std::string out;
  AppendLdifLine(out, name, value);
  return out;
}

TEST(Ldif, Records_AreReadWithLinesAndOffsets) {
  const std::string text =
      "version: 1\n# comment\n# of two\n  lines\n\ndn: cn=a,o=x\ncn: a\nmail:a@b\n\n\n"
      "DN: cn=b,o=x\r\ncn;lang-de: b\r\n";
  Result<std::vector<LdifRecord>> records = ReadText(text);
  ASSERT_TRUE(records) << records.error().message;
  ASSERT_EQ(records->size(), 2u);
  EXPECT_EQ((*records)[0].dn, "cn=a,o=x");
  EXPECT_EQ((*records)[0].line, 6u);
  EXPECT_THAT((*records)[0].values, ElementsAre(Pair("cn", "a"), Pair("mail", "a@b")));
  EXPECT_EQ((*records)[1].line, 11u);
  EXPECT_THAT((*records)[1].values, ElementsAre(Pair("cn;lang-de", "b")));
  EXPECT_EQ((*records)[1].offset, text.size());
}

TEST(Ldif, AnyRecordsOffset_ResumesBehindIt) {
  std::string text = "version: 1\n\n";
  for (int i = 0; i < 50; ++i) {
    AppendLdifLine(text, "dn", "cn=" + std::to_string(i));
    AppendLdifLine(text, "description", std::string(static_cast<std::size_t>(i) * 7, 'd'));
    text += i % 2 == 0 ? "\n" : "\r\n\n# comment\n";
  }
  const std::vector<LdifRecord> all = *ReadText(text);
  ASSERT_EQ(all.size(), 50u);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::vector<LdifRecord> rest = *ReadText(text, all[i].offset);
    ASSERT_EQ(rest.size(), all.size() - i - 1);
    if (!rest.empty()) {
      EXPECT_EQ(rest[0].dn, all[i + 1].dn);
    }
  }
}

TEST(Ldif, FoldedLines_LoseOneBlankEach) {
  EXPECT_THAT(One("dn: cn=a\ndescription: one\n  two\n three\n").values,
              ElementsAre(Pair("description", "one twothree")));
  EXPECT_EQ(One("dn:: Y249\r\n YQ==\r\ncn: a\r\n").dn, "cn=a");
}

TEST(Ldif, Values_AreTakenByteByByte) {
  EXPECT_THAT(One("dn: cn=a\na:: AP8=\nb:  x \nc:\nd::\ne: <f\ng: :h\n").values,
              ElementsAre(Pair("a", std::string("\0\xff", 2)), Pair("b", "x "), Pair("c", ""),
                          Pair("d", ""), Pair("e", "<f"), Pair("g", ":h")));
}

TEST(Ldif, ANameThatIsNotUtf8_CostsItsRecordOnly) {
  const auto records = ReadText("dn:: Y249//8=\ncn: a\n\ndn: cn=b\ncn: b\n");
  ASSERT_TRUE(records);
  ASSERT_EQ(records->size(), 2u);
  EXPECT_EQ((*records)[0].dn, "cn=\xFF\xFF");
  EXPECT_EQ((*records)[1].dn, "cn=b");
}

TEST(Ldif, WhatWouldReadOrChangeOtherThings_IsRefused) {
  EXPECT_THAT(ErrorOf("dn: cn=a\njpegPhoto:< file:///etc/passwd\n"),
              HasSubstr("INVALID read ldif: line 2:"));
  EXPECT_THAT(ErrorOf("dn: cn=a\nchangetype: delete\n"), HasSubstr("line 2: change records"));
  EXPECT_THAT(ErrorOf("dn: cn=a\nChangeType: add\ncn: a\n"), HasSubstr("line 2"));
  EXPECT_THAT(ErrorOf("dn: cn=a\ncontrol: 1.2.3 true\n"), HasSubstr("line 2"));
  EXPECT_THAT(ErrorOf("version: 2\n"), HasSubstr("version 1"));
}

TEST(Ldif, WrongLines_AreInvalid) {
  for (const char* text :
       {"cn: a\n", "dn: cn=a\n", "dn: cn=a\n\ndn: cn=b\ncn: b\n", "dn: cn=a\ncn\n", "dn: cn=a\n-\n",
        "dn: cn=a\n: x\n", "dn: cn=a\nc n: x\n", "dn: cn=a\ncn:: *\n", "dn: cn=a\ncn:: YQ\n",
        "dn: cn=a\ncn:: YR==\n", "dn: cn=a\ncn: a\ndn: cn=b\n", " x\n", "dn: cn=a\ncn:: =\n",
        "dn: cn=a\ncn:: Y===\n", "\x01: x\n"})
    EXPECT_THAT(ErrorOf(text), HasSubstr("INVALID")) << text;
}

TEST(Ldif, EveryTruncation_IsARecordLessOrAnError) {
  const std::string text = "version: 1\ndn: cn=a\ncn:: YWJj\n\ndn: cn=b\nsn: b\n c\n\n";
  for (std::size_t size = 0; size < text.size(); ++size) {
    Result<std::vector<LdifRecord>> records = ReadText(text.substr(0, size));
    if (records) {
      EXPECT_LE(records->size(), 2u);
    }
  }
}

TEST(Ldif, HugeLinesAndRecords_AreTooLarge) {
  const std::string long_line = "dn: cn=a\nx: " + std::string(limits::kLineBytes + 1, 'a') + "\n";
  EXPECT_THAT(ErrorOf(long_line), HasSubstr("TOO_LARGE"));
  std::string folded = "dn: cn=a\nx: ";
  while (folded.size() < limits::kLineBytes + limits::kMiB)
    folded += std::string(1000, 'a') + "\n ";
  EXPECT_THAT(ErrorOf(folded), HasSubstr("TOO_LARGE"));
  std::string many = "dn: cn=a\n";
  for (int i = 0; i < 70000; ++i) many += "x: y\n";
  EXPECT_THAT(ErrorOf(many), HasSubstr("TOO_LARGE"));
}

TEST(Ldif, HugeComments_CostNothing) {
  std::string text = "# c\n";
  for (int i = 0; i < 20000; ++i) text += " " + std::string(1000, 'c') + "\n";
  EXPECT_EQ(One(text + "dn: cn=a\ncn: a\n").dn, "cn=a");
}

TEST(Ldif, VisitorMayTakeTheRecord) {
  MemorySource source("dn: cn=a\ncn: a\nsn: b\n\ndn: cn=c\ncn: d\n");
  std::vector<LdifRecord> records;
  ASSERT_TRUE(ReadLdif(source, 0, [&](LdifRecord& record) -> Result<> {
    records.push_back(std::move(record));
    return {};
  }));
  ASSERT_EQ(records.size(), 2u);
  EXPECT_THAT(records[1].values, ElementsAre(Pair("cn", "d")));
}

TEST(Ldif, WrittenLines_AreRawOnlyWhenSafe) {
  EXPECT_EQ(LineOf("cn", "a"), "cn: a\n");
  EXPECT_EQ(LineOf("cn", ""), "cn:\n");
  EXPECT_EQ(LineOf("cn", " a"), "cn:: IGE=\n");
  EXPECT_EQ(LineOf("cn", "a "), "cn:: YSA=\n");
  EXPECT_EQ(LineOf("cn", ":a"), "cn:: OmE=\n");
  EXPECT_EQ(LineOf("cn", "<a"), "cn:: PGE=\n");
  EXPECT_EQ(LineOf("cn", "\xC3\xA4"), "cn:: w6Q=\n");
  EXPECT_EQ(LineOf("cn", "a\nb"), "cn:: YQpi\n");
}

TEST(Ldif, WrittenLines_FoldAt76Columns) {
  const std::string line = LineOf("description", std::string(500, 'x'));
  std::size_t begin = 0;
  while (begin < line.size()) {
    const std::size_t end = line.find('\n', begin);
    EXPECT_LE(end - begin, 76u);
    if (begin > 0) {
      EXPECT_EQ(line[begin], ' ');
    }
    begin = end + 1;
  }
}

TEST(Ldif, RandomValues_ComeBack) {
  std::mt19937_64 random(3);
  for (int i = 0; i < 3000; ++i) {
    std::string value(random() % 200, '\0');
    for (char& c : value) c = static_cast<char>(i % 3 == 0 ? random() % 256 : 0x1F + random() % 97);
    const LdifRecord record = One(LineOf("dn", "cn=a") + LineOf("x", value));
    ASSERT_THAT(record.values, ElementsAre(Pair("x", value)));
  }
}

TEST(LdapDn, Parts_AreUnescaped) {
  const std::vector<LdapRdn> parts = *ParseLdapDn("CN=A\\, B\\20,ou=\\C3\\A4\\#x, o = y ");
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].type, "CN");
  EXPECT_EQ(parts[0].value, "A, B ");
  EXPECT_EQ(parts[1].value, "\xC3\xA4#x");
  EXPECT_EQ(parts[2].type, "o");
  EXPECT_EQ(parts[2].value, "y");
  EXPECT_TRUE(ParseLdapDn("")->empty());
}

TEST(LdapDn, WrongText_IsInvalid) {
  for (const char* text :
       {"a", "=a", "cn=", "cn=a,", ",cn=a", "cn=a,,o=b", "cn=a+sn=b", "cn=\\", "cn=\\4", "cn=\\zz",
        "cn=#04", "cn=a\"b", "cn=a;o=b", "cn=a<", "c n=a", "cn=\\ff"})
    EXPECT_EQ(ParseLdapDn(text).error().code, ErrorCode::kInvalid) << text;
}

TEST(LdapDn, RandomValues_ComeBack) {
  std::mt19937_64 random(4);
  constexpr std::string_view kCharacters = "ab ,+\"\\<>;#=\x01\x7f";
  for (int i = 0; i < 5000; ++i) {
    std::vector<LdapRdn> parts(1 + random() % 3);
    for (LdapRdn& rdn : parts) {
      rdn.type = "cn";
      rdn.value.push_back(kCharacters[random() % kCharacters.size()]);
      for (std::size_t k = random() % 6; k > 0; --k)
        rdn.value.push_back(kCharacters[random() % kCharacters.size()]);
    }
    const std::string text = FormatLdapDn(parts);
    Result<std::vector<LdapRdn>> read = ParseLdapDn(text);
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(FormatLdapDn(*read), text);
    for (std::size_t k = 0; k < parts.size(); ++k) ASSERT_EQ((*read)[k].value, parts[k].value);
  }
}

}  // namespace
}  // namespace dirsync
