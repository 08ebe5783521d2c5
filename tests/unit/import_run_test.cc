// A plan of several files shows what the run then does: what was accepted stays, and what was
// refused goes, in a dry run as in a real one. And whose files are taken, and whose acks.
#include "agent/service/import_run.h"

#include "agent/core/producer_state.h"
#include "proto/base/limits.h"
#include "proto/codec/roster_codec.h"
#include "proto/trust/roster.h"
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

// Site2 has joined an organisation, and tells a stream of its own.
class ImportTrustTest : public ImportWorld {
 protected:
  // A later entry than the one before.
  void Name(const PublicKey& key, SiteState state = SiteState::kActive) {
    const SigningKey organization = *SigningKey::FromSeed(std::string(32, 'o'));
    RosterEntry entry;
    entry.organization = "Testorg";
    entry.site = "Site1";
    entry.server = "Server1";
    entry.signing_key = key;
    entry.transport_key = *TransportKey::FromBytes(DigestOf("transport").view());
    entry.serial = ++serial_;
    entry.state = state;
    Write([&](storage::Transaction& transaction) {
      EXPECT_OK(TakeRosterEntry(transaction, organization.public_key(),
                                SignRosterEntry(entry, organization)));
    });
  }
  static PublicKey OtherKey() { return SigningKey::FromSeed(std::string(32, 'x'))->public_key(); }
  void Pin(const PublicKey& key) {
    ReaderState state = State();
    state.signer = key;
    Write([&](storage::Transaction& transaction) { StoreReader(transaction, state); });
  }
  // The stream of this site has told three batches in its first epoch.
  void Tell() {
    InstanceSettings settings;
    settings.name = "OUT";
    settings.exports = true;
    Write([&](storage::Transaction& transaction) {
      StoreInstance(transaction, settings);
      IdSource ids = MakeIds(world_);
      ProducerState told = NewProducer(*NumberOf(transaction, "export/out"), own_, 1, ids);
      told.sequence = told.trimmed = 3;
      told.digest = FilledId<Digest>(3);
      StoreProducer(transaction, told);
    });
  }
  ProducerState Told() { return **LoadProducer(*storage_, **FindNumber(*storage_, "export/out")); }
  // Site1 says that it has read so far of another life of Site2.
  FileAck Ahead(std::uint64_t epoch) {
    return {own_, {{epoch, FilledId<EpochId>(5)}, 9, FilledId<Digest>(9)}};
  }
  void PutAcks(std::vector<FileAck> acks, const std::vector<Batch>& batches) {
    FileHeader header = Header(FileKind::kChanges, {});
    header.acks = std::move(acks);
    Put("in", std::move(header), batches, {});
  }

  const StreamName own_{"Testorg", "Site2", "OUT"};
  std::uint64_t serial_ = 0;
};

TEST_F(ImportTrustTest, AFirstFileIsSignedAsTheRosterSays) {
  Name(OtherKey());
  PutBatches({source_.Start()});
  EXPECT_NE(ExpectError(Import(), ErrorCode::kKeyChanged).find("roster"), std::string::npos);
  EXPECT_EQ(State().source, SourceKind::kUnbound);
  PutAdhoc(People(1, 1));
  ExpectError(Import(), ErrorCode::kKeyChanged);
  Name(KeyOfSite1().public_key());
  EXPECT_OK(Import());
  PutBatches({source_.AddAll(People(1, 1))});
  ExpectError(Import(), ErrorCode::kEpochChanged);
  PutFull();
  EXPECT_OK(Import());
  EXPECT_EQ(State().signer, KeyOfSite1().public_key());
}

