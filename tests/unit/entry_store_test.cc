#include "agent/directory/entry_store.h"

#include <gmock/gmock.h>

#include <map>
#include <random>
#include <set>

#include "agent/directory/entry_record.h"
#include "agent/directory/index_rows.h"
#include "proto/base/limits.h"
#include "proto/model/address.h"
#include "tests/unit/directory_world.h"

namespace dirsync {
namespace {

using ::testing::HasSubstr;

const Dn kBase{{{"o", "Testorg"}, {"ou", "Site1"}}};

class EntryStoreTest : public DirectoryWorld {
 protected:
  Entry Inserted(Entry entry) {
    EXPECT_OK(store().Insert(entry));
    return entry;
  }
  Entry Stored(const EntryId& id) {
    const auto entry = store().Get(id);
    EXPECT_TRUE(entry.has_value() && entry->has_value());
    return entry && *entry ? **entry : Entry{};
  }
  std::size_t rows() { return transaction().rows(); }
};

Entry WithAddress(Entry entry, std::vector<std::string> addresses) {
  entry.attributes.Set(attribute::kProxyAddresses, std::move(addresses));
  return entry;
}

Entry Recipient(unsigned number, std::string name, std::string target) {
  Entry entry = MakeEntry(number, std::move(name));
  entry.entry_class = EntryClass::kCustomRecipient;
  entry.attributes.Set(attribute::kTargetAddress, {std::move(target)});
  return entry;
}

TEST_F(EntryStoreTest, WhatStorageCannotHoldIsRefused) {
  const auto refused = [&](Entry entry, ErrorCode code) {
    ExpectError(store().Insert(entry), code);
    EXPECT_EQ(entry.usn_created, 0u);
  };
  refused(MakeEntry(0, "n"), ErrorCode::kInvalid);
  refused(MakeEntry(1, ""), ErrorCode::kInvalid);
  refused(MakeEntry(1, " \t"), ErrorCode::kInvalid);
  refused(MakeEntry(1, std::string(limits::kNameBytes + 1, 'n')), ErrorCode::kTooLarge);
  refused(WithAddress(MakeEntry(1, "n"), {"no address"}), ErrorCode::kInvalid);
  Entry big = MakeEntry(1, "n");
  big.attributes.Set("Comment", {std::string(limits::kValueBytes + 1, 'x')});
  refused(big, ErrorCode::kTooLarge);
  big.attributes.Set("Comment", {std::string(limits::kEntryBytes, 'x')});
  big.attributes.Set("City", {"x"});
  refused(big, ErrorCode::kTooLarge);
  Entry many = MakeEntry(1, "n");
  many.attributes.Set("X-Many", std::vector<std::string>(limits::kValuesPerAttribute + 1, "v"));
  refused(many, ErrorCode::kTooLarge);
  Entry wide = MakeEntry(1, "n");
  for (std::size_t i = 0; i <= limits::kAttributesPerEntry; ++i)
    wide.attributes.Set("X-" + std::to_string(i), {"v"});
  refused(wide, ErrorCode::kTooLarge);
  Entry disorder = MakeEntry(1, "n");
  disorder.attributes.Append({"City", {"v"}});
  disorder.attributes.Append({"Address", {"v"}});
  refused(disorder, ErrorCode::kInvalid);
  Entry hollow = MakeEntry(1, "n");
  hollow.attributes.Append({"City", {}});
  refused(hollow, ErrorCode::kInvalid);
  EXPECT_EQ(rows(), 0u);
}

TEST_F(EntryStoreTest, AParentMustBeALiveContainer) {
  Entry orphan = MakeEntry(2, "n", IdOf(1));
  ExpectError(store().Insert(orphan), ErrorCode::kNotFound);
  Inserted(MakeEntry(1, "mailbox"));
  ExpectError(store().Insert(orphan), ErrorCode::kNotFound);
  Inserted(MakeContainer(3, "c"));
  orphan.parent = IdOf(3);
  EXPECT_OK(store().Bury(IdOf(3)));
  ExpectError(store().Insert(orphan), ErrorCode::kNotFound);
  Entry loop = MakeContainer(4, "loop", IdOf(4));
  ExpectError(store().Insert(loop), ErrorCode::kNotFound);
}

TEST_F(EntryStoreTest, AContainerThatWasUsedAndBuriedTakesNoEntries) {
  Inserted(MakeContainer(1, "c"));
  Inserted(MakeEntry(2, "n", IdOf(1)));
  EXPECT_OK(store().Bury(IdOf(2)));
  EXPECT_OK(store().Bury(IdOf(1)));
  Entry late = MakeEntry(2, "n", IdOf(1));
  ExpectError(store().Insert(late), ErrorCode::kNotFound);
  Inserted(MakeContainer(1, "c"));
  EXPECT_OK(store().Insert(late));
  ExpectConsistent(transaction());
}

TEST_F(EntryStoreTest, TakenIdsNamesAndAddressesNameTheirHolder) {
  Inserted(MakeContainer(1, "Recipients"));
  Inserted(WithAddress(MakeEntry(2, "Ada", IdOf(1)), {"SMTP:ada@s1"}));
  const std::size_t before = rows();
  Entry same_id = MakeEntry(2, "Other");
  EXPECT_THAT(ExpectError(store().Insert(same_id), ErrorCode::kExists),
              HasSubstr("/cn=Recipients/cn=Ada"));
  Entry same_name = MakeEntry(3, " aDA ", IdOf(1));
  EXPECT_THAT(ExpectError(store().Insert(same_name), ErrorCode::kExists),
              HasSubstr("its name is taken by /cn=Recipients/cn=Ada"));
  Entry same_address = WithAddress(MakeEntry(3, "Other"), {"EDK:x@s1", "smtp:ADA@S1"});
  EXPECT_THAT(ExpectError(store().Insert(same_address), ErrorCode::kExists),
              HasSubstr("SMTP:ada@s1 is taken by /cn=Recipients/cn=Ada"));
  EXPECT_EQ(rows(), before);
  EXPECT_EQ(*store().LastUsn(), 2u);
}

TEST_F(EntryStoreTest, TheSameNameMayStandInSeveralContainers) {
  Inserted(MakeContainer(1, "A"));
  Inserted(MakeContainer(2, "B"));
  for (unsigned parent : {0u, 1u, 2u}) Inserted(MakeEntry(10 + parent, "n", IdOf(parent)));
  EXPECT_EQ(*store().FindChild(IdOf(2), "N"), IdOf(12));
  ExpectConsistent(transaction());
}

TEST_F(EntryStoreTest, ContainersNestToTheirLimit) {
  for (unsigned i = 1; i <= limits::kContainerDepth; ++i)
    Inserted(MakeContainer(i, "c", IdOf(i - 1)));
  Entry deep = MakeContainer(1000, "d", IdOf(limits::kContainerDepth));
  ExpectError(store().Insert(deep), ErrorCode::kTooLarge);
  Inserted(MakeEntry(1001, "mailbox", IdOf(limits::kContainerDepth)));
  // A container of two levels does not fit where one of one level does.
  Inserted(MakeContainer(2000, "x"));
  Inserted(MakeContainer(2001, "y", IdOf(2000)));
  Entry moved = Stored(IdOf(2000));
  moved.parent = IdOf(limits::kContainerDepth - 1);
  ExpectError(store().Update(moved), ErrorCode::kTooLarge);
  moved.parent = IdOf(limits::kContainerDepth - 2);
  EXPECT_OK(store().Update(moved));
  ExpectConsistent(transaction());
}

TEST_F(EntryStoreTest, InsertStampsAndIndexes) {
  const Entry entry = Inserted(WithAddress(MakeEntry(1, "Ada"), {"SMTP:a@s1", "SMTP:A@s1"}));
  EXPECT_EQ(entry.usn_created, 1u);
  EXPECT_EQ(entry.usn_changed, 1u);
  EXPECT_EQ(entry.created, now_);
  EXPECT_EQ(entry.changed, now_);
  EXPECT_EQ(rows(), 5u);  // entry, USN, name, one address, counter
  EXPECT_EQ(*store().FindAddress("smtp:A@S1"), IdOf(1));
  EXPECT_EQ(*store().FindAddress("SMTP:b@s1"), std::nullopt);
  EXPECT_EQ(*store().FindAddress("no address"), std::nullopt);
  EXPECT_EQ(*store().FindChild({}, "ADA"), IdOf(1));
  EXPECT_EQ(*store().FindChild({}, "Eve"), std::nullopt);
  EXPECT_EQ(*store().Get(IdOf(9)), std::nullopt);
  ExpectConsistent(transaction());
}

TEST_F(EntryStoreTest, TheTargetOfACustomRecipientStandsForIt) {
  Inserted(Recipient(1, "Ada", "SMTP:ada@s2"));
  EXPECT_EQ(*store().FindAddress("SMTP:ADA@s2"), IdOf(1));
  Entry second = Recipient(2, "Eve", "SMTP:Ada@s2");
  ExpectError(store().Insert(second), ErrorCode::kExists);
  Entry mailbox = WithAddress(MakeEntry(3, "Bob"), {"SMTP:ada@s2"});
  ExpectError(store().Insert(mailbox), ErrorCode::kExists);
  // One's own proxy of the same text needs no second row.
  Inserted(WithAddress(Recipient(4, "Dan", "SMTP:dan@s2"), {"SMTP:dan@S2", "EDK:dan@s2"}));
  ExpectConsistent(transaction());
}

TEST_F(EntryStoreTest, ATargetOfAnotherClassIsNoAddress) {
  Entry mailbox = MakeEntry(1, "Ada");
  mailbox.attributes.Set(attribute::kTargetAddress, {"SMTP:ada@s2"});
  Inserted(mailbox);
  EXPECT_EQ(*store().FindAddress("SMTP:ada@s2"), std::nullopt);
  ExpectConsistent(transaction());
}

TEST_F(EntryStoreTest, AClassChangeAloneMovesTheTargetsRow) {
  Entry entry = Inserted(Recipient(1, "Ada", "SMTP:ada@s2"));
  entry.entry_class = EntryClass::kMailbox;
  EXPECT_OK(store().Update(entry));
  EXPECT_EQ(*store().FindAddress("SMTP:ada@s2"), std::nullopt);
  ExpectConsistent(transaction());
  entry.entry_class = EntryClass::kCustomRecipient;
  EXPECT_OK(store().Update(entry));
  EXPECT_EQ(*store().FindAddress("SMTP:ada@s2"), IdOf(1));
  ExpectConsistent(transaction());
}

TEST_F(EntryStoreTest, AnAddressThatStoodTwiceStaysWhenItStandsOnce) {
  Entry entry = Inserted(WithAddress(MakeEntry(1, "Ada"), {"SMTP:a@s1", "smtp:A@s1"}));
  EXPECT_OK(store().Update(entry = WithAddress(entry, {"SMTP:a@s1"})));
  EXPECT_EQ(*store().FindAddress("SMTP:a@s1"), IdOf(1));
  ExpectConsistent(transaction());
}

TEST_F(EntryStoreTest, UpdateWritesOnlyRowsThatDiffer) {
  Inserted(MakeContainer(5, "c"));
  Inserted(WithAddress(MakeEntry(1, "Ada"), {"SMTP:a@s1", "EDK:a@s1"}));
  Commit();
  Entry entry = Stored(IdOf(1));
  entry.attributes.Set("City", {"Bern"});
  EXPECT_OK(store().Update(entry));
  EXPECT_EQ(rows(), 4u);  // entry, old and new USN, counter
  Commit();
  entry.attributes.Set(attribute::kProxyAddresses, {"EDK:a@s1", "SMTP:b@s1"});
  EXPECT_OK(store().Update(entry));
  EXPECT_EQ(rows(), 6u);  // besides one address less and one more
  Commit();
  entry.name = "ADA";  // the same name in comparison
  EXPECT_OK(store().Update(entry));
  EXPECT_EQ(rows(), 4u);
  Commit();
  entry.parent = IdOf(5);
  EXPECT_OK(store().Update(entry));
  EXPECT_EQ(rows(), 6u);
  EXPECT_EQ(*store().FindChild({}, "Ada"), std::nullopt);
  EXPECT_EQ(*store().FindChild(IdOf(5), "Ada"), IdOf(1));
  ExpectConsistent(transaction());
}

TEST_F(EntryStoreTest, UpdateKeepsBirthAndStampsTheChange) {
  Inserted(MakeEntry(1, "Ada"));
  SetTime(2000);
  Entry entry = MakeEntry(1, "Eve");
  entry.usn_created = 77;
  entry.created = FromMillis(77);
  entry.deleted = FromMillis(77);
  EXPECT_OK(store().Update(entry));
  EXPECT_EQ(entry.usn_created, 1u);
  EXPECT_EQ(entry.usn_changed, 2u);
  EXPECT_EQ(entry.created, FromMillis(1000));
  EXPECT_EQ(entry.changed, FromMillis(2000));
  EXPECT_FALSE(entry.is_deleted());
  ExpectConsistent(transaction());
}

TEST_F(EntryStoreTest, AFailedUpdateChangesNothing) {
  Inserted(WithAddress(MakeEntry(1, "Ada"), {"SMTP:a@s1"}));
  Inserted(WithAddress(MakeEntry(2, "Eve"), {"SMTP:e@s1"}));
  Commit();
  Entry entry = WithAddress(Stored(IdOf(2)), {"SMTP:x@s1", "SMTP:a@s1"});
  ExpectError(store().Update(entry), ErrorCode::kExists);
  entry = Stored(IdOf(2));
  entry.name = "ada";
  ExpectError(store().Update(entry), ErrorCode::kExists);
  entry.name = "Eve";
  entry.parent = IdOf(9);
  ExpectError(store().Update(entry), ErrorCode::kNotFound);
  Entry unknown = MakeEntry(3, "x");
  ExpectError(store().Update(unknown), ErrorCode::kNotFound);
  EXPECT_EQ(rows(), 0u);
}

TEST_F(EntryStoreTest, ContainersMoveWithTheirEntriesAndNeverBelowThemselves) {
  Inserted(MakeContainer(1, "A"));
  Inserted(MakeContainer(2, "B", IdOf(1)));
  Inserted(MakeEntry(3, "Ada", IdOf(2)));
  Inserted(MakeContainer(4, "C"));
  Commit();
  Entry a = Stored(IdOf(1));
  a.parent = IdOf(2);
  ExpectError(store().Update(a), ErrorCode::kInvalid);
  a.parent = IdOf(1);
  ExpectError(store().Update(a), ErrorCode::kInvalid);
  EXPECT_EQ(store().DnOf(kBase, Stored(IdOf(3)))->ToString(),
            "/o=Testorg/ou=Site1/cn=A/cn=B/cn=Ada");
  a.parent = IdOf(4);
  a.name = "A2";
  EXPECT_OK(store().Update(a));
  EXPECT_EQ(rows(), 8u);  // entry, 2 USNs, counter, 2 names, 2 container rows
  EXPECT_EQ(store().DnOf(kBase, Stored(IdOf(3)))->ToString(),
            "/o=Testorg/ou=Site1/cn=C/cn=A2/cn=B/cn=Ada");
  ExpectConsistent(transaction());
}

TEST_F(EntryStoreTest, AFullContainerStaysAContainer) {
  Inserted(MakeContainer(1, "A"));
  Inserted(MakeEntry(2, "Ada", IdOf(1)));
  Entry entry = Stored(IdOf(1));
  entry.entry_class = EntryClass::kMailbox;
  ExpectError(store().Update(entry), ErrorCode::kNotEmpty);
  ExpectError(store().Bury(IdOf(1)), ErrorCode::kNotEmpty);
  EXPECT_OK(store().Bury(IdOf(2)));
  EXPECT_FALSE(*store().HasChildren(IdOf(1)));
  EXPECT_OK(store().Update(entry));
  ExpectConsistent(transaction());
  entry.entry_class = EntryClass::kContainer;
  EXPECT_OK(store().Update(entry));
  ExpectConsistent(transaction());
}

TEST_F(EntryStoreTest, ATombstoneKeepsItsFieldsAndFreesNameAndAddress) {
  Inserted(MakeContainer(9, "Recipients"));
  const Entry before =
      Inserted(WithAddress(MakeEntry(1, "Ada", IdOf(9)), {"SMTP:a@s1", "EDK:a@s1"}));
  SetTime(5000);
  EXPECT_OK(store().Bury(IdOf(1)));
  const Entry tombstone = Stored(IdOf(1));
  EXPECT_EQ(tombstone.deleted, FromMillis(5000));
  EXPECT_EQ(tombstone.attributes, before.attributes);
  EXPECT_EQ(tombstone.name, "Ada");
  EXPECT_EQ(tombstone.parent, IdOf(9));
  EXPECT_EQ(tombstone.usn_created, before.usn_created);
  EXPECT_EQ(tombstone.usn_changed, 3u);
  ExpectError(store().Bury(IdOf(1)), ErrorCode::kNotFound);
  ExpectError(store().Bury(IdOf(77)), ErrorCode::kNotFound);
  EXPECT_OK(store().Bury(IdOf(9)));
  EXPECT_EQ(store().DnOf(kBase, tombstone)->ToString(), "/o=Testorg/ou=Site1/cn=Recipients/cn=Ada");
  Inserted(WithAddress(MakeEntry(2, "Ada"), {"SMTP:a@s1"}));
  ExpectConsistent(transaction());
}

TEST_F(EntryStoreTest, AReturnReplacesTheTombstone) {
  Inserted(WithAddress(MakeEntry(1, "Ada"), {"SMTP:a@s1"}));
  EXPECT_OK(store().Bury(IdOf(1)));
  Commit();
  SetTime(9000);
  const Entry entry = Inserted(WithAddress(MakeEntry(1, "Ada"), {"SMTP:a@s1"}));
  EXPECT_EQ(entry.usn_created, 3u);
  EXPECT_EQ(entry.created, FromMillis(9000));
  EXPECT_FALSE(Stored(IdOf(1)).is_deleted());
  Commit();
  ExpectConsistent(storage_);
  EXPECT_EQ(*store().Purge(FromMillis(1'000'000)), 0u);
}

TEST_F(EntryStoreTest, PurgeTakesOldTombstonesInSteps) {
  for (unsigned i = 1; i <= 3; ++i) Inserted(MakeEntry(i, "n" + std::to_string(i)));
  for (unsigned i = 1; i <= 3; ++i) {
    SetTime(1000 * i);
    EXPECT_OK(store().Bury(IdOf(i)));
  }
  EXPECT_EQ(*store().Purge(FromMillis(-1)), 0u);
  EXPECT_EQ(*store().Purge(FromMillis(1000)), 0u);  // not before its time
  EXPECT_EQ(*store().MaxPurgedUsn(), 0u);
  EXPECT_EQ(*store().Purge(FromMillis(2001)), 2u);
  EXPECT_EQ(*store().MaxPurgedUsn(), 5u);
  EXPECT_EQ(*store().Get(IdOf(1)), std::nullopt);
  EXPECT_TRUE(store().Get(IdOf(3))->has_value());
  ExpectConsistent(transaction());
  EXPECT_EQ(*store().Purge(FromMillis(99999)), 1u);
  EXPECT_EQ(*store().MaxPurgedUsn(), 6u);
  ExpectConsistent(transaction());
}

TEST_F(EntryStoreTest, APurgedUsnNeverFallsWhenTheClockWentBack) {
  for (unsigned i = 1; i <= 2; ++i) Inserted(MakeEntry(i, "n" + std::to_string(i)));
  SetTime(5000);
  EXPECT_OK(store().Bury(IdOf(1)));
  SetTime(2000);
  EXPECT_OK(store().Bury(IdOf(2)));
  EXPECT_EQ(*store().Purge(FromMillis(9999)), 2u);
  EXPECT_EQ(*store().MaxPurgedUsn(), 4u);
}

TEST_F(EntryStoreTest, ATombstoneRowOfALiveEntryCostsOnlyItself) {
  Inserted(MakeEntry(1, "Ada"));
  transaction().Put(storage::TombstoneKey(500, IdOf(1)), {});
  EXPECT_EQ(*store().Purge(FromMillis(9999)), 1u);
  EXPECT_FALSE(Stored(IdOf(1)).is_deleted());
  EXPECT_EQ(*store().MaxPurgedUsn(), 0u);
  ExpectConsistent(transaction());
}

TEST_F(EntryStoreTest, OnePurgeIsBounded) {
  const unsigned count = limits::kStepRows + 10;
  for (unsigned i = 1; i <= count; ++i) Inserted(MakeEntry(i, "n" + std::to_string(i)));
  for (unsigned i = 1; i <= count; ++i) EXPECT_OK(store().Bury(IdOf(i)));
  EXPECT_EQ(*store().Purge(FromMillis(5000)), limits::kStepRows);
  EXPECT_EQ(*store().Purge(FromMillis(5000)), 10u);
  EXPECT_EQ(*store().LastUsn(), *store().MaxPurgedUsn());
  ExpectConsistent(transaction());
}

TEST_F(EntryStoreTest, UsnsGoOnOverStoresTransactionsAndRollbacks) {
  EXPECT_EQ(*store().LastUsn(), 0u);
  Inserted(MakeEntry(1, "a"));
  EntryStore second(transaction(), now_);
  Entry b = MakeEntry(2, "b");
  EXPECT_OK(second.Insert(b));
  EXPECT_EQ(b.usn_created, 2u);
  EXPECT_EQ(Inserted(MakeEntry(3, "c")).usn_created, 3u);
  Commit();
  EXPECT_EQ(*store().LastUsn(), 3u);
  Inserted(MakeEntry(4, "d"));
  Rollback();
  EXPECT_EQ(Inserted(MakeEntry(5, "e")).usn_created, 4u);
  storage::Transaction nested(static_cast<const storage::ReadView&>(transaction()));
  EntryStore inner(nested, now_);
  Entry f = MakeEntry(6, "f");
  EXPECT_OK(inner.Insert(f));
  transaction().Absorb(nested);
  EXPECT_EQ(Inserted(MakeEntry(7, "g")).usn_created, 6u);
  ExpectConsistent(transaction());
}

TEST_F(EntryStoreTest, ContainersAreFoundByDn) {
  Inserted(MakeContainer(1, "Recipients"));
  Inserted(MakeContainer(2, "Sub", IdOf(1)));
  Inserted(MakeEntry(3, "Ada", IdOf(1)));
  const auto at = [&](std::string_view text) {
    return store().ContainerAt(kBase, *ContainerDn(kBase, text));
  };
  EXPECT_EQ(*at("Recipients"), IdOf(1));
  EXPECT_EQ(*at("/cn=RECIPIENTS/cn=sub"), IdOf(2));
  EXPECT_EQ(*at(""), EntryId{});
  ExpectError(at("Recipients/cn=Ada"), ErrorCode::kNotFound);
  ExpectError(at("/ou=Recipients"), ErrorCode::kNotFound);
  ExpectError(store().ContainerAt(kBase, *ParseDn("/o=Other/cn=Recipients")), ErrorCode::kNotFound);
  const auto near = at("Recipient");
  ExpectError(near, ErrorCode::kNotFound);
  EXPECT_EQ(near.error().hint, "did you mean Recipients?");
}

TEST_F(EntryStoreTest, WithinFollowsTheContainers) {
  Inserted(MakeContainer(1, "A"));
  Inserted(MakeContainer(2, "B", IdOf(1)));
  EXPECT_TRUE(*store().IsWithin(IdOf(2), IdOf(1)));
  EXPECT_TRUE(*store().IsWithin(IdOf(2), IdOf(2)));
  EXPECT_TRUE(*store().IsWithin(IdOf(2), {}));
  EXPECT_TRUE(*store().IsWithin({}, {}));
  EXPECT_FALSE(*store().IsWithin(IdOf(1), IdOf(2)));
  EXPECT_FALSE(*store().IsWithin({}, IdOf(1)));
  EXPECT_FALSE(*store().IsWithin(IdOf(77), IdOf(1)));
}

TEST_F(EntryStoreTest, DamagedRowsAreErrorsNotAnswers) {
  Inserted(MakeEntry(1, "a"));
  transaction().Put(storage::EntryKey(IdOf(1)), "x");
  ExpectError(store().Get(IdOf(1)), ErrorCode::kCorrupt);
  ExpectError(store().Bury(IdOf(1)), ErrorCode::kCorrupt);
  transaction().Put(storage::NameKey({}, "b"), "short");
  ExpectError(store().FindChild({}, "b"), ErrorCode::kCorrupt);
  Entry b = MakeEntry(2, "b");
  ExpectError(store().Insert(b), ErrorCode::kCorrupt);
  transaction().Put(storage::MetaKey("usn"), "short");
  Entry c = MakeEntry(3, "c");
  ExpectError(store().Insert(c), ErrorCode::kCorrupt);
  ExpectError(store().LastUsn(), ErrorCode::kCorrupt);
}

TEST_F(EntryStoreTest, ARingOfContainersIsCorruptNotEndless) {
  for (unsigned i = 1; i <= 2; ++i) {
    Entry entry = MakeContainer(i, "c", IdOf(3 - i));
    transaction().Put(storage::EntryKey(entry.id), EncodeEntry(entry));
    transaction().Put(storage::ContainerKey(entry.parent, entry.id), {});
  }
  ExpectError(store().DnOf(kBase, MakeEntry(5, "n", IdOf(1))), ErrorCode::kCorrupt);
  ExpectError(store().IsWithin(IdOf(1), IdOf(5)), ErrorCode::kCorrupt);
  Entry child = MakeContainer(6, "child", IdOf(1));
  ExpectError(store().Insert(child), ErrorCode::kCorrupt);
}

// Each kind of row that is missing, wrong or left over is reported.
TEST_F(EntryStoreTest, TheConsistencyCheckSeesEveryDamagedRow) {
  Inserted(MakeContainer(1, "A"));
  Inserted(WithAddress(MakeEntry(2, "Ada", IdOf(1)), {"SMTP:a@s1"}));
  Inserted(MakeEntry(3, "Eve"));
  EXPECT_OK(store().Bury(IdOf(3)));
  Commit();
  ExpectConsistent(storage_);
  const storage::MemoryStorage::Map rows = storage_.rows();
  const auto problems = [&](const std::string& key, std::optional<std::string> value) {
    storage::Transaction damaged(storage_);
    if (value) damaged.Put(key, *value);
    if (!value) damaged.Delete(key);
    const auto found = CheckConsistency(damaged);
    EXPECT_TRUE(found.has_value());
    return found ? found->size() : 0;
  };
  for (const auto& [key, value] : rows) {
    EXPECT_GT(problems(key, std::nullopt), 0u) << Printable(key);
    EXPECT_GT(problems(key, value + "x"), 0u) << Printable(key);
    if (!value.empty()) {
      EXPECT_GT(problems(key, value.substr(1)), 0u) << Printable(key);
    }
    if (value.size() == 16) {
      EXPECT_GT(problems(key, IdValue(IdOf(77))), 0u) << Printable(key);
      EXPECT_GT(problems(key, IdValue(IdOf(3))) + problems(key, IdValue(IdOf(2))), 0u);
    }
  }
  for (const std::string& key :
       {storage::NameKey({}, "ghost"), storage::AddressKey("SMTP:ghost@s1"), storage::UsnKey(99)})
    EXPECT_GT(problems(key, IdValue(IdOf(2))), 0u) << Printable(key);
  EXPECT_GT(problems(storage::ContainerKey({}, IdOf(2)), ""), 0u);
  EXPECT_GT(problems(storage::TombstoneKey(5, IdOf(2)), ""), 0u);
  EXPECT_GT(problems("U", IdValue(IdOf(2))), 0u);
}

// A simple model of the same directory: every operation is done on both.
class Model {
 public:
  std::map<EntryId, Entry> entries;

