#include "agent/core/capture.h"

#include "tests/unit/producer_world.h"

namespace dirsync {
namespace {

class CaptureTest : public testing::Test, protected ProducerWorld {
 protected:
  // The one change that the next run tells.
  Change One() {
    std::vector<Change> all = RunChanges();
    EXPECT_EQ(all.size(), 1u);
    return all.empty() ? Change{} : all.front();
  }
  ToldRow Told(const EntryId& id, storage::Rank rank = storage::kRecipientRank) {
    return Must(DecodeTold(*Must(storage.Get(storage::ToldKey(1, rank, id)))));
  }
  std::string Kinds(const std::vector<Change>& changes) {
    std::string text;
    for (const Change& change : changes)
      text += std::string(ChangeKindName(change.kind)) + " " + change.name + "; ";
    return text;
  }
};

TEST_F(CaptureTest, FaultySettings_ChangeNothing) {
  AddMailbox("Mailbox11");
  settings.containers = {"Nowhere"};
  EXPECT_EQ(TryStep().error().code, ErrorCode::kNotFound);
  EXPECT_EQ(state.sequence, 0u);
  EXPECT_EQ(state.rows, 0u);
}

TEST_F(CaptureTest, DamagedToldRow_EndsTheRun) {
  const EntryId id = AddMailbox("Mailbox11");
  Begin();
  storage::WriteBatch batch;
  batch.Put(storage::ToldKey(1, storage::kRecipientRank, id), "damaged");
  Must(storage.Commit(batch));
  Set(id, "City", {"Bern"});
  EXPECT_EQ(TryStep().error().code, ErrorCode::kCorrupt);
}

TEST_F(CaptureTest, RunWithoutEffects_IsRefused) {
  storage::Transaction transaction(storage);
  CapturedRun run;
  run.changes.resize(1);
  EXPECT_EQ(NumberRun(transaction, run, state, key, now).error().code, ErrorCode::kInternal);
}

TEST_F(CaptureTest, FullOutbox_IsRefusedAndNamesWhoIsLate) {
  AddMailbox("Mailbox11");
  Begin();
  storage::Transaction transaction(storage);
  EXPECT_EQ(*TakeAck(transaction, state, "Site2", state.position(), {"Site2", "Site3"}),
            AckOutcome::kTaken);
  Must(storage.Commit(transaction.Take()));
  AddMailbox("Mailbox12");
  state.trimmed = 1;
  state.outbox_bytes = limits::kOutboxBytes;
  const auto step = TryStep();
  ASSERT_FALSE(step);
  EXPECT_EQ(step.error().code, ErrorCode::kTooLarge);
  EXPECT_NE(step.error().hint.find("Site2"), std::string::npos);
}

TEST_F(CaptureTest, FirstRun_IsStartAlone) {
  AddMailbox("Mailbox11");
  AddMailbox("Mailbox12");
  const std::vector<Batch> batches = Export();
  ASSERT_EQ(batches.size(), 1u);
  const Batch& start = batches.front();
  EXPECT_EQ(start.kind, BatchKind::kStart);
  EXPECT_EQ(start.sequence, 1u);
  EXPECT_TRUE(start.changes.empty());
  EXPECT_TRUE(start.previous.is_zero());
  EXPECT_EQ(start.previous_epoch.epoch.counter, 0u);
  EXPECT_EQ(start.rows_after, 2u);
  EXPECT_EQ(start.sum_after, state.sum);
  EXPECT_EQ(start.terms, state.terms);
  EXPECT_FALSE(start.terms.hash_key.is_zero());
  CheckToldRows();
  EXPECT_TRUE(Export().empty());
}

TEST_F(CaptureTest, FirstRun_OfAnEmptyDirectoryIsStartToo) {
  EXPECT_EQ(Export().size(), 1u);
  state.seen = true;
  TakeStart();
  AddMailbox("Mailbox11");
  EXPECT_EQ(One().kind, ChangeKind::kAdd);
  CheckReader();
}

TEST_F(CaptureTest, FirstScan_InPiecesWithEditsBetweenIsStillStartAlone) {
  std::vector<EntryId> ids_made;
  for (int i = 0; i < 50; ++i) ids_made.push_back(AddMailbox("Mailbox" + std::to_string(i)));
  bounds = {1, 3};
  std::vector<Batch> batches;
  for (int call = 0;; ++call) {
    auto step = Must(TryStep());
    for (Batch& batch : step.batches) batches.push_back(batch);
    if (!step.more) break;
    ASSERT_TRUE(batches.empty());
    if (call == 5) Set(ids_made[1], "City", {"Bern"});
    if (call == 8) Delete(ids_made[2]);
    if (call == 9) AddMailbox("Late");
  }
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(batches.front().rows_after, 50u);
  state.seen = true;
  reader.entries = Copy();
  TakeStart();
  CheckReader();
  EXPECT_EQ(Told(ids_made[1]).version, (Version{1, 1}));
}

TEST_F(CaptureTest, FirstScan_BegunAnewByOtherSettingsIsStillStartAlone) {
  for (int i = 0; i < 10; ++i)
    Set(AddMailbox("Mailbox" + std::to_string(i)), "City", {i % 2 ? "Bern" : "Rome"});
  bounds.rows = 6;
  EXPECT_TRUE(Must(TryStep()).batches.empty());
  EXPECT_GT(state.rows, 0u);
  settings.filter = "(City=Bern)";
  settings.attributes = {"City"};
  const std::vector<Batch> batches = Export();
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(batches[0].rows_after, 5u);
  state.seen = true;
  reader.entries = Copy();
  TakeStart();
  CheckReader();
}

TEST_F(CaptureTest, NothingChanged_TellsNothing) {
  AddMailbox("Mailbox11");
  Begin();
  const auto step = Must(TryStep());
  EXPECT_TRUE(step.batches.empty());
  EXPECT_EQ(step.rows_read, 0u);
  EXPECT_EQ(state.sequence, 1u);
}

TEST_F(CaptureTest, IrrelevantChange_TellsNothing) {
  settings.attributes = {"City"};
  const EntryId id = AddMailbox("Mailbox11");
  Begin();
  Set(id, "Title", {"Dr"});
  Set(id, "Home-Server", {"Server2"});
  EXPECT_TRUE(Export().empty());
  AddContainer("Other", "");
  AddMailbox("Elsewhere", "Other");
  EXPECT_TRUE(Export().empty());
}

TEST_F(CaptureTest, ChangeAndChangeBack_TellsNothing) {
  const EntryId id = AddMailbox("Mailbox11");
  Begin();
  Set(id, "City", {"Bern"});
  Set(id, "City", {});
  EXPECT_TRUE(Export().empty());
}

TEST_F(CaptureTest, AddAndDeleteBetweenRuns_TellsNothing) {
  Begin();
  Delete(AddMailbox("Mailbox11"));
  EXPECT_TRUE(Export().empty());
}

TEST_F(CaptureTest, Add_IsToldWholeWithItsVersion) {
  Begin();
  const EntryId id = AddMailbox("Mailbox11");
  const std::vector<Batch> batches = Export();
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(batches[0].changes, std::vector<Change>{Scratch()[id]});
  EXPECT_EQ(batches[0].run.by_class,
            (std::map<EntryClass, ClassTotals>{{EntryClass::kMailbox, {.adds = 1}}}));
  EXPECT_FALSE(batches[0].run.run.is_zero());
  EXPECT_EQ(Told(id).version, (Version{1, 2}));
  EXPECT_EQ(Told(id).time, now);
  CheckReader();
}

TEST_F(CaptureTest, Modify_CarriesOnlyWhatDiffers) {
  const EntryId id = AddMailbox("Mailbox11");
  Set(id, "Title", {"Dr"});
  Begin();
  Edit([&](Directory& directory) {
    Entry entry = *Must(directory.entries().Get(id));
    entry.attributes.Set("City", {"Bern"});
    entry.attributes.Set("Title", {});
    Must(directory.entries().Update(entry));
  });
  const Change change = One();
  EXPECT_EQ(change.kind, ChangeKind::kModify);
  const std::vector<AttributeChange> expected = {{"City", AttributeOperation::kSet, {"Bern"}},
                                                 {"Title", AttributeOperation::kSet, {}}};
  EXPECT_EQ(change.attributes, expected);
  EXPECT_EQ(change.name, "Mailbox11");
  EXPECT_EQ(change.target_address, "EDK:Mailbox11@Site1.Testorg.com");
  CheckReader();
}

TEST_F(CaptureTest, Rename_CarriesTheNewName) {
  const EntryId id = AddMailbox("Mailbox11");
  Begin();
  Rename(id, "Mailbox12");
  const Change change = One();
  EXPECT_EQ(change.kind, ChangeKind::kRename);
  EXPECT_EQ(change.name, "Mailbox12");
  EXPECT_EQ(change.dn, "/o=Testorg/ou=Site1/cn=Recipients/cn=Mailbox12");
  CheckReader();
}

TEST_F(CaptureTest, Delete_NamesWhatWasTold) {
  const EntryId id = AddMailbox("Mailbox11");
  Begin();
  Rename(id, "Renamed");
  Delete(id);
  const Change change = One();
  EXPECT_EQ(change.kind, ChangeKind::kDelete);
  EXPECT_EQ(change.id, id);
  EXPECT_EQ(change.name, "Mailbox11");
  EXPECT_EQ(change.dn, "/o=Testorg/ou=Site1/cn=Recipients/cn=Mailbox11");
  EXPECT_TRUE(change.target_address.empty());
  CheckReader();
  EXPECT_EQ(state.rows, 0u);
}

TEST_F(CaptureTest, Retarget_IsCounted) {
  const EntryId id = AddMailbox("Mailbox11");
  Begin();
  Set(id, "Proxy-Addresses", {"EDK:new@Site1.Testorg.com"});
  const auto batches = Export();
  ASSERT_EQ(batches.size(), 1u);
  EXPECT_EQ(batches[0].run.by_class.at(EntryClass::kMailbox),
            (ClassTotals{.modifies = 1, .retargets = 1}));
  CheckReader();
}

TEST_F(CaptureTest, LeavingTheScope_IsADelete) {
  settings.filter = "(!(Department=Secret))";
  AddContainer("Other", "");
  const EntryId moved = AddMailbox("Moved");
  const EntryId filtered = AddMailbox("Filtered");
  const EntryId hidden = AddMailbox("Hidden");
  const EntryId homeless = AddMailbox("Homeless");
  const EntryId adopted = AddMailbox("Adopted");
  Begin();
  Edit([&](Directory& directory) {
    Must(directory.Edit(*Must(directory.entries().Get(moved)), {.container = "Other"}));
  });
  Set(filtered, "Department", {"Secret"});
  Set(hidden, "Hide-From-AB", {"1"});
  Set(homeless, "Proxy-Addresses", {"SMTP:h@site1.example"});
  Alter(adopted, [](Entry& entry) { entry.origin = Reference{"Site2", DerivedId("theirs")}; });
  const std::vector<Change> changes = RunChanges();
  EXPECT_EQ(changes.size(), 5u);
  for (const Change& change : changes) EXPECT_EQ(change.kind, ChangeKind::kDelete) << change.name;
  EXPECT_TRUE(reader.entries.empty());
  Set(hidden, "Hide-From-AB", {});
  EXPECT_EQ(One().kind, ChangeKind::kAdd);
  CheckReader();
}

TEST_F(CaptureTest, Deletes_ComeBeforeWhoTakesTheirNames) {
  const EntryId id = AddMailbox("Mailbox11");
  Begin();
  AddMailbox("Mailbox10");
  Delete(id);
  AddMailbox("Mailbox11");
  EXPECT_EQ(Kinds(RunChanges()), "delete Mailbox11; add Mailbox10; add Mailbox11; ");
  CheckReader();
}

TEST_F(CaptureTest, Return_UnderTheSameIdIsAnAdd) {
  const EntryId id = AddMailbox("Mailbox11");
  Begin();
  Delete(id);
  Export();
  NewEntry fresh;
  fresh.name = "Mailbox11";
  fresh.id = id;
  Add(std::move(fresh));
  EXPECT_EQ(One().kind, ChangeKind::kAdd);
  CheckReader();
}

TEST_F(CaptureTest, ClassChange_IsToldWhole) {
  const EntryId id = AddMailbox("Mailbox11");
  settings.classes = {EntryClass::kMailbox, EntryClass::kDistributionList};
  Begin();
  Alter(id, [](Entry& entry) { entry.entry_class = EntryClass::kDistributionList; });
  const Change change = One();
  EXPECT_EQ(change.kind, ChangeKind::kAdd);
  EXPECT_EQ(change.entry_class, EntryClass::kDistributionList);
  CheckReader();
}

TEST_F(CaptureTest, Purged_IsFoundByComparing) {
  const EntryId id = AddMailbox("Mailbox11");
  AddMailbox("Mailbox12");
  Begin();
  Delete(id);
  Edit([&](Directory& directory) { Must(directory.entries().Purge(now + Duration(1))); });
  const Change change = One();
  EXPECT_EQ(change.kind, ChangeKind::kDelete);
  EXPECT_EQ(change.name, "Mailbox11");
  EXPECT_EQ(change.dn, "/o=Testorg/ou=Site1/cn=Recipients/cn=Mailbox11");
  CheckReader();
  EXPECT_TRUE(Export().empty());
}

TEST_F(CaptureTest, ChangedSettings_TellExactlyTheDifference) {
  AddContainer("Other", "");
  const EntryId bern = AddMailbox("Bern");
  Set(bern, "City", {"Bern"});
  Set(bern, "Title", {"Dr"});
  AddMailbox("Rome");
  const EntryId other = AddMailbox("Other", "Other");
  Begin();

  settings.containers = {"Recipients", "Other"};
  EXPECT_EQ(Kinds(RunChanges()), "add Other; ");
  CheckReader();
  settings.filter = "(City=*)";
  EXPECT_EQ(Kinds(RunChanges()), "delete Rome; delete Other; ");
  CheckReader();
  settings.filter = "(|(City=*)(Common-Name=Other))";
  EXPECT_EQ(Kinds(RunChanges()), "add Other; ");
  settings.attributes = {"City"};
  const std::vector<Change> narrowed = RunChanges();
  EXPECT_EQ(Kinds(narrowed), "modify Bern; modify Other; ");
  for (const Change& change : narrowed)
    for (const AttributeChange& attribute : change.attributes)
      EXPECT_TRUE(attribute.values.empty());
  CheckReader();
  settings.attributes = {"City", "Title"};
  const Change widened = One();
  EXPECT_EQ(widened.name, "Bern");
  EXPECT_EQ(widened.attributes,
            (std::vector<AttributeChange>{{"Title", AttributeOperation::kSet, {"Dr"}}}));
  CheckReader();
  settings.containers = {"Other"};
  EXPECT_EQ(Kinds(RunChanges()), "delete Bern; ");
  settings.containers = {"OTHER", "Other"};
  EXPECT_TRUE(Export().empty());
  settings.address_type = "SMTP";
  const std::vector<Batch> retargeted = Export();
  ASSERT_EQ(retargeted.size(), 1u);
  EXPECT_EQ(retargeted[0].run.by_class.at(EntryClass::kMailbox).retargets, 1u);
  EXPECT_EQ(retargeted[0].terms.address_type, "SMTP");
  EXPECT_EQ(reader.entries.at(other).target_address, "SMTP:Other@site1.example");
  CheckReader();
}

TEST_F(CaptureTest, RootReplacedUnderItsName_IsAnotherScope) {
  AddMailbox("Mailbox11");
  Begin();
  Rename(At("Recipients"), "Old");
  AddContainer("Recipients", "");
  AddMailbox("Mailbox12");
  EXPECT_EQ(Kinds(RunChanges()), "delete Mailbox11; add Mailbox12; ");
  CheckReader();
}

TEST_F(CaptureTest, CompareAll_FindsNothingWhereNothingIs) {
  for (int i = 0; i < 20; ++i) AddMailbox("Mailbox" + std::to_string(i));
  Begin();
  bounds.rows = 5;
  EXPECT_TRUE(Export(true).empty());
  EXPECT_FALSE(state.compare);
  EXPECT_EQ(state.sequence, 1u);
}

TEST_F(CaptureTest, CompareAll_HealsLostToldRows) {
  const EntryId lost = AddMailbox("Lost");
  AddMailbox("Kept");
  Begin();
  const ToldRow row = Told(lost);
  storage::WriteBatch batch;
  batch.Delete(storage::ToldKey(1, storage::kRecipientRank, lost));
  Must(storage.Commit(batch));
  state.sum.Subtract(SumOf(state.terms.hash_key, lost, row.state));
  --state.rows;
  EXPECT_TRUE(Export().empty());
  EXPECT_EQ(Export(true).size(), 1u);
  CheckReader();
}

class CaptureSubsTest : public CaptureTest {
 protected:
  CaptureSubsTest() {
    settings.subs = true;
    sub_ = AddContainer("Sub", "Recipients");
    deep_ = AddContainer("Deep", "Recipients/cn=Sub");
    outside_ = AddContainer("Outside", "");
    one_ = AddMailbox("One", "Recipients/cn=Sub");
    two_ = AddMailbox("Two", "Recipients/cn=Sub/cn=Deep");
  }
  EntryId sub_, deep_, outside_, one_, two_;
};

TEST_F(CaptureSubsTest, NewTree_IsToldFromTheTop) {
  Begin();
  AddContainer("A", "Recipients");
  AddContainer("B", "Recipients/cn=A");
  AddMailbox("Three", "Recipients/cn=A/cn=B");
  EXPECT_EQ(Kinds(RunChanges()), "add A; add B; add Three; ");
  CheckReader();
}

TEST_F(CaptureSubsTest, ContainerRename_IsOneChange) {
  Begin();
  Rename(sub_, "Renamed");
  const auto step = Must(TryStep());
  ASSERT_EQ(step.batches.size(), 1u);
  EXPECT_EQ(Kinds(step.batches[0].changes), "rename Renamed; ");
  EXPECT_FALSE(step.more);
  EXPECT_EQ(step.rows_read, 1u);
  CheckReader();
}

TEST_F(CaptureSubsTest, ContainerMovedWithin_IsOneChangeAndNewDepths) {
  Begin();
  AddContainer("Top", "Recipients");
  Export();
  Move(sub_, reader.Find("Top")->id);
  const Change change = One();
  EXPECT_EQ(change.kind, ChangeKind::kRename);
  EXPECT_EQ(change.id, sub_);
  EXPECT_EQ(Told(sub_, 2).version.sequence, 3u);
  EXPECT_EQ(Told(deep_, 3).version.sequence, 1u);
  EXPECT_FALSE(Must(storage.Get(storage::ToldKey(1, 2, deep_))));
  CheckReader();
  EXPECT_EQ(Copy().size(), 5u);
}

TEST_F(CaptureSubsTest, ContainerMovedOut_TakesItsContentsAlong) {
  Begin();
  Move(sub_, outside_);
  EXPECT_EQ(Kinds(RunChanges()), "delete One; delete Two; delete Deep; delete Sub; ");
  CheckReader();
  Move(sub_, At("Recipients"));
  EXPECT_EQ(Kinds(RunChanges()), "add Sub; add Deep; add One; add Two; ");
  CheckReader();
}

TEST_F(CaptureSubsTest, ContainerMovedIn_BringsItsContents) {
  AddContainer("Far", "Outside");
  for (int i = 0; i < 10; ++i) AddMailbox("Far" + std::to_string(i), "Outside/cn=Far");
  Begin();
  bounds = {1, 2};
  Move(At("Outside/cn=Far"), sub_);
  EXPECT_EQ(RunChanges().size(), 11u);
  CheckReader();
}

TEST_F(CaptureSubsTest, ContainerMovedInAndWanted_BringsItsContentsToo) {
  const EntryId far = AddContainer("Far", "Outside");
  const EntryId three = AddMailbox("Three", "Outside/cn=Far");
  Begin();
  Move(far, sub_);
  storage::Transaction transaction(storage);
  TakeWants(transaction, state, {far, three});
  Must(storage.Commit(transaction.Take()));
  EXPECT_EQ(RunChanges().size(), 2u);
  CheckReader();
}

TEST_F(CaptureSubsTest, ContainerMovedInAsTheParentOfAMovedOne_BringsItsContents) {
  const EntryId far = AddContainer("Far", "Outside");
  AddMailbox("Three", "Outside/cn=Far");
  Begin();
  Move(far, At("Recipients"));
  Move(sub_, far);
  Set(far, "Description", {"its own change now stands behind that of what moved into it"});
  RunChanges();
  EXPECT_NE(reader.Find("Three"), nullptr);
  CheckReader();
}

// The compare has passed what stands in a container when the container comes into the scope.
TEST_F(CaptureSubsTest, ContainerMovedInDuringACompare_BringsWhatTheCompareHadPassed) {
  Begin();
  const EntryId far = AddContainer("Far", "Outside");
  const EntryId passed = AddMailbox("Passed", "Outside/cn=Far");
  AddMailbox("Ahead", "Outside/cn=Far");
  settings.hidden = true;
  bounds = {limits::kRunBytes, 1};
  do {
    Must(TryStep());
    ASSERT_TRUE(state.compare);
  } while (state.compare->after < passed);
  ASSERT_EQ(state.compare->after, passed);
  Move(far, sub_);
  RunChanges();
  EXPECT_NE(reader.Find("Passed"), nullptr);
  EXPECT_NE(reader.Find("Ahead"), nullptr);
  CheckReader();
}

TEST_F(CaptureSubsTest, Containers_ComeFirstWhateverChangedFirst) {
  Begin();
  Set(two_, "City", {"Bern"});
  Set(deep_, "Description", {"d"});
  Rename(sub_, "Renamed");
  EXPECT_EQ(Kinds(RunChanges()), "rename Renamed; modify Deep; modify Two; ");
}

TEST_F(CaptureSubsTest, ContainerDeleted_ComesLastDeepestFirst) {
  Begin();
  Delete(two_);
  Delete(deep_);
  Delete(one_);
  Delete(sub_);
  EXPECT_EQ(Kinds(RunChanges()), "delete Two; delete One; delete Deep; delete Sub; ");
  CheckReader();
}

TEST_F(CaptureSubsTest, ContainerDeleted_InACutRunStillComesLast) {
  Begin();
  Delete(two_);
  Delete(deep_);
  Move(one_, At("Recipients"));
  Delete(sub_);
  Set(one_, "City", {"Bern"});
  bounds = {1, 1};
  EXPECT_EQ(Kinds(RunChanges()), "delete Two; rename One; delete Deep; delete Sub; ");
  CheckReader();
}

TEST_F(CaptureSubsTest, CutRun_TellsAContainerBeforeItsContents) {
  Begin();
  const EntryId late = AddContainer("Late", "Recipients");
  AddMailbox("Three", "Recipients/cn=Late");
  Set(late, "Description", {"its own change now stands behind that of its contents"});
  bounds = {1, 1};
  const std::vector<Change> changes = RunChanges();
  EXPECT_EQ(Kinds(changes), "add Late; add Three; ");
  CheckReader();
}

TEST_F(CaptureSubsTest, SubsTurnedOff_DeletesTheTree) {
  Begin();
  settings.subs = false;
  EXPECT_EQ(Kinds(RunChanges()), "delete One; delete Two; delete Deep; delete Sub; ");
  CheckReader();
  settings.subs = true;
  EXPECT_EQ(Kinds(RunChanges()), "add Sub; add Deep; add One; add Two; ");
  CheckReader();
}

TEST_F(CaptureSubsTest, NewRoot_MakesTheTreeFlat) {
  Begin();
  settings.containers = {"Recipients/cn=Sub"};
  const std::vector<Change> changes = RunChanges();
  EXPECT_EQ(Kinds(changes), "rename Deep; rename One; delete Sub; ");
  CheckReader();
}

TEST_F(CaptureTest, Batches_AreCutByCountAndChained) {
  Begin();
  Edit([&](Directory& directory) {
    for (int i = 0; i < 5000; ++i) {
      NewEntry fresh;
      fresh.name = "Mailbox" + std::to_string(i);
      Must(directory.Add(std::move(fresh)));
    }
  });
  const std::vector<Batch> batches = Export();
  ASSERT_GE(batches.size(), 2u);
  std::size_t changes = 0;
  for (const Batch& batch : batches) {
    EXPECT_LE(batch.changes.size(), limits::kChangesPerBatch);
    EXPECT_EQ(batch.run, batches.front().run);
    EXPECT_EQ(batch.rows_after, changes += batch.changes.size());
    for (const Change& change : batch.changes)
      ASSERT_EQ(Told(change.id).version, (Version{1, batch.sequence}));
  }
  EXPECT_EQ(changes, 5000u);
  EXPECT_EQ(batches.front().run.by_class.at(EntryClass::kMailbox).adds, 5000u);
  CheckReader();
}

TEST_F(CaptureTest, Batches_AreCutByBytes) {
  Begin();
  for (int i = 0; i < 5; ++i)
    Set(AddMailbox("Mailbox" + std::to_string(i)), "Comment", {std::string(700'000, 'x')});
  const std::vector<Batch> batches = Export();
  EXPECT_EQ(batches.size(), 3u);
  CheckReader();
}

TEST_F(CaptureTest, LargestEntry_FitsABatch) {
  Begin();
  Set(AddMailbox("Mailbox11"), "Comment", {std::string(limits::kEntryBytes - 1024, 'x')});
  EXPECT_EQ(Export().size(), 1u);
  CheckReader();
}

TEST_F(CaptureTest, Run_IsCutByItsBytes) {
  Begin();
  for (int i = 0; i < 10; ++i) AddMailbox("Mailbox" + std::to_string(i));
  bounds.run_bytes = 1;
  const auto step = Must(TryStep());
  EXPECT_TRUE(step.more);
  ASSERT_EQ(step.batches.size(), 1u);
  EXPECT_EQ(step.batches[0].changes.size(), 1u);
  EXPECT_EQ(RunChanges().size(), 9u);
  CheckReader();
}

TEST_F(CaptureTest, Wants_AreCarriedWholeOnceAndForgotten) {
  const EntryId known = AddMailbox("Known");
  const EntryId changed = AddMailbox("Changed");
  const EntryId gone = AddMailbox("Gone");
  Begin();
  Set(changed, "City", {"Bern"});
  Delete(gone);
  const EntryId fresh = AddMailbox("Fresh");
  const EntryId unknown = DerivedId("never told");
  storage::Transaction transaction(storage);
  TakeWants(transaction, state, {known, changed, gone, fresh, unknown});
  Must(storage.Commit(transaction.Take()));
  std::map<EntryId, Change> told;
  const std::vector<Batch> batches = Export();
  ASSERT_EQ(batches.size(), 1u);
  for (const Change& change : batches[0].changes) told[change.id] = change;
  ASSERT_EQ(batches[0].changes.size(), 5u);
  for (const EntryId& id : {known, changed, fresh}) {
    EXPECT_EQ(told[id].kind, ChangeKind::kAdd);
    EXPECT_TRUE(told[id].wanted);
    EXPECT_EQ(Told(id).version, (Version{1, 2}));
  }
  EXPECT_EQ(told[gone].kind, ChangeKind::kDelete);
  EXPECT_EQ(told[gone].name, "Gone");
  EXPECT_EQ(told[unknown].kind, ChangeKind::kDelete);
  EXPECT_EQ(told[unknown].entry_class, EntryClass::kMailbox);
  EXPECT_EQ(batches[0].run.by_class.at(EntryClass::kMailbox).deletes, 1u);
  CheckReader();
  EXPECT_TRUE(Export().empty());
}

TEST_F(CaptureTest, Wants_OfImportedEntriesAreToldDeleted) {
  const EntryId id = AddMailbox("Theirs");
  Alter(id, [](Entry& entry) { entry.origin = Reference{"Site2", DerivedId("theirs")}; });
  Begin();
  storage::Transaction transaction(storage);
  TakeWants(transaction, state, {id});
  Must(storage.Commit(transaction.Take()));
  EXPECT_EQ(One().kind, ChangeKind::kDelete);
}

TEST_F(CaptureTest, NewEpoch_GoesOnForWhoStandsAtTheEnd) {
  AddMailbox("Mailbox11");
  Begin();
  const EntryId id = AddMailbox("Mailbox12");
  Export();
  const Position end = state.position();
  storage::Transaction transaction(storage);
  Must(BeginEpoch(transaction, state, ids));
  state.seen = true;
  Must(storage.Commit(transaction.Take()));
  Set(id, "City", {"Bern"});
  const std::vector<Batch> batches = Export();
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0].kind, BatchKind::kStart);
  EXPECT_EQ(batches[0].previous_epoch, end);
  EXPECT_EQ(batches[0].rows_after, 2u);
  EXPECT_NE(batches[0].sum_after, batches[1].sum_after);
  EXPECT_EQ(batches[0].run, batches[1].run);
  EXPECT_EQ(batches[1].changes.size(), 1u);
  EXPECT_EQ(Told(id).version, (Version{2, 2}));
  CheckReader();
}

TEST_F(CaptureTest, WithoutAddress_IsCounted) {
  Begin();
  Set(AddMailbox("Mailbox11"), "Proxy-Addresses", {"SMTP:m@site1.example"});
  const auto step = Must(TryStep());
  EXPECT_TRUE(step.batches.empty());
  EXPECT_EQ(step.without_address, 1u);
}

}  // namespace
}  // namespace dirsync
