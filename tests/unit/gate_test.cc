#include "agent/core/gate.h"

#include <gtest/gtest.h>

#include "tests/unit/reader_world.h"

namespace dirsync {
namespace {

constexpr EntryClass kMailbox = EntryClass::kMailbox;
constexpr auto kHour = std::chrono::hours(1);

class GateTest : public ::testing::Test {
 protected:
  GateTest() : transaction_(storage_) {
    state_.number = 1;
    state_.rows[kMailbox] = 600;
  }
  std::uint64_t Left() {
    return DeletesLeft(transaction_, settings_, state_, kMailbox, now_).value();
  }
  void Delete(std::uint64_t count) {
    EXPECT_OK(CountDeletes(transaction_, state_, kMailbox, count, now_));
    state_.rows[kMailbox] -= count;
  }
  GateVerdict Judge(const RunTotals& totals) {
    return JudgeRun(transaction_, settings_, totals, state_, now_).value();
  }
  GateVerdict Told(std::uint64_t retargets) {
    return CountRetargets(transaction_, settings_, {{kMailbox, retargets}}, state_, now_).value();
  }
  // The verdict over the last of them.
  GateVerdict Copied(std::uint64_t retargets) {
    GateVerdict verdict = GateVerdict::kPass;
    for (; retargets > 0; --retargets)
      verdict = CountCopied(transaction_, settings_, kMailbox, state_, now_).value();
    return verdict;
  }
  void Approve(std::uint8_t run, std::uint64_t retargets) {
    state_.approved_run = FilledId<RunId>(run);
    state_.approved_retargets = {{kMailbox, retargets}};
  }
  static RunTotals Run(std::uint8_t number, std::uint64_t deletes, std::uint64_t retargets = 0) {
    RunTotals totals;
    totals.run = FilledId<RunId>(number);
    totals.by_class[kMailbox].deletes = deletes;
    totals.by_class[kMailbox].retargets = retargets;
    return totals;
  }

