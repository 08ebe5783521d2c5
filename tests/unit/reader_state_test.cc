#include "agent/core/reader_state.h"

#include <gtest/gtest.h>

#include "proto/base/limits.h"
#include "tests/unit/reader_world.h"

namespace dirsync {
namespace {

ReaderState Sample() {
  ReaderState state;
  state.number = 4;
  state.source = SourceKind::kStream;
  state.stream = {"Testorg", "Site1", "EXP"};
  state.signer = FilledId<PublicKey>(1);
  state.cursor = {{2, FilledId<EpochId>(2)}, 9, FilledId<Digest>(3)};
  state.terms = {FilledId<HashKey>(4), "EDK", {"Display-Name", "Title"}};
  state.sum = {1, 2};
  state.rows = {{EntryClass::kContainer, 3}, {EntryClass::kMailbox, 600}};
  state.run = FilledId<RunId>(5);
  state.hold_deletes = {{EntryClass::kMailbox, true}};
  state.hold_all_deletes = true;
  state.approved_run = FilledId<RunId>(6);
  state.rejected_run = FilledId<RunId>(7);
  state.suspect = RunTotals{FilledId<RunId>(8), {{EntryClass::kMailbox, {1, 2, 3, 4, 5}}}};
  state.full = FullJob{state.cursor, state.cursor, 255, IdOf(3), 17, true, {8, 9}, {"City"}};
  state.taken = {"City", "Title"};
  state.retargets = {{EntryClass::kMailbox, {30, 12}}};
  state.approved_retargets = {{EntryClass::kMailbox, 40}};
  return state;
}

TEST(ReaderState_ReadsWhatItWrote, AllFields) {
  EXPECT_EQ(DecodeReader(EncodeReader(Sample())).value(), Sample());
  EXPECT_EQ(DecodeReader(EncodeReader(ReaderState{})).value(), ReaderState{});
}

// Before sites chose what they take: all of it was taken.
TEST(ReaderState_ReadsWhatItWrote, InAnEarlierVersion) {
  constexpr std::size_t kAll = 3;             // a list of one name of one byte
  constexpr std::size_t kPositionBytes = 50;  // of none
  ReaderState state = Sample();
  state.taken = {"*"};
  state.full->taken = {"*"};
  state.retargets.clear();
  state.approved_retargets.clear();
  std::string row = EncodeReader(state);
  row.resize(row.size() - 2);  // two empty lists
  row[0] = 3;
  EXPECT_EQ(DecodeReader(row).value(), state);
  row.erase(row.size() - kAll);
  row.erase(row.size() - kPositionBytes - kAll, kAll);
  row[0] = 2;
  EXPECT_EQ(DecodeReader(row).value(), state);
}

TEST(ReaderState_CopyRun, IsKnownAsSuch) {
  const Position at{{2, FilledId<EpochId>(2)}, 9, FilledId<Digest>(3)};
  EXPECT_TRUE(IsCopyRun(CopyRun(at)));
  EXPECT_NE(CopyRun(at), CopyRun({at.epoch, at.sequence, FilledId<Digest>(4)}));
  EXPECT_FALSE(IsCopyRun(FilledId<RunId>(0xfe)));
  EXPECT_FALSE(IsCopyRun({}));
}

TEST(ReaderState_EndRuns, EndsWhatTheCopyHolds_NotWhatIsAheadOfIt) {
  const ReaderState before = Sample();
  ReaderState state = before;
  EndRuns(state, state.cursor);
  EXPECT_FALSE(state.hold_all_deletes);
  EXPECT_EQ(state.suspect, before.suspect);
  EXPECT_EQ(state.approved_retargets, before.approved_retargets);
  EXPECT_EQ(state.rejected_run, before.rejected_run);
  Position ahead = state.cursor;
  ++ahead.sequence;
  ahead.digest = FilledId<Digest>(44);
  state.rejected_run = CopyRun(ahead);
  state.approved_run = CopyRun(state.cursor);
  EndRuns(state, state.cursor);
  EXPECT_EQ(state.rejected_run, CopyRun(ahead));
  EXPECT_TRUE(state.approved_run.is_zero());
  EndRuns(state, ahead);
  EXPECT_FALSE(state.suspect);
  EXPECT_TRUE(state.rejected_run.is_zero());
}

TEST(ReaderState_RefusesDamage, CutAtEveryByteOrLonger) {
  const std::string whole = EncodeReader(Sample());
  for (std::size_t size = 0; size < whole.size(); ++size)
    ExpectError(DecodeReader(std::string_view(whole).substr(0, size)), ErrorCode::kCorrupt);
  ExpectError(DecodeReader(whole + "x"), ErrorCode::kCorrupt);
  std::string newer = whole;
  newer[0] = 9;
  ExpectError(DecodeReader(newer), ErrorCode::kCorrupt);
}

TEST(ReaderState_IsStored, UnderItsNumber) {
  storage::MemoryStorage storage;
  EXPECT_FALSE(LoadReader(storage, 4).value().has_value());
  storage::Transaction transaction(storage);
  StoreReader(transaction, Sample());
  EXPECT_EQ(LoadReader(transaction, 4).value().value(), Sample());
  EXPECT_FALSE(LoadReader(transaction, 5).value().has_value());
}

class JudgeTest : public ::testing::Test {
 protected:
  JudgeTest() : transaction_(storage_) {
    state_.number = 1;
    for (Sequence at = 1; at <= 5; ++at)
      EXPECT_OK(RememberDigest(transaction_, 1, Position{epoch_, at, Of(at)}));
    state_.cursor = {epoch_, 5, Of(5)};
  }
  static Digest Of(Sequence at) { return DigestOf("batch" + std::to_string(at)); }
  Follows At(Sequence at, const Digest& digest, const Digest& previous) {
    return Judge(transaction_, state_, {epoch_, at, digest}, previous, std::nullopt).value();
  }

