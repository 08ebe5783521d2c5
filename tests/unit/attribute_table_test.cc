#include "proto/model/attribute_table.h"

#include <gmock/gmock.h>

#include <set>

#include "proto/base/text.h"

namespace dirsync {
namespace {

using ::testing::HasSubstr;

TEST(AttributeTable, EverySpellingOfEveryRowIsFound) {
  for (const AttributeInfo& info : AttributeTable()) {
    for (std::string_view name : {info.name, info.ldap_name}) {
      if (name.empty()) continue;
      EXPECT_EQ(FindAttribute(name), &info) << name;
      EXPECT_EQ(FindAttribute(ToLowerAscii(name)), &info) << name;
      EXPECT_EQ(FindAttribute(ToUpperAscii(name)), &info) << name;
      EXPECT_EQ(FindAttribute(std::string(name) + ";binary"), &info) << name;
      EXPECT_EQ(*CanonicalAttribute(name), info.name);
    }
  }
}

TEST(AttributeTable, NoSpellingIsOfTwoRows) {
  std::set<std::string> seen;
  for (const AttributeInfo& info : AttributeTable()) {
    EXPECT_TRUE(seen.insert(ToLowerAscii(info.name)).second) << info.name;
    const std::string ldap = ToLowerAscii(info.ldap_name);
    if (ldap.empty() || ldap == ToLowerAscii(info.name)) continue;
    EXPECT_TRUE(seen.insert(ldap).second) << ldap;
  }
}

TEST(AttributeTable, ShapesOfTheAttributesTheCodeRelieson) {
  const auto info = [](std::string_view name) { return *FindAttribute(name); };
  EXPECT_EQ(info(attribute::kMember).kind, ValueKind::kReference);
  EXPECT_TRUE(info(attribute::kMember).multi_valued);
  EXPECT_EQ(info(attribute::kProxyAddresses).kind, ValueKind::kAddress);
  EXPECT_TRUE(info(attribute::kProxyAddresses).multi_valued);
  EXPECT_FALSE(info(attribute::kTargetAddress).multi_valued);
  EXPECT_EQ(info(attribute::kHideFromAb).kind, ValueKind::kBoolean);
  EXPECT_EQ(info("thumbnailPhoto").kind, ValueKind::kBinary);
  for (std::string_view name : {attribute::kHomeServer, attribute::kImportedFrom,
                                attribute::kCommonName, attribute::kObjClass})
    EXPECT_FALSE(info(name).exported) << name;
  for (std::string_view name :
       {attribute::kDisplayName, attribute::kGivenName, attribute::kSurname, attribute::kAlias})
    EXPECT_TRUE(info(name).exported) << name;
}

TEST(FindAttribute, UnknownNamesAreNotFound) {
  for (std::string_view wrong : {"", ";binary", "Display", "Display-Name ", "displayName;lang-de",
                                 "X-", "x-", "X--", "X-a b", "X-\xC3\xA4", "X_a"})
    EXPECT_EQ(FindAttribute(wrong), nullptr) << wrong;
  EXPECT_EQ(FindAttribute("X-" + std::string(63, 'a')), nullptr);
}

TEST(FindAttribute, OwnNamesAreMultiValuedText) {
  const AttributeInfo* info = FindAttribute("x-badge");
  ASSERT_NE(info, nullptr);
  EXPECT_EQ(info->kind, ValueKind::kText);
  EXPECT_TRUE(info->multi_valued);
  EXPECT_TRUE(info->exported);
  EXPECT_NE(FindAttribute("X-" + std::string(62, 'a')), nullptr);
}

TEST(CanonicalAttribute, OwnNamesHaveOneSpelling) {
  EXPECT_EQ(*CanonicalAttribute("x-BADGE-no2"), "X-Badge-No2");
  EXPECT_EQ(*CanonicalAttribute("X-Badge-No2"), "X-Badge-No2");
  EXPECT_EQ(*CanonicalAttribute("X-a;binary"), "X-A");
}

TEST(CanonicalAttribute, AliasesLeadToTheirRow) {
  EXPECT_EQ(*CanonicalAttribute("street"), "Address");
  EXPECT_EQ(*CanonicalAttribute("sn"), "Surname");
  EXPECT_EQ(*CanonicalAttribute("O"), "Company");
}

TEST(CanonicalAttribute, UnknownNameSuggestsTheNearest) {
  const Result<std::string> wrong = CanonicalAttribute("Displey-Name");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::kInvalid);
  EXPECT_THAT(wrong.error().hint, HasSubstr("Display-Name"));
  EXPECT_THAT(CanonicalAttribute("\x1B[2J").error().message, HasSubstr("\\x1b"));
}

}  // namespace
}  // namespace dirsync
