#include "agent/core/join.h"

#include <gtest/gtest.h>

#include "tests/unit/reader_world.h"

namespace dirsync {
namespace {

constexpr EntryClass kMailbox = EntryClass::kMailbox;
constexpr EntryClass kContact = EntryClass::kCustomRecipient;
constexpr EntryClass kGroup = EntryClass::kDistributionList;
const std::string kAnna = "EDK:Anna@Site1.Testorg.com";

class JoinTest : public ::testing::Test {
 protected:
  JoinTest() { reader_.Must(source_.Start()); }
  ApplyCounts Tell(const Change& person) { return reader_.Must(source_.AddAll({person})); }
  void TearDown() override { reader_.Check(); }

  Source source_;
  Reader reader_;
};

TEST_F(JoinTest, ANewEntryIsCreatedUnderItsDerivedId) {
  EXPECT_EQ(Tell(Person(1, "Anna")).added, 1u);
  const std::optional<Entry> entry = reader_.Get(LocalIdOf("Site1", IdOf(1)));
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->entry_class, kContact);
  EXPECT_EQ(entry->name, "Anna");
  EXPECT_EQ(entry->origin, (Reference{"Site1", IdOf(1)}));
  EXPECT_EQ(entry->attributes.First("Target-Address"), kAnna);
  EXPECT_EQ(entry->attributes.First("Imported-From"), "Site1/EXP");
  EXPECT_EQ(entry->attributes.First("Title"), "Engineer");
  EXPECT_EQ(reader_.Mirror(IdOf(1))->joined, JoinedBy::kCreated);
}

TEST_F(JoinTest, AnOwnerlessContactWithTheAddressIsAdopted) {
  const EntryId contact = reader_.AddLocal(1, kContact, "Anna of old", {}, kAnna);
  const ApplyCounts counts = Tell(Person(1, "Anna"));
  EXPECT_EQ(counts.adopted, 1u);
  EXPECT_EQ(counts.added, 0u);
  const std::optional<Entry> entry = reader_.Get(contact);
  EXPECT_EQ(entry->name, "Anna");
  EXPECT_EQ(entry->origin, (Reference{"Site1", IdOf(1)}));
  EXPECT_EQ(entry->attributes.First("Display-Name"), "Person Anna");
  EXPECT_EQ(reader_.Mirror(IdOf(1))->joined, JoinedBy::kAddress);
  EXPECT_EQ(reader_.Mirror(IdOf(1))->local, contact);
  EXPECT_FALSE(reader_.Get(LocalIdOf("Site1", IdOf(1))));
}

// The roster gives each mail domain to one site.
class DomainsTest : public JoinTest {
 protected:
  DomainsTest() {
    reader_.domains =
        MailDomains(std::vector{Row("Site1", "site1.testorg.com"), Row("Site3", "site3.com")});
  }
  static RosterEntry Row(const std::string& site, const std::string& domain) {
    RosterEntry entry;
    entry.site = site;
    entry.domains = {domain};
    return entry;
  }
};

TEST_F(DomainsTest, AnAddressInAnothersDomainIsQuarantined) {
  Change thief = Person(1, "Anna");
  SetValue(thief, "Proxy-Addresses", {thief.target_address, "SMTP:ceo@mail.Site3.com"});
  const ApplyCounts counts = Tell(thief);
  EXPECT_EQ(counts.added, 0u);
  ASSERT_EQ(reader_.Quarantined().size(), 1u);
  EXPECT_EQ(reader_.Quarantined()[0].code, ErrorCode::kForeignDomain);
  EXPECT_NE(reader_.Quarantined()[0].reason.find("mail.Site3.com"), std::string::npos);
  // The one whose it is finds it free.
  Source third("Site3");
  ReaderState other;
  other.number = 2;
  EXPECT_OK(reader_.Apply(third.Start(), other));
  Change ceo = Person(7, "Ceo");
  ceo.dn = "/o=Testorg/ou=Site3/cn=Recipients/cn=Ceo";
  ceo.target_address = "SMTP:ceo@mail.Site3.com";
  SetValue(ceo, "Proxy-Addresses", {ceo.target_address});
  const auto taken = reader_.Apply(third.AddAll({ceo}), other);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->added, 1u);
}

TEST_F(DomainsTest, AnEntryThatTakesOneLaterStaysAsItWas) {
  Tell(Person(1, "Anna"));
  Change thief = Person(1, "Anna");
  thief.target_address = "EDK:Anna@site3.com";
  SetValue(thief, "Proxy-Addresses", {thief.target_address});
  EXPECT_EQ(reader_.Must(source_.Number({source_.Modify(thief)})).quarantined, 1u);
  EXPECT_EQ(reader_.Here(IdOf(1))->attributes.First("Target-Address"), kAnna);
}