  storage::MemoryStorage storage_;
  storage::Transaction transaction_;
  ReaderState state_;
  const Epoch epoch_{2, FilledId<EpochId>(2)};
};

TEST_F(JudgeTest, NextIsOneAboveAndNamesOurDigest) {
  EXPECT_EQ(At(6, Of(6), Of(5)), Follows::kNext);
  EXPECT_EQ(At(6, Of(6), Of(4)), Follows::kFork);
  EXPECT_EQ(At(6, Of(6), Digest{}), Follows::kFork);
}

TEST_F(JudgeTest, AboveNextIsAGap) { EXPECT_EQ(At(7, Of(7), Of(6)), Follows::kGap); }

TEST_F(JudgeTest, KnownDigestIsARepeatAnotherAFork) {
  EXPECT_EQ(At(5, Of(5), Of(4)), Follows::kRepeat);
  EXPECT_EQ(At(5, Of(6), Of(4)), Follows::kFork);
  EXPECT_EQ(At(2, Of(2), Of(1)), Follows::kRepeat);
  EXPECT_EQ(At(2, Of(3), Of(1)), Follows::kFork);
}

TEST_F(JudgeTest, ForgottenDigestIsAForkNeverAlreadyApplied) {
  state_.cursor = {epoch_, 5000, Of(5000)};
  EXPECT_EQ(At(4000, Of(4000), Of(3999)), Follows::kFork);
}

TEST_F(JudgeTest, EpochsAreOrderedByCounterAndToldApartById) {
  const Digest any = Of(1);
  const auto judge = [&](const Epoch& epoch, Sequence at, std::optional<Position> previous) {
    return Judge(transaction_, state_, {epoch, at, any}, Digest{}, previous).value();
  };
  const Epoch next{3, FilledId<EpochId>(3)};
  EXPECT_EQ(judge({1, FilledId<EpochId>(1)}, 9, std::nullopt), Follows::kOldEpoch);
  EXPECT_EQ(judge({2, FilledId<EpochId>(9)}, 6, std::nullopt), Follows::kFork);
  EXPECT_EQ(judge(next, 1, state_.cursor), Follows::kNewEpoch);
  EXPECT_EQ(judge(next, 2, state_.cursor), Follows::kEpochChanged);
  EXPECT_EQ(judge(next, 1, std::nullopt), Follows::kEpochChanged);
  Position other = state_.cursor;
  other.sequence = 4;
  EXPECT_EQ(judge(next, 1, other), Follows::kEpochChanged);
  other = state_.cursor;
  other.digest = any;
  EXPECT_EQ(judge(next, 1, other), Follows::kEpochChanged);
}

TEST_F(JudgeTest, AnUnboundReaderBeginsAtTheVeryFirstStartOnly) {
  state_.cursor = {};
  const auto judge = [&](Sequence at, std::optional<Position> previous) {
    return Judge(transaction_, state_, {epoch_, at, Of(1)}, Digest{}, previous).value();
  };
  EXPECT_EQ(judge(1, Position{}), Follows::kNext);
  EXPECT_EQ(judge(1, Position{{1, FilledId<EpochId>(1)}, 4, Of(4)}), Follows::kEpochChanged);
  EXPECT_EQ(judge(1, std::nullopt), Follows::kEpochChanged);
  EXPECT_EQ(judge(2, Position{}), Follows::kEpochChanged);
}

std::size_t DigestRows(const storage::ReadView& view) {
  std::size_t rows = 0;
  const auto range = storage::StreamRange(storage::Table::kDigest, 1);
  for (auto cursor = view.Scan(range.first, range.second); cursor->Valid(); cursor->Next()) ++rows;
  return rows;
}

TEST_F(JudgeTest, DigestsAreKeptForABoundedNumberOfSequences) {
  for (Sequence at = 6; at <= 2000; ++at)
    EXPECT_OK(RememberDigest(transaction_, 1, Position{epoch_, at, Of(at)}));
  EXPECT_EQ(DigestRows(transaction_), limits::kDigestsKept);
  state_.cursor = {epoch_, 2000, Of(2000)};
  EXPECT_EQ(At(2000 - limits::kDigestsKept + 1, Of(2000 - limits::kDigestsKept + 1), {}),
            Follows::kRepeat);
  EXPECT_EQ(At(2000 - limits::kDigestsKept, Of(2000 - limits::kDigestsKept), {}), Follows::kFork);
}

TEST_F(JudgeTest, AJumpOrANewEpochForgetsWhatIsOlder) {
  EXPECT_OK(RememberDigest(transaction_, 1, Position{epoch_, 5000, Of(5000)}));
  EXPECT_EQ(DigestRows(transaction_), 1u);
  EXPECT_OK(RememberDigest(transaction_, 1, Position{{3, FilledId<EpochId>(3)}, 1, Of(1)}));
  EXPECT_EQ(DigestRows(transaction_), 1u);
}

}  // namespace
}  // namespace dirsync
