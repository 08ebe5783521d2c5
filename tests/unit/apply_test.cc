#include "agent/core/apply.h"

#include <gtest/gtest.h>

#include "agent/core/reader_state.h"
#include "tests/unit/reader_world.h"

namespace dirsync {
namespace {

class ApplyTest : public ::testing::Test {
 protected:
  ApplyTest() { reader_.Must(source_.Start()); }
  void TearDown() override { reader_.Check(); }
  std::string Value(unsigned number, std::string_view name) {
    const std::optional<Entry> entry = reader_.Here(IdOf(number));
    return entry ? std::string(entry->attributes.First(name)) : "no entry";
  }

  Source source_;
  Reader reader_;
};

// ---- what is refused before anything is written

TEST_F(ApplyTest, OurOwnStreamIsRefused) {
  Source own("site2");
  ExpectError(reader_.Apply(own.Start()), ErrorCode::kOwnStream);
}

TEST_F(ApplyTest, AnotherStreamIsRefused) {
  Source other("Site1", "OTHER");
  ExpectError(reader_.Apply(other.Start()), ErrorCode::kWrongStream);
}

TEST_F(ApplyTest, WhatIsBehindTheCursorIsRefusedAndChangesNothing) {
  const Batch first = source_.AddAll({Person(1, "Anna")});
  reader_.Must(first);
  const auto rows = reader_.storage.rows();
  ExpectError(reader_.Apply(first), ErrorCode::kAlreadyApplied);
  EXPECT_EQ(reader_.storage.rows(), rows);
}

TEST_F(ApplyTest, AnotherHashKeyNeedsAFullCopy) {
  reader_.Must(source_.AddAll({Person(1, "Anna")}));
  source_.terms.hash_key = FilledId<HashKey>(77);
  ExpectError(reader_.Apply(source_.AddAll({Person(2, "Berta")})), ErrorCode::kEpochChanged);
}

TEST_F(ApplyTest, AfterAnErrorTheStateIsAsBefore) {
  const ReaderState before = reader_.state;
  storage::MemoryStorage::Map rows = reader_.storage.rows();
  rows[storage::EntryKey(LocalIdOf("Site1", IdOf(2)))] = "damaged";
  reader_.storage.Restore(rows);
  EXPECT_FALSE(reader_.Apply(source_.AddAll({Person(1, "Anna"), Person(2, "Berta")})));
  EXPECT_EQ(reader_.state, before);
  rows.erase(storage::EntryKey(LocalIdOf("Site1", IdOf(2))));
  reader_.storage.Restore(rows);
}

// ---- adds, modifies, renames

TEST_F(ApplyTest, TheCursorMovesWithTheDataAndTheDigestIsKept) {
  reader_.Must(source_.AddAll({Person(1, "Anna")}));
  EXPECT_EQ(reader_.state.cursor, source_.At());
  EXPECT_EQ(Judge(reader_.storage, reader_.state, source_.At(), {}, std::nullopt).value(),
            Follows::kRepeat);
}

TEST_F(ApplyTest, AModifyChangesOnlyWhatItNames) {
  reader_.Must(source_.AddAll({Person(1, "Anna")}));
  Change anna = Person(1, "Anna");
  SetValue(anna, "Title", {"Boss"});
  SetValue(anna, "City", {"Kiel"});
  EXPECT_EQ(reader_.Must(source_.Number({source_.Modify(anna)})).modified, 1u);
  EXPECT_EQ(Value(1, "Title"), "Boss");
  EXPECT_EQ(Value(1, "City"), "Kiel");
  EXPECT_EQ(Value(1, "Display-Name"), "Person Anna");
  EXPECT_EQ(reader_.state.sum, source_.Sum());
}

TEST_F(ApplyTest, AClearedAttributeGoes) {
  reader_.Must(source_.AddAll({Person(1, "Anna")}));
  Change anna = Person(1, "Anna");
  EraseValue(anna, "Title");
  reader_.Must(source_.Number({source_.Modify(anna)}));
  EXPECT_EQ(Value(1, "Title"), "");
  EXPECT_EQ(reader_.state.sum, source_.Sum());
}

TEST_F(ApplyTest, AWholeEntryClearsWhatItNoLongerHasButNotWhatWasNeverTold) {
  const EntryId contact =
      reader_.AddLocal(1, EntryClass::kCustomRecipient, "Old", {}, "EDK:Anna@Site1.Testorg.com");
  storage::Transaction transaction(reader_.storage);
  EntryStore entries(transaction, reader_.now);
  Entry old = entries.Get(contact).value().value();
  old.attributes.Set("Comment", {"ours"});
  EXPECT_OK(entries.Update(old));
  EXPECT_OK(reader_.storage.Commit(transaction.Take()));
  reader_.Must(source_.AddAll({Person(1, "Anna")}));
  Change anna = Person(1, "Anna");
  EraseValue(anna, "Title");
  reader_.Must(source_.AddAll({anna}));
  EXPECT_EQ(Value(1, "Title"), "");
  EXPECT_EQ(Value(1, "Comment"), "ours");
}

TEST_F(ApplyTest, SingleValuesAreAddedAndRemoved) {
  Change anna = Person(1, "Anna");
  SetValue(anna, "Telephone-Office2", {"1", "2"});
  reader_.Must(source_.AddAll({anna}));
  Change part = anna;
  part.kind = ChangeKind::kModify;
  part.attributes = {{"Telephone-Office2", AttributeOperation::kRemove, {"1"}},
                     {"Title", AttributeOperation::kSet, {"Boss"}}};
  SetValue(anna, "Telephone-Office2", {"2"});
  SetValue(anna, "Title", {"Boss"});
  source_.told[anna.id] = anna;
  EXPECT_FALSE(reader_.Must(source_.Number({part})).diverged);
  part.attributes = {{"Telephone-Office2", AttributeOperation::kAdd, {"3"}}};
  SetValue(anna, "Telephone-Office2", {"2", "3"});
  source_.told[anna.id] = anna;
  EXPECT_FALSE(reader_.Must(source_.Number({part})).diverged);
  EXPECT_EQ(reader_.Here(anna.id)->attributes.Find("Telephone-Office2")->values,
            (std::vector<std::string>{"2", "3"}));
}

TEST_F(ApplyTest, ARenameKeepsTheIdAndReferencesNeedNoMapping) {
  Change group = Person(9, "Group");
  group.entry_class = EntryClass::kDistributionList;
  SetValue(group, "Member", {Reference{"Site1", IdOf(1)}.ToString()});
  reader_.Must(source_.AddAll({Person(1, "Anna"), group}));
  Change anna = Person(1, "Anna");
  anna.name = "Anna Berg";
  EXPECT_EQ(reader_.Must(source_.Number({source_.Modify(anna)})).renamed, 1u);
  EXPECT_EQ(reader_.Here(IdOf(1))->name, "Anna Berg");
  EXPECT_EQ(Value(9, "Member"), Reference({"Site1", IdOf(1)}).ToString());
  EXPECT_EQ(reader_.state.sum, source_.Sum());
}

TEST_F(ApplyTest, DisplayNamesFollowTheFormat) {
  reader_.settings.display_name_format = "%d (%{site}, %{organization}) %% %x";
  reader_.Must(source_.AddAll({Person(1, "Anna")}));
  EXPECT_EQ(Value(1, "Display-Name"), "Person Anna (Site1, Testorg) % %x");
  Change anna = Person(1, "Anna");
  SetValue(anna, "Display-Name", {"Chief"});
  reader_.Must(source_.Number({source_.Modify(anna)}));
  EXPECT_EQ(Value(1, "Display-Name"), "Chief (Site1, Testorg) % %x");
}

TEST_F(ApplyTest, ADisplayNameMadeOfNameAndToldOneIsAskedForOnRename) {
  reader_.settings.display_name_format = "%m: %d";
  reader_.Must(source_.AddAll({Person(1, "Anna")}));
  Change anna = Person(1, "Anna");
  anna.name = "Berg";
  EXPECT_EQ(reader_.Must(source_.Number({source_.Modify(anna)})).wanted, 1u);
  EXPECT_EQ(reader_.Wanted(), std::vector<EntryId>{IdOf(1)});
  reader_.Must(source_.Number({source_.Wanted(IdOf(1))}));
  EXPECT_EQ(Value(1, "Display-Name"), "Berg: Person Anna");
  EXPECT_TRUE(reader_.Wanted().empty());
}

TEST_F(ApplyTest, WhatIsNeverToldIsNotTakenFromASource) {
  Change anna = Person(1, "Anna");
  SetValue(anna, "Home-Server", {"Evil"});
  SetValue(anna, "Imported-From", {"Evil"});
  SetValue(anna, "Target-Address", {"EDK:evil@x"});
  reader_.Must(source_.AddAll({anna}));
  EXPECT_EQ(Value(1, "Home-Server"), "");
  EXPECT_EQ(Value(1, "Imported-From"), "Site1/EXP");
  EXPECT_EQ(Value(1, "Target-Address"), "EDK:Anna@Site1.Testorg.com");
}

TEST_F(ApplyTest, AnEqualAddIsUnchangedAndRaisesTheVersion) {
  reader_.Must(source_.AddAll({Person(1, "Anna")}));
  const Usn usn = reader_.Here(IdOf(1))->usn_changed;
  EXPECT_EQ(reader_.Must(source_.AddAll({Person(1, "Anna")})).unchanged, 1u);
  EXPECT_EQ(reader_.Here(IdOf(1))->usn_changed, usn);
  EXPECT_EQ(reader_.Mirror(IdOf(1))->version.sequence, 3u);
}

// ---- R3: what is not held is asked for

TEST_F(ApplyTest, AModifyOfAnUnknownEntryIsWantedNeverDropped) {
  source_.told[IdOf(1)] = Person(1, "Anna");
  Change anna = Person(1, "Anna");
  SetValue(anna, "Title", {"Boss"});
  const ApplyCounts counts = reader_.Must(source_.Number({source_.Modify(anna)}));
  EXPECT_EQ(counts.wanted, 1u);
  EXPECT_FALSE(counts.diverged);
  EXPECT_EQ(reader_.Wanted(), std::vector<EntryId>{IdOf(1)});
  EXPECT_EQ(reader_.Must(source_.Number({source_.Wanted(IdOf(1))})).added, 1u);
  EXPECT_EQ(Value(1, "Title"), "Boss");
  EXPECT_TRUE(reader_.Wanted().empty());
  EXPECT_EQ(reader_.state.sum, source_.Sum());
}

TEST_F(ApplyTest, ADeleteEndsTheWant) {
  source_.told[IdOf(1)] = Person(1, "Anna");
  Change anna = Person(1, "Anna");
  anna.name = "Berg";
  reader_.Must(source_.Number({source_.Modify(anna)}));
  const ApplyCounts counts = reader_.Must(source_.Number({source_.Delete(IdOf(1))}));
  EXPECT_EQ(counts.deleted, 0u);
  EXPECT_FALSE(counts.diverged);
  EXPECT_TRUE(reader_.Wanted().empty());
}

TEST_F(ApplyTest, AtMostAThousandIdsAreAskedForAtOnce) {
  std::vector<Change> changes;
  for (unsigned i = 1; i <= 1500; ++i) {
    Change person = Person(i, "P" + std::to_string(i));
    source_.told[person.id] = person;
    SetValue(person, "Title", {"Boss"});
    changes.push_back(source_.Modify(person));
  }
  EXPECT_EQ(reader_.Must(source_.Number(changes)).wanted, 1500u);
  EXPECT_EQ(reader_.Wanted().size(), 1000u);
}

// ---- quarantine

TEST_F(ApplyTest, WithoutTargetAddressARecipientIsQuarantined) {
  Change anna = Person(1, "Anna");
  anna.target_address.clear();
  EXPECT_EQ(reader_.Must(source_.AddAll({anna})).quarantined, 1u);
  EXPECT_EQ(reader_.Quarantined().at(0).code, ErrorCode::kNoTarget);
  EXPECT_FALSE(reader_.Here(IdOf(1)));
  EXPECT_EQ(reader_.state.sum, source_.Sum());
}

TEST_F(ApplyTest, BadValuesAreQuarantined) {
  Change anna = Person(1, "Anna");
  SetValue(anna, "Title", {"two", "values"});
  Change berta = Person(2, "Berta");
  SetValue(berta, "No-Such-Attribute", {"x"});
  Change clara = Person(3, "Clara");
  clara.name = "bad\nname";
  EXPECT_EQ(reader_.Must(source_.AddAll({anna, berta, clara})).quarantined, 3u);
  for (const QuarantineRow& row : reader_.Quarantined()) EXPECT_EQ(row.code, ErrorCode::kBadValue);
  EXPECT_EQ(reader_.state.sum, source_.Sum());
}

TEST_F(ApplyTest, WithoutItsContainerAnEntryIsQuarantinedAndLandsWhenItComes) {
  const EntryId box = IdOf(50);
  reader_.Must(source_.AddAll({Person(1, "Anna", box)}));
  EXPECT_EQ(reader_.Quarantined().at(0).code, ErrorCode::kNoParent);
  const ApplyCounts counts = reader_.Must(source_.AddAll({Box(50, "Sales")}));
  EXPECT_EQ(counts.added, 2u);
  EXPECT_TRUE(reader_.Quarantined().empty());
  EXPECT_EQ(reader_.Here(IdOf(1))->parent, LocalIdOf("Site1", box));
}

TEST_F(ApplyTest, AQuarantinedEntryLeavesWhenItComesWholeAndFits) {
  Change anna = Person(1, "Anna");
  anna.target_address.clear();
  reader_.Must(source_.AddAll({anna}));
  Change cured = Person(1, "Anna");
  const ApplyCounts asked = reader_.Must(source_.Number({source_.Modify(cured)}));
  EXPECT_EQ(asked.wanted, 1u);
  EXPECT_EQ(reader_.state.sum, source_.Sum());
  EXPECT_EQ(reader_.Must(source_.Number({source_.Wanted(IdOf(1))})).added, 1u);
  EXPECT_TRUE(reader_.Quarantined().empty());
  EXPECT_TRUE(reader_.Here(IdOf(1)));
}

TEST_F(ApplyTest, AModifyIntoATakenAddressLeavesTheEntryAsItWas) {
  reader_.Must(source_.AddAll({Person(1, "Anna")}));
  reader_.AddLocal(1, EntryClass::kMailbox, "Ours", {"EDK:boss@Site1.Testorg.com"});
  Change anna = Person(1, "Anna");
  anna.target_address = "EDK:boss@Site1.Testorg.com";
  EXPECT_EQ(reader_.Must(source_.Number({source_.Modify(anna)})).quarantined, 1u);
  EXPECT_EQ(Value(1, "Target-Address"), "EDK:Anna@Site1.Testorg.com");
  EXPECT_EQ(reader_.Mirror(IdOf(1))->status, MirrorStatus::kQuarantined);
  EXPECT_EQ(reader_.Mirror(IdOf(1))->local, LocalIdOf("Site1", IdOf(1)));
  EXPECT_EQ(reader_.state.sum, source_.Sum());
  EXPECT_EQ(reader_.Must(source_.Number({source_.Delete(IdOf(1))})).deleted, 1u);
  EXPECT_FALSE(reader_.Here(IdOf(1)));
}

TEST_F(ApplyTest, WhatWasDroppedWhileTheEntryWasOutIsClearedWhenItLands) {
  reader_.Must(source_.AddAll({Person(1, "Anna")}));
  Change bad = Person(1, "Anna");
  EraseValue(bad, "Title");
  SetValue(bad, "City", {"two", "values"});
  EXPECT_EQ(reader_.Must(source_.AddAll({bad})).quarantined, 1u);
  EXPECT_EQ(Value(1, "Title"), "Engineer");
  EraseValue(bad, "City");
  EXPECT_EQ(reader_.Must(source_.AddAll({bad})).modified, 1u);
  EXPECT_EQ(Value(1, "Title"), "");
  EXPECT_TRUE(reader_.Mirror(IdOf(1))->stale.empty());
}

TEST_F(ApplyTest, SomeoneNewWithTheAddressOfSomeoneDeletedInTheSameRunLands) {
  reader_.Must(source_.AddAll({Person(1, "Anna")}));
  const Change again = source_.Add(Person(2, "Anna"));
  const ApplyCounts counts = reader_.Must(source_.Number({again, source_.Delete(IdOf(1))}));
  EXPECT_EQ(counts.added, 1u);
  EXPECT_EQ(counts.deleted, 1u);
  EXPECT_EQ(counts.quarantined, 0u);
  EXPECT_TRUE(reader_.Here(IdOf(2)));
  EXPECT_EQ(reader_.state.sum, source_.Sum());
}

TEST_F(ApplyTest, AnUnknownKindIsKeptAndTheRowIsNotTouched) {
  reader_.Must(source_.AddAll({Person(1, "Anna")}));
  const std::string row = EncodeMirror(*reader_.Mirror(IdOf(1)));
  Change odd = Person(1, "Anna");
  odd.unknown_kind = 9;
  const ApplyCounts counts = reader_.Must(source_.Number({odd}));
  EXPECT_EQ(counts.quarantined, 1u);
  EXPECT_EQ(reader_.Quarantined().at(0).code, ErrorCode::kUnknownChange);
  EXPECT_EQ(EncodeMirror(*reader_.Mirror(IdOf(1))), row);
  reader_.Must(source_.AddAll({Person(1, "Anna")}));
  EXPECT_TRUE(reader_.Quarantined().empty());
}

// ---- containers

TEST_F(ApplyTest, ContainersNestAndAreMovedWithAllBelow) {
  reader_.Must(source_.AddAll(
      {Box(50, "A"), Box(51, "B", IdOf(50)), Box(52, "C", IdOf(51)), Person(1, "Anna", IdOf(52))}));
  EXPECT_TRUE(reader_.Mirror(IdOf(52), 3));
  Change b = Box(51, "B");
  EXPECT_EQ(reader_.Must(source_.Number({source_.Modify(b)})).renamed, 1u);
  EXPECT_FALSE(reader_.Mirror(IdOf(52), 3));
  EXPECT_TRUE(reader_.Mirror(IdOf(51), 1));
  EXPECT_TRUE(reader_.Mirror(IdOf(52), 2));
  EXPECT_EQ(reader_.state.sum, source_.Sum());
  // A full copy finds every row where it looks for it.
  EXPECT_EQ(reader_.Full(source_).value().unchanged, 4u);
}

TEST_F(ApplyTest, AContainerMovedBelowItselfIsQuarantined) {
  reader_.Must(source_.AddAll({Box(50, "A"), Box(51, "B", IdOf(50))}));
  Change a = Box(50, "A", IdOf(51));
  source_.told[a.id] = a;
  Change rename = a;
  rename.kind = ChangeKind::kRename;
  EXPECT_EQ(reader_.Must(source_.Number({rename})).quarantined, 1u);
}

TEST_F(ApplyTest, TheImportContainerIsMadeOnceAndIsOurs) {
  reader_.settings.import_container = "Imported/cn=Site1";
  reader_.Must(source_.AddAll({Person(1, "Anna")}));
  reader_.Must(source_.AddAll({Person(2, "Berta")}));
  const EntryId parent = reader_.Here(IdOf(1))->parent;
  EXPECT_EQ(reader_.Here(IdOf(2))->parent, parent);
  EXPECT_FALSE(reader_.Get(parent)->is_imported());
  EXPECT_EQ(reader_.Get(parent)->name, "Site1");
}

// ---- R24

TEST_F(ApplyTest, ADifferentSumIsReportedNotRefused) {
  Batch batch = source_.AddAll({Person(1, "Anna")});
  batch.sum_after.low += 1;
  EXPECT_TRUE(reader_.Must(batch).diverged);
  Batch canary = source_.Number({});
  canary.kind = BatchKind::kCanary;
  EXPECT_FALSE(reader_.Must(canary).diverged);
  EXPECT_EQ(reader_.state.cursor.sequence, 3u);
}

TEST_F(ApplyTest, PlanNamesEachEffect) {
  reader_.Must(source_.AddAll({Person(1, "Anna")}));
  ASSERT_EQ(reader_.plan.size(), 1u);
  EXPECT_EQ(reader_.plan[0].action, "add");
  EXPECT_EQ(reader_.plan[0].name, Person(1, "Anna").dn);
}

// ---- R17

TEST_F(ApplyTest, ANewEpochGoesOnFromWhereWeStand) {
  reader_.Must(source_.AddAll({Person(1, "Anna")}));
  const Position end = source_.At();
  source_.epoch = {2, FilledId<EpochId>(8)};
  source_.sequence = 0;
  const Batch start = source_.Start(end);
  EXPECT_EQ(Judge(reader_.storage, reader_.state, source_.At(), {}, start.previous_epoch).value(),
            Follows::kNewEpoch);
  EXPECT_FALSE(reader_.Must(start).diverged);
  Change anna = Person(1, "Anna");
  SetValue(anna, "Title", {"Boss"});
  EXPECT_EQ(reader_.Must(source_.Number({source_.Modify(anna)})).modified, 1u);
  ExpectError(reader_.Apply([&] {
    Source old;
    old.sequence = 7;
    return old.AddAll({Person(3, "Clara")});
  }()),
              ErrorCode::kOldEpoch);
}

}  // namespace
}  // namespace dirsync
