#include <gtest/gtest.h>

#include "agent/core/apply.h"
#include "tests/unit/reader_world.h"

namespace dirsync {
namespace {

class FullApplyTest : public ::testing::Test {
 protected:
  FullApplyTest() { source_.sequence = 1; }
  void TearDown() override { reader_.Check(); }
  void Tell(unsigned count, unsigned from = 1) {
    for (unsigned i = from; i < from + count; ++i) source_.Add(Person(i, "P" + std::to_string(i)));
  }
  ApplyCounts Full(std::size_t range = 1000, bool after_rollback = false) {
    Result<ApplyCounts> counts = reader_.Full(source_, range, SIZE_MAX, after_rollback);
    EXPECT_OK(counts);
    EXPECT_EQ(reader_.state.sum, source_.Sum());
    EXPECT_EQ(reader_.state.cursor, source_.At());
    EXPECT_FALSE(reader_.state.full.has_value());
    return counts.value_or(ApplyCounts{});
  }

  // The source gives them another address.
  void Move(unsigned first, unsigned last) {
    ++source_.sequence;
    for (unsigned i = first; i <= last; ++i) {
      Change person = source_.told[IdOf(i)];
      person.target_address = "EDK:x" + std::to_string(source_.sequence) + "." + std::to_string(i) +
                              "@Site1.Testorg.com";
      source_.Add(person);
    }
  }
  std::string Target(unsigned number) {
    return std::string(reader_.Here(IdOf(number))->attributes.First("Target-Address"));
  }
  static ApplyCounts Must(const Result<ApplyCounts>& counts) {
    EXPECT_OK(counts);
    return counts.value_or(ApplyCounts{});
  }

