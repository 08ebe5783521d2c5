#include "agent/file/foreign_file.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "proto/base/limits.h"

namespace dirsync {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Outcome {
  std::vector<ForeignRecord> records;
  std::vector<ForeignError> errors;
  Result<> status;
};

Outcome ReadText(const std::string& text) {
  Outcome outcome;
  MemorySource source(text);
  ForeignVisitor visitor;
  visitor.record = [&](ForeignRecord& record) -> Result<> {
    outcome.records.push_back(std::move(record));
    return {};
  };
  visitor.error = [&](const ForeignError& error) -> Result<> {
    outcome.errors.push_back(error);
    return {};
  };
  outcome.status = ReadForeignFile(source, visitor);
  return outcome;
}

// The only record of `text`, which must be good.
ForeignRecord One(const std::string& text) {
  Outcome outcome = ReadText(text);
  for (const ForeignError& error : outcome.errors) ADD_FAILURE() << error.reason;
  EXPECT_EQ(outcome.records.size(), 1u);
  return outcome.records.empty() ? ForeignRecord{} : outcome.records[0];
}

// Why the only record of `text` is refused.
std::string ReasonOf(const std::string& text) {
  Outcome outcome = ReadText(text);
  EXPECT_THAT(outcome.records, IsEmpty()) << text;
  return outcome.errors.size() == 1 ? outcome.errors[0].reason : "not one error";
}

std::vector<std::string> Values(const ForeignRecord& record, std::string_view name) {
  for (const AttributeChange& attribute : record.attributes)
    if (attribute.name == name) return attribute.values;
  return {"absent"};
}

std::string FileText(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  EXPECT_TRUE(stream) << path;
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

constexpr const char* kWorkedSample =
    "# Testorg, Site1 to Site2, incremental, written by INSTANCE1\r\n\r\n"
    "A /o=Testorg/ou=Site1/cn=Recipients/cn=Mailbox14\r\n"
    "- Display-Name:Mailbox Fourteen\r\n"
    "- Given-Name:Mail\r\n"
    "- Target-Address:EDK:Mailbox14@Site1.Testorg.com\r\n"
    "- Proxy-Addresses[0]:EDK:Mailbox14@Site1.Testorg.com\r\n"
    "- Proxy-Addresses[1]:SMTP:m14@site1.testorg.example\r\n\r\n"
    "M /o=Testorg/ou=Site1/cn=Recipients/cn=Mailbox12\r\n"
    "- Display-Name:Mailbox Twelve (renamed)\r\n"
    "- Telephone-Office:\r\n\r\n"
    "D /o=Testorg/ou=Site1/cn=Recipients/cn=Mailbox11\r\n";

TEST(ForeignFile, WorkedSampleOfTheOldFormat_IsRead) {
  Outcome outcome = ReadText(kWorkedSample);
  ASSERT_TRUE(outcome.status);
  ASSERT_EQ(outcome.records.size(), 3u);
  EXPECT_EQ(outcome.records[0].kind, ChangeKind::kAdd);
  EXPECT_EQ(outcome.records[0].dn, "/o=Testorg/ou=Site1/cn=Recipients/cn=Mailbox14");
  EXPECT_EQ(outcome.records[0].line, 3u);
  EXPECT_EQ(Values(outcome.records[0], "Proxy-Addresses").size(), 2u);
  EXPECT_EQ(outcome.records[1].kind, ChangeKind::kModify);
  EXPECT_EQ(outcome.records[2].kind, ChangeKind::kDelete);
  EXPECT_THAT(outcome.errors, IsEmpty());
}

TEST(ForeignFile, EveryTruncation_IsReadWithoutHarm) {
  const std::string text = kWorkedSample;
  for (std::size_t size = 0; size <= text.size(); ++size) {
    Outcome outcome = ReadText(text.substr(0, size));
    EXPECT_TRUE(outcome.status);
    EXPECT_LE(outcome.records.size() + outcome.errors.size(), 3u);
  }
}

TEST(ForeignFile, OldReadersFreedoms_AreTaken) {
  EXPECT_EQ(One("a Mailbox1\n-Title:x").kind, ChangeKind::kAdd);
  EXPECT_EQ(One("  m\tMailbox1\n").dn, "Mailbox1");
  EXPECT_EQ(One("D/o=x/cn=y\n").dn, "/o=x/cn=y");
  EXPECT_THAT(Values(One("A X\n - \tTitle \t:  kept blanks \n"), "Title"),
              ElementsAre("  kept blanks "));
  EXPECT_THAT(Values(One("A X\n-Proxy-Addresses [ 7 ] :SMTP:a@b\n- proxyaddresses:X:c\n"),
                     "Proxy-Addresses"),
              ElementsAre("SMTP:a@b", "X:c"));
  EXPECT_THAT(Values(One("A X\n\n# comment\n#! comment\n- Title:a:b\n"), "Title"),
              ElementsAre("a:b"));
  EXPECT_THAT(One("A X\n").attributes, IsEmpty());
  EXPECT_EQ(One("\xEF\xBB\xBF"
                "A X\n")
                .dn,
            "X");
}

TEST(ForeignFile, DigitsInNames_AreRead) {
  EXPECT_THAT(Values(One("A X\n- Extension-Attribute-1:x\n"), "Extension-Attribute-1"),
              ElementsAre("x"));
}

TEST(ForeignFile, QuotesAndHex_AreUndone) {
  EXPECT_THAT(Values(One("A X\n- Title:\" two blanks  \"\n"), "Title"),
              ElementsAre(" two blanks  "));
  EXPECT_THAT(Values(One("A X\n- Title:\"half\n"), "Title"), ElementsAre("\"half"));
  EXPECT_THAT(Values(One("A X\n- Title:\\x4A4b\n"), "Title"), ElementsAre("JK"));
  EXPECT_THAT(Values(One("A X\n- Title:\\x610d0A62\n"), "Title"), ElementsAre("a\r\nb"));
  EXPECT_THAT(Values(One("A X\n- Thumbnail-Photo:00ff\n"), "Thumbnail-Photo"),
              ElementsAre(std::string("\0\xff", 2)));
  EXPECT_THAT(ReasonOf("A X\n- Title:\\x4\n"), HasSubstr("hex"));
  EXPECT_THAT(ReasonOf("A X\n- Title:\\x00\n"), HasSubstr("control"));
  EXPECT_THAT(ReasonOf("A X\n- Title:\\xff\n"), HasSubstr("UTF-8"));
  EXPECT_THAT(ReasonOf("A X\n- Thumbnail-Photo:photo\n"), HasSubstr("binary"));
}

TEST(ForeignFile, LineEndsConvertedTwice_AreFaults) {
  EXPECT_THAT(ReasonOf("A X\n- Title:a\r\r\n"), HasSubstr("carriage return"));
  EXPECT_THAT(ReasonOf("A X\n- Title:\"a\rb\"\n"), HasSubstr("carriage return"));
  EXPECT_THAT(Values(One("A X\n- Title:a\r\n"), "Title"), ElementsAre("a"));
}

TEST(ForeignFile, EmptyValue_Clears) {
  for (const char* text : {"M X\n- Title:\n", "M X\n- Title:\"\"\n", "M X\n- Title:\\x\n"})
    EXPECT_THAT(Values(One(text), "Title"), IsEmpty());
}

TEST(ForeignFile, SingleValues_AreAddedAndRemoved) {
  const ForeignRecord record =
      One("M X\n- Proxy-Addresses[-]:SMTP:a@b\n- Proxy-Addresses[+]:SMTP:c@d\n");
  ASSERT_EQ(record.attributes.size(), 2u);
  EXPECT_EQ(record.attributes[0].operation, AttributeOperation::kAdd);
  EXPECT_EQ(record.attributes[1].operation, AttributeOperation::kRemove);
  EXPECT_THAT(ReasonOf("M X\n- Proxy-Addresses[+]:\n"), HasSubstr("nothing"));
  EXPECT_THAT(ReasonOf("M X\n- Proxy-Addresses:X:a\n- Proxy-Addresses[+]:X:b\n"),
              HasSubstr("both"));
}

TEST(ForeignFile, Attributes_AscendUnderCanonicalNames) {
  const ForeignRecord record = One("A X\n- sn:S\n- GIVEN-NAME:G\n- displayName:D\n");
  ASSERT_EQ(record.attributes.size(), 3u);
  EXPECT_EQ(record.attributes[0].name, "Display-Name");
  EXPECT_EQ(record.attributes[2].name, "Surname");
}

TEST(ForeignFile, OldCodePage_BecomesUtf8) {
  EXPECT_EQ(One("A J\xFCrgen\n").dn, "J\xC3\xBCrgen");
  EXPECT_EQ(One("A J\xC3\xBCrgen\n").dn, "J\xC3\xBCrgen");
  EXPECT_THAT(Values(One("A X\n- Title:\x80 \x92\xA0\n"), "Title"),
              ElementsAre("\xE2\x82\xAC \xE2\x80\x99\xC2\xA0"));
  EXPECT_THAT(ReasonOf("A X\n- Title:\x81\n"), HasSubstr("control"));
}

TEST(ForeignFile, CommonNameAndClass_HaveTheirRules) {
  EXPECT_THAT(One("A /cn=R/cn=Mailbox1\n- Common-Name:mailbox1\n").attributes, IsEmpty());
  EXPECT_THAT(ReasonOf("A Mailbox1\n- Common-Name:Mailbox2\n"), HasSubstr("Common-Name"));
  EXPECT_EQ(One("A X\n- obj-class:Remote\n").entry_class, "Remote");
  EXPECT_THAT(ReasonOf("A X\n- Obj-Class:Printer\n"), HasSubstr("Printer"));
}

TEST(ForeignFile, BadLines_DropTheRecordWithLineAndReason) {
  EXPECT_THAT(ReasonOf("A X\n- Dislpay-Name:x\n"), HasSubstr("Display-Name"));
  for (const char* text :
       {"A\n", "A /\n", "A //\n", "A x\x01y\n", "A X\n- \n", "A X\n- Title\n",
        "A X\n- Title[x]:y\n", "A X\n- Title[1:y\n", "A X\nwhat\n", "- Title:x\n", "what\n",
        "A X\n- Title:a\x1b[2J\n", "A X\n- Title:a\n- Title:b\n", "A X\n- Target-Address:nowhere\n",
        "A X\n- Hide-From-AB:yes\n", "A X\n- Member:someone\n", "Administrator\n",
        "A X\n- Title:\x7f\n"}) {
    Outcome outcome = ReadText(text);
    EXPECT_THAT(outcome.records, IsEmpty()) << text;
    EXPECT_EQ(outcome.errors.size(), 1u) << text;
  }
}

TEST(ForeignFile, AfterABadRecord_TheNextIsRead) {
  Outcome outcome = ReadText("A One\n- Nothing-Known:x\n- Title:y\nrubbish\n\nA Two\n- Title:z\n");
  ASSERT_EQ(outcome.errors.size(), 1u);
  EXPECT_EQ(outcome.errors[0].line, 2u);
  EXPECT_EQ(outcome.errors[0].text, "A One\n- Nothing-Known:x\n- Title:y\nrubbish\n");
  ASSERT_EQ(outcome.records.size(), 1u);
  EXPECT_EQ(outcome.records[0].dn, "Two");
  EXPECT_EQ(outcome.records[0].text, "A Two\n- Title:z\n");
}

TEST(ForeignFile, ABadRecordSaysWhoseItIs_AsFarAsItWasRead) {
  const Outcome outcome = ReadText(
      "- Title:of nobody\nA One\n- Tilte:x\nM Two\n- Title\nD Three\n- Title\nA\nA Four\n"
      "Add Five\nA Six\n- Tilte:x\nB Seven\nA Eight\n");
  std::vector<std::string> names;
  std::vector<ChangeKind> kinds;
  std::vector<bool> hiding;
  for (const ForeignError& error : outcome.errors) {
    names.push_back(error.dn);
    kinds.push_back(error.kind);
    hiding.push_back(error.may_hide_another);
  }
  EXPECT_THAT(names, ElementsAre("", "One", "Two", "Three", "", "Four", "Six"));
  using enum ChangeKind;
  EXPECT_THAT(kinds, ElementsAre(kAdd, kAdd, kModify, kDelete, kAdd, kAdd, kAdd));
  // What begins no record is of the one before, as far as anybody knows.
  EXPECT_THAT(hiding, ElementsAre(false, false, false, false, false, true, true));
  ASSERT_EQ(outcome.records.size(), 1u);
  EXPECT_EQ(outcome.records[0].dn, "Eight");
}

TEST(ForeignFile, PoisonAmongThousands_IsCountedExactly) {
  std::string text;
  for (int i = 0; i < 10000; ++i) {
    text +=
        "A Mailbox" + std::to_string(i) + "\r\n- Display-Name:Number " + std::to_string(i) + "\r\n";
    if (i % 100 == 50) text += "- Display-Name:\x02\r\n";
  }
  Outcome outcome = ReadText(text);
  EXPECT_EQ(outcome.records.size(), 9900u);
  EXPECT_EQ(outcome.errors.size(), 100u);
}

TEST(ForeignFile, HugeThings_AreBounded) {
  Outcome line = ReadText("A X\n- Title:" + std::string(limits::kLineBytes, 'a') + "\nA Y\n");
  EXPECT_EQ(line.status.error().code, ErrorCode::kTooLarge);
  EXPECT_THAT(line.records, IsEmpty());
  EXPECT_THAT(ReasonOf("A X\n- Title:" + std::string(limits::kValueBytes + 1, 'a') + "\n"),
              HasSubstr("too long"));
  std::string values = "A X\n";
  for (int i = 0; i < 5000; ++i) values += "- Proxy-Addresses[0]:X:" + std::to_string(i) + "\n";
  EXPECT_THAT(ReasonOf(values), HasSubstr("too many"));
  std::string junk = "A X\n";
  while (junk.size() < 8 * limits::kMiB) junk += "- Nonsense:" + std::string(1000, 'n') + "\n";
  Outcome outcome = ReadText(junk);
  ASSERT_EQ(outcome.errors.size(), 1u);
  EXPECT_LE(outcome.errors[0].text.size(), 4 * limits::kMiB);
}

TEST(ForeignFile, VisitorsError_EndsTheReading) {
  MemorySource source("A X\nA Y\n");
  int seen = 0;
  ForeignVisitor visitor;
  visitor.record = [&](ForeignRecord&) -> Result<> {
    ++seen;
    return Fail(ErrorCode::kInterrupted, "stop");
  };
  EXPECT_EQ(ReadForeignFile(source, visitor).error().code, ErrorCode::kInterrupted);
  EXPECT_EQ(seen, 1);
}

TEST(ForeignFile, TheDocumentsAwk_IsTheTestedOne) {
  const std::string root = DIRSYNC_SOURCE_DIR;
  const std::string page = FileText(root + "/agent/file/FORMAT.md");
  EXPECT_THAT(page, HasSubstr("```awk\n" + FileText(root + "/tests/scenario/foreign.awk") + "```"));
}

TEST(ForeignFile, TheDocumentsAwk_MakesAValidFile) {
  const std::string root = DIRSYNC_SOURCE_DIR;
  const std::string command =
      "printf '%s\\r\\n' '# people' 'anna;Anna Schmidt;anna@host.example' "
      "'Sales/North;North;north@host.example' 'b\\s;;' | awk -f '" +
      root + "/tests/scenario/foreign.awk'";
  FILE* pipe = ::popen(command.c_str(), "r");
  ASSERT_NE(pipe, nullptr);
  std::string text;
  for (int c; (c = std::fgetc(pipe)) != EOF;) text.push_back(static_cast<char>(c));
  ASSERT_EQ(::pclose(pipe), 0);
  Outcome outcome = ReadText(text);
  EXPECT_THAT(outcome.errors, IsEmpty());
  ASSERT_EQ(outcome.records.size(), 3u) << text;
  EXPECT_EQ(outcome.records[0].dn, "anna");
  EXPECT_THAT(Values(outcome.records[0], "Target-Address"), ElementsAre("SMTP:anna@host.example"));
  EXPECT_EQ(outcome.records[1].dn, "Sales\\/North");
  EXPECT_EQ(outcome.records[2].dn, "b\\\\s");
}

}  // namespace
}  // namespace dirsync
