// What stops an import of files before a batch is applied: nothing of it is here then, and the same
// file is read once it may be.
#include "agent/core/site_policy.h"
#include "agent/core/site_usage.h"
#include "agent/file/sync_file_writer.h"
#include "agent/service/run.h"
#include "tests/sim/sim_world.h"
#include "tests/unit/reader_world.h"

namespace dirsync {
namespace {

const SigningKey& KeyOfSite1() {
  static const SigningKey key = *SigningKey::FromSeed(std::string(32, 'k'));
  return key;
}

class ImportPolicyTest : public ::testing::Test {
 protected:
  ImportPolicyTest() : storage_(std::make_shared<storage::MemoryStorage>()) {
    SiteProfile profile;
    profile.organization = "Testorg";
    profile.site = "Site2";
    profile.server = "Server2";
    store_ = *Store::Over(world_, storage_, profile, *SigningKey::FromSeed(std::string(32, '2')));
    settings_.name = "IN";
    settings_.imports = true;
    settings_.import_file = "in";
    Write([&](storage::Transaction& transaction) { StoreInstance(transaction, settings_); });
  }
  void Write(const std::function<void(storage::Transaction&)>& write) {
    EXPECT_OK(store_->Write([&](storage::Transaction& transaction) -> Result<> {
      write(transaction);
      return {};
    }));
  }
  void Limit(std::optional<std::uint64_t> objects, std::optional<std::uint64_t> changes,
             std::optional<AttributeList> attributes = {}) {
    Write([&](storage::Transaction& transaction) {
      StorePolicy(transaction, {"Site1", objects, changes, attributes});
    });
  }
  std::vector<Change> People(unsigned first, unsigned count) {
    std::vector<Change> people;
    for (unsigned i = first; i < first + count; ++i)
      people.push_back(Person(i, "M" + std::to_string(i)));
    return people;
  }

  FileHeader Header(FileKind kind, const Position& as_of) {
    FileHeader header;
    header.kind = kind;
    header.stream = source_.stream;
    header.signer = KeyOfSite1().public_key();
    header.time = world_.Now();
    header.terms = source_.terms;
    if (kind == FileKind::kAdhoc) return header;
    header.epoch = source_.epoch;
    header.as_of = as_of;
    return header;
  }
  // A file at the place that the import reads.
  void Put(FileHeader header, const std::vector<Batch>& batches, const std::vector<Change>& whole) {
    std::string bytes;
    SyncFileWriter writer(std::move(header), KeyOfSite1(), [&](std::string_view piece) -> Result<> {
      bytes.append(piece);
      return {};
    });
    for (const Batch& batch : batches) {
      FileBatch info{batch, source_.DigestOfSequence(batch.sequence), batch.changes.size()};
      info.batch.changes.clear();
      EXPECT_OK(writer.BeginBatch(info));
      for (const Change& change : batch.changes) EXPECT_OK(writer.Write(change));
    }
    for (const Change& change : whole) EXPECT_OK(writer.Write(change));
    EXPECT_OK(writer.Finish(source_.Sum(), source_.told.size()));
    world_.disk().Put("in", bytes);
  }
  void PutBatches(const std::vector<Batch>& batches) {
    const Sequence before = batches.front().sequence - 1;
    Position as_of;
    if (before > 0) as_of = {source_.epoch, before, source_.DigestOfSequence(before)};
    Put(Header(FileKind::kChanges, as_of), batches, {});
  }
  void PutFull() { Put(Header(FileKind::kFull, source_.At()), {}, source_.Listing()); }

  Result<RunReport> Import() {
    RunRequest request;
    request.settings = settings_;
    return RunImport(*store_, request);
  }
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
  ReaderState State() {
    const auto number = FindNumber(*storage_, "import/in").value();
    return LoadReader(*storage_, *number).value().value_or(ReaderState{});
  }
  std::uint64_t Objects() { return ObjectsOf(*storage_, "Site1", 0).value(); }

  sim::SimWorld world_{7};
  std::shared_ptr<storage::MemoryStorage> storage_;
  std::unique_ptr<Store> store_;
  InstanceSettings settings_;
  Source source_;
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
  Put(Header(FileKind::kAdhoc, {}), {}, People(1, 6));
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
  std::vector<Change> changes;
  for (unsigned i = 1; i <= 25; ++i) {
    Change person = source_.told[IdOf(i)];
    person.target_address = "EDK:x" + std::to_string(i) + "@Site1.Testorg.com";
    changes.push_back(source_.Modify(person));
  }
  PutBatches({source_.Number(changes)});
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

}  // namespace
}  // namespace dirsync