  bool IsLive(const EntryId& id) const {
    const auto at = entries.find(id);
    return at != entries.end() && !at->second.is_deleted();
  }
  bool HasChildren(const EntryId& id) const {
    for (const auto& [other, entry] : entries)
      if (entry.parent == id && !entry.is_deleted()) return true;
    return false;
  }
  bool IsWithin(EntryId id, const EntryId& ancestor) const {
    for (; !id.is_zero(); id = entries.at(id).parent)
      if (id == ancestor) return true;
    return false;
  }
  static std::set<std::string> AddressesOf(const Entry& entry) {
    std::set<std::string> folded;
    for (std::string_view name : {attribute::kProxyAddresses, attribute::kTargetAddress}) {
      const bool target = name == attribute::kTargetAddress;
      if (target && entry.entry_class != EntryClass::kCustomRecipient) continue;
      if (const Attribute* held = entry.attributes.Find(name))
        for (const std::string& value : held->values) folded.insert(ParseAddress(value)->Folded());
    }
    return folded;
  }
  // Whether `entry` may stand in the directory, in place of what has its id.
  bool Accepts(const Entry& entry) const {
    const auto parent = entries.find(entry.parent);
    if (!entry.parent.is_zero() &&
        (!IsLive(entry.parent) || parent->second.entry_class != EntryClass::kContainer))
      return false;
    if (IsLive(entry.id) && IsWithin(entry.parent, entry.id)) return false;
    for (const auto& [id, other] : entries) {
      if (id == entry.id || other.is_deleted()) continue;
      if (other.parent == entry.parent && FoldName(other.name) == FoldName(entry.name))
        return false;
      for (const std::string& address : AddressesOf(other))
        if (AddressesOf(entry).contains(address)) return false;
    }
    return true;
  }
};

class EntryStoreProperty : public EntryStoreTest, public ::testing::WithParamInterface<unsigned> {
 protected:
  unsigned Number(unsigned max) { return static_cast<unsigned>(random_() % (max + 1)); }
  EntryId SomeId() { return IdOf(1 + Number(19)); }

