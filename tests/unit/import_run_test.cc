// A plan of several files shows what the run then does: what was accepted stays, and what was
// refused goes, in a dry run as in a real one.
#include "agent/service/import_run.h"

#include "proto/base/limits.h"
#include "tests/unit/import_world.h"

namespace dirsync {
namespace {

class ImportRunTest : public ImportWorld {
 protected:
  // Thirty people are here, and the source stands at 2.
  void ImportThirty() {
    const Batch start = source_.Start();
    PutBatches({start, source_.AddAll(People(1, 30))});
    EXPECT_OK(Import());
  }
  Change Titled(unsigned number, const std::string& title) {
    Change person = source_.told.at(IdOf(number));
    SetValue(person, "Title", {title});
    return person;
  }
  // Plans the import, applies the plan, and expects of both the same; returns what was done.
  ApplyCounts ApplyAsPlanned(std::optional<ErrorCode> problem) {
    const auto plan = MakePlan(*store_, Request(), Direction::kImport);
    EXPECT_OK(plan);
    if (!plan) return {};
    lines_ = plan->lines;
    const auto applied = ApplyPlan(*store_, plan->id, {});
    EXPECT_OK(applied);
    if (!applied) return {};
    const RunReport& done = applied->front();
    EXPECT_EQ(CodeOf(done), problem);
    EXPECT_EQ(CodeOf(plan->report), problem);
    EXPECT_EQ(plan->report.counts, done.counts);
    EXPECT_EQ(plan->report.files, done.files);
    EXPECT_EQ(plan->report.sequence, done.sequence);
    EXPECT_EQ(plan->report.sums_equal, done.sums_equal);
    return done.counts;
  }
  static std::optional<ErrorCode> CodeOf(const RunReport& report) {
    if (!report.problem) return std::nullopt;
    return report.problem->code;
  }

  std::vector<PlanLine> lines_;
};

TEST_F(ImportRunTest, BeforeASuspectBatch_WhatWasAcceptedStaysInThePlan) {
  ImportThirty();
  const Batch good = source_.AddAll(People(31, 5));
  PutBatches({good, Retargets(25)});
  PutAdhoc(People(31, 3), "in.adhoc");  // of the stream by then
  const ApplyCounts counts = ApplyAsPlanned(ErrorCode::kSuspect);
  EXPECT_EQ(counts.added, 5u);
  EXPECT_EQ(counts.modified, 0u);
  EXPECT_EQ(counts.unchanged, 3u);
  EXPECT_EQ(State().cursor.sequence, 3u);
  EXPECT_TRUE(State().suspect);
}

TEST_F(ImportRunTest, OfARefusedFile_NothingIsInThePlanOfTheFullFileBehindIt) {
  ImportThirty();
  Limit(35, {});
  PutBatches({source_.AddAll(People(31, 10))});
  std::vector<Change> deletes;
  for (unsigned i = 31; i <= 40; ++i) deletes.push_back(source_.Delete(IdOf(i)));
  source_.Number(std::move(deletes));
  PutFull("in.2");
  const ApplyCounts counts = ApplyAsPlanned(ErrorCode::kOverLimit);
  EXPECT_EQ(counts, (ApplyCounts{.unchanged = 30}));
  EXPECT_TRUE(lines_.empty());
  EXPECT_EQ(State().cursor.sequence, 4u);
}

TEST_F(ImportRunTest, OfARefusedFile_NothingIsInThePlanOfTheAdhocFileBehindIt) {
  ImportThirty();
  Limit(35, {});
  PutBatches({source_.AddAll(People(31, 10))});
  PutAdhoc(People(31, 2), "in.adhoc");
  const ApplyCounts counts = ApplyAsPlanned(ErrorCode::kOverLimit);
  EXPECT_EQ(counts, (ApplyCounts{.added = 2}));
  EXPECT_EQ(lines_.size(), 2u);
}

TEST_F(ImportRunTest, ARefusedAdhocFileDoesNotCount) {
  ImportThirty();
  Limit(35, {});
  PutBatches({source_.AddAll(People(31, 4))});
  PutAdhoc(People(41, 2), "in.adhoc");
  const ApplyCounts counts = ApplyAsPlanned(ErrorCode::kOverLimit);
  EXPECT_EQ(counts, (ApplyCounts{.added = 4}));
  EXPECT_EQ(lines_.size(), 4u);
}

TEST_F(ImportRunTest, AFullFileIsComparedWithWhatTheFilesBeforeItDo) {
  ImportThirty();
  PutBatches({source_.Number({source_.Modify(Titled(1, "Chief"))})});
  source_.Number({source_.Modify(Titled(1, "Engineer"))});
  PutFull("in.2");
  const ApplyCounts counts = ApplyAsPlanned(std::nullopt);
  EXPECT_EQ(counts, (ApplyCounts{.modified = 2, .unchanged = 29}));
}

TEST_F(ImportRunTest, AFullFileOfBeforeWhatTheFilesBeforeItReach_IsARepeat) {
  ImportThirty();
  const Batch third = source_.AddAll(People(31, 1));
  PutFull("in.2");
  PutBatches({third, source_.AddAll(People(32, 1))});
  const ApplyCounts counts = ApplyAsPlanned(std::nullopt);
  EXPECT_EQ(counts, (ApplyCounts{.added = 2}));
  EXPECT_FALSE(State().hold_all_deletes);
}

TEST_F(ImportRunTest, AFirstImportIsPlannedApartFromTheAdhocFileBesideIt) {
  const Batch start = source_.Start();
  PutBatches({start, source_.AddAll(People(1, 3))});
  PutAdhoc({Titled(1, "Chief"), Person(4, "M4")}, "in.adhoc");
  const ApplyCounts counts = ApplyAsPlanned(std::nullopt);
  EXPECT_EQ(counts, (ApplyCounts{.added = 4, .unchanged = 1}));
}

TEST_F(ImportRunTest, APlanWhoseRefusalIsAnotherIsStale) {
  ImportThirty();
  Limit(35, {});
  PutBatches({source_.AddAll(People(31, 10))});
  PutAdhoc(People(51, 1), "in.adhoc");
  const auto plan = MakePlan(*store_, Request(), Direction::kImport);
  EXPECT_OK(plan);
  Limit({}, {});
  PutBatches({source_.AddAll(People(61, 1))});  // a gap
  ExpectError(ApplyPlan(*store_, plan->id, {}), ErrorCode::kStalePlan);
}

// Behind a step that is forgotten nothing would be planned as it is done.
TEST_F(ImportRunTest, ADryRunThatMemoryDoesNotHoldEndsThere) {
  RunRequest request = Request();
  request.dry_run = true;
  ImportRun run(*store_, request);
  EXPECT_OK(run.Load());
  constexpr std::size_t kStep = 32 * limits::kMiB;
  for (std::size_t step = 1; step <= limits::kDryRunBytes / kStep - 1; ++step) {
    run.Begin().Put(storage::ProgressKey(std::to_string(step)), std::string(kStep, 'x'));
    EXPECT_OK(run.Commit());
  }
  EXPECT_TRUE(run.Begin().Get(storage::ProgressKey("1"))->has_value());
  EXPECT_FALSE(run.too_large());
  run.Begin().Put(storage::ProgressKey("last"), std::string(kStep, 'x'));
  ExpectError(run.Commit(), ErrorCode::kTooLarge);
  EXPECT_TRUE(run.too_large());
  EXPECT_FALSE(storage_->Get(storage::ProgressKey("1"))->has_value());
}

}  // namespace
}  // namespace dirsync
