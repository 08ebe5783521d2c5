#include "proto/model/dn.h"

#include <gmock/gmock.h>

#include "proto/base/limits.h"

namespace dirsync {
namespace {

using ::testing::HasSubstr;

Dn DnOf(std::string_view text) {
  Result<Dn> dn = ParseDn(text);
  EXPECT_TRUE(dn) << text;
  return dn ? *dn : Dn{};
}

TEST(ParseDn, TextThatIsNoDnIsRefused) {
  for (std::string_view wrong :
       {"", "o=Testorg", "//", "/o", "/o=", "/o=/ou=a", "/=a", "/o=a/", "/o=a//ou=b", "/o=a/b",
        "/o a=b", "/o=a\nb", "/o=a\x7F", "/o=a\xC2\x9B", "/o=\xFF", "/o=a/cn=\xC3", " /o=a"}) {
    Result<Dn> dn = ParseDn(wrong);
    ASSERT_FALSE(dn) << wrong;
    EXPECT_EQ(dn.error().code, ErrorCode::kInvalid);
  }
  EXPECT_FALSE(ParseDn(std::string_view("/o=a\0b", 6)));
}

TEST(ParseDn, ErrorNamesTheByte) {
  EXPECT_THAT(ParseDn("/o=a/Site1").error().message, HasSubstr("byte 6: a part without"));
  EXPECT_THAT(ParseDn("/o=a/ou=").error().message, HasSubstr("byte 9"));
  EXPECT_THAT(ParseDn("/o=\x1B[2J").error().message, HasSubstr("\\x1b[2J"));
}

TEST(ParseDn, LongValuesAndDeepNamesAreRefused) {
  const std::string longest(limits::kNameBytes, 'a');
  EXPECT_TRUE(ParseDn("/o=" + longest));
  EXPECT_FALSE(ParseDn("/o=" + longest + "a"));
  std::string deep;
  for (std::size_t i = 0; i < limits::kContainerDepth + 4; ++i) deep += "/cn=x";
  EXPECT_TRUE(ParseDn(deep));
  EXPECT_FALSE(ParseDn(deep + "/cn=x"));
}

TEST(Dn, TextRoundTripsWithEscapes) {
  const std::string text = "/o=Testorg/ou=AC\\/DC/cn=a\\\\b=c";
  const Dn dn = DnOf(text);
  ASSERT_EQ(dn.parts.size(), 3u);
  EXPECT_EQ(dn.parts[1].value, "AC/DC");
  EXPECT_EQ(dn.parts[2].value, "a\\b=c");
  EXPECT_EQ(dn.ToString(), text);
  EXPECT_EQ(DnOf(dn.ToString()).parts, dn.parts);
}

TEST(Dn, LoneBackslashStandsForItself) {
  EXPECT_EQ(DnOf("/cn=DOMAIN\\user").parts[0].value, "DOMAIN\\user");
  EXPECT_EQ(DnOf("/cn=end\\").parts[0].value, "end\\");
  EXPECT_EQ(DnOf("/cn=DOMAIN\\user").ToString(), "/cn=DOMAIN\\\\user");
}

TEST(Dn, RootIsOneSlash) {
  EXPECT_TRUE(DnOf("/").parts.empty());
  EXPECT_EQ(Dn{}.ToString(), "/");
  EXPECT_TRUE(DnOf("/o=a").IsWithin(Dn{}));
}

TEST(Dn, FoldedFormIgnoresCaseAndBlanks) {
  EXPECT_EQ(DnOf("/O=TestOrg/OU=Site  1").Folded(), "/o=testorg/ou=site 1");
  EXPECT_EQ(DnOf("/O=Ä").Folded(), DnOf("/o=ä").Folded());
  EXPECT_NE(DnOf("/o=a\\/ou=b").Folded(), DnOf("/o=a/ou=b").Folded());
}

TEST(Dn, IsWithinComparesWholeParts) {
  const Dn site = DnOf("/o=Testorg/ou=Site1");
  EXPECT_TRUE(site.IsWithin(site));
  EXPECT_TRUE(DnOf("/O=TESTORG/ou=site1/cn=a").IsWithin(site));
  EXPECT_FALSE(DnOf("/o=Testorg/ou=Site11").IsWithin(site));
  EXPECT_FALSE(DnOf("/o=Testorg").IsWithin(site));
  EXPECT_FALSE(DnOf("/o=Testorg/cn=Site1").IsWithin(site));
}

TEST(Dn, ParentAndChildAreInverse) {
  const Dn site = DnOf("/o=Testorg/ou=Site1");
  const Dn child = site.Child({"cn", "a/b"});
  EXPECT_EQ(child.ToString(), "/o=Testorg/ou=Site1/cn=a\\/b");
  EXPECT_EQ(child.Parent().parts, site.parts);
  EXPECT_TRUE(site.Parent().Parent().parts.empty());
}

TEST(ContainerDn, AllSpellingsMeanTheSame) {
  const Dn base = DnOf("/o=Testorg/ou=Site1");
  const std::string full = "/o=Testorg/ou=Site1/cn=Recipients/cn=Sub";
  for (std::string_view text :
       {"Recipients/cn=Sub", "/cn=Recipients/cn=Sub", "/o=Testorg/ou=Site1/cn=Recipients/cn=Sub"})
    EXPECT_EQ(ContainerDn(base, text)->ToString(), full) << text;
  EXPECT_EQ(ContainerDn(base, "")->parts, base.parts);
  EXPECT_EQ(ContainerDn(base, "/O=testorg/OU=SITE1")->ToString(), "/o=testorg/ou=SITE1");
}

TEST(ContainerDn, FullDnOutsideTheBasepointIsRefused) {
  const Dn base = DnOf("/o=Testorg/ou=Site1");
  EXPECT_FALSE(ContainerDn(base, "/o=Testorg/ou=Site2/cn=Recipients"));
  EXPECT_FALSE(ContainerDn(base, "/o="));
  EXPECT_FALSE(ContainerDn(base, "a/b"));
}

TEST(RebaseDn, FollowsTheOriginalsThreeCases) {
  const Dn base = DnOf("/o=Testorg/ou=Site2");
  const auto rebased = [&](std::string_view text) {
    return RebaseDn(base, "Recipients", text)->ToString();
  };
  EXPECT_EQ(rebased("/o=Other/ou=Site1/cn=a"), "/o=Other/ou=Site1/cn=a");
  EXPECT_EQ(rebased("/O=Other/cn=a"), "/o=Other/cn=a");
  EXPECT_EQ(rebased("/cn=Sub/cn=a"), "/o=Testorg/ou=Site2/cn=Recipients/cn=Sub/cn=a");
  EXPECT_EQ(rebased("/ou=Sub"), "/o=Testorg/ou=Site2/cn=Recipients/ou=Sub");
  EXPECT_EQ(rebased("Mailbox11"), "/o=Testorg/ou=Site2/cn=Recipients/cn=Mailbox11");
  EXPECT_EQ(rebased("AC\\/DC"), "/o=Testorg/ou=Site2/cn=Recipients/cn=AC\\/DC");
  EXPECT_FALSE(RebaseDn(base, "Recipients", ""));
  EXPECT_FALSE(RebaseDn(base, "Recipients", "AC/DC"));
}

TEST(CheckName, NamesThatCannotBeStoredAreRefused) {
  EXPECT_TRUE(CheckName("name", "Mailbox 11/ä"));
  EXPECT_TRUE(CheckName("name",
                        "\xC2\xA0"
                        "a"));  // the first character behind C1
  EXPECT_TRUE(CheckName("name", std::string(limits::kNameBytes, 'a')));
  for (std::string_view wrong : {"", " a", "a ", "\ta", "a\nb", "\xC2\x80", "a\xC2\x9F", "\xFF"})
    EXPECT_FALSE(CheckName("name", wrong)) << wrong;
  EXPECT_FALSE(CheckName("name", std::string(limits::kNameBytes + 1, 'a')));
  EXPECT_THAT(CheckName("site", "a ").error().message, HasSubstr("site \"a \": leading or"));
}

}  // namespace
}  // namespace dirsync