  Entry SomeEntry() {
    Entry entry = MakeEntry(1 + Number(19), std::string(1, static_cast<char>('a' + Number(7))));
    if (Number(1) == 0) entry.name = static_cast<char>(entry.name[0] - 32);
    entry.entry_class = static_cast<EntryClass>(1 + Number(3));
    Place(entry);
    Addresses(entry);
    return entry;
  }
  void Place(Entry& entry) { entry.parent = Number(2) == 0 ? EntryId{} : SomeId(); }
  void Addresses(Entry& entry) {
    std::vector<std::string> values;
    for (unsigned i = Number(2); i > 0; --i) values.push_back(SomeAddress());
    entry.attributes.Set(attribute::kProxyAddresses, values);
    if (Number(2) == 0) entry.attributes.Set(attribute::kTargetAddress, {SomeAddress()});
  }
  std::string SomeAddress() {
    return (Number(1) == 0 ? "SMTP:" : "smtp:") + std::string(1, "aAbBcCdDeEfFgGhH"[Number(15)]) +
           "@s1";
  }

  void Insert() {
    Entry entry = SomeEntry();
    const bool fine = !model_.IsLive(entry.id) && model_.Accepts(entry);
    ASSERT_EQ(store().Insert(entry).has_value(), fine);
    if (fine) model_.entries[entry.id] = entry;
  }
  // Rename, move, other addresses, or all of it.
  void Update() {
    const EntryId id = SomeId();
    if (!model_.IsLive(id)) {
      Entry unknown = MakeEntry(id.bytes[15], "x");
      ASSERT_FALSE(store().Update(unknown).has_value());
      return;
    }
    Entry entry = model_.entries[id];
    const Entry other = SomeEntry();
    const unsigned what = Number(4);
    if (what == 0 || what == 3) entry.name = other.name;
    if (what == 1 || what == 3) entry.parent = other.parent;
    if (what == 2 || what == 3) entry.attributes = other.attributes;
    if (what >= 3 && !model_.HasChildren(id)) entry.entry_class = other.entry_class;
    const bool fine = model_.Accepts(entry);
    const auto updated = store().Update(entry);
    ASSERT_EQ(updated.has_value(), fine) << (updated ? "" : updated.error().message);
    if (fine) model_.entries[id] = entry;
  }
  void Bury() {
    const EntryId id = SomeId();
    const bool fine = model_.IsLive(id) && !model_.HasChildren(id);
    ASSERT_EQ(store().Bury(id).has_value(), fine);
    if (!fine) return;
    model_.entries[id].deleted = now_;
    model_.entries[id].usn_changed = *store().LastUsn();
  }
  void Purge() {
    const Instant until = now_ - Duration(Number(30));
    std::size_t expected = 0;
    for (auto at = model_.entries.begin(); at != model_.entries.end();) {
      const bool old = at->second.is_deleted() && *at->second.deleted < until;
      at = old ? model_.entries.erase(at) : std::next(at);
      expected += old ? 1 : 0;
    }
    ASSERT_EQ(*store().Purge(until), expected);
  }
  void Compare() {
    for (unsigned i = 1; i <= 20; ++i) {
      const auto stored = store().Get(IdOf(i));
      ASSERT_TRUE(stored.has_value());
      const auto expected = model_.entries.find(IdOf(i));
      ASSERT_EQ(stored->has_value(), expected != model_.entries.end());
      if (!*stored) continue;
      const Entry& entry = expected->second;
      ASSERT_EQ((*stored)->name, entry.name);
      ASSERT_EQ((*stored)->parent, entry.parent);
      ASSERT_EQ((*stored)->entry_class, entry.entry_class);
      ASSERT_EQ((*stored)->usn_created, entry.usn_created);
      ASSERT_EQ((*stored)->usn_changed, entry.usn_changed);
      ASSERT_EQ((*stored)->deleted, entry.deleted);
      ASSERT_EQ((*stored)->attributes, entry.attributes);
    }
  }

  std::mt19937 random_{GetParam()};
  Model model_;
};

TEST_P(EntryStoreProperty, AgreesWithTheModelAfterEachStep) {
  Model committed;
  for (int step = 0; step < 400; ++step) {
    // A store that lives for some steps shows what it remembers wrongly.
    if (Number(9) == 0) SetTime(1000 + step);
    const unsigned what = Number(20);
    if (what < 8) Insert();
    if (what >= 8 && what < 14) Update();
    if (what >= 14 && what < 18) Bury();
    if (what == 18) Purge();
    if (what == 19) {
      Commit();
      committed = model_;
    }
    if (what == 20) {
      Rollback();
      model_ = committed;
    }
    if (HasFatalFailure()) FAIL() << "step " << step << ", kind " << what;
    Compare();
    ExpectConsistent(transaction());
    if (HasFatalFailure() || HasNonfatalFailure()) FAIL() << "step " << step << ", kind " << what;
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, EntryStoreProperty, ::testing::Range(1u, 31u));

}  // namespace
}  // namespace dirsync
