// What stops an import of files before a batch is applied: nothing of it is here then, and the same
// file is read once it may be.
#include "agent/core/site_usage.h"
#include "tests/unit/import_world.h"

namespace dirsync {
namespace {

class ImportPolicyTest : public ImportWorld {
 protected:
  // Ends with this code; of the rows but the reader's own, none is another.
  void Refused(ErrorCode code) {
    const auto before = Rows();
    ExpectError(Import(), code);
    EXPECT_EQ(Rows(), before);
  }
  storage::MemoryStorage::Map Rows() {
    storage::MemoryStorage::Map rows = storage_->rows();
    const auto [lower, upper] = storage::TableRange(storage::Table::kReader);
    std::erase_if(rows, [&](const auto& row) { return row.first >= lower && row.first < upper; });
    const auto [first, last] = storage::TableRange(storage::Table::kNumber);
    std::erase_if(rows, [&](const auto& row) { return row.first >= first && row.first < last; });
    return rows;
  }
  std::uint64_t Objects() { return ObjectsOf(*storage_, "Site1", 0).value(); }
};

TEST_F(ImportPolicyTest, OfAFileWithABatchOverTheLimit_TheOnesBeforeItAreApplied) {
  Limit(5, {});
  PutBatches({source_.Start(), source_.AddAll(People(1, 4)), source_.AddAll(People(5, 2))});
  ExpectError(Import(), ErrorCode::kOverLimit);
  EXPECT_EQ(State().cursor.sequence, 2u);
  EXPECT_EQ(Objects(), 4u);
  Refused(ErrorCode::kOverLimit);
  Limit(6, {});
  EXPECT_OK(Import());
  EXPECT_EQ(State().cursor.sequence, 3u);
  EXPECT_EQ(Objects(), 6u);
}

TEST_F(ImportPolicyTest, AFullFileOverTheLimitIsNotApplied) {
  source_.Start();
  source_.AddAll(People(1, 6));
  PutFull();
  Limit(5, {});
  Refused(ErrorCode::kOverLimit);
  EXPECT_EQ(Objects(), 0u);
  Limit(6, {});
  EXPECT_OK(Import());
  EXPECT_EQ(Objects(), 6u);
}

TEST_F(ImportPolicyTest, AnAdhocFileOverTheLimitIsNotApplied) {
  PutAdhoc(People(1, 6));
  Limit(5, {});
  Refused(ErrorCode::kOverLimit);
  Limit(6, {});
  EXPECT_OK(Import());
  EXPECT_EQ(Objects(), 6u);
}

TEST_F(ImportPolicyTest, AFullFileThatThisSiteItselfHasToHaveIsFreeOfTheRate) {
  PutBatches({source_.Start(), source_.AddAll(People(1, 6))});
  EXPECT_OK(Import());
  Limit({}, 3, AttributeList{});
  PutFull();
  const auto report = Import();
  EXPECT_OK(report);
  EXPECT_EQ(report->counts.modified, 6u);
  Limit({}, 3, AttributeList{"Title"});
  EXPECT_OK(Import());
  EXPECT_EQ(LoadUsage(*storage_, "Site1", world_.Now()).value().current, 6u);
}

// R4: what a run does beyond its word stops it, by file as by broker.
TEST_F(ImportPolicyTest, ARunThatGivesMoreAddressesThanItDeclares_LeavesNothing) {
  const Batch start = source_.Start();
  PutBatches({start, source_.AddAll(People(1, 30))});
  EXPECT_OK(Import());
  PutBatches({Retargets(25)});
  Refused(ErrorCode::kSuspect);
  ReaderState state = State();
  EXPECT_EQ(state.cursor.sequence, 2u);
  ASSERT_TRUE(state.suspect);
  EXPECT_EQ(state.suspect->by_class[EntryClass::kMailbox].retargets, 25u);
  EXPECT_OK(ApproveSuspect(state));
  Write([&](storage::Transaction& transaction) { StoreReader(transaction, state); });
  const auto report = Import();
  EXPECT_OK(report);
  EXPECT_EQ(report->counts.modified, 25u);
  EXPECT_TRUE(report->sums_equal);
}

TEST_F(ImportPolicyTest, AFullFileThatGivesManyAddresses_WaitsForAPerson) {
  source_.Start();
  source_.AddAll(People(1, 30));
  PutFull();
  EXPECT_OK(Import());
  for (unsigned i = 1; i <= 25; ++i) {
    Change person = source_.told[IdOf(i)];
    person.target_address = "EDK:x" + std::to_string(i) + "@Site1.Testorg.com";
    source_.Add(person);
  }
  const Position cursor = source_.At();
  ++source_.sequence;
  PutFull();
  Refused(ErrorCode::kSuspect);
  Refused(ErrorCode::kSuspect);
  ReaderState state = State();
  EXPECT_EQ(state.cursor, cursor);
  ASSERT_TRUE(state.suspect);
  EXPECT_OK(ApproveSuspect(state));
  Write([&](storage::Transaction& transaction) { StoreReader(transaction, state); });
  const auto report = Import();
  EXPECT_OK(report);
  EXPECT_EQ(report->counts.modified, 25u);
  EXPECT_TRUE(report->sums_equal);
  EXPECT_FALSE(State().suspect);
}

// An unchanged copy answers what came before it, as any other does.
TEST_F(ImportPolicyTest, AnUnchangedFullFile_EndsAForkAndARejectedRun) {
  source_.Start();
  source_.AddAll(People(1, 3));
  PutFull();
  EXPECT_OK(Import());
  ReaderState state = State();
  state.hold_all_deletes = true;
  state.rejected_run = FilledId<RunId>(5);
  Write([&](storage::Transaction& transaction) { StoreReader(transaction, state); });
  EXPECT_EQ(Import()->counts.unchanged, 3u);
  EXPECT_EQ(State().rejected_run, state.rejected_run) << "that one comes behind this copy";
  ReaderState waiting = State();
  waiting.suspect = RunTotals{FilledId<RunId>(6), {}};
  Write([&](storage::Transaction& transaction) { StoreReader(transaction, waiting); });
  EXPECT_EQ(Import()->counts.unchanged, 3u) << "and so does what waits";
  EXPECT_EQ(State().suspect, waiting.suspect);
  waiting.suspect.reset();
  Write([&](storage::Transaction& transaction) { StoreReader(transaction, waiting); });
  ++source_.sequence;
  PutFull();
  EXPECT_EQ(Import()->counts.unchanged, 3u);
  EXPECT_FALSE(State().hold_all_deletes);
  EXPECT_TRUE(State().rejected_run.is_zero());
}

}  // namespace
}  // namespace dirsync
