#include "agent/directory/directory.h"

#include <gmock/gmock.h>

#include "agent/directory/entry_record.h"
#include "proto/base/limits.h"
#include "proto/model/address.h"
#include "tests/unit/directory_world.h"

namespace dirsync {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DirectoryTest : public DirectoryWorld {
 protected:
  DirectoryTest() {
    profile_.templates.push_back(*AddressTemplate::Parse("EDK:@Site1.Testorg.com"));
    Open();
    AddContainer("Recipients", "");
  }

  Directory& directory() { return *directory_; }

  void Open() { directory_ = std::make_unique<Directory>(transaction(), profile_, ids_, now_); }
  void CommitAndOpen() {
    directory_.reset();
    Commit();
    Open();
  }

  static NewEntry Fresh(EntryClass entry_class, std::string name, Attributes attributes = {}) {
    NewEntry fresh;
    fresh.entry_class = entry_class;
    fresh.name = std::move(name);
    fresh.attributes = std::move(attributes);
    return fresh;
  }
  Entry Added(NewEntry fresh) {
    const auto entry = directory().Add(std::move(fresh));
    EXPECT_OK(entry);
    return entry ? *entry : Entry{};
  }
  Entry AddMailbox(std::string name, std::string container = "Recipients") {
    NewEntry fresh = Fresh(EntryClass::kMailbox, std::move(name));
    fresh.container = std::move(container);
    return Added(std::move(fresh));
  }
  Entry AddContainer(std::string name, std::string container) {
    NewEntry fresh = Fresh(EntryClass::kContainer, std::move(name));
    fresh.container = std::move(container);
    return Added(std::move(fresh));
  }
  Entry AddImported(unsigned number, std::string name) {
    Entry entry = MakeEntry(number, std::move(name));
    entry.origin = Reference{"Site2", IdOf(number)};
    EXPECT_OK(directory().entries().Insert(entry));
    return entry;
  }
  std::vector<std::string> Listed(const EntryId& container, bool subtree) {
    std::vector<std::string> names;
    EXPECT_OK(directory().List(container, subtree, [&](const Entry& entry) {
      names.push_back(entry.name);
      return true;
    }));
    return names;
  }
  std::string Resolved(std::string_view text) {
    const auto entry = directory().Resolve(text);
    return entry ? *directory().DnOf(*entry) : entry.error().message;
  }
  std::string HintFor(std::string_view text) {
    const auto entry = directory().Resolve(text);
    EXPECT_FALSE(entry.has_value());
    EXPECT_EQ(entry.error().code, ErrorCode::kNotFound);
    return entry ? "" : entry.error().hint;
  }
  Usn LastUsn() { return *directory().entries().LastUsn(); }