TEST_F(DomainsTest, NobodysDomainIsFree) {
  Change partner = Person(1, "Partner");
  partner.target_address = "SMTP:partner@elsewhere.example";
  SetValue(partner, "Proxy-Addresses", {partner.target_address, "X400:c=de;s=partner"});
  EXPECT_EQ(Tell(partner).added, 1u);
  // But it is not the site's to adopt.
  reader_.AddLocal(1, kContact, "Bert of old", {}, "SMTP:bert@elsewhere.example");
  Change bert = Person(2, "Bert");
  bert.target_address = "SMTP:bert@elsewhere.example";
  SetValue(bert, "Proxy-Addresses", {bert.target_address});
  const ApplyCounts counts = Tell(bert);
  EXPECT_EQ(counts.adopted, 0u);
  EXPECT_EQ(counts.quarantined, 1u);
}

TEST_F(JoinTest, AnAdoptedContactThatWasDroppedReturnsUnderItsId) {
  const EntryId contact = reader_.AddLocal(1, kContact, "Anna of old", {}, kAnna);
  Tell(Person(1, "Anna"));
  EXPECT_EQ(reader_.Must(source_.Number({source_.Delete(IdOf(1))})).deleted, 1u);
  EXPECT_TRUE(reader_.Get(contact)->is_deleted());
  EXPECT_EQ(Tell(Person(1, "Anna")).added, 1u);
  EXPECT_FALSE(reader_.Get(contact)->is_deleted());
}

// What may never be adopted, changed or deleted (R8): named as the holder instead.
class NeverAdopted : public JoinTest, public ::testing::WithParamInterface<EntryClass> {};

TEST_P(NeverAdopted, MailboxesAndGroupsOfOursKeepTheirAddress) {
  const EntryId ours = reader_.AddLocal(1, GetParam(), "Ours", {kAnna}, "");
  const std::optional<Entry> before = reader_.Get(ours);
  const ApplyCounts counts = Tell(Person(1, "Anna"));
  EXPECT_EQ(counts.quarantined, 1u);
  EXPECT_EQ(counts.adopted + counts.added + counts.modified, 0u);
  EXPECT_EQ(reader_.Get(ours)->usn_changed, before->usn_changed);
  ASSERT_EQ(reader_.Quarantined().size(), 1u);
  EXPECT_EQ(reader_.Quarantined()[0].code, ErrorCode::kAddressTaken);
  EXPECT_NE(reader_.Quarantined()[0].reason.find("/o=Testorg/ou=Site2/cn=Ours"), std::string::npos);
  EXPECT_EQ(reader_.Mirror(IdOf(1))->status, MirrorStatus::kQuarantined);
  EXPECT_TRUE(reader_.Mirror(IdOf(1))->local.is_zero());
}
INSTANTIATE_TEST_SUITE_P(Classes, NeverAdopted, ::testing::Values(kMailbox, kGroup));

TEST_F(JoinTest, AnotherStreamsContactIsNotAdopted) {
  Source other("Site3");
  ReaderState other_state;
  other_state.number = 2;
  EXPECT_OK(reader_.Apply(other.Start(), other_state));
  EXPECT_OK(reader_.Apply(other.AddAll({Person(1, "Anna")}), other_state));
  const ApplyCounts counts = Tell(Person(1, "Anna"));
  EXPECT_EQ(counts.quarantined, 1u);
  EXPECT_EQ(reader_.Here(IdOf(1), "Site3")->origin->site, "Site3");
}

TEST_F(JoinTest, SeveralHoldersAreAllNamed) {
  reader_.AddLocal(1, kContact, "One", {}, kAnna);
  reader_.AddLocal(2, kContact, "Two", {}, "SMTP:anna@testorg.com");
  Change person = Person(1, "Anna");
  SetValue(person, "Proxy-Addresses", {kAnna, "SMTP:anna@testorg.com"});
  EXPECT_EQ(Tell(person).quarantined, 1u);
  const std::string reason = reader_.Quarantined().at(0).reason;
  EXPECT_NE(reason.find("cn=One"), std::string::npos);
  EXPECT_NE(reason.find("cn=Two"), std::string::npos);
}

TEST_F(JoinTest, OnlyForAddressesOfTheSendersDomains) {
  reader_.settings.domains = {"Site9.Testorg.com"};
  reader_.AddLocal(1, kContact, "Anna of old", {}, kAnna);
  EXPECT_EQ(Tell(Person(1, "Anna")).quarantined, 1u);
  reader_.settings.domains = {"Site9.Testorg.com", "testorg.COM"};
  reader_.AddLocal(2, kContact, "Berta of old", {}, "EDK:Berta@Site1.Testorg.com");
  // And Anna, who waited.
  EXPECT_EQ(Tell(Person(2, "Berta")).adopted, 2u);
}

TEST_F(JoinTest, NoneMeansNoAdoption) {
  reader_.settings.join = JoinBy::kNone;
  reader_.AddLocal(1, kContact, "Anna of old", {}, kAnna);
  EXPECT_EQ(Tell(Person(1, "Anna")).quarantined, 1u);
}

TEST_F(JoinTest, AGroupAdoptsNoContact) {
  reader_.AddLocal(1, kContact, "Old", {}, kAnna);
  Change group = Person(1, "Anna");
  group.entry_class = kGroup;
  EXPECT_EQ(Tell(group).quarantined, 1u);
}

