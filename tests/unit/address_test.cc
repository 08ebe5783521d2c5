#include "proto/model/address.h"

#include <gtest/gtest.h>

#include <vector>

#include "proto/base/limits.h"

namespace dirsync {
namespace {

TEST(ParseAddress, TextThatIsNoAddressIsRefused) {
  for (std::string_view wrong :
       {"", ":", "SMTP", "SMTP:", ":a@b", "SM TP:a", "SM-TP:a", "SMTP: a", "SMTP:a ", "SMTP:a\nb",
        "SMTP:a\x7F", "EDK:a\xC2\x9B@b", "SMTP:\xFF", "SMTP:\xC3", "Ä:a", "ABCDEFGHIJKLMNOPQ:a"}) {
    Result<Address> address = ParseAddress(wrong);
    ASSERT_FALSE(address) << wrong;
    EXPECT_EQ(address.error().code, ErrorCode::kInvalid);
  }
  EXPECT_FALSE(ParseAddress(std::string_view("SMTP:a\0b", 8)));
}

TEST(ParseAddress, LengthIsBounded) {
  const std::string longest = "SMTP:" + std::string(limits::kNameBytes - 5, 'a');
  EXPECT_TRUE(ParseAddress(longest));
  EXPECT_FALSE(ParseAddress(longest + "a"));
}

TEST(ParseAddress, TypeIsMadeUpperCaseAndValueIsKept) {
  const Result<Address> address = ParseAddress("smtp:M11@Site1.Example");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->type, "SMTP");
  EXPECT_EQ(address->ToString(), "SMTP:M11@Site1.Example");
  EXPECT_EQ(address->Folded(), "SMTP:m11@site1.example");
  EXPECT_EQ(address->domain(), "Site1.Example");
}

TEST(ParseAddress, OtherMailSystemsAddressesAreAccepted) {
  EXPECT_EQ(ParseAddress("X400:c=US;a= ;p=Org;s=Smith;")->value, "c=US;a= ;p=Org;s=Smith;");
  EXPECT_EQ(ParseAddress("X400:c=US;a= ;p=Org;s=Smith;")->domain(), "");
  EXPECT_EQ(ParseAddress("SMTP:ü@ö.example")->value, "ü@ö.example");
  EXPECT_EQ(ParseAddress("A:b:c")->value, "b:c");
  EXPECT_EQ(ParseAddress("SMTP:a@b@c")->domain(), "c");
}

TEST(PrimaryAddress, IsTheFirstOfItsType) {
  const std::vector<std::string> values = {"EDK:a", "smtp:b@c", "SMTP:d@e", "SMTPX:f", "X"};
  EXPECT_EQ(PrimaryAddress(values, "SMTP"), "smtp:b@c");
  EXPECT_EQ(PrimaryAddress(values, "edk"), "EDK:a");
  EXPECT_EQ(PrimaryAddress(values, "X400"), "");
  EXPECT_EQ(PrimaryAddress(values, "X"), "");
  EXPECT_EQ(PrimaryAddress({}, "SMTP"), "");
}

}  // namespace
}  // namespace dirsync