  SiteProfile profile_{"Testorg", "Site1", "Server1", {}};
  IdSource ids_{Digest{}};
  std::unique_ptr<Directory> directory_;
};

Attributes With(std::vector<std::pair<std::string_view, std::vector<std::string>>> values) {
  Attributes attributes;
  for (auto& [name, list] : values) attributes.Set(name, list);
  return attributes;
}

EntryEdit Set(std::string name, std::vector<std::string> values) {
  EntryEdit edit;
  edit.set.push_back({std::move(name), std::move(values)});
  return edit;
}

TEST_F(DirectoryTest, WrongAttributesAreRefused) {
  const std::string long_value(limits::kValueBytes + 1, 'x');
  struct {
    std::string_view name;
    std::vector<std::string> values;
    ErrorCode code;
  } const rows[] = {
      {"Nonsense", {"x"}, ErrorCode::kInvalid},
      {"displayName", {"x"}, ErrorCode::kInvalid},
      {"display-name", {"x"}, ErrorCode::kInvalid},
      {"x-own", {"x"}, ErrorCode::kInvalid},
      {"Common-Name", {"x"}, ErrorCode::kInvalid},
      {"Obj-Class", {"Mailbox"}, ErrorCode::kInvalid},
      {"USN-Changed", {"1"}, ErrorCode::kInvalid},
      {"Obj-Dist-Name", {"/o=x"}, ErrorCode::kInvalid},
      {"City", {"a", "b"}, ErrorCode::kInvalid},
      {"City", {""}, ErrorCode::kInvalid},
      {"City", {"a\x1B[2J"}, ErrorCode::kInvalid},
      {"City", {std::string("a\0b", 3)}, ErrorCode::kInvalid},
      {"City", {"\x7F"}, ErrorCode::kInvalid},
      {"City", {"\xC2\x85"}, ErrorCode::kInvalid},
      {"City", {"\xFF"}, ErrorCode::kInvalid},
      {"City", {"Z\xC3"}, ErrorCode::kInvalid},
      {"City", {long_value}, ErrorCode::kTooLarge},
      {"Hide-From-AB", {"yes"}, ErrorCode::kInvalid},
      {"Hide-From-AB", {"TRUE"}, ErrorCode::kInvalid},
      {"Proxy-Addresses", {"ada@s1"}, ErrorCode::kInvalid},
      {"Target-Address", {"SMTP:"}, ErrorCode::kInvalid},
      {"Member", {"Ada"}, ErrorCode::kInvalid},
      {"Member", {"Site1/0011"}, ErrorCode::kInvalid},
      {"X-Many", std::vector<std::string>(limits::kValuesPerAttribute + 1, "v"),
       ErrorCode::kTooLarge},
  };
  for (const auto& row : rows) {
    const Attributes attributes = With({{row.name, row.values}});
    const std::string message = ExpectError(CheckAttributes(attributes), row.code);
    EXPECT_THAT(message, HasSubstr(row.name)) << message;
    // Values that stand twice are no fault of an entry.
    if (row.name == "X-Many") continue;
    ExpectError(directory().Add(Fresh(EntryClass::kMailbox, "Ada", attributes)), row.code);
  }
  EXPECT_EQ(LastUsn(), 1u);
}

TEST_F(DirectoryTest, GoodAttributesPass) {
  EXPECT_OK(CheckAttributes(With({{"City", {"Zürich\tline\r\nline"}},
                                  {"Description", {"a", "b"}},
                                  {"Hide-From-AB", {"1"}},
                                  {"Member", {"Site1/00112233445566778899aabbccddeeff"}},
                                  {"Proxy-Addresses", {"SMTP:a@s1", "EDK:a@s1"}},
                                  {"Thumbnail-Photo", {std::string("\0\xFF\x1B", 3)}},
                                  {"X-Own", {"1", "2"}}})));
}

TEST_F(DirectoryTest, TooManyAttributesOrBytesAreRefused) {
  Attributes many;
  for (std::size_t i = 0; i <= limits::kAttributesPerEntry; ++i)
    many.Set("X-" + std::to_string(i), {"v"});
  ExpectError(CheckAttributes(many), ErrorCode::kTooLarge);
  ExpectError(CheckAttributes(
                  With({{"City", {std::string(limits::kEntryBytes, 'x')}}, {"Comment", {"x"}}})),
              ErrorCode::kTooLarge);
}

TEST_F(DirectoryTest, WrongNamesAndPlacesAreRefused) {
  for (std::string name : {std::string(), std::string(" a"), std::string("a\nb"),
                           std::string("\xFF"), std::string(limits::kNameBytes + 1, 'n')})
    ExpectError(directory().Add(Fresh(EntryClass::kMailbox, name)), ErrorCode::kInvalid);
  NewEntry lost = Fresh(EntryClass::kMailbox, "Ada");
  lost.container = "Recipient";
  const auto added = directory().Add(lost);
  ExpectError(added, ErrorCode::kNotFound);
  EXPECT_EQ(added.error().hint, "did you mean Recipients?");
  lost.container = "/o=Other/ou=Site1";
  ExpectError(directory().Add(lost), ErrorCode::kInvalid);
  NewEntry zero = Fresh(EntryClass::kMailbox, "Ada");
  zero.id = EntryId{};
  ExpectError(directory().Add(zero), ErrorCode::kInvalid);
}

TEST_F(DirectoryTest, AMailboxGetsItsDefaults) {
  const Entry entry = AddMailbox("Mailbox11");
  EXPECT_EQ(entry.attributes, With({{"Display-Name", {"Mailbox11"}},
                                    {"Home-Server", {"Server1"}},
                                    {"Proxy-Addresses", {"EDK:Mailbox11@Site1.Testorg.com"}},
                                    {"Surname", {"Mailbox11"}}}));
  EXPECT_EQ(*directory().DnOf(entry), "/o=Testorg/ou=Site1/cn=Recipients/cn=Mailbox11");
  EXPECT_EQ(entry.usn_created, 2u);
  ExpectConsistent(transaction());
}

TEST_F(DirectoryTest, DisplayNamesAreConstructed) {
  const auto display = [&](std::string name, Attributes attributes) {
    return std::string(Added(Fresh(EntryClass::kMailbox, std::move(name), std::move(attributes)))
                           .attributes.First("Display-Name"));
  };
  EXPECT_EQ(display("a", With({{"Given-Name", {"Ada"}}, {"Surname", {"Lovelace"}}})),
            "Ada Lovelace");
  EXPECT_EQ(display("b", With({{"Given-Name", {"Ada"}}})), "Ada");
  EXPECT_EQ(display("c", With({{"Surname", {"Lovelace"}}})), "Lovelace");
  EXPECT_EQ(display("d", With({{"Display-Name", {"Own"}}, {"Surname", {"Lovelace"}}})), "Own");
}

TEST_F(DirectoryTest, GivenValuesStay) {
  const Entry entry = Added(Fresh(
      EntryClass::kMailbox, "Ada",
      With({{"Surname", {"Lovelace"}}, {"Home-Server", {"Server9"}}, {"Hide-From-AB", {"1"}}})));
  EXPECT_EQ(entry.attributes.First("Surname"), "Lovelace");
  EXPECT_EQ(entry.attributes.First("Home-Server"), "Server9");
  EXPECT_EQ(entry.attributes.First("Hide-From-AB"), "1");
}

TEST_F(DirectoryTest, CustomRecipientsNeedATargetAndGetNoAddress) {
  ExpectError(directory().Add(Fresh(EntryClass::kCustomRecipient, "Ada")), ErrorCode::kNoTarget);
  const Entry entry = Added(
      Fresh(EntryClass::kCustomRecipient, "Ada", With({{"Target-Address", {"smtp:ada@s2"}}})));
  EXPECT_EQ(entry.attributes,
            With({{"Display-Name", {"Ada"}}, {"Target-Address", {"SMTP:ada@s2"}}}));
  EXPECT_EQ(Resolved("SMTP:ADA@s2"), "/o=Testorg/ou=Site1/cn=Recipients/cn=Ada");
  ExpectError(directory().Add(Fresh(EntryClass::kCustomRecipient, "Eve",
                                    With({{"Target-Address", {"SMTP:Ada@s2"}}}))),
              ErrorCode::kExists);
  ExpectError(directory().Edit(entry, Set("Target-Address", {})), ErrorCode::kNoTarget);
}

TEST_F(DirectoryTest, GroupsGetAnAddressAndContainersNothing) {
  const Entry group = Added(Fresh(EntryClass::kDistributionList, "All Staff"));
  EXPECT_EQ(group.attributes, With({{"Display-Name", {"All Staff"}},
                                    {"Proxy-Addresses", {"EDK:AllStaff@Site1.Testorg.com"}}}));
  EXPECT_TRUE(AddContainer("Other", "").attributes.empty());
}

TEST_F(DirectoryTest, GeneratedAddressesAreUniqueByRetry) {
  profile_.templates[0] = *AddressTemplate::Parse("EDK:%g.%s@s1");
  const auto address = [&](std::string name, std::string alias) {
    NewEntry fresh = Fresh(EntryClass::kMailbox, std::move(name),
                           With({{"Given-Name", {"Ada"}}, {"Surname", {"Lovelace"}}}));
    if (!alias.empty()) fresh.attributes.Set("Mail-Nickname", {alias});
    return std::string(Added(std::move(fresh)).attributes.First("Proxy-Addresses"));
  };
  EXPECT_EQ(address("a1", "ada"), "EDK:Ada.Lovelace@s1");
  EXPECT_EQ(address("a2", "ada"), "EDK:ada@s1");
  EXPECT_EQ(address("a3", "ada"), "EDK:ada2@s1");
  EXPECT_EQ(address("a4", "ada"), "EDK:ada3@s1");
  EXPECT_EQ(address("a5", ""), "EDK:a5@s1");
  ExpectConsistent(transaction());
}

TEST_F(DirectoryTest, ATakenNameIsReportedAsSuch) {
  AddMailbox("Ada");
  const Usn before = LastUsn();
  EXPECT_THAT(ExpectError(directory().Add(Fresh(EntryClass::kMailbox, "ADA")), ErrorCode::kExists),
              HasSubstr("its name is taken by /cn=Recipients/cn=Ada"));
  EXPECT_EQ(LastUsn(), before);
  ExpectConsistent(transaction());
}

TEST_F(DirectoryTest, GivenAddressesTakeThePlaceOfGeneratedOnes) {
  profile_.templates.push_back(*AddressTemplate::Parse("SMTP:%m@s1.example"));
  const Entry entry =
      Added(Fresh(EntryClass::kMailbox, "Ada",
                  With({{"Proxy-Addresses", {"edk:own@s1", "EDK:second@s1", "EDK:OWN@S1"}}})));
  const Attribute* held = entry.attributes.Find("Proxy-Addresses");
  ASSERT_NE(held, nullptr);
  EXPECT_THAT(held->values, ElementsAre("EDK:own@s1", "EDK:second@s1", "SMTP:Ada@s1.example"));
  EXPECT_EQ(PrimaryAddress(held->values, "EDK"), "EDK:own@s1");
  ExpectError(directory().Add(Fresh(EntryClass::kMailbox, "Eve",
                                    With({{"Proxy-Addresses", {"EDK:Second@s1"}}}))),
              ErrorCode::kExists);
}

TEST_F(DirectoryTest, NamesOfWhichNothingIsLegalGetAnAddressAllTheSame) {
  for (int i = 0; i < 20; ++i) {
    const Entry entry = AddMailbox("Νίκος" + std::string(static_cast<std::size_t>(i), '('));
    EXPECT_TRUE(ParseAddress(entry.attributes.First("Proxy-Addresses")).has_value());
  }
  ExpectConsistent(transaction());
}

TEST_F(DirectoryTest, AGivenIdIsKept) {
  NewEntry fresh = Fresh(EntryClass::kMailbox, "Ada");
  fresh.id = IdOf(5);
  EXPECT_EQ(Added(fresh).id, IdOf(5));
  fresh.name = "Eve";
  ExpectError(directory().Add(fresh), ErrorCode::kExists);
}

TEST_F(DirectoryTest, EverySpellingResolves) {
  const Entry ada = AddMailbox("Ada");
  const std::string dn = "/o=Testorg/ou=Site1/cn=Recipients/cn=Ada";
  for (const std::string& text : {dn, std::string("/cn=recipients/cn=ada"), std::string("ADA"),
                                  std::string("edk:ada@site1.testorg.com"), ada.id.hex()})
    EXPECT_EQ(Resolved(text), dn) << text;
  EXPECT_EQ(Resolved("Recipients"), "/o=Testorg/ou=Site1/cn=Recipients");
}

TEST_F(DirectoryTest, NamesMayLookLikeIdsOrAddresses) {
  const std::string hex(32, 'a');
  AddMailbox(hex);
  AddMailbox("SMTP:odd");
  EXPECT_THAT(Resolved(hex), HasSubstr("cn=" + hex));
  EXPECT_THAT(Resolved("SMTP:odd"), HasSubstr("cn=SMTP:odd"));
}

TEST_F(DirectoryTest, RecipientsGoFirstElseANameMustStandOnce) {
  AddContainer("A", "");
  AddContainer("B", "A");
  AddMailbox("Ada", "A");
  EXPECT_EQ(Resolved("Ada"), "/o=Testorg/ou=Site1/cn=A/cn=Ada");
  AddMailbox("Ada", "A/cn=B");
  const auto twice = directory().Resolve("Ada");
  EXPECT_THAT(ExpectError(twice, ErrorCode::kInvalid),
              ::testing::AllOf(HasSubstr("/o=Testorg/ou=Site1/cn=A/cn=Ada"),
                               HasSubstr("/o=Testorg/ou=Site1/cn=A/cn=B/cn=Ada")));
  AddMailbox("Ada", "Recipients");
  EXPECT_EQ(Resolved("Ada"), "/o=Testorg/ou=Site1/cn=Recipients/cn=Ada");
}

TEST_F(DirectoryTest, WhatIsNotThereIsNotFoundWithSuggestions) {
  AddMailbox("Lovelace");
  AddContainer("Other", "");
  AddMailbox("Babbage", "Other");
  EXPECT_EQ(HintFor("Lovelac"), "did you mean Lovelace?");
  EXPECT_EQ(HintFor("Babage"), "did you mean Babbage?");
  EXPECT_EQ(HintFor("/cn=Recipients/cn=Lovelance"), "did you mean Lovelace?");
  EXPECT_EQ(HintFor("EDK:Lovelac@Site1.Testorg.com"),
            "did you mean EDK:lovelace@site1.testorg.com?");
  EXPECT_EQ(HintFor("Zzzzzzz"), "");
  EXPECT_EQ(HintFor(""), "");
  EXPECT_EQ(HintFor(IdOf(99).hex()), "");
  EXPECT_THAT(HintFor("/o=Other/ou=Site1/cn=x"), HasSubstr("/o=Testorg/ou=Site1"));
  EXPECT_THAT(HintFor("/o=Testorg/ou=Site1"), HasSubstr("/o=Testorg/ou=Site1"));
  EXPECT_THAT(Resolved("a\x1B[2J"), HasSubstr("\\x1b"));
  ExpectError(directory().Resolve("/"), ErrorCode::kNotFound);
  ExpectError(directory().Resolve("/nonsense"), ErrorCode::kInvalid);
}

TEST_F(DirectoryTest, SuggestionsAreFoundAmongManyNames) {
  for (int i = 0; i < 9000; ++i) AddMailbox("m" + std::to_string(100000 + i));
  AddMailbox("Zuse");
  EXPECT_EQ(HintFor("Zus"), "did you mean Zuse?");
  EXPECT_THAT(HintFor("m10899x"), HasSubstr("m10899"));
}

TEST_F(DirectoryTest, ADeletedEntryDoesNotResolve) {
  const Entry ada = AddMailbox("Ada");
  EXPECT_OK(directory().Delete(ada));
  for (const std::string& text :
       {std::string("Ada"), ada.id.hex(), std::string("EDK:Ada@Site1.Testorg.com")})
    ExpectError(directory().Resolve(text), ErrorCode::kNotFound);
  ExpectError(directory().Delete(ada), ErrorCode::kNotFound);
  ExpectError(directory().Edit(ada, Set("City", {"Bern"})), ErrorCode::kNotFound);
}

TEST_F(DirectoryTest, ImportedEntriesAreNotOurs) {
  const Entry entry = AddImported(7, "Eve");
  EXPECT_THAT(ExpectError(directory().Edit(entry, Set("City", {"Bern"})), ErrorCode::kNotOurs),
              HasSubstr("/o=Testorg/ou=Site1/cn=Eve: it belongs to Site2"));
  ExpectError(directory().Delete(entry), ErrorCode::kNotOurs);
  // An origin that the caller left out does not make it ours.
  Entry forged = entry;
  forged.origin.reset();
  ExpectError(directory().Delete(forged), ErrorCode::kNotOurs);
}

TEST_F(DirectoryTest, NothingOfOursGoesIntoAnImportedContainer) {
  Entry box = MakeContainer(8, "Theirs");
  box.origin = Reference{"Site2", IdOf(80)};
  EXPECT_OK(directory().entries().Insert(box));
  const Entry ada = AddMailbox("Ada");
  EntryEdit move;
  move.container = "Theirs";
  EXPECT_THAT(ExpectError(directory().Edit(ada, move), ErrorCode::kNotOurs),
              HasSubstr("/o=Testorg/ou=Site1/cn=Theirs: it belongs to Site2"));
  NewEntry eve = Fresh(EntryClass::kMailbox, "Eve");
  eve.container = "Theirs";
  ExpectError(directory().Add(eve), ErrorCode::kNotOurs);
}

TEST_F(DirectoryTest, EditsReplaceAddAndRemove) {
  const Entry ada = AddMailbox("Ada");
  EntryEdit edit = Set("City", {"Bern"});
  edit.add_values.push_back({"Proxy-Addresses", {"smtp:a@s1", "EDK:ada@SITE1.testorg.com"}});
  const auto first = directory().Edit(ada, edit);
  EXPECT_OK(first);
  EXPECT_EQ(first->id, ada.id);
  EXPECT_EQ(first->attributes.First("City"), "Bern");
  EXPECT_THAT(first->attributes.Find("Proxy-Addresses")->values,
              ElementsAre("EDK:Ada@Site1.Testorg.com", "SMTP:a@s1"));
  EntryEdit undo = Set("City", {});
  undo.remove_values.push_back({"Proxy-Addresses", {"SMTP:A@s1", "SMTP:never@s1"}});
  undo.remove_values.push_back({"Comment", {"never"}});
  const auto second = directory().Edit(ada, undo);
  EXPECT_OK(second);
  EXPECT_EQ(second->attributes, ada.attributes);
  EXPECT_EQ(second->usn_created, ada.usn_created);
  EXPECT_EQ(second->usn_changed, LastUsn());
  ExpectConsistent(transaction());
}

TEST_F(DirectoryTest, WrongEditsAreRefusedAndChangeNothing) {
  AddMailbox("Eve");
  const Entry ada = AddMailbox("Ada");
  CommitAndOpen();
  ExpectError(directory().Edit(ada, Set("Nonsense", {})), ErrorCode::kInvalid);
  ExpectError(directory().Edit(ada, Set("Obj-Class", {"Mailbox"})), ErrorCode::kInvalid);
  ExpectError(directory().Edit(ada, Set("Proxy-Addresses", {"EDK:eve@site1.testorg.com"})),
              ErrorCode::kExists);
  EntryEdit second_city;
  second_city.set.push_back({"City", {"Bern"}});
  second_city.add_values.push_back({"City", {"Basel"}});
  ExpectError(directory().Edit(ada, second_city), ErrorCode::kInvalid);
  EntryEdit rename;
  rename.name = "eve";
  ExpectError(directory().Edit(ada, rename), ErrorCode::kExists);
  rename.name = "";
  ExpectError(directory().Edit(ada, rename), ErrorCode::kInvalid);
  EntryEdit move;
  move.container = "Nowhere";
  ExpectError(directory().Edit(ada, move), ErrorCode::kNotFound);
  EXPECT_EQ(transaction().rows(), 0u);
}

TEST_F(DirectoryTest, AnEditWithoutADifferenceDrawsNoUsn) {
  const Entry ada = AddMailbox("Ada");
  const Usn before = LastUsn();
  EntryEdit edit = Set("Surname", {"Ada"});
  edit.add_values.push_back({"Proxy-Addresses", {"EDK:ADA@Site1.Testorg.com"}});
  edit.remove_values.push_back({"City", {"Bern"}});
  edit.name = "Ada";
  edit.container = "Recipients";
  const auto edited = directory().Edit(ada, edit);
  EXPECT_OK(edited);
  EXPECT_EQ(edited->usn_changed, ada.usn_changed);
  EXPECT_EQ(LastUsn(), before);
}

TEST_F(DirectoryTest, ConstructedNamesDoNotFollowButComeBackWhenCleared) {
  const Entry ada = AddMailbox("Ada");
  EntryEdit edit = Set("Given-Name", {"Augusta"});
  edit.set.push_back({"Surname", {"King"}});
  EXPECT_EQ(directory().Edit(ada, edit)->attributes.First("Display-Name"), "Ada");
  EXPECT_EQ(directory().Edit(ada, Set("Display-Name", {}))->attributes.First("Display-Name"),
            "Augusta King");
  EXPECT_EQ(directory().Edit(ada, Set("Surname", {}))->attributes.First("Surname"), "Ada");
}

TEST_F(DirectoryTest, RenameAndMoveKeepTheId) {
  AddContainer("Other", "");
  const Entry ada = AddMailbox("Ada");
  EntryEdit edit;
  edit.name = "Augusta";
  edit.container = "Other";
  const auto moved = directory().Edit(ada, edit);
  EXPECT_OK(moved);
  EXPECT_EQ(moved->id, ada.id);
  EXPECT_EQ(Resolved("Augusta"), "/o=Testorg/ou=Site1/cn=Other/cn=Augusta");
  ExpectError(directory().Resolve("Ada"), ErrorCode::kNotFound);
  EXPECT_EQ(Resolved("EDK:Ada@Site1.Testorg.com"), Resolved("Augusta"));
  ExpectConsistent(transaction());
}

TEST_F(DirectoryTest, AContainersRenameLeavesItsEntriesAlone) {
  AddContainer("A", "");
  const Entry b = AddContainer("B", "A");
  const Entry ada = AddMailbox("Ada", "A/cn=B");
  EntryEdit below;
  below.container = "A/cn=B";
  ExpectError(directory().Edit(*directory().Resolve("/cn=A"), below), ErrorCode::kInvalid);
  EntryEdit edit;
  edit.name = "B2";
  edit.container = "";
  EXPECT_OK(directory().Edit(b, edit));
  EXPECT_EQ(Resolved("Ada"), "/o=Testorg/ou=Site1/cn=B2/cn=Ada");
  EXPECT_EQ(directory().Resolve("Ada")->usn_changed, ada.usn_changed);
  NewEntry lost = Fresh(EntryClass::kMailbox, "Eve");
  lost.container = "A/cn=B";
  ExpectError(directory().Add(lost), ErrorCode::kNotFound);
  ExpectConsistent(transaction());
}

TEST_F(DirectoryTest, ARenamedContainerIsNotFoundUnderItsOldName) {
  const Entry a = AddContainer("A", "");
  AddMailbox("Ada", "A");
  EntryEdit edit;
  edit.name = "B";
  EXPECT_OK(directory().Edit(a, edit));
  NewEntry late = Fresh(EntryClass::kMailbox, "Eve");
  late.container = "A";
  ExpectError(directory().Add(late), ErrorCode::kNotFound);
  late.container = "B";
  EXPECT_OK(directory().Add(late));
  ExpectConsistent(transaction());
}

TEST_F(DirectoryTest, MembersAreIdentitiesAndStandOnce) {
  const Entry group = Added(Fresh(EntryClass::kDistributionList, "Staff"));
  const Entry ada = AddMailbox("Ada");
  const std::string here = Reference{"Site1", ada.id}.ToString();
  const std::string unknown = Reference{"Site2", IdOf(99)}.ToString();
  EntryEdit add;
  add.add_values.push_back({"Member", {here, unknown, here}});
  const auto edited = directory().Edit(group, add);
  EXPECT_OK(edited);
  EXPECT_THAT(edited->attributes.Find("Member")->values, ElementsAre(here, unknown));
  EXPECT_EQ(directory().Edit(group, add)->usn_changed, edited->usn_changed);
  EXPECT_OK(directory().Delete(ada));  // may return: the group keeps its identity
  EXPECT_THAT(directory().Resolve("Staff")->attributes.Find("Member")->values,
              ElementsAre(here, unknown));
}

TEST_F(DirectoryTest, OnlyEmptyContainersAreDeleted) {
  const Entry a = AddContainer("A", "");
  const Entry ada = AddMailbox("Ada", "A");
  ExpectError(directory().Delete(a), ErrorCode::kNotEmpty);
  EXPECT_OK(directory().Delete(ada));
  EXPECT_OK(directory().Delete(a));
  NewEntry late = Fresh(EntryClass::kMailbox, "Eve");
  late.container = "A";
  ExpectError(directory().Add(late), ErrorCode::kNotFound);
  ExpectConsistent(transaction());
}

TEST_F(DirectoryTest, ListsAreInNameOrderAndContainersBeforeTheirContents) {
  const Entry a = AddContainer("Beta", "");
  AddContainer("inner", "Beta");
  AddMailbox("zoe", "Beta/cn=inner");
  AddMailbox("Ada", "Beta");
  AddMailbox("Max", "Beta");
  AddMailbox("alone", "");
  EXPECT_THAT(Listed(a.id, false), ElementsAre("Ada", "inner", "Max"));
  EXPECT_THAT(Listed({}, false), ElementsAre("alone", "Beta", "Recipients"));
  EXPECT_THAT(Listed({}, true),
              ElementsAre("alone", "Beta", "Ada", "inner", "zoe", "Max", "Recipients"));
  CommitAndOpen();
  EXPECT_THAT(Listed({}, true),
              ElementsAre("alone", "Beta", "Ada", "inner", "zoe", "Max", "Recipients"));
}

TEST_F(DirectoryTest, ListingStopsWhenToldAndNeedsAContainer) {
  const Entry ada = AddMailbox("Ada");
  AddMailbox("Eve");
  int visits = 0;
  EXPECT_OK(directory().List({}, true, [&](const Entry&) { return ++visits < 2; }));
  EXPECT_EQ(visits, 2);
  const auto never = [](const Entry&) { return true; };
  ExpectError(directory().List(ada.id, false, never), ErrorCode::kNotFound);
  ExpectError(directory().List(IdOf(99), false, never), ErrorCode::kNotFound);
}

TEST_F(DirectoryTest, AVisitorMayDeleteWhatItSees) {
  for (std::string name : {"a", "b", "c"}) AddMailbox(name);
  const Entry recipients = *directory().Resolve("Recipients");
  EXPECT_OK(directory().List(recipients.id, true, [&](const Entry& entry) {
    return directory().Delete(entry).has_value();
  }));
  EXPECT_THAT(Listed(recipients.id, true), IsEmpty());
  ExpectConsistent(transaction());
}

}  // namespace
}  // namespace dirsync