TEST_F(JoinTest, ByNameOnlyIfConfiguredAndOnlyOneCandidate) {
  reader_.AddLocal(1, kContact, "anna", {}, "SMTP:a@x.org", true);
  EXPECT_EQ(Tell(Person(1, "Anna")).added, 1u);
  reader_.settings.join = JoinBy::kName;
  const EntryId berta = reader_.AddLocal(2, kContact, "BERTA", {}, "SMTP:b@x.org", true);
  EXPECT_EQ(Tell(Person(2, "Berta")).adopted, 1u);
  EXPECT_EQ(reader_.Mirror(IdOf(2))->joined, JoinedBy::kName);
  EXPECT_EQ(reader_.Mirror(IdOf(2))->local, berta);
  EXPECT_EQ(reader_.Get(berta)->attributes.First("Target-Address"), "EDK:Berta@Site1.Testorg.com");
  // By its display name another, besides the one of its name: two candidates.
  reader_.AddLocal(3, kContact, "Clara", {}, "SMTP:c@x.org", true);
  reader_.AddLocal(4, kContact, "Person Clara", {}, "SMTP:c2@x.org", true);
  Change clara = Person(3, "Clara");
  SetValue(clara, "Display-Name", {"Person Clara of ours"});
  const ApplyCounts counts = Tell(clara);
  EXPECT_EQ(counts.adopted, 0u);
  EXPECT_EQ(counts.added, 1u);
  EXPECT_TRUE(reader_.Mirror(IdOf(3))->renamed);
}

TEST_F(JoinTest, ByNameNeverAMailbox) {
  reader_.settings.join = JoinBy::kName;
  reader_.AddLocal(1, kMailbox, "Anna", {}, "", true);
  EXPECT_EQ(Tell(Person(1, "Anna")).added, 1u);
  EXPECT_TRUE(reader_.Here(IdOf(1))->name.starts_with("Anna-"));
}

TEST_F(JoinTest, ANameThatIsTakenGetsTheSameSuffixEachTime) {
  reader_.AddLocal(1, kMailbox, "Anna", {}, "", true);
  Tell(Person(1, "Anna"));
  const std::string name = reader_.Here(IdOf(1))->name;
  EXPECT_EQ(name, "Anna-" + LocalIdOf("Site1", IdOf(1)).hex().substr(0, 6));
  EXPECT_TRUE(reader_.Mirror(IdOf(1))->renamed);
  Change person = Person(1, "Anna");
  SetValue(person, "Title", {"Boss"});
  reader_.Must(source_.Number({source_.Modify(person)}));
  EXPECT_EQ(reader_.Here(IdOf(1))->name, name);
  EXPECT_TRUE(reader_.Mirror(IdOf(1))->renamed);
  reader_.Must(source_.Number({source_.Delete(IdOf(1))}));
  Tell(person);
  EXPECT_EQ(reader_.Here(IdOf(1))->name, name);
}

TEST_F(JoinTest, AnOverlongNameIsCutBeforeItsSuffix) {
  std::string name;
  for (int i = 0; i < 128; ++i) name += "\xC3\xA4";
  reader_.AddLocal(1, kMailbox, name, {}, "", true);
  Change person = Person(1, "Anna");
  person.name = name;
  EXPECT_EQ(Tell(person).added, 1u);
  const std::string here = reader_.Here(IdOf(1))->name;
  EXPECT_LE(here.size(), 256u);
  EXPECT_TRUE(IsUtf8(here));
}

TEST_F(JoinTest, TwoStreamsOfASiteShareOneEntryAndTheLastDropsIt) {
  Source second("Site1", "EXP2");
  ReaderState second_state;
  second_state.number = 2;
  Tell(Person(1, "Anna"));
  EXPECT_OK(reader_.Apply(second.Start(), second_state));
  EXPECT_OK(reader_.Apply(second.AddAll({Person(1, "Anna")}), second_state));
  EXPECT_EQ(reader_.Must(source_.Number({source_.Delete(IdOf(1))})).deleted, 0u);
  EXPECT_TRUE(reader_.Here(IdOf(1)));
  const auto last = reader_.Apply(second.Number({second.Delete(IdOf(1))}), second_state);
  EXPECT_EQ(last.value().deleted, 1u);
  EXPECT_FALSE(reader_.Here(IdOf(1)));
}

TEST_F(JoinTest, ALostMirrorIsFoundAgainByIdentity) {
  Tell(Person(1, "Anna"));
  storage::MemoryStorage::Map rows = reader_.storage.rows();
  std::erase_if(rows, [](const auto& row) { return row.first[0] == 'K' || row.first[0] == 'R'; });
  reader_.storage.Restore(rows);
  reader_.state = {};
  reader_.state.number = 1;
  EXPECT_EQ(reader_.Full(source_).value().unchanged, 1u);
  EXPECT_EQ(reader_.Mirror(IdOf(1))->joined, JoinedBy::kIdentity);
}

}  // namespace
}  // namespace dirsync
