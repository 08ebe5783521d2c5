#include "proto/model/entry.h"

#include <gtest/gtest.h>

namespace dirsync {
namespace {

TEST(EntryClass, NamesRoundTrip) {
  for (EntryClass entry_class : {EntryClass::kContainer, EntryClass::kMailbox,
                                 EntryClass::kCustomRecipient, EntryClass::kDistributionList})
    EXPECT_EQ(ParseClass(ClassName(entry_class)), entry_class);
  EXPECT_EQ(ClassName(static_cast<EntryClass>(9)), "unknown");
}

TEST(EntryClass, OldSpellingsAreKnownInAnyCase) {
  EXPECT_EQ(ParseClass("Mailbox"), EntryClass::kMailbox);
  EXPECT_EQ(ParseClass("Remote"), EntryClass::kCustomRecipient);
  EXPECT_EQ(ParseClass("REMOTE-ADDRESS"), EntryClass::kCustomRecipient);
  EXPECT_EQ(ParseClass("dl"), EntryClass::kDistributionList);
  EXPECT_EQ(ParseClass("Distribution-List"), EntryClass::kDistributionList);
  for (std::string_view wrong : {"", "mail", "mailbox ", "unknown"})
    EXPECT_FALSE(ParseClass(wrong)) << wrong;
}

TEST(Attributes, StayAscendingWhateverTheOrderOfSetting) {
  Attributes attributes;
  for (std::string_view name : {"Surname", "City", "Title", "Address"})
    attributes.Set(name, {std::string(name)});
  std::string before;
  for (const Attribute& attribute : attributes) {
    EXPECT_LT(before, attribute.name);
    before = attribute.name;
  }
  EXPECT_EQ(attributes.size(), 4u);
  EXPECT_EQ(attributes.First("City"), "City");
}

TEST(Attributes, SettingReplacesAndNothingErases) {
  Attributes attributes;
  attributes.Set("City", {"a", "b"});
  attributes.Set("City", {"c"});
  EXPECT_EQ(attributes.size(), 1u);
  EXPECT_EQ(attributes.Find("City")->values, std::vector<std::string>{"c"});
  attributes.Set("City", {});
  EXPECT_TRUE(attributes.empty());
  attributes.Set("City", {});
  attributes.Erase("City");
  EXPECT_TRUE(attributes.empty());
}

TEST(Attributes, WhatIsNotThereIsNotFound) {
  Attributes attributes;
  EXPECT_EQ(attributes.Find("City"), nullptr);
  EXPECT_EQ(attributes.First("City"), "");
  attributes.Set("City", {"a"});
  EXPECT_EQ(attributes.Find("Cit"), nullptr);
  EXPECT_EQ(attributes.Find("Cityx"), nullptr);
}

TEST(Reference, TextRoundTrips) {
  const Reference reference{"Site1", *EntryId::FromHex("00112233445566778899aabbccddeeff")};
  EXPECT_EQ(reference.ToString(), "Site1/00112233445566778899aabbccddeeff");
  EXPECT_EQ(Reference::Parse(reference.ToString()), reference);
  const Reference slashed{"a/b", reference.id};
  EXPECT_EQ(Reference::Parse(slashed.ToString()), slashed);
}

TEST(Reference, WrongTextIsRefused) {
  for (std::string_view wrong :
       {"", "/", "Site1", "Site1/", "/00112233445566778899aabbccddeeff",
        "Site1/00112233445566778899aabbccddeef", "Site1/00112233445566778899aabbccddeeff0",
        "Site1/zz112233445566778899aabbccddeeff"})
    EXPECT_FALSE(Reference::Parse(wrong)) << wrong;
}

}  // namespace
}  // namespace dirsync