TEST_F(ImportTrustTest, OfASiteThatIsNotActive_NothingIsTaken) {
  PutBatches({source_.Start()});
  Name(KeyOfSite1().public_key(), SiteState::kRevoked);
  ExpectError(Import(), ErrorCode::kNotPermitted);
  EXPECT_EQ(State().source, SourceKind::kUnbound);
  Name(KeyOfSite1().public_key());
  EXPECT_OK(Import());
  Name(KeyOfSite1().public_key(), SiteState::kRemoved);
  PutBatches({source_.AddAll(People(1, 1))});
  ExpectError(Import(), ErrorCode::kNotPermitted);
  EXPECT_EQ(State().cursor.sequence, 1u);
}

TEST_F(ImportTrustTest, ANameOfTheRosterIsNoOtherOrganisations_UnlessItWasReadBefore) {
  source_.stream.organization = "Otherorg";
  const Batch start = source_.Start();
  PutBatches({start});
  Name(OtherKey());
  ExpectError(Import(), ErrorCode::kNotPermitted);
  EXPECT_EQ(State().source, SourceKind::kUnbound);
  Write(
      [&](storage::Transaction& transaction) { transaction.Delete(storage::RosterKey("site1")); });
  EXPECT_OK(Import());
  Name(OtherKey());
  PutBatches({source_.AddAll(People(1, 1))});
  EXPECT_OK(Import());
}

TEST_F(ImportTrustTest, ANewKeyComesWithTheRoster) {
  PutBatches({source_.Start()});
  EXPECT_OK(Import());
  Pin(OtherKey());
  PutBatches({source_.AddAll(People(1, 1))});
  ExpectError(Import(), ErrorCode::kKeyChanged);
  Name(KeyOfSite1().public_key());
  EXPECT_OK(Import());
  EXPECT_EQ(State().signer, KeyOfSite1().public_key());
}

TEST_F(ImportTrustTest, AKeyThatWasForgotten_IsPinnedAgainByTheNextFileThatIsTaken) {
  PutBatches({source_.Start()});
  EXPECT_OK(Import());
  Pin({});
  const Batch second = source_.AddAll(People(1, 1));
  PutBatches({source_.AddAll(People(2, 1))});
  ExpectError(Import(), ErrorCode::kGap);
  EXPECT_TRUE(State().signer.is_zero());
  PutBatches({second});
  EXPECT_OK(Import());
  EXPECT_EQ(State().signer, KeyOfSite1().public_key());
}

TEST_F(ImportTrustTest, AcksOfAFirstFileAreTakenOnlyIfItIs) {
  Tell();
  const Batch start = source_.Start();
  const Batch second = source_.AddAll(People(1, 1));
  PutAcks({Ahead(5)}, {second});
  ExpectError(Import(), ErrorCode::kEpochChanged);
  EXPECT_EQ(Told().epoch.counter, 1u);
  EXPECT_EQ(Told().sequence, 3u);
  PutAcks({Ahead(5)}, {start});
  EXPECT_OK(Import());
  EXPECT_EQ(Told().epoch.counter, 6u);
}

TEST_F(ImportTrustTest, AcksOfWhoIsKnownAreTakenFromARefusedFile) {
  Tell();
  PutBatches({source_.Start()});
  EXPECT_OK(Import());
  source_.AddAll(People(1, 1));
  PutAcks({Ahead(1)}, {source_.AddAll(People(2, 1))});
  ExpectError(Import(), ErrorCode::kGap);
  EXPECT_EQ(Told().epoch.counter, 2u);
}

TEST_F(ImportTrustTest, AnAckOfALaterLifeBeginsOneEpochAboveIt) {
  Tell();
  const ProducerState before = Told();
  PutAcks({Ahead(5), Ahead(8), Ahead(20)}, {source_.Start()});
  EXPECT_OK(Import());
  EXPECT_EQ(Told().epoch.counter, 6u);
  EXPECT_EQ(Told().previous_epoch, before.position());
  EXPECT_EQ(Told().sequence, 0u);
}