  storage::MemoryStorage storage_;
  storage::Transaction transaction_;
  InstanceSettings settings_;
  ReaderState state_;
  Instant now_ = FromMillis(1'700'000'000'000);
};

TEST_F(GateTest, TheBudgetIsTwentyOrATenthOfTheRows) {
  EXPECT_EQ(Left(), 60u);
  state_.rows[kMailbox] = 50;
  EXPECT_EQ(Left(), 20u);
  state_.rows.clear();
  EXPECT_EQ(Left(), 20u);
}

TEST_F(GateTest, SettingsOverrideIt) {
  settings_.max_deletes = DeleteBudget{5, false};
  EXPECT_EQ(Left(), 5u);
  settings_.max_deletes = DeleteBudget{50, true};
  EXPECT_EQ(Left(), 300u);
  settings_.max_deletes = DeleteBudget{0, false};
  EXPECT_EQ(Left(), 0u);
}

TEST_F(GateTest, DeletesOfADayCountWhateverTheirRuns) {
  for (int i = 0; i < 60; ++i) {
    EXPECT_GT(Left(), 0u);
    Delete(1);
    now_ += std::chrono::minutes(10);
  }
  EXPECT_EQ(Left(), 0u);
}

TEST_F(GateTest, TheBudgetDoesNotShrinkWhileItIsUsed) {
  Delete(30);
  EXPECT_EQ(Left(), 30u);
}

TEST_F(GateTest, AfterADayTheyNoLongerCountAndTheirRowsGo) {
  Delete(60);
  now_ += 23 * kHour;
  EXPECT_EQ(Left(), 0u);
  now_ += 2 * kHour;
  EXPECT_EQ(Left(), 54u);
  Delete(1);
  const auto range = storage::StreamRange(storage::Table::kBudget, 1);
  std::size_t rows = 0;
  for (auto cursor = transaction_.Scan(range.first, range.second); cursor->Valid(); cursor->Next())
    ++rows;
  EXPECT_EQ(rows, 1u);
}

TEST_F(GateTest, AClockThatGoesBackFreesNothing) {
  Delete(60);
  now_ -= 5 * kHour;
  EXPECT_EQ(Left(), 0u);
}

TEST_F(GateTest, ARunOverTheBudgetHoldsAllItsDeletes) {
  EXPECT_EQ(Judge(Run(1, 60)), GateVerdict::kPass);
  EXPECT_TRUE(state_.hold_deletes.empty());
  EXPECT_EQ(Judge(Run(2, 61)), GateVerdict::kPass);
  EXPECT_TRUE(state_.hold_deletes[kMailbox]);
}

TEST_F(GateTest, ARunIsJudgedOnce) {
  EXPECT_EQ(Judge(Run(1, 60)), GateVerdict::kPass);
  Delete(60);
  EXPECT_EQ(Judge(Run(1, 60)), GateVerdict::kPass);
  EXPECT_TRUE(state_.hold_deletes.empty());
  EXPECT_EQ(Judge(Run(2, 1)), GateVerdict::kPass);
  EXPECT_TRUE(state_.hold_deletes[kMailbox]);
}

TEST_F(GateTest, AnUnnamedRunIsJudgedEveryTime) {
  RunTotals totals = Run(0, 60);
  EXPECT_EQ(Judge(totals), GateVerdict::kPass);
  Delete(60);
  EXPECT_EQ(Judge(totals), GateVerdict::kPass);
  EXPECT_TRUE(state_.hold_deletes[kMailbox]);
}

TEST_F(GateTest, MassRetargetsAreSuspectUntilApproved) {
  EXPECT_EQ(Judge(Run(1, 0, 60)), GateVerdict::kPass);
  EXPECT_EQ(Judge(Run(2, 0, 61)), GateVerdict::kSuspect);
  EXPECT_EQ(state_.run, FilledId<RunId>(1));
  Approve(2, 61);
  EXPECT_EQ(Judge(Run(2, 0, 61)), GateVerdict::kPass);
  EXPECT_EQ(Judge(Run(3, 0, 61)), GateVerdict::kSuspect);
}

TEST_F(GateTest, AnApprovalIsForWhatWasSeen_AndEndsWithItsRun) {
  Approve(2, 70);
  EXPECT_EQ(Judge(Run(2, 0, 71)), GateVerdict::kSuspect) << "a larger one under its id";
  EXPECT_EQ(Judge(Run(2, 0, 70)), GateVerdict::kPass);
  EXPECT_EQ(Told(70), GateVerdict::kPass);
  EXPECT_EQ(Judge(Run(2, 0, 70)), GateVerdict::kPass) << "its next batch";
  EXPECT_EQ(Told(1), GateVerdict::kSuspect) << "a second run under its id";
  EXPECT_EQ(Judge(Run(3, 0)), GateVerdict::kPass);
  EXPECT_EQ(Judge(Run(2, 0, 70)), GateVerdict::kSuspect);
}

TEST_F(GateTest, RetargetsAreCountedWhateverARunDeclares) {
  EXPECT_EQ(Judge(Run(1, 0)), GateVerdict::kPass);
  EXPECT_EQ(Told(40), GateVerdict::kPass);
  EXPECT_EQ(Told(20), GateVerdict::kPass);
  EXPECT_EQ(Told(1), GateVerdict::kSuspect);
  EXPECT_EQ(Judge(Run(2, 0)), GateVerdict::kPass);
  EXPECT_EQ(Told(1), GateVerdict::kSuspect) << "whatever run it is of";
}

TEST_F(GateTest, RetargetsOfADayCountWhateverTheirRuns) {
  for (std::uint8_t run = 1; run <= 6; ++run) {
    EXPECT_EQ(Judge(Run(run, 0, 10)), GateVerdict::kPass);
    EXPECT_EQ(Told(10), GateVerdict::kPass);
    now_ += kHour;
  }
  EXPECT_EQ(Judge(Run(7, 0, 1)), GateVerdict::kSuspect);
  EXPECT_EQ(Judge(Run(0, 0, 1)), GateVerdict::kSuspect) << "without a name too";
  EXPECT_EQ(Left(), 60u) << "deletes have a budget of their own";
  now_ += 24 * kHour;
  EXPECT_EQ(Judge(Run(7, 0, 60)), GateVerdict::kPass);
}

TEST_F(GateTest, ARunThatDeclaresItsPartsNeedsItsBudgetOnce) {
  EXPECT_EQ(Judge(Run(1, 0, 60)), GateVerdict::kPass);
  for (int batch = 0; batch < 6; ++batch) {
    EXPECT_EQ(Judge(Run(1, 0, 60)), GateVerdict::kPass);
    EXPECT_EQ(Told(10), GateVerdict::kPass);
  }
  EXPECT_EQ(Told(1), GateVerdict::kSuspect);
}

TEST_F(GateTest, WhatWasApprovedSpendsNothing) {
  Approve(2, 500);
  EXPECT_EQ(Judge(Run(2, 0, 500)), GateVerdict::kPass);
  EXPECT_EQ(Told(500), GateVerdict::kPass);
  EXPECT_EQ(Judge(Run(3, 0, 60)), GateVerdict::kPass);
}

TEST_F(GateTest, WhileSomethingWaitsNothingElsePasses) {
  state_.suspect = Run(2, 0, 61);
  EXPECT_EQ(Judge(Run(3, 0)), GateVerdict::kSuspect);
  now_ += 48 * kHour;
  settings_.max_deletes = DeleteBudget{100, true};
  EXPECT_EQ(Judge(Run(2, 0, 61)), GateVerdict::kSuspect) << "nobody has said yes";
}

TEST_F(GateTest, CopiesSpendTheBudgetOfRuns) {
  EXPECT_EQ(Judge(Run(1, 0, 40)), GateVerdict::kPass);
  EXPECT_EQ(Told(40), GateVerdict::kPass);
  EXPECT_EQ(Copied(20), GateVerdict::kPass);
  EXPECT_EQ(Copied(1), GateVerdict::kSuspect);
}

TEST_F(GateTest, AnApprovedCopyMayDoAnything_AndSpendsNothing) {
  state_.approved_run = CopyRun({{1, {}}, 5, FilledId<Digest>(3)});
  EXPECT_EQ(Copied(600), GateVerdict::kPass);
  EXPECT_EQ(Judge(Run(3, 0, 60)), GateVerdict::kPass);
}

TEST_F(GateTest, ACopyMayBringWhatAnApprovedRunWould) {
  Approve(2, 70);
  EXPECT_EQ(Copied(70), GateVerdict::kPass);
  EXPECT_EQ(Copied(1), GateVerdict::kSuspect);
}

TEST_F(GateTest, AnApprovalIsSpentOnce_ByTheRunOrACopy) {
  Approve(2, 70);
  EXPECT_EQ(Copied(70), GateVerdict::kPass);
  EXPECT_EQ(Judge(Run(2, 0, 70)), GateVerdict::kPass);
  EXPECT_EQ(Told(1), GateVerdict::kSuspect);
}

TEST_F(GateTest, AfterANoACopyBringsNoOtherAddressUnseen) {
  state_.rejected_run = FilledId<RunId>(2);
  EXPECT_EQ(Copied(1), GateVerdict::kSuspect);
}

TEST_F(GateTest, WhatWasDeclaredPasses_ThoughTheRowsBecomeFewer) {
  EXPECT_EQ(Judge(Run(1, 0, 60)), GateVerdict::kPass);
  state_.rows[kMailbox] = 300;
  EXPECT_EQ(Told(60), GateVerdict::kPass);
}

TEST_F(GateTest, ARejectedRunIsRefused) {
  state_.rejected_run = FilledId<RunId>(2);
  ExpectError(JudgeRun(transaction_, settings_, Run(2, 0, 61), state_, now_), ErrorCode::kRefused);
}

TEST_F(GateTest, DamagedBudgetRowsAreReported) {
  Delete(1);
  const auto range = storage::StreamRange(storage::Table::kBudget, 1);
  auto cursor = transaction_.Scan(range.first, range.second);
  transaction_.Put(std::string(cursor->Key()), "");
  ExpectError(DeletesLeft(transaction_, settings_, state_, kMailbox, now_), ErrorCode::kCorrupt);
}

}  // namespace
}  // namespace dirsync
