#include "agent/directory/address_template.h"

#include <gmock/gmock.h>

#include "proto/base/limits.h"
#include "proto/model/address.h"
#include "proto/model/attribute_table.h"

namespace dirsync {
namespace {

Entry Person(std::string alias, std::string given, std::string surname, std::string display) {
  Entry entry;
  entry.id = *EntryId::FromHex("00112233445566778899aabbccddeeff");
  entry.name = std::move(alias);
  if (!given.empty()) entry.attributes.Set(attribute::kGivenName, {given});
  if (!surname.empty()) entry.attributes.Set(attribute::kSurname, {surname});
  if (!display.empty()) entry.attributes.Set(attribute::kDisplayName, {display});
  return entry;
}

const Entry kAda = Person("adal", "Ada", "Lovelace", "Ada M. Lovelace");

std::string Generated(std::string_view format, const Entry& entry = kAda, unsigned attempt = 0) {
  const auto parsed = AddressTemplate::Parse("EDK:" + std::string(format) + "@s1.example");
  if (!parsed) return "refused: " + parsed.error().message;
  std::string address = parsed->Generate(entry, attempt);
  if (address.empty()) return {};
  EXPECT_TRUE(ParseAddress(address).has_value()) << address;
  EXPECT_TRUE(address.starts_with("EDK:")) << address;
  EXPECT_TRUE(address.ends_with("@s1.example")) << address;
  return address.substr(4, address.size() - 4 - 11);
}

TEST(AddressTemplate, TextsOfOtherShapeAreRefused) {
  for (std::string_view wrong :
       {"", "EDK", "EDK:", "@", ":@s1.example", "EDK:%m", "EDK:%m@", "EDK@s1.example:%m", "%m@s1",
        "E K:%m@s1.example", "TYPEOFMORETHAN16C:%m@s1.example", "E\xC3\xA4:%m@s1",
        "EDK:%m@s1..example", "EDK:%m@.example", "EDK:%m@s1.example.", "EDK:%m@s1 example",
        "EDK:%m@s1/example"}) {
    const auto parsed = AddressTemplate::Parse(wrong);
    ASSERT_FALSE(parsed.has_value()) << wrong;
    EXPECT_EQ(parsed.error().code, ErrorCode::kInvalid) << wrong;
  }
}

TEST(AddressTemplate, UnknownOrCutLettersAreRefused) {
  for (std::string_view wrong : {"%x", "%", "%m%", "%1", "%0g", "%12g", "%1%", "%1r..", "%r", "%r.",
                                 "%M", "%i", "%r\xC3.", "%r.\xFF"})
    EXPECT_FALSE(AddressTemplate::Parse("EDK:" + std::string(wrong) + "@s1").has_value()) << wrong;
}

TEST(AddressTemplate, IllegalLiteralsAreRefused) {
  for (std::string_view wrong : {"a b", "a@b", "a(b", "a\"b", "a,b", "a:b", "a;b", "a<b", "a\\b",
                                 "a[b", "\xC3\xA4", "a\tb", "\x7F"})
    EXPECT_FALSE(AddressTemplate::Parse("EDK:" + std::string(wrong) + "@s1").has_value()) << wrong;
}

TEST(AddressTemplate, AnErrorNamesPositionAndCause) {
  const auto parsed = AddressTemplate::Parse("EDK:%m%x@s1.example");
  ASSERT_FALSE(parsed.has_value());
  EXPECT_EQ(
      parsed.error().message,
      "parse address template \"EDK:%m%x@s1.example\": byte 3: unknown or incomplete % letter");
}

TEST(AddressTemplate, DomainsThatLeaveNoRoomAreRefused) {
  const std::size_t room = limits::kNameBytes - 3 - 1 - 64 - 1;
  EXPECT_TRUE(AddressTemplate::Parse("EDK:%m@" + std::string(room, 'd')).has_value());
  EXPECT_FALSE(AddressTemplate::Parse("EDK:%m@" + std::string(room + 1, 'd')).has_value());
  EXPECT_FALSE(AddressTemplate::Parse("EDK:%m@" + std::string(1 << 20, 'd')).has_value());
}

TEST(AddressTemplate, PartsAreKept) {
  const auto parsed = AddressTemplate::Parse("edk:%g.%s@Site1.Testorg.com");
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->type(), "EDK");
  EXPECT_EQ(parsed->domain(), "Site1.Testorg.com");
  EXPECT_EQ(parsed->text(), "edk:%g.%s@Site1.Testorg.com");
  EXPECT_EQ(parsed->Generate(kAda, 0), "EDK:Ada.Lovelace@Site1.Testorg.com");
}

TEST(AddressTemplate, FieldsAreReplaced) {
  EXPECT_EQ(Generated(""), "adal");
  EXPECT_EQ(Generated("%m"), "adal");
  EXPECT_EQ(Generated("%g.%s"), "Ada.Lovelace");
  EXPECT_EQ(Generated("%d"), "AdaM.Lovelace");
  EXPECT_EQ(Generated("x-%m%%"), "x-adal%");
  EXPECT_EQ(Generated("%1g%s"), "ALovelace");
  EXPECT_EQ(Generated("%2g.%3s"), "Ad.Lov");
  EXPECT_EQ(Generated("%9g"), "Ada");
}

TEST(AddressTemplate, TheAliasAttributeGoesBeforeTheName) {
  Entry entry = kAda;
  entry.attributes.Set(attribute::kAlias, {"countess"});
  EXPECT_EQ(Generated("%m", entry), "countess");
  EXPECT_EQ(Generated("%g", entry, 1), "countess");
}

TEST(AddressTemplate, ReplacementsRescueAndDelete) {
  EXPECT_EQ(Generated("%r _%d"), "Ada_M._Lovelace");
  EXPECT_EQ(Generated("%r..%d"), "AdaMLovelace");
  EXPECT_EQ(Generated("%g%rax.%g"), "Ada.Adx");  // only what stands behind it
  EXPECT_EQ(Generated("%rax%rab%g"), "Adb");     // the newest one counts
  EXPECT_EQ(Generated("%r@_%m", Person("a@b", "", "", "")), "a_b");
  EXPECT_EQ(Generated("%r\xC3\xBCy%m", Person("M\xC3\xBCller", "", "", "")), "Myller");
}

TEST(AddressTemplate, AccentsAreFoldedAndTheRestLeftOut) {
  EXPECT_EQ(Generated("%m", Person("Jürgen Groß", "", "", "")), "JurgenGross");
  EXPECT_EQ(Generated("%m", Person("Æsop×Þór÷", "", "", "")), "AEsopTHor");
  EXPECT_EQ(Generated("%m", Person("Łódź-Дом\xFF\x01(x)", "", "", "")), "od-x");
  EXPECT_EQ(Generated("%2m", Person("ÄÖÜ", "", "", "")), "AO");
}

TEST(AddressTemplate, DotsStandBetweenCharactersOnly) {
  EXPECT_EQ(Generated("%g.%s", Person("a", "", "Lovelace", "")), "Lovelace");
  EXPECT_EQ(Generated("%g.%s", Person("a", "Ada", "", "")), "Ada");
  EXPECT_EQ(Generated("%d", Person("a", "", "", "..A...b..")), "A.b");
}

TEST(AddressTemplate, NothingLeftIsEmptyAndTheNextAttemptTakesTheAlias) {
  const Entry greek = Person("nikos", "Νίκος", "Παπαδόπουλος", "");
  EXPECT_EQ(Generated("%g.%s", greek), "");
  EXPECT_EQ(Generated("%g.%s", greek, 1), "nikos");
  EXPECT_EQ(Generated("%g.%s", greek, 2), "nikos2");
  EXPECT_EQ(Generated("%g.%s", greek, 10000), "nikos10000");
}

TEST(AddressTemplate, AnAliasOfWhichNothingIsLeftIsReplacedByTheId) {
  const Entry greek = Person("Νίκος", "", "", "");
  EXPECT_EQ(Generated("%m", greek), "");
  EXPECT_EQ(Generated("%m", greek, 1), "aabbccddeeff");
  EXPECT_EQ(Generated("%m", greek, 2), "aabbccddeeff2");
}

TEST(AddressTemplate, LongNamesAreCutWithRoomForTheNumber) {
  const Entry entry = Person(std::string(200, 'n'), "", "", std::string(1 << 20, 'd'));
  EXPECT_EQ(Generated("%m", entry), std::string(64, 'n'));
  EXPECT_EQ(Generated("%d%d", entry), std::string(64, 'd'));
  EXPECT_EQ(Generated("%m", entry, 123), std::string(61, 'n') + "123");
}

}  // namespace
}  // namespace dirsync