TEST_F(ImportTrustTest, AnAckThatNoStoreCanHaveEarnedIsToldAndNotTaken) {
  Tell();
  const ProducerState before = Told();
  PutAcks({Ahead(2 + limits::kEpochsAhead), Ahead(~0ULL)}, {source_.Start()});
  const auto report = Import();
  EXPECT_OK(report);
  EXPECT_EQ(Told(), before);
  EXPECT_NE(report->notes.back().find("not taken"), std::string::npos);
  PutAcks({Ahead(1 + limits::kEpochsAhead)}, {source_.AddAll(People(1, 1))});
  EXPECT_OK(Import());
  EXPECT_EQ(Told().epoch.counter, 2 + limits::kEpochsAhead);
}

// A disk that gives a process one file at a time, and one of them never.
class NarrowDisk : public FileSystem {
 public:
  explicit NarrowDisk(FileSystem& disk) : disk_(disk) {}
  Result<std::unique_ptr<ByteSource>> Open(const std::string& path) override {
    if (open_ > 0) return Fail(ErrorCode::kIo, "opening " + path + ": too many open files");
    if (path == unreadable) return Fail(ErrorCode::kIo, "opening " + path + ": not permitted");
    DIRSYNC_TRY(source, disk_.Open(path));
    return std::make_unique<Counted>(std::move(source), open_);
  }
  Result<std::unique_ptr<FileOutput>> Create(const std::string& path) override {
    return disk_.Create(path);
  }
  Result<> Rename(const std::string& from, const std::string& to) override {
    return disk_.Rename(from, to);
  }
  Result<> CheckPlace(const std::string& path) override { return disk_.CheckPlace(path); }
  Result<> Remove(const std::string& path) override { return disk_.Remove(path); }
  bool Exists(const std::string& path) override { return disk_.Exists(path); }
  Result<std::vector<std::string>> ListBeginning(const std::string& path) override {
    return disk_.ListBeginning(path);
  }

  std::string unreadable;

 private:
  class Counted : public ByteSource {
   public:
    Counted(std::unique_ptr<ByteSource> source, int& open)
        : source_(std::move(source)), open_(open) {
      ++open_;
    }
    ~Counted() override { --open_; }
    std::uint64_t size() const override { return source_->size(); }
    Result<> Read(std::uint64_t offset, std::size_t count, std::string& out) override {
      return source_->Read(offset, count, out);
    }

   private:
    std::unique_ptr<ByteSource> source_;
    int& open_;
  };

  FileSystem& disk_;
  int open_ = 0;
};

class NarrowWorld : public sim::SimWorld {
 public:
  NarrowWorld() : SimWorld(7) {}
  FileSystem& files() override { return narrow; }

  NarrowDisk narrow{disk()};
};

class ImportOfManyFilesTest : public ImportWorld {
 protected:
  ImportOfManyFilesTest() {
    const Batch start = source_.Start();
    PutBatches({start}, "in");
    PutBatches({source_.AddAll(People(1, 1))}, "in.2");
    PutBatches({source_.AddAll(People(2, 1))}, "in.3");
    for (const auto& [path, bytes] : world_.disk().Beginning("in")) narrow_.disk().Put(path, bytes);
    store_ = *Store::Over(narrow_, storage_, store_->profile(), store_->key());
  }
  ~ImportOfManyFilesTest() override { store_.reset(); }

  NarrowWorld narrow_;
};

TEST_F(ImportOfManyFilesTest, OneIsOpenAtATime) {
  const auto report = Import();
  EXPECT_OK(report);
  EXPECT_EQ(report->files.size(), 3u);
  EXPECT_EQ(State().cursor.sequence, 3u);
}

TEST_F(ImportOfManyFilesTest, OneThatCannotBeOpenedStopsNoneOfTheOthers) {
  narrow_.narrow.unreadable = "in.3";
  const auto report = Import();
  EXPECT_OK(report);
  ASSERT_TRUE(report->problem);
  EXPECT_EQ(report->problem->code, ErrorCode::kIo);
  EXPECT_EQ(State().cursor.sequence, 2u);
}

}  // namespace
}  // namespace dirsync
