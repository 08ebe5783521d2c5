#include "agent/core/review.h"

#include <gtest/gtest.h>

#include "tests/unit/reader_world.h"

namespace dirsync {
namespace {

class ReviewTest : public ::testing::Test {
 protected:
  ReviewTest() { reader_.Must(source_.Start()); }
  void TearDown() override { reader_.Check(); }
  void Tell(unsigned count) {
    std::vector<Change> people;
    for (unsigned i = 1; i <= count; ++i) people.push_back(Person(i, "P" + std::to_string(i)));
    reader_.Must(source_.AddAll(people));
  }
  ApplyCounts DeleteRange(unsigned first, unsigned last, const std::vector<Change>& besides = {}) {
    std::vector<Change> changes;
    for (const Change& whole : besides) changes.push_back(source_.Add(whole));
    for (unsigned i = first; i <= last; ++i) changes.push_back(source_.Delete(IdOf(i)));
    return reader_.Must(source_.Number(changes));
  }
  Result<> Approve(const HeldRow& row) {
    storage::Transaction transaction(reader_.storage);
    Result<> result = ApproveHeld(transaction, reader_.Input(), row, reader_.state);
    if (result) reader_.Commit(transaction, reader_.state);
    return result;
  }
  Result<> Reject(const HeldRow& row) {
    storage::Transaction transaction(reader_.storage);
    Result<> result = RejectHeld(transaction, row, reader_.state);
    if (result) reader_.Commit(transaction, reader_.state);
    return result;
  }

