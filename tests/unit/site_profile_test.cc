#include "agent/directory/site_profile.h"

#include <gmock/gmock.h>

#include "proto/base/bytes.h"

namespace dirsync {
namespace {

SiteProfile Sample() {
  SiteProfile profile{"Testorg", "Site1", "Server1", {}};
  profile.templates.push_back(*AddressTemplate::Parse("EDK:@Site1.Testorg.com"));
  profile.templates.push_back(*AddressTemplate::Parse("SMTP:%g.%s@site1.example"));
  return profile;
}

void ExpectCorrupt(std::string_view row) {
  const auto decoded = SiteProfile::Decode(row);
  ASSERT_FALSE(decoded.has_value()) << ToHex(row);
  EXPECT_EQ(decoded.error().code, ErrorCode::kCorrupt);
}

TEST(SiteProfile, EveryCutIsCorrupt) {
  const std::string row = Sample().Encode();
  for (std::size_t size = 0; size < row.size(); ++size) ExpectCorrupt(row.substr(0, size));
  ExpectCorrupt(row + "x");
}

TEST(SiteProfile, UnknownFormatWrongTemplateAndHugeCountAreCorrupt) {
  std::string row = Sample().Encode();
  row[0] = 2;
  ExpectCorrupt(row);
  std::string head;
  RowWriter writer(head);
  writer.U8(1);
  for (std::string_view part : {"Testorg", "Site1", "Server1"}) writer.Bytes(part);
  std::string wrong = head;
  RowWriter(wrong).Varint(1);
  RowWriter(wrong).Bytes("EDK:%x@s1");
  ExpectCorrupt(wrong);
  std::string huge = head;
  RowWriter(huge).Varint(~std::uint64_t{0});
  ExpectCorrupt(huge);
}

TEST(SiteProfile, RowsGiveTheSameProfile) {
  const auto decoded = SiteProfile::Decode(Sample().Encode());
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->organization, "Testorg");
  EXPECT_EQ(decoded->site, "Site1");
  EXPECT_EQ(decoded->server, "Server1");
  ASSERT_EQ(decoded->templates.size(), 2u);
  EXPECT_EQ(decoded->templates[0].text(), "EDK:@Site1.Testorg.com");
  EXPECT_EQ(decoded->templates[1].text(), "SMTP:%g.%s@site1.example");
  EXPECT_EQ(decoded->Encode(), Sample().Encode());
}

TEST(SiteProfile, TheBasepointIsOrganizationAndSite) {
  EXPECT_EQ(Sample().basepoint().ToString(), "/o=Testorg/ou=Site1");
}

}  // namespace
}  // namespace dirsync