  Source source_;
  Reader reader_;
};

// ---- error space

TEST_F(FullApplyTest, OurOwnCopyIsRefused) {
  Source own("Site2");
  own.sequence = 1;
  own.Add(Person(1, "Anna"));
  ExpectError(reader_.Full(own), ErrorCode::kOwnStream);
}

TEST_F(FullApplyTest, OutOfOrderOrRepeatedEntriesAreRefused) {
  const std::vector<Change> twice = {Person(1, "Anna"), Person(1, "Anna")};
  ExpectError(reader_.Full(source_, twice, 10, SIZE_MAX, false), ErrorCode::kBadRecord);
  reader_.state.full.reset();
  const std::vector<Change> back = {Person(2, "Berta"), Person(1, "Anna")};
  ExpectError(reader_.Full(source_, back, 10, SIZE_MAX, false), ErrorCode::kBadRecord);
  reader_.state = {};
  reader_.state.number = 1;
}

TEST_F(FullApplyTest, AContainerBeforeItsParentIsRefused) {
  const std::vector<Change> orphan = {Box(51, "B", IdOf(50))};
  ExpectError(reader_.Full(source_, orphan, 10, SIZE_MAX, false), ErrorCode::kBadRecord);
  reader_.state = {};
  reader_.state.number = 1;
}

TEST_F(FullApplyTest, TakeWithoutBeginIsAnError) {
  ReaderState state;
  FullApply apply(reader_.Input(), source_.At(), source_.terms, state);
  ExpectError(apply.Take(Person(1, "Anna")), ErrorCode::kInternal);
}

// ---- what it does

TEST_F(FullApplyTest, AnEmptyReaderIsFilled) {
  source_.Add(Box(500, "A"));
  source_.Add(Box(501, "B", IdOf(500)));
  Tell(100);
  source_.Add(Person(200, "Deep", IdOf(501)));
  EXPECT_EQ(Full(7).added, 103u);
  EXPECT_EQ(reader_.Here(IdOf(200))->parent, LocalIdOf("Site1", IdOf(501)));
  EXPECT_EQ(reader_.state.rows[EntryClass::kMailbox], 101u);
}

TEST_F(FullApplyTest, UnchangedRowsWriteNothingButTheCursor) {
  Tell(100);
  Full();
  auto rows = reader_.storage.rows();
  ++source_.sequence;
  EXPECT_EQ(Full().unchanged, 100u);
  for (const auto& [key, value] : reader_.storage.rows()) {
    if (key[0] == 'R' || key[0] == 'D') continue;
    EXPECT_EQ(rows[key], value);
  }
}

TEST_F(FullApplyTest, DifferencesAreApplied) {
  Tell(100);
  Full();
  ++source_.sequence;
  Change changed = Person(7, "P7");
  SetValue(changed, "Title", {"Boss"});
  EraseValue(changed, "Display-Name");
  source_.Add(changed);
  Change renamed = Person(8, "P8");
  renamed.name = "Eight";
  source_.Add(renamed);
  source_.told.erase(IdOf(9));
  source_.Add(Person(500, "New"));
  const ApplyCounts counts = Full(10);
  EXPECT_EQ(counts.modified, 1u);
  EXPECT_EQ(counts.renamed, 1u);
  EXPECT_EQ(counts.deleted, 1u);
  EXPECT_EQ(counts.added, 1u);
  EXPECT_EQ(counts.unchanged, 97u);
  EXPECT_EQ(reader_.Here(IdOf(7))->attributes.First("Display-Name"), "");
  EXPECT_FALSE(reader_.Here(IdOf(9)));
}

TEST_F(FullApplyTest, ItGoesOnWhereItStoppedWhateverTheRange) {
  for (std::size_t stop = 0; stop <= 40; stop += 3) {
    Source source;
    source.sequence = 1;
    Reader reader;
    source.Add(Box(50, "A"));
    for (unsigned i = 1; i <= 30; ++i) source.Add(Person(i, "P" + std::to_string(i), IdOf(50)));
    EXPECT_OK(reader.Full(source));
    ++source.sequence;
    source.told.erase(IdOf(4));
    source.told.erase(IdOf(30));
    Change changed = Person(20, "P20", IdOf(50));
    SetValue(changed, "Title", {"Boss"});
    source.Add(changed);
    source.Add(Person(31, "P31", IdOf(50)));
    EXPECT_OK(reader.Full(source, 4, stop));
    EXPECT_OK(reader.Full(source, 4));
    reader.Check();
    EXPECT_EQ(reader.state.sum, source.Sum());
    EXPECT_FALSE(reader.Here(IdOf(4)));
    EXPECT_FALSE(reader.Here(IdOf(30)));
    EXPECT_EQ(reader.Here(IdOf(20))->attributes.First("Title"), "Boss");
    EXPECT_TRUE(reader.Here(IdOf(31)));
  }
}

TEST_F(FullApplyTest, BatchesInBetweenAreNotUndoneByAnAbandonedCopy) {
  reader_.Must([&] {
    source_.sequence = 0;
    return source_.Start();
  }());
  std::vector<Change> people;
  for (unsigned i = 1; i <= 20; ++i) people.push_back(Person(i, "P" + std::to_string(i)));
  reader_.Must(source_.AddAll(people));
  const Source at_copy = source_;
  Change boss = Person(2, "P2");
  SetValue(boss, "Title", {"Boss"});
  const Batch next = source_.Number({source_.Modify(boss), source_.Delete(IdOf(15))});
  EXPECT_OK(reader_.Full(at_copy, 5, 12));
  EXPECT_TRUE(reader_.state.full.has_value());
  EXPECT_FALSE(reader_.Must(next).diverged);
  EXPECT_FALSE(reader_.state.full.has_value());
  EXPECT_EQ(reader_.Here(IdOf(2))->attributes.First("Title"), "Boss");
  EXPECT_EQ(Full(5).unchanged, 19u);
}

// Ranges of a copy that was given up brought rows of later batches; then an older copy comes, as a
// file does that was written before.
TEST_F(FullApplyTest, RowsNewerThanTheCopyStay) {
  source_.sequence = 0;
  reader_.Must(source_.Start());
  reader_.Must(source_.AddAll({Person(1, "P1"), Person(3, "P3")}));
  const Source earlier = source_;
  Change boss = Person(1, "P1");
  SetValue(boss, "Title", {"Boss"});
  const Batch third = source_.Number({source_.Modify(boss)});
  const Batch fourth = source_.AddAll({Person(2, "P2"), Person(4, "P4")});
  EXPECT_OK(reader_.Full(source_, 1, 2));  // 1 and 2 as of the fourth
  const ApplyCounts counts = Must(reader_.Full(earlier));
  EXPECT_EQ(counts.deleted + counts.held, 0u);
  EXPECT_TRUE(reader_.Here(IdOf(2)));
  EXPECT_EQ(reader_.Here(IdOf(1))->attributes.First("Title"), "Boss");
  reader_.Check();
  EXPECT_FALSE(reader_.Must(third).diverged);
  EXPECT_FALSE(reader_.Must(fourth).diverged);
  EXPECT_EQ(reader_.state.sum, source_.Sum());
}

// As above; another copy that was given up had taken one of them for lost.
TEST_F(FullApplyTest, ARowThatANewerCopyMissedIsNotDroppedByAnOlderOne) {
  source_.sequence = 0;
  reader_.Must(source_.Start());
  reader_.Must(source_.AddAll({Person(5, "P5")}));
  source_.Number({source_.Delete(IdOf(5))});
  const Source earlier = source_;
  source_.AddAll({Person(1, "P1"), Person(2, "P2"), Person(3, "P3")});
  EXPECT_OK(reader_.Full(source_, 1, 1));  // 1
  source_.Number({source_.Delete(IdOf(1))});
  EXPECT_OK(reader_.Full(source_, 1, 1));  // 2: 1 is passed
  EXPECT_TRUE(reader_.Mirror(IdOf(1))->absent);
  EXPECT_EQ(Must(reader_.Full(earlier)).deleted, 1u);
  EXPECT_FALSE(reader_.Here(IdOf(5)));
  EXPECT_TRUE(reader_.Here(IdOf(1)));
  EXPECT_FALSE(reader_.Mirror(IdOf(1))->absent);
}

TEST_F(FullApplyTest, DuringACopyOfANewerEpochOldBatchesWait) {
  source_.sequence = 0;
  reader_.Must(source_.Start());
  reader_.Must(source_.AddAll({Person(1, "Anna"), Person(2, "Berta")}));
  Source old = source_;
  source_.epoch = {2, FilledId<EpochId>(8)};
  source_.terms.hash_key = FilledId<HashKey>(66);
  EXPECT_OK(reader_.Full(source_, 1, 1));
  ExpectError(reader_.Apply(old.AddAll({Person(3, "Clara")})), ErrorCode::kEpochChanged);
  Full(1);
}

TEST_F(FullApplyTest, AnotherHashKeyRewritesToldStatesOnly) {
  Tell(50);
  Full();
  const Usn usn = reader_.Here(IdOf(1))->usn_changed;
  source_.epoch = {2, FilledId<EpochId>(8)};
  source_.terms.hash_key = FilledId<HashKey>(66);
  const ApplyCounts counts = Full(7);
  EXPECT_EQ(counts.unchanged, 50u);
  EXPECT_EQ(counts.modified, 0u);
  EXPECT_EQ(reader_.Here(IdOf(1))->usn_changed, usn);
  EXPECT_EQ(reader_.state.terms.hash_key, source_.terms.hash_key);
}

TEST_F(FullApplyTest, WantsAreAnswered) {
  source_.sequence = 0;
  reader_.Must(source_.Start());
  source_.told[IdOf(1)] = Person(1, "Anna");
  Change anna = Person(1, "Anna");
  SetValue(anna, "Title", {"Boss"});
  reader_.Must(source_.Number({source_.Modify(anna)}));
  EXPECT_EQ(reader_.Wanted().size(), 1u);
  Full();
  EXPECT_TRUE(reader_.Wanted().empty());
}

TEST_F(FullApplyTest, AnAddressThatMovedToAnotherEntryFollows) {
  Tell(2);
  Full();
  ++source_.sequence;
  Change first = Person(1, "P1");
  first.target_address = "EDK:P2@Site1.Testorg.com";
  SetValue(first, "Proxy-Addresses", {first.target_address});
  Change second = Person(2, "P2");
  second.target_address = "EDK:new@Site1.Testorg.com";
  SetValue(second, "Proxy-Addresses", {second.target_address});
  source_.Add(first);
  source_.Add(second);
  EXPECT_EQ(Full().quarantined, 0u);
  EXPECT_EQ(reader_.Here(IdOf(1))->attributes.First("Target-Address"), first.target_address);
}

TEST_F(FullApplyTest, AnUnknownKindCountsAsListed) {
  Tell(3);
  Full();
  ++source_.sequence;
  std::vector<Change> listing = source_.Listing();
  listing[1].unknown_kind = 9;
  Result<ApplyCounts> counts = reader_.Full(source_, listing, 10, SIZE_MAX, false);
  EXPECT_EQ(counts.value().deleted, 0u);
  EXPECT_EQ(counts.value().quarantined, 1u);
  EXPECT_TRUE(reader_.Here(IdOf(2)));
}

// ---- R4

TEST_F(FullApplyTest, TooManyOtherAddresses_StopItBeforeThem) {
  Tell(60);
  Full();
  const auto before = reader_.storage.rows();
  const ReaderState stood = reader_.state;
  Move(1, 60);
  ExpectError(reader_.Full(source_), ErrorCode::kSuspect);
  ASSERT_TRUE(reader_.state.suspect);
  EXPECT_EQ(reader_.state.suspect->by_class[EntryClass::kMailbox].retargets, 21u);
  EXPECT_EQ(reader_.state.cursor, stood.cursor);
  EXPECT_TRUE(reader_.state.full->after.is_zero());
  for (const auto& [key, value] : reader_.storage.rows()) {
    if (key[0] == 'R') continue;
    EXPECT_EQ(before.at(key), value);
  }
  ExpectError(reader_.Full(source_), ErrorCode::kSuspect);
  EXPECT_OK(ApproveSuspect(reader_.state));
  EXPECT_EQ(Full(10).modified, 60u);
  Move(1, 60);
  ExpectError(reader_.Full(source_), ErrorCode::kSuspect);  // an approval is for one copy
  EXPECT_OK(reader_.FullAskedHere(source_));
}

TEST_F(FullApplyTest, OtherAddressesOfEarlierRangesCount) {
  Tell(60);
  Full();
  Move(1, 60);
  ExpectError(reader_.Full(source_, 5), ErrorCode::kSuspect);
  EXPECT_EQ(reader_.state.full->after, IdOf(20));
  EXPECT_NE(Target(20), Target(21));
  EXPECT_EQ(Target(21), "EDK:P21@Site1.Testorg.com");
  EXPECT_OK(ApproveSuspect(reader_.state));
  EXPECT_EQ(Full(5).modified, 40u);
}

TEST_F(FullApplyTest, OtherAddressesOfADayCountWhateverBroughtThem) {
  Tell(60);
  Full();
  Move(1, 15);
  Full();
  Move(16, 21);
  ExpectError(reader_.Full(source_), ErrorCode::kSuspect);
  EXPECT_OK(RejectSuspect(reader_.state));
  reader_.state.rejected_run = {};
  reader_.now += std::chrono::hours(25);
  EXPECT_EQ(Full().modified, 6u);
}

TEST_F(FullApplyTest, OtherAddressesUnderAnotherHashKeyCount) {
  Tell(60);
  Full();
  source_.epoch = {2, FilledId<EpochId>(8)};
  source_.terms.hash_key = FilledId<HashKey>(66);
  Move(1, 25);
  ExpectError(reader_.Full(source_), ErrorCode::kSuspect);
  EXPECT_OK(ApproveSuspect(reader_.state));
  EXPECT_EQ(Full().modified, 25u);
}

TEST_F(FullApplyTest, AnEmptyCopyDoesNotAnswerWhatWaits) {
  Tell(3);
  Full();
  reader_.state.suspect = RunTotals{FilledId<RunId>(4), {}};
  ++source_.sequence;
  source_.told.clear();
  ExpectError(reader_.Full(source_), ErrorCode::kSuspect);
  reader_.state.suspect.reset();
  Full();
}

// ---- bounds

// As many as a mirror may have, of which the copy lists the last one.
TEST_F(FullApplyTest, WhatIsNotListedBeforeAnEntry_IsMarkedInStepsToo) {
  constexpr unsigned kRows = limits::kBulkRows + 10;
  Tell(1, 100'000);
  Full();
  storage::Transaction filling(reader_.storage);
  MirrorRow row;
  row.status = MirrorStatus::kQuarantined;
  row.told = source_.StateOfId(IdOf(100'000));
  for (unsigned i = 1; i <= kRows; ++i) {
    filling.Put(storage::MirrorKey(1, storage::kRecipientRank, IdOf(i)), EncodeMirror(row));
    reader_.state.sum.Add(SumOf(source_.terms.hash_key, IdOf(i), row.told));
    ++reader_.state.rows[EntryClass::kMailbox];
  }
  reader_.Commit(filling, reader_.state);
  ++source_.sequence;
  ApplyInput input = reader_.Input();
  FullApply apply(input, source_.At(), source_.terms, reader_.state);
  storage::Transaction first(reader_.storage);
  apply.Begin(first);
  const Change last = source_.told[IdOf(100'000)];
  EXPECT_FALSE(apply.Take(last).value());
  EXPECT_EQ(first.rows(), limits::kBulkRows);
  EXPECT_EQ(reader_.state.full->after, IdOf(limits::kBulkRows));
  reader_.Commit(first, reader_.state);
  // Killed: the next one goes on behind them.
  FullApply again(input, source_.At(), source_.terms, reader_.state);
  storage::Transaction second(reader_.storage);
  again.Begin(second);
  EXPECT_TRUE(again.Take(last).value());
  EXPECT_EQ(reader_.state.full->absent, kRows);
  reader_.Commit(second, reader_.state);
  Full();
  EXPECT_EQ(reader_.state.rows[EntryClass::kMailbox], 1u);
}

// ---- containers

TEST_F(FullApplyTest, ContainersThatMovedAreNotTakenForLost) {
  source_.Add(Box(50, "A"));
  source_.Add(Box(51, "B", IdOf(50)));
  source_.Add(Box(52, "C", IdOf(51)));
  source_.Add(Box(53, "D"));
  source_.Add(Person(1, "Anna", IdOf(52)));
  Full();
  ++source_.sequence;
  source_.Add(Box(51, "B"));            // up: C too, though it was told nothing new
  source_.Add(Box(53, "D", IdOf(52)));  // down
  const ApplyCounts counts = Full(1);
  EXPECT_EQ(counts.deleted, 0u);
  EXPECT_EQ(counts.held, 0u);
  EXPECT_EQ(counts.renamed, 2u);
  EXPECT_TRUE(reader_.Here(IdOf(1)));
  EXPECT_EQ(Full().unchanged, 5u);
}

TEST_F(FullApplyTest, LostContainersGoDeepestFirst) {
  source_.Add(Box(50, "A"));
  source_.Add(Box(51, "B", IdOf(50)));
  source_.Add(Person(1, "Anna", IdOf(51)));
  Full();
  ++source_.sequence;
  source_.told.clear();
  EXPECT_EQ(Full().deleted, 3u);
}

TEST_F(FullApplyTest, AContainerWithAnEntryOfOursIsHeld) {
  source_.Add(Box(50, "A"));
  Full();
  storage::Transaction transaction(reader_.storage);
  EntryStore entries(transaction, reader_.now);
  Entry ours;
  ours.id = IdOf(9000);
  ours.name = "Ours";
  ours.parent = LocalIdOf("Site1", IdOf(50));
  EXPECT_OK(entries.Insert(ours));
  EXPECT_OK(reader_.storage.Commit(transaction.Take()));
  ++source_.sequence;
  source_.told.clear();
  EXPECT_EQ(Full().held, 1u);
  EXPECT_NE(reader_.Held().at(0).reason.find("entries here"), std::string::npos);
}

// ---- R5

TEST_F(FullApplyTest, TooManyNotListedAreAllHeld) {
  Tell(600);
  Full();
  ++source_.sequence;
  for (unsigned i = 1; i <= 120; ++i) source_.told.erase(IdOf(i));
  const ApplyCounts counts = Full();
  EXPECT_EQ(counts.held, 120u);
  EXPECT_EQ(counts.deleted, 0u);
  EXPECT_TRUE(reader_.Here(IdOf(1)));
  // Held rows that a later copy does not list stay as they are; one that is listed is superseded.
  ++source_.sequence;
  source_.Add(Person(1, "P1"));
  const ApplyCounts later = Full();
  EXPECT_EQ(later.held, 0u);
  EXPECT_EQ(later.superseded, 1u);
  EXPECT_EQ(reader_.Held().size(), 119u);
}

TEST_F(FullApplyTest, AfterARollbackEveryDeleteIsHeld) {
  Tell(600);
  Full();
  ++source_.sequence;
  source_.told.erase(IdOf(1));
  EXPECT_EQ(Full(1000, true).held, 1u);
}

TEST_F(FullApplyTest, ItsEndEndsAFork) {
  Tell(600);
  Full();
  reader_.state.hold_all_deletes = true;
  ++source_.sequence;
  source_.told.erase(IdOf(1));
  EXPECT_EQ(Full().held, 1u);
  ++source_.sequence;
  source_.told.erase(IdOf(2));
  EXPECT_EQ(Full().deleted, 1u);
}

TEST_F(FullApplyTest, RowsOfOtherStreamsAreNotAbsent) {
  Source other("Site3");
  ReaderState other_state;
  other_state.number = 2;
  EXPECT_OK(reader_.Apply(other.Start(), other_state));
  EXPECT_OK(reader_.Apply(other.AddAll({Person(900, "Other")}), other_state));
  Tell(3);
  Full();
  EXPECT_TRUE(reader_.Here(IdOf(900), "Site3"));
}

// ---- R15

class AdhocTest : public FullApplyTest {
 protected:
  AdhocTest() { adhoc_.number = 9; }
  ApplyCounts Adhoc(const Change& whole) {
    storage::Transaction transaction(reader_.storage);
    Result<ApplyCounts> counts = ApplyAdhoc(transaction, reader_.Input(), "Site1", whole, adhoc_);
    EXPECT_OK(counts);
    StoreReader(transaction, adhoc_);
    EXPECT_OK(reader_.storage.Commit(transaction.Take()));
    return counts.value_or(ApplyCounts{});
  }
  ReaderState adhoc_;
};

TEST_F(AdhocTest, EntriesOfAStreamAreLeftAlone) {
  Tell(1);
  Full();
  Change other = Person(1, "P1");
  SetValue(other, "Title", {"Boss"});
  EXPECT_EQ(Adhoc(other).unchanged, 1u);
  EXPECT_EQ(reader_.Here(IdOf(1))->attributes.First("Title"), "Engineer");
}

TEST_F(AdhocTest, OthersAreUpsertedAndTheLatestCountsAtAnyTime) {
  Change anna = Person(1, "Anna");
  EXPECT_EQ(Adhoc(anna).added, 1u);
  EXPECT_EQ(Adhoc(anna).unchanged, 1u);
  SetValue(anna, "Title", {"Boss"});
  EXPECT_EQ(Adhoc(anna).modified, 1u);
  reader_.now -= std::chrono::hours(1);
  SetValue(anna, "Title", {"Chief"});
  EXPECT_EQ(Adhoc(anna).modified, 1u);
  EXPECT_EQ(reader_.Here(IdOf(1))->attributes.First("Title"), "Chief");
}

TEST_F(AdhocTest, AStreamTakesOverAndItsDeleteIsADelete) {
  Adhoc(Person(1, "P1"));
  Tell(1);
  EXPECT_EQ(Full().added, 0u);
  EXPECT_EQ(reader_.Here(IdOf(1))->attributes.First("Imported-From"), "Site1/EXP");
  ++source_.sequence;
  source_.told.clear();
  EXPECT_EQ(Full().deleted, 1u);
  EXPECT_FALSE(reader_.Here(IdOf(1)));
  EXPECT_EQ(Adhoc(Person(1, "P1")).added, 1u);
}

TEST_F(AdhocTest, OurOwnFileIsRefused) {
  storage::Transaction transaction(reader_.storage);
  ExpectError(ApplyAdhoc(transaction, reader_.Input(), "Site2", Person(1, "Anna"), adhoc_),
              ErrorCode::kOwnStream);
}

}  // namespace
}  // namespace dirsync