  Source source_;
  Reader reader_;
};

TEST(ReviewRows_ReadWhatTheyWrote, AndRefuseDamage) {
  HeldRow held{3, IdOf(1), IdOf(2), EntryClass::kContainer, {4, 5}, "/o=x", "why", FromMillis(77)};
  const std::string held_bytes = EncodeHeld(held);
  EXPECT_EQ(EncodeHeld(DecodeHeld(held_bytes).value()), held_bytes);
  QuarantineRow waits;
  waits.number = 3;
  waits.id = IdOf(1);
  waits.code = ErrorCode::kNoTarget;
  waits.change = Person(1, "Anna");
  waits.asked = true;
  const std::string waits_bytes = EncodeQuarantine(waits);
  EXPECT_EQ(DecodeQuarantine(waits_bytes).value().change, waits.change);
  EXPECT_TRUE(DecodeQuarantine(waits_bytes).value().asked);
  for (std::size_t size = 0; size < held_bytes.size(); ++size)
    ExpectError(DecodeHeld(held_bytes.substr(0, size)), ErrorCode::kCorrupt);
  for (std::size_t size = 0; size < waits_bytes.size(); ++size)
    ExpectError(DecodeQuarantine(waits_bytes.substr(0, size)), ErrorCode::kCorrupt);
}

TEST_F(ReviewTest, TooManyDeletesOfARunAreAllHeldAndTheRestIsApplied) {
  Tell(600);
  const ApplyCounts counts = DeleteRange(1, 120, {Person(601, "New")});
  EXPECT_EQ(counts.held, 120u);
  EXPECT_EQ(counts.deleted, 0u);
  EXPECT_EQ(counts.added, 1u);
  EXPECT_FALSE(counts.diverged);
  EXPECT_EQ(reader_.state.cursor, source_.At());
  EXPECT_EQ(reader_.state.sum, source_.Sum());
  ASSERT_EQ(reader_.Held().size(), 120u);
  const HeldRow row = reader_.Held()[0];
  EXPECT_EQ(row.reason, "run deletes 120 of 601 (mailbox); 60 may pass in 24 hours");
  EXPECT_EQ(row.name, "/o=Testorg/ou=Site2/cn=Imported/cn=P1");
  EXPECT_EQ(ListHeld(reader_.storage, 0).value().size(), 120u);
  EXPECT_TRUE(ListHeld(reader_.storage, 2).value().empty());
}

TEST_F(ReviewTest, ManyRunsOfOneDeleteAreHeldToo) {
  Tell(600);
  std::uint64_t held = 0, deleted = 0;
  for (unsigned i = 1; i <= 120; ++i) {
    const ApplyCounts counts = DeleteRange(i, i);
    held += counts.held;
    deleted += counts.deleted;
    reader_.now += std::chrono::minutes(5);
  }
  EXPECT_EQ(deleted, 60u);
  EXPECT_EQ(held, 60u);
}

TEST_F(ReviewTest, ALyingRunIsHeldToTheBudgetAllTheSame) {
  Tell(600);
  std::vector<Change> changes;
  for (unsigned i = 1; i <= 120; ++i) changes.push_back(source_.Delete(IdOf(i)));
  Batch batch = source_.Number(changes);
  batch.run.by_class.clear();
  const ApplyCounts counts = reader_.Must(batch);
  EXPECT_EQ(counts.deleted, 60u);
  EXPECT_EQ(counts.held, 60u);
}

TEST_F(ReviewTest, LaterBatchesOfARunShareItsVerdict) {
  Tell(600);
  source_.run = FilledId<RunId>(42);
  std::vector<Change> changes;
  for (unsigned i = 1; i <= 60; ++i) changes.push_back(source_.Delete(IdOf(i)));
  Batch all = source_.Number(changes);
  Batch first = all;
  first.changes.resize(40);
  first.sum_after = {};
  reader_.Must(first);
  all.changes.erase(all.changes.begin(), all.changes.begin() + 40);
  ++all.sequence;
  ++source_.sequence;
  EXPECT_EQ(reader_.Must(all).deleted, 20u);
  EXPECT_TRUE(reader_.Held().empty());
}

TEST_F(ReviewTest, AfterARollbackAllDeletesAreHeld) {
  Tell(10);
  reader_.state.hold_all_deletes = true;
  EXPECT_EQ(DeleteRange(1, 1).held, 1u);
  EXPECT_NE(reader_.Held().at(0).reason.find("rolled back"), std::string::npos);
}

TEST_F(ReviewTest, ABatchOfAnotherEpochEndsAFork) {
  Tell(10);
  reader_.state.hold_all_deletes = true;
  const Position stood = source_.At();
  source_.epoch = {2, FilledId<EpochId>(8)};
  source_.sequence = 0;
  reader_.Must(source_.Start(stood));
  EXPECT_FALSE(reader_.state.hold_all_deletes);
  EXPECT_EQ(DeleteRange(1, 1).deleted, 1u);
}

TEST_F(ReviewTest, ApproveDeletesAndDoesNotUseTheBudget) {
  Tell(600);
  DeleteRange(1, 120);
  for (const HeldRow& row : reader_.Held()) EXPECT_OK(Approve(row));
  EXPECT_FALSE(reader_.Here(IdOf(1)));
  EXPECT_TRUE(reader_.Get(LocalIdOf("Site1", IdOf(1)))->is_deleted());
  EXPECT_TRUE(reader_.Held().empty());
  EXPECT_EQ(reader_.state.rows[EntryClass::kMailbox], 480u);
  EXPECT_EQ(DeleteRange(121, 168).deleted, 48u);
}

TEST_F(ReviewTest, RejectKeepsUntilTheSourceChangesIt) {
  Tell(600);
  DeleteRange(1, 120);
  const HeldRow row = reader_.Held()[0];
  EXPECT_OK(Reject(row));
  EXPECT_EQ(reader_.Mirror(row.id)->status, MirrorStatus::kKept);
  EXPECT_TRUE(reader_.Here(row.id));
  EXPECT_EQ(reader_.Held().size(), 119u);
  EXPECT_EQ(reader_.state.sum, source_.Sum());
  // A full copy that does not list it leaves it.
  EXPECT_OK(reader_.Full(source_));
  EXPECT_EQ(reader_.Mirror(row.id)->status, MirrorStatus::kKept);
  reader_.Must(source_.AddAll({Person(1, "P1")}));
  EXPECT_EQ(reader_.Mirror(row.id)->status, MirrorStatus::kApplied);
}

TEST_F(ReviewTest, ALaterChangeSupersedesAHeldDelete) {
  Tell(600);
  DeleteRange(1, 120);
  const HeldRow row = reader_.Held()[0];
  Change back = Person(1, "P1");
  SetValue(back, "Title", {"Boss"});
  const ApplyCounts counts = reader_.Must(source_.AddAll({back}));
  EXPECT_EQ(counts.superseded, 1u);
  EXPECT_EQ(counts.modified, 1u);
  EXPECT_EQ(reader_.Held().size(), 119u);
  ExpectError(Approve(row), ErrorCode::kStalePlan);
  ExpectError(Reject(row), ErrorCode::kStalePlan);
  EXPECT_TRUE(reader_.Here(IdOf(1)));
}

// Held, told anew, and held again: who approves what was shown before has not seen this one.
TEST_F(ReviewTest, AnApprovalIsOfTheDeleteThatWasShown) {
  Tell(200);
  DeleteRange(1, 50);
  const HeldRow before = reader_.Held().front();
  std::vector<Change> back;
  for (unsigned i = 1; i <= 50; ++i) back.push_back(Person(i, "P" + std::to_string(i)));
  reader_.Must(source_.AddAll(back));
  EXPECT_TRUE(reader_.Held().empty());
  DeleteRange(1, 50);
  ASSERT_EQ(reader_.Held().size(), 50u);
  ExpectError(Approve(before), ErrorCode::kStalePlan);
  ExpectError(Reject(before), ErrorCode::kStalePlan);
  EXPECT_OK(Approve(reader_.Held().front()));
}

TEST_F(ReviewTest, AModifyOfAHeldEntryIsAskedForWhole) {
  Tell(600);
  DeleteRange(1, 120);
  source_.told[IdOf(1)] = Person(1, "P1");
  Change boss = Person(1, "P1");
  SetValue(boss, "Title", {"Boss"});
  EXPECT_EQ(reader_.Must(source_.Number({source_.Modify(boss)})).wanted, 1u);
  EXPECT_EQ(reader_.Mirror(IdOf(1))->status, MirrorStatus::kHeld);
  EXPECT_EQ(reader_.Must(source_.Number({source_.Wanted(IdOf(1))})).superseded, 1u);
  EXPECT_EQ(reader_.state.sum, source_.Sum());
}

TEST_F(ReviewTest, ApprovingTwiceIsStale) {
  Tell(600);
  DeleteRange(1, 120);
  const HeldRow row = reader_.Held()[0];
  EXPECT_OK(Approve(row));
  ExpectError(Approve(row), ErrorCode::kStalePlan);
}

TEST_F(ReviewTest, AContainerWithHeldEntriesIsHeldAndApprovedLast) {
  reader_.Must(source_.AddAll({Box(900, "Box")}));
  std::vector<Change> people;
  for (unsigned i = 1; i <= 30; ++i)
    people.push_back(Person(i, "P" + std::to_string(i), IdOf(900)));
  reader_.Must(source_.AddAll(people));
  DeleteRange(1, 30);
  EXPECT_EQ(reader_.Must(source_.Number({source_.Delete(IdOf(900))})).held, 1u);
  std::vector<HeldRow> rows = reader_.Held();
  ASSERT_EQ(rows.size(), 31u);
  EXPECT_EQ(rows.back().entry_class, EntryClass::kContainer);
  ExpectError(Approve(rows.back()), ErrorCode::kNotEmpty);
  for (const HeldRow& row : rows) EXPECT_OK(Approve(row));
}

// ---- suspect runs

class SuspectTest : public ReviewTest {
 protected:
  SuspectTest() {
    Tell(30);
    std::vector<Change> changes;
    for (unsigned i = 1; i <= 25; ++i) {
      Change person = source_.told[IdOf(i)];
      person.target_address = "EDK:x" + std::to_string(i) + "@Site1.Testorg.com";
      changes.push_back(source_.Modify(person));
    }
    batch_ = source_.Number(changes);
    batch_.run.by_class[EntryClass::kMailbox].retargets = 25;
    before_ = reader_.storage.rows();
  }
  Batch batch_;
  storage::MemoryStorage::Map before_;
};

TEST_F(SuspectTest, TheStreamStopsBeforeTheRun) {
  const Position cursor = reader_.state.cursor;
  ExpectError(reader_.Apply(batch_), ErrorCode::kSuspect);
  EXPECT_EQ(reader_.storage.rows(), before_);
  EXPECT_EQ(reader_.state.cursor, cursor);
  EXPECT_EQ(reader_.state.suspect->run, batch_.run.run);
  reader_.state.suspect.reset();
}

TEST_F(SuspectTest, ApprovedItPasses) {
  ExpectError(reader_.Apply(batch_), ErrorCode::kSuspect);
  EXPECT_OK(ApproveSuspect(reader_.state));
  EXPECT_EQ(reader_.Must(batch_).modified, 25u);
  ExpectError(ApproveSuspect(reader_.state), ErrorCode::kNotFound);
}

TEST_F(SuspectTest, OneThatDeclaresNoneIsFoundByWhatItDoes) {
  batch_.run.by_class.clear();
  const Position cursor = reader_.state.cursor;
  ExpectError(reader_.Apply(batch_), ErrorCode::kSuspect);
  EXPECT_EQ(reader_.storage.rows(), before_);
  EXPECT_EQ(reader_.state.cursor, cursor);
  ASSERT_TRUE(reader_.state.suspect);
  EXPECT_EQ(reader_.state.suspect->by_class[EntryClass::kMailbox].retargets, 25u);
  EXPECT_OK(ApproveSuspect(reader_.state));
  EXPECT_EQ(reader_.Must(batch_).modified, 25u);
}

TEST_F(SuspectTest, ItsLaterBatchesAreCountedToo_AndSoIsASecondRunUnderItsId) {
  ExpectError(reader_.Apply(batch_), ErrorCode::kSuspect);
  EXPECT_OK(ApproveSuspect(reader_.state));
  reader_.Must(batch_);
  Change more = source_.told[IdOf(1)];
  more.target_address = "EDK:again@Site1.Testorg.com";
  Batch second = source_.Number({source_.Modify(more)});
  second.run = batch_.run;
  ExpectError(reader_.Apply(second), ErrorCode::kSuspect);
  EXPECT_EQ(reader_.state.suspect->by_class[EntryClass::kMailbox].retargets, 26u);
  EXPECT_OK(ApproveSuspect(reader_.state));
  reader_.Must(second);
}

TEST_F(SuspectTest, WholeEntriesCountAsWell) {
  std::vector<Change> whole;
  for (unsigned i = 1; i <= 25; ++i) whole.push_back(source_.told[IdOf(i)]);
  batch_.changes = whole;
  batch_.run.by_class.clear();
  ExpectError(reader_.Apply(batch_), ErrorCode::kSuspect);
  reader_.state.suspect.reset();
}

// Each batch may be a run of its own, or name none.
TEST_F(SuspectTest, PiecesOfItCountTogether) {
  std::vector<Change> changes = std::move(batch_.changes);
  --source_.sequence;
  for (std::size_t i = 0; i < 20; ++i) {
    Batch piece = source_.Number({changes[i]});
    if (i % 2 == 0) piece.run = {};
    reader_.Must(piece);
  }
  for (const bool named : {false, true}) {
    Batch piece = source_.Number({changes[20]});
    if (!named) piece.run = {};
    ExpectError(reader_.Apply(piece), ErrorCode::kSuspect);
    EXPECT_OK(ApproveSuspect(reader_.state));
    reader_.Must(piece);
    changes.erase(changes.begin() + 20);
  }
  reader_.now += std::chrono::hours(25);
  reader_.Must(source_.Number({changes[20]}));
}

TEST_F(SuspectTest, ABatchOfAnotherKindIsJudgedAsWell) {
  batch_.run.run = {};
  batch_.kind = BatchKind::kCanary;
  ExpectError(reader_.Apply(batch_), ErrorCode::kSuspect);
  batch_.changes.resize(1);
  ExpectError(reader_.Apply(batch_), ErrorCode::kSuspect);  // what waits, waits
  reader_.state.suspect.reset();
}

TEST_F(SuspectTest, ABatchThatSaysItIsACopyIsNone) {
  batch_.run.run = CopyRun(source_.At());
  ExpectError(reader_.Apply(batch_), ErrorCode::kSuspect);
  EXPECT_FALSE(IsCopyRun(reader_.state.suspect->run));
  EXPECT_OK(ApproveSuspect(reader_.state));
  reader_.Must(batch_);
}

// The delete of all of them was held; then they come back, elsewhere.
TEST_F(SuspectTest, HeldEntriesThatReturnElsewhereCount) {
  --source_.sequence;
  std::vector<Change> people, deletes;
  for (unsigned i = 1; i <= 25; ++i) {
    people.push_back(source_.told[IdOf(i)]);
    deletes.push_back(source_.Delete(IdOf(i)));
  }
  EXPECT_EQ(reader_.Must(source_.Number(deletes)).held, 25u);
  Batch back = source_.AddAll(people);
  ExpectError(reader_.Apply(back), ErrorCode::kSuspect);
  EXPECT_EQ(reader_.state.suspect->by_class[EntryClass::kMailbox].retargets, 25u);
  EXPECT_OK(ApproveSuspect(reader_.state));
  EXPECT_EQ(reader_.Must(back).superseded, 25u);
}

TEST_F(SuspectTest, WhatWaitsIsNotClearedByACopyThatNobodyHereAskedFor) {
  ExpectError(reader_.Apply(batch_), ErrorCode::kSuspect);
  const RunTotals waits = *reader_.state.suspect;
  ExpectError(reader_.Full(source_), ErrorCode::kSuspect);
  EXPECT_EQ(reader_.state.suspect, waits);
  EXPECT_EQ(reader_.Here(IdOf(1))->attributes.First("Target-Address"), "EDK:P1@Site1.Testorg.com");
  EXPECT_OK(reader_.FullAskedHere(source_));
  EXPECT_FALSE(reader_.state.suspect);
  EXPECT_NE(reader_.Here(IdOf(1))->attributes.First("Target-Address"), "EDK:P1@Site1.Testorg.com");
}

TEST_F(SuspectTest, ApprovedItMayComeByACopy) {
  ExpectError(reader_.Apply(batch_), ErrorCode::kSuspect);
  EXPECT_OK(ApproveSuspect(reader_.state));
  EXPECT_EQ(reader_.Full(source_)->modified, 25u);
  EXPECT_TRUE(reader_.state.approved_run.is_zero());
}

TEST_F(SuspectTest, RejectedItDoesNotComeByACopyEither_UntilItIsPutRight) {
  ExpectError(reader_.Apply(batch_), ErrorCode::kSuspect);
  EXPECT_OK(RejectSuspect(reader_.state));
  for (unsigned i = 2; i <= 25; ++i) source_.Add(Person(i, "P" + std::to_string(i)));
  ExpectError(reader_.Full(source_), ErrorCode::kSuspect);  // one of them is left
  EXPECT_EQ(reader_.state.suspect->by_class[EntryClass::kMailbox].retargets, 1u);
  EXPECT_OK(RejectSuspect(reader_.state));
  ExpectError(reader_.Full(source_), ErrorCode::kRefused);
  EXPECT_FALSE(reader_.state.suspect) << "it is not asked again";
  source_.Add(Person(1, "P1"));
  EXPECT_EQ(reader_.Full(source_)->unchanged, 30u);
  EXPECT_TRUE(reader_.state.rejected_run.is_zero());
}

TEST_F(SuspectTest, RejectedItNeverPassesUntilAFullCopy) {
  ExpectError(reader_.Apply(batch_), ErrorCode::kSuspect);
  EXPECT_OK(RejectSuspect(reader_.state));
  ExpectError(reader_.Apply(batch_), ErrorCode::kRefused);
  ExpectError(reader_.Apply(batch_), ErrorCode::kRefused);
  ExpectError(RejectSuspect(reader_.state), ErrorCode::kNotFound);
  EXPECT_OK(reader_.FullAskedHere(source_));
  EXPECT_TRUE(reader_.state.rejected_run.is_zero());
}

// ---- quarantine

TEST_F(ReviewTest, ARetriedRowIsAskedForAndLeavesWhenItFits) {
  Change anna = Person(1, "Anna");
  anna.target_address.clear();
  reader_.Must(source_.AddAll({anna}));
  QuarantineRow row = reader_.Quarantined().at(0);
  EXPECT_FALSE(row.asked);
  EXPECT_EQ(row.name, anna.dn);
  storage::Transaction transaction(reader_.storage);
  EXPECT_OK(RetryQuarantined(transaction, row));
  EXPECT_OK(reader_.storage.Commit(transaction.Take()));
  EXPECT_TRUE(reader_.Quarantined().at(0).asked);
  EXPECT_EQ(reader_.Wanted(), std::vector<EntryId>{IdOf(1)});
  source_.told[IdOf(1)] = Person(1, "Anna");
  EXPECT_EQ(reader_.Must(source_.Number({source_.Wanted(IdOf(1))})).added, 1u);
  EXPECT_TRUE(reader_.Quarantined().empty());
  EXPECT_TRUE(reader_.Wanted().empty());
}

TEST_F(ReviewTest, WhatWasToldAnewIsNeitherAskedForNorForgotten) {
  Change anna = Person(1, "Anna");
  anna.target_address.clear();
  reader_.Must(source_.AddAll({anna}));
  QuarantineRow old = reader_.Quarantined().at(0);
  old.version.sequence -= 1;
  storage::Transaction transaction(reader_.storage);
  EXPECT_EQ(RetryQuarantined(transaction, old), false);
  EXPECT_EQ(DiscardQuarantined(transaction, old), false);
  EXPECT_OK(reader_.storage.Commit(transaction.Take()));
  EXPECT_EQ(reader_.Quarantined().size(), 1u);
  EXPECT_FALSE(reader_.Quarantined().at(0).asked);
  EXPECT_TRUE(reader_.Wanted().empty());
}

TEST_F(ReviewTest, ADiscardedRowStaysOutUntilItsSourceChangesIt) {
  Change anna = Person(1, "Anna");
  anna.target_address.clear();
  reader_.Must(source_.AddAll({anna}));
  storage::Transaction transaction(reader_.storage);
  EXPECT_OK(DiscardQuarantined(transaction, reader_.Quarantined().at(0)));
  EXPECT_OK(reader_.storage.Commit(transaction.Take()));
  EXPECT_TRUE(reader_.Quarantined().empty());
  EXPECT_EQ(reader_.Mirror(IdOf(1))->status, MirrorStatus::kQuarantined);
  EXPECT_EQ(reader_.Must(source_.AddAll({Person(1, "Anna")})).added, 1u);
}

TEST_F(ReviewTest, ApprovingADeleteLetsInWhoWaitedForTheAddress) {
  Tell(600);
  std::vector<Change> changes = {source_.Add(Person(700, "P1"))};
  for (unsigned i = 1; i <= 120; ++i) changes.push_back(source_.Delete(IdOf(i)));
  EXPECT_EQ(reader_.Must(source_.Number(changes)).quarantined, 1u);
  EXPECT_FALSE(reader_.Here(IdOf(700)));
  EXPECT_OK(Approve(reader_.Held()[0]));
  EXPECT_TRUE(reader_.Here(IdOf(700)));
  EXPECT_TRUE(reader_.Quarantined().empty());
}

}  // namespace
}  // namespace dirsync
