#include "agent/core/scope.h"

#include <algorithm>

#include "tests/unit/producer_world.h"

namespace dirsync {
namespace {

class ScopeTest : public testing::Test, protected ProducerWorld {
 protected:
  Result<Scope> Make() {
    transaction_.emplace(storage);
    entries_.emplace(*transaction_, now);
    return Scope::Make(*entries_, profile, settings);
  }
  std::optional<Change> Tell(const EntryId& id) {
    const Scope scope = *Make();
    return Must(scope.Tell(*Must(entries_->Get(id))));
  }
  EntryId AddRecipient(std::string target, std::vector<std::string> proxies = {}) {
    NewEntry fresh;
    fresh.entry_class = EntryClass::kCustomRecipient;
    fresh.name = "Contact";
    fresh.attributes.Set("Target-Address", {std::move(target)});
    fresh.attributes.Set("Proxy-Addresses", std::move(proxies));
    return Add(std::move(fresh));
  }

  std::optional<storage::Transaction> transaction_;
  std::optional<EntryStore> entries_;
};

TEST_F(ScopeTest, Settings_AllFaultsAtOnce) {
  settings.containers = {"Recipients", "Nowhere"};
  settings.filter = "(Department=";
  settings.attributes = {"Dispaly-Name"};
  profile.templates.clear();
  const auto scope = Make();
  ASSERT_FALSE(scope);
  EXPECT_EQ(scope.error().code, ErrorCode::kNotFound);
  for (std::string_view part : {"Nowhere", "Dispaly-Name", "Department", "address type"})
    EXPECT_NE(scope.error().message.find(part), std::string::npos) << scope.error().message;
}

TEST_F(ScopeTest, Settings_EachFaultHasItsCode) {
  settings.filter = "(((";
  EXPECT_EQ(Make().error().code, ErrorCode::kInvalid);
  settings.filter.clear();
  settings.attributes = {"No-Such-Thing"};
  EXPECT_EQ(Make().error().code, ErrorCode::kInvalid);
  settings.attributes.clear();
  profile.templates.clear();
  EXPECT_EQ(Make().error().code, ErrorCode::kInvalid);
}

TEST_F(ScopeTest, Mailbox_IsToldWithItsPrimaryAddress) {
  const EntryId id = AddMailbox("Mailbox11");
  const auto change = Tell(id);
  ASSERT_TRUE(change);
  EXPECT_EQ(change->kind, ChangeKind::kAdd);
  EXPECT_EQ(change->id, id);
  EXPECT_EQ(change->name, "Mailbox11");
  EXPECT_EQ(change->dn, "/o=Testorg/ou=Site1/cn=Recipients/cn=Mailbox11");
  EXPECT_TRUE(change->parent.is_zero());
  EXPECT_EQ(change->target_address, "EDK:Mailbox11@Site1.Testorg.com");
  settings.address_type = "smtp";
  EXPECT_EQ(Tell(id)->target_address, "SMTP:Mailbox11@site1.example");
}

TEST_F(ScopeTest, Dn_IsWrittenAsTheDirectoryDoes) {
  const EntryId sub = AddContainer("A/B \\ C", "Recipients");
  settings.subs = true;
  NewEntry fresh;
  fresh.name = "x/y\\z";
  fresh.container = "Recipients";
  const EntryId id = Add(std::move(fresh));
  Move(id, sub);
  const auto change = Tell(id);
  const Entry entry = *Must(entries_->Get(id));
  EXPECT_EQ(change->dn, Must(entries_->DnOf(profile.basepoint(), entry)).ToString());
}

TEST_F(ScopeTest, Address_OfARecipientIsItsTargetElseItsProxy) {
  const EntryId id = AddRecipient("EDK:c@elsewhere.example", {"SMTP:c@elsewhere.example"});
  EXPECT_EQ(Tell(id), std::nullopt);
  settings.classes = {EntryClass::kCustomRecipient};
  EXPECT_EQ(Tell(id)->target_address, "EDK:c@elsewhere.example");
  settings.address_type = "SMTP";
  EXPECT_EQ(Tell(id)->target_address, "SMTP:c@elsewhere.example");
}

TEST_F(ScopeTest, Address_WithoutOneOfTheTypeIsLeftOutAndCounted) {
  const EntryId id = AddMailbox("Mailbox11");
  AddMailbox("Mailbox12");
  settings.address_type = "X400";
  const Scope scope = *Make();
  EXPECT_EQ(Must(scope.Tell(*Must(entries_->Get(id)))), std::nullopt);
  EXPECT_EQ(scope.without_address(), 1u);
}

TEST_F(ScopeTest, Imported_IsNeverToldOn) {
  const EntryId id = AddMailbox("Mailbox11");
  Alter(id, [](Entry& entry) { entry.origin = Reference{"Site2", DerivedId("theirs")}; });
  EXPECT_EQ(Tell(id), std::nullopt);
}

TEST_F(ScopeTest, Deleted_IsNotTold) {
  const EntryId id = AddMailbox("Mailbox11");
  Delete(id);
  EXPECT_EQ(Tell(id), std::nullopt);
}

TEST_F(ScopeTest, Hidden_OnlyWhenAskedFor) {
  const EntryId id = AddMailbox("Mailbox11");
  Set(id, "Hide-From-AB", {"1"});
  EXPECT_EQ(Tell(id), std::nullopt);
  settings.hidden = true;
  EXPECT_TRUE(Tell(id));
  settings.hidden = false;
  Set(id, "Hide-From-AB", {"0"});
  EXPECT_TRUE(Tell(id));
}

TEST_F(ScopeTest, Server_IsComparedFolded) {
  const EntryId id = AddMailbox("Mailbox11");
  Set(id, "Home-Server", {"Server1"});
  settings.server = "SERVER1";
  EXPECT_TRUE(Tell(id));
  settings.server = "Server2";
  EXPECT_EQ(Tell(id), std::nullopt);
  Set(id, "Home-Server", {});
  EXPECT_EQ(Tell(id), std::nullopt);
}

TEST_F(ScopeTest, Filter_Decides) {
  const EntryId id = AddMailbox("Mailbox11");
  settings.filter = "(Department=Sales)";
  EXPECT_EQ(Tell(id), std::nullopt);
  Set(id, "Department", {"sales"});
  EXPECT_TRUE(Tell(id));
}

TEST_F(ScopeTest, Containers_BelowTheRootsOnlyWithSubs) {
  const EntryId sub = AddContainer("Sub", "Recipients");
  const EntryId deep = AddContainer("Deep", "Recipients/cn=Sub");
  const EntryId id = AddMailbox("Mailbox11", "Recipients/cn=Sub/cn=Deep");
  EXPECT_EQ(Tell(id), std::nullopt);
  EXPECT_EQ(Tell(sub), std::nullopt);
  settings.subs = true;
  settings.filter = "(Department=Sales)";  // of recipients: containers are told all the same
  EXPECT_EQ(Tell(id), std::nullopt);
  EXPECT_TRUE(Tell(sub)->parent.is_zero());
  EXPECT_EQ(Tell(sub)->entry_class, EntryClass::kContainer);
  EXPECT_TRUE(Tell(sub)->target_address.empty());
  EXPECT_EQ(Tell(deep)->parent, sub);
  settings.filter.clear();
  EXPECT_EQ(Tell(id)->parent, deep);
  const Scope scope = *Make();
  EXPECT_EQ(Must(scope.RankOf(*Must(entries_->Get(sub)))), 1);
  EXPECT_EQ(Must(scope.RankOf(*Must(entries_->Get(deep)))), 2);
  EXPECT_EQ(Must(scope.RankOf(*Must(entries_->Get(id)))), storage::kRecipientRank);
}

TEST_F(ScopeTest, Root_IsNotToldAndHasNoRank) {
  settings.subs = true;
  const Scope scope = *Make();
  const Entry root = *Must(entries_->Get(scope.roots().front()));
  EXPECT_EQ(Must(scope.Tell(root)), std::nullopt);
  EXPECT_FALSE(scope.RankOf(root));
}

TEST_F(ScopeTest, Roots_SeveralStandSideBySide) {
  AddContainer("Other", "");
  AddContainer("Third", "");
  const EntryId id = AddMailbox("Mailbox11", "Other");
  const EntryId third = AddMailbox("Mailbox12", "Third");
  settings.containers = {"Recipients", "Other"};
  EXPECT_TRUE(Tell(id)->parent.is_zero());
  EXPECT_EQ(Tell(third), std::nullopt);
}

TEST_F(ScopeTest, Roots_OneInAnotherIsToldAsItsContainer) {
  const EntryId sub = AddContainer("Sub", "Recipients");
  const EntryId id = AddMailbox("Mailbox11", "Recipients/cn=Sub");
  settings.containers = {"Recipients", "Recipients/cn=Sub"};
  EXPECT_TRUE(Tell(id)->parent.is_zero());
  settings.subs = true;
  EXPECT_TRUE(Tell(sub));
  EXPECT_EQ(Tell(id)->parent, sub);
}

TEST_F(ScopeTest, ImportedContainer_HidesWhatStandsBelow) {
  const EntryId sub = AddContainer("Sub", "Recipients");
  const EntryId id = AddMailbox("Mailbox11", "Recipients/cn=Sub");
  settings.subs = true;
  Alter(sub, [](Entry& entry) { entry.origin = Reference{"Site2", DerivedId("theirs")}; });
  EXPECT_EQ(Tell(sub), std::nullopt);
  EXPECT_EQ(Tell(id), std::nullopt);
}

TEST_F(ScopeTest, Attributes_StarIsAllThatMayBeTold) {
  const EntryId id = AddMailbox("Mailbox11");
  Set(id, "Home-Server", {"Server1"});
  Set(id, "X-Badge-No", {"7"});
  Set(id, "Target-Address", {"EDK:x@y.example"});
  const auto change = Tell(id);
  std::vector<std::string> names;
  for (const AttributeChange& attribute : change->attributes) {
    names.push_back(attribute.name);
    EXPECT_EQ(attribute.operation, AttributeOperation::kSet);
    EXPECT_FALSE(attribute.values.empty());
  }
  EXPECT_TRUE(std::ranges::is_sorted(names));
  EXPECT_TRUE(std::ranges::count(names, "X-Badge-No"));
  EXPECT_TRUE(std::ranges::count(names, "Proxy-Addresses"));
  EXPECT_FALSE(std::ranges::count(names, "Home-Server"));
  EXPECT_FALSE(std::ranges::count(names, "Target-Address"));
  EXPECT_EQ(Make()->terms().attributes, std::vector<std::string>{"*"});
}

TEST_F(ScopeTest, Attributes_ListIsMadeCanonicalAndPseudoNamesIgnored) {
  const EntryId id = AddMailbox("Mailbox11");
  Set(id, "City", {"Bern"});
  settings.attributes = {"obj-class", "Common-Name", "sn", "Target-Address", "Home-Server", "l"};
  const auto change = Tell(id);
  ASSERT_EQ(change->attributes.size(), 2u);
  EXPECT_EQ(change->attributes[0].name, "City");
  EXPECT_EQ(change->attributes[1].name, "Surname");
  EXPECT_EQ(Make()->terms().attributes, (std::vector<std::string>{"City", "Surname"}));
  EXPECT_EQ(Make()->terms().address_type, "EDK");
  settings.attributes.clear();
  EXPECT_TRUE(Tell(id)->attributes.empty());
}

TEST_F(ScopeTest, TellInto_LeavesNothingOfTheEntryBefore) {
  const EntryId rich = AddMailbox("Mailbox11");
  for (int i = 0; i < 9; ++i) Set(rich, "X-" + std::to_string(i), {"a", "b"});
  const EntryId poor = AddMailbox("Mailbox12");
  const EntryId sub = AddContainer("Sub", "Recipients");
  settings.subs = true;
  const Scope scope = *Make();
  Change reused;
  for (const EntryId& id : {rich, poor, sub, rich, sub, poor}) {
    const Entry entry = *Must(entries_->Get(id));
    ASSERT_TRUE(Must(scope.TellInto(entry, reused)));
    EXPECT_EQ(reused, *Must(scope.Tell(entry)));
  }
}

TEST_F(ScopeTest, Digest_KnowsTheContainersThemselves) {
  const Digest before = Make()->digest();
  const EntryId old = Make()->roots().front();
  EXPECT_EQ(Make()->digest(), before);
  Rename(old, "Old");
  AddContainer("Recipients", "");
  EXPECT_NE(Make()->digest(), before);
}

TEST_F(ScopeTest, DnBelow_NamesDeletedContainersToo) {
  const EntryId sub = AddContainer("Sub", "Recipients");
  Delete(sub);
  const Scope scope = *Make();
  EXPECT_EQ(Must(scope.DnBelow(sub, "x")), "/o=Testorg/ou=Site1/cn=Recipients/cn=Sub/cn=x");
  EXPECT_EQ(Must(scope.DnBelow(DerivedId("gone"), "x")), "/o=Testorg/ou=Site1/cn=x");
}

}  // namespace
}  // namespace dirsync
