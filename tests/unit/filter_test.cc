#include "proto/model/filter.h"

#include <gmock/gmock.h>

#include "proto/base/limits.h"

namespace dirsync {
namespace {

using ::testing::HasSubstr;

Entry EntryOf() {
  Entry entry;
  entry.name = "Mailbox11";
  entry.usn_created = 5;
  entry.usn_changed = 1000;
  entry.attributes.Set("Display-Name", {"Jörg  Müller"});
  entry.attributes.Set("Department", {"Sales"});
  entry.attributes.Set("Employee-Number", {"0042"});
  entry.attributes.Set("Title", {"a*b(c)\\d"});
  entry.attributes.Set("Proxy-Addresses", {"EDK:Mailbox11@Site1", "SMTP:m11@site1.example"});
  entry.attributes.Set("User-Certificate", {std::string("\x00\x01"
                                                        "Ab",
                                                        4)});
  return entry;
}

bool Matches(std::string_view text) {
  const Result<Filter> filter = Filter::Parse(text);
  EXPECT_TRUE(filter) << text << ": " << (filter ? "" : filter.error().message);
  return filter && filter->Matches(EntryOf());
}

TEST(Filter, TextThatIsNoFilterIsRefused) {
  for (std::string_view wrong : {"(",
                                 ")",
                                 "()",
                                 "(&",
                                 "(&)x",
                                 "cn=a",
                                 "(cn)",
                                 "(cn=a",
                                 "(cn=a))",
                                 "(cn=a)(cn=b)",
                                 "(=a)",
                                 "(!)",
                                 "(!(cn=a)(cn=b))",
                                 "(cn>a)",
                                 "(cn<a)",
                                 "(cn~a)",
                                 "(cn>=a*)",
                                 "(cn~=*)",
                                 "(cn=a(b)",
                                 "(cn=\\)",
                                 "(cn=\\2)",
                                 "(cn=\\zz)",
                                 "(cn:=a)",
                                 "(cn:2.5.13.5:=a)",
                                 "(cn:dn:=a)",
                                 "(|(cn=a)b)",
                                 "((cn=a))",
                                 "(*=a)",
                                 "(distinguishedName=a)",
                                 "(Obj-Container=a)"}) {
    const Result<Filter> filter = Filter::Parse(wrong);
    ASSERT_FALSE(filter) << wrong;
    EXPECT_EQ(filter.error().code, ErrorCode::kInvalid) << wrong;
    EXPECT_THAT(filter.error().message, HasSubstr("byte ")) << wrong;
  }
  EXPECT_FALSE(Filter::Parse(std::string_view("(cn=a\0b)", 8)));
}

TEST(Filter, EveryCutIsRefused) {
  const std::string whole = "(&(cn=a*b*\\2a)(|(sn>=5)(!(Title=*)))(displayName~=x))";
  ASSERT_TRUE(Filter::Parse(whole));
  for (std::size_t length = 1; length < whole.size(); ++length)
    EXPECT_FALSE(Filter::Parse(whole.substr(0, length))) << length;
}

TEST(Filter, NestingAndLengthAreBounded) {
  const auto nested = [](std::size_t depth) {
    std::string text = "(cn=a)";
    for (std::size_t i = 0; i < depth; ++i) text = "(!" + text + ")";
    return text;
  };
  EXPECT_TRUE(Filter::Parse(nested(limits::kFilterDepth)));
  EXPECT_FALSE(Filter::Parse(nested(limits::kFilterDepth + 1)));
  EXPECT_FALSE(Filter::Parse(std::string(60000, '(')));
  const std::string huge = "(cn=" + std::string(limits::kFilterBytes, 'a') + ")";
  EXPECT_EQ(Filter::Parse(huge).error().code, ErrorCode::kTooLarge);
}

TEST(Filter, UnknownAttributeOrClassIsRefusedWithAHint) {
  EXPECT_THAT(Filter::Parse("(Departmant=a)").error().hint, HasSubstr("Department"));
  EXPECT_THAT(Filter::Parse("(objectClass=mailboks)").error().hint, HasSubstr("mailbox"));
}

TEST(Filter, BlankTextAndDefaultMatchEverything) {
  EXPECT_TRUE(Matches(""));
  EXPECT_TRUE(Matches("  "));
  EXPECT_TRUE(Filter::Parse(" ")->empty());
  EXPECT_FALSE(Filter::Parse("(cn=*)")->empty());
  EXPECT_TRUE(Filter().Matches(Entry{}));
}

TEST(Filter, EqualityIgnoresCaseAndBlanks) {
  EXPECT_TRUE(Matches("(displayName=jörg müller)"));
  EXPECT_TRUE(Matches("(DISPLAY-NAME=JÖRG   MÜLLER )"));
  EXPECT_TRUE(Matches("(displayName~=Jörg Müller)"));
  EXPECT_FALSE(Matches("(displayName=jorg muller)"));
  EXPECT_FALSE(Matches("(displayName=)"));
  EXPECT_FALSE(Matches("(sn=x)"));
}

TEST(Filter, AnyOfManyValuesMatches) {
  EXPECT_TRUE(Matches("(proxyAddresses=smtp:M11@site1.example)"));
  EXPECT_FALSE(Matches("(proxyAddresses=smtp:m12@site1.example)"));
}

TEST(Filter, EscapedCharactersAreLiteral) {
  EXPECT_TRUE(Matches("(title=a\\2ab\\28c\\29\\5cd)"));
  EXPECT_TRUE(Matches("(title=a\\2A*)"));
  EXPECT_FALSE(Matches("(title=a\\2ab)"));
  EXPECT_TRUE(Matches("(displayName=J\\c3\\b6rg M\\C3\\BCller)"));
}

TEST(Filter, SubstringsMatchInOrderWithoutOverlap) {
  EXPECT_TRUE(Matches("(cn=Mail*)"));
  EXPECT_TRUE(Matches("(cn=*11)"));
  EXPECT_TRUE(Matches("(cn=*box*)"));
  EXPECT_TRUE(Matches("(cn=m*l*o*1)"));
  EXPECT_TRUE(Matches("(cn=**box**)"));
  EXPECT_FALSE(Matches("(cn=*o*b*)"));
  EXPECT_FALSE(Matches("(cn=mailbox1*11)"));
  EXPECT_FALSE(Matches("(cn=*x*x*)"));
  EXPECT_FALSE(Matches("(cn=ailbox*)"));
}

TEST(Filter, PresenceTestsTheAttributeOnly) {
  EXPECT_TRUE(Matches("(Department=*)"));
  EXPECT_TRUE(Matches("(cn=*)"));
  EXPECT_TRUE(Matches("(objectClass=*)"));
  EXPECT_FALSE(Matches("(sn=*)"));
  EXPECT_TRUE(Matches("(!(sn=*))"));
}

TEST(Filter, OrderIsNumericIfBothAreNumbers) {
  EXPECT_TRUE(Matches("(employeeNumber>=9)"));
  EXPECT_TRUE(Matches("(employeeNumber<=100)"));
  EXPECT_TRUE(Matches("(employeeNumber>=42)"));
  EXPECT_FALSE(Matches("(employeeNumber<=41)"));
  EXPECT_TRUE(Matches("(employeeNumber<=a)"));
  EXPECT_TRUE(Matches("(department>=sALES)"));
  EXPECT_FALSE(Matches("(department<=SALER)"));
  EXPECT_TRUE(Matches("(uSNChanged>=1000)"));
  EXPECT_FALSE(Matches("(USN-Created>=6)"));
}

TEST(Filter, ClassIsKnownUnderOldAndNewNames) {
  EXPECT_TRUE(Matches("(Obj-Class=Mailbox)"));
  EXPECT_TRUE(Matches("(objectclass=MAILBOX)"));
  EXPECT_FALSE(Matches("(objectClass=Remote-Address)"));
  EXPECT_TRUE(Matches("(!(objectClass=dl))"));
  EXPECT_TRUE(Matches("(objectClass=mail*)"));
}

TEST(Filter, BinaryValuesAreComparedByteByByte) {
  EXPECT_TRUE(Matches("(userCertificate=\\00\\01Ab)"));
  EXPECT_TRUE(Matches("(userCertificate;binary=\\00*b)"));
  EXPECT_FALSE(Matches("(userCertificate=\\00\\01ab)"));
}

TEST(Filter, JunctionsWorkWithBlanksAndWithoutTerms) {
  EXPECT_TRUE(Matches("(&)"));
  EXPECT_FALSE(Matches("(|)"));
  EXPECT_TRUE(Matches(" ( & (cn=Mailbox11) (| (sn=x) (department=sales) ) ) "));
  EXPECT_FALSE(Matches("(&(cn=Mailbox11)(sn=x))"));
  EXPECT_TRUE(Matches("(!(!(cn=Mailbox11)))"));
}

TEST(Filter, CopiesShareTheTree) {
  Filter copy;
  {
    const Result<Filter> filter = Filter::Parse("(cn=Mailbox11)");
    copy = *filter;
  }
  EXPECT_TRUE(copy.Matches(EntryOf()));
}

}  // namespace
}  // namespace dirsync
