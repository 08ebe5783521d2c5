// What an export has put out and nobody has read stays, or is carried once more: when its place
// changes, when others write there, when a folder was away (R12, R13).
#include "agent/service/file_outbox.h"

#include <gmock/gmock.h>

#include "agent/core/capture.h"
#include "agent/core/reader_state.h"
#include "agent/service/run.h"
#include "proto/base/text.h"
#include "tests/sim/sim_world.h"
#include "tests/unit/reader_world.h"

namespace dirsync {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

constexpr std::size_t kManyBatches = 1300;  // with their terms: more than one file takes

class FileOutboxTest : public testing::Test {
 protected:
  FileOutboxTest() : storage_(std::make_shared<storage::MemoryStorage>()) {
    store_ = Open("Site1", storage_);
    settings_ = Exports("PEOPLE", "out/SYNC");
    Write([&](storage::Transaction& t) { StoreInstance(t, settings_); });
    NewReader();
    Add("p1");
    EXPECT_THAT(Export(), ElementsAre("out/SYNC"));
  }

  std::unique_ptr<Store> Open(const std::string& site,
                              const std::shared_ptr<storage::MemoryStorage>& storage) {
    SiteProfile profile;
    profile.organization = "Testorg";
    profile.site = site;
    profile.server = "Server-" + site;
    profile.templates.push_back(*AddressTemplate::Parse("EDK:%m@" + site + ".test"));
    return *Store::Over(world_, storage, profile,
                        *SigningKey::FromSeed(std::string(32, site.back())));
  }
  static InstanceSettings Exports(const std::string& name, const std::string& file) {
    InstanceSettings settings;
    settings.name = name;
    settings.exports = true;
    settings.export_file = file;
    return settings;
  }
  void Write(const std::function<void(storage::Transaction&)>& write) {
    EXPECT_OK(store_->Write([&](storage::Transaction& transaction) -> Result<> {
      write(transaction);
      return {};
    }));
  }
  void Add(const std::string& name) {
    EXPECT_OK(store_->Write([&](storage::Transaction& transaction) -> Result<> {
      IdSource ids = MakeIds(world_);
      Directory directory(transaction, store_->profile(), ids, world_.Now());
      DIRSYNC_CHECK(directory.Add({EntryClass::kMailbox, "Recipients", name, {}, {}}));
      return {};
    }));
  }

  Result<RunReport> Run(const InstanceSettings& settings, bool full = false) {
    RunRequest request;
    request.settings = settings;
    request.full = full;
    return RunExport(*store_, request);
  }
  // The files it has put out.
  std::vector<std::string> Export(bool full = false) {
    const auto report = Run(settings_, full);
    EXPECT_OK(report);
    return report ? report->files : std::vector<std::string>{};
  }
  ProducerState State() {
    const auto number = FindNumber(*storage_, "export/" + FoldName("PEOPLE")).value();
    return LoadProducer(*storage_, *number).value().value();
  }
  // Site2 has read what was told so far.
  void Ack() {
    Write([&](storage::Transaction& transaction) {
      ProducerState state = State();
      EXPECT_OK(TakeAck(transaction, state, "Site2", state.position(), {}));
      StoreProducer(transaction, state);
    });
  }
  std::string Bytes(const std::string& path) { return world_.disk().Beginning(path)[path]; }

  // Site2, as it is after the loss of its store.
  void NewReader() {
    reader_storage_ = std::make_shared<storage::MemoryStorage>();
    reader_ = Open("Site2", reader_storage_);
  }
  // Reads F and F.*; where it stands then.
  Sequence Read(const std::string& path) {
    RunRequest request;
    request.settings.name = "IN";
    request.settings.imports = true;
    request.settings.import_file = path;
    EXPECT_OK(RunImport(*reader_, request));
    const auto number = FindNumber(*reader_storage_, "import/" + FoldName("IN")).value();
    const auto state = LoadReader(*reader_storage_, *number).value();
    return state ? state->cursor.sequence : 0;
  }
  // The row of a file whose run was killed before it knew of the rename.
  void Unknown(const std::string& path) {
    const ProducerState state = State();
    const auto files = ListOutboxFiles(*storage_, state.number).value();
    for (OutboxFile file : files) {
      if (file.path != path) continue;
      file.pending = true;
      Write([&](storage::Transaction& t) { PutOutboxFile(t, state.number, file); });
    }
  }
  void Take(const std::string& path) { EXPECT_OK(world_.disk().Remove(path)); }

  sim::SimWorld world_{7};
  std::shared_ptr<storage::MemoryStorage> storage_;
  std::shared_ptr<storage::MemoryStorage> reader_storage_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Store> reader_;
  InstanceSettings settings_;
};

TEST_F(FileOutboxTest, ANewPlaceHasAllThatIsUnread_AndTheOldOneKeepsIt) {
  Read("out/SYNC");
  Ack();
  Add("p2");
  EXPECT_THAT(Export(), ElementsAre("out/SYNC"));
  const std::string unread = Bytes("out/SYNC");
  Add("p3");
  settings_.export_file = "other/S";
  EXPECT_THAT(Export(), ElementsAre("other/S"));
  EXPECT_EQ(Bytes("out/SYNC"), unread);
  EXPECT_EQ(Read("other/S"), State().sequence);
  EXPECT_THAT(Export(), SizeIs(0));  // nothing is put there twice
  Add("p4");
  settings_.export_file = "out/SYNC";
  EXPECT_THAT(Export(), ElementsAre("out/SYNC.2"));
  EXPECT_EQ(Bytes("out/SYNC"), unread);
  EXPECT_EQ(Read("out/SYNC"), State().sequence);
  Ack();
  Add("p5");
  EXPECT_THAT(Export(), ElementsAre("out/SYNC"));
  EXPECT_FALSE(world_.disk().Exists("out/SYNC.2"));
  EXPECT_FALSE(world_.disk().Exists("other/S"));
}

TEST_F(FileOutboxTest, AnUnreadCopyAtAnotherPlaceStays_AndWhatFollowsGoesToTheNewOne) {
  Add("p2");
  settings_.export_file = "other/S";
  EXPECT_THAT(Export(), ElementsAre("other/S"));
  EXPECT_EQ(Read("out/SYNC"), State().sequence - 1);
  EXPECT_EQ(Read("other/S"), State().sequence);
  EXPECT_THAT(Export(true), ElementsAre("other/S"));
  EXPECT_FALSE(world_.disk().Exists("out/SYNC"));  // the new copy has it all
}

TEST_F(FileOutboxTest, AnAdhocFileIsPutBesideTheFilesOfAnyStream) {
  Add("p2");
  EXPECT_THAT(Export(), ElementsAre("out/SYNC.2"));
  for (const std::string path : {"out/SYNC", "out/SYNC.2"}) {
    const std::string unread = Bytes(path);
    RunRequest request;
    request.settings = Exports("", path);
    request.stored = false;
    const auto report = RunExport(*store_, request);
    ASSERT_TRUE(report.has_value()) << report.error().ToString();
    EXPECT_EQ(report->file, path + ".adhoc");
    EXPECT_EQ(Bytes(path), unread);
  }
}

TEST_F(FileOutboxTest, TwoInstancesDoNotShareAPlace) {
  const auto refused = [&](const std::string& path) {
    const InstanceSettings other = Exports("OTHER", path);
    ExpectError(CheckExportPlace(*storage_, other), ErrorCode::kConfiguration);
    Write([&](storage::Transaction& t) { StoreInstance(t, other); });
    ExpectError(Run(other), ErrorCode::kConfiguration);
  };
  const std::string unread = Bytes("out/SYNC");
  refused("out/SYNC");
  refused("out/SYNC.2");
  // Nor the one that the first has left, while something of it is there.
  settings_.export_file = "other/S";
  Write([&](storage::Transaction& t) { StoreInstance(t, settings_); });
  refused("out/SYNC");
  EXPECT_EQ(Bytes("out/SYNC"), unread);
  const InstanceSettings apart = Exports("OTHER", "out/OTHER");
  Write([&](storage::Transaction& t) { StoreInstance(t, apart); });
  EXPECT_OK(Run(apart));
}

TEST_F(FileOutboxTest, ACopyForAReaderThatStoodThereIsUnread_UntilWhatFollowsItIsAcked) {
  Read("out/SYNC");
  Ack();
  NewReader();
  EXPECT_THAT(Export(true), ElementsAre("out/SYNC"));
  const std::string copy = Bytes("out/SYNC");
  Add("p2");
  EXPECT_THAT(Export(), ElementsAre("out/SYNC.2"));
  EXPECT_EQ(Bytes("out/SYNC"), copy);
  EXPECT_EQ(Read("out/SYNC"), State().sequence);
  Ack();
  Add("p3");
  EXPECT_THAT(Export(), ElementsAre("out/SYNC"));
  EXPECT_FALSE(world_.disk().Exists("out/SYNC.2"));
  EXPECT_EQ(Read("out/SYNC"), State().sequence);
}

TEST_F(FileOutboxTest, ChangesThatWereCommittedAndAreNowhereAreCarriedOnceMore) {
  Read("out/SYNC");
  Ack();
  Add("p2");
  EXPECT_THAT(Export(), ElementsAre("out/SYNC"));
  Add("p3");
  EXPECT_THAT(Export(), ElementsAre("out/SYNC.2"));
  Unknown("out/SYNC.2");
  EXPECT_THAT(Export(), SizeIs(0));  // it is there: it was renamed
  Unknown("out/SYNC.2");
  Take("out/SYNC.2");
  EXPECT_THAT(Export(), ElementsAre("out/SYNC.2"));
  EXPECT_EQ(Read("out/SYNC"), State().sequence);
}

TEST_F(FileOutboxTest, ACopyThatWasCommittedAndIsNowhereIsMadeOnceMore) {
  Unknown("out/SYNC");
  Take("out/SYNC");
  const auto report = Run(settings_);
  ASSERT_TRUE(report.has_value()) << report.error().ToString();
  EXPECT_TRUE(report->full);
  EXPECT_EQ(Read("out/SYNC"), State().sequence);
  EXPECT_THAT(Export(), SizeIs(0));
}

TEST_F(FileOutboxTest, WhatOneFileDoesNotTakeGoesIntoTheNext) {
  Read("out/SYNC");
  Ack();
  Write([&](storage::Transaction& transaction) {
    ProducerState state = State();
    state.terms.attributes.clear();
    for (int i = 0; i < 1000; ++i)
      state.terms.attributes.push_back(std::to_string(10000 + i) + std::string(55, 'x'));
    for (std::size_t i = 0; i < kManyBatches; ++i)
      EXPECT_OK(NumberCanary(transaction, state, store_->key(), world_.Now()));
    StoreProducer(transaction, state);
  });
  EXPECT_THAT(Export(), ElementsAre("out/SYNC", "out/SYNC.2"));
  EXPECT_THAT(Export(), SizeIs(0));
}

TEST_F(FileOutboxTest, ADryRunCountsWhatWasCapturedBeforeAndIsStillToBeCarried) {
  Add("p2");
  Write([&](storage::Transaction& transaction) {
    ProducerState state = State();
    IdSource ids = MakeIds(world_);
    const CaptureInput input{store_->profile(), settings_, world_.Now(), false};
    auto run = Capture(transaction, input, state, ids);
    ASSERT_TRUE(run.has_value()) << run.error().ToString();
    EXPECT_OK(NumberRun(transaction, std::move(*run), state, store_->key(), world_.Now()));
    StoreProducer(transaction, state);
  });
  Add("p3");
  RunRequest request;
  request.settings = settings_;
  request.dry_run = true;
  std::vector<std::string> names;
  request.plan = [&](const PlanLine& line) { names.push_back(line.name); };
  const auto dry = RunExport(*store_, request);
  ASSERT_TRUE(dry.has_value()) << dry.error().ToString();
  EXPECT_EQ(dry->counts.added, 2u);
  EXPECT_THAT(names, SizeIs(2));
  const auto report = Run(settings_);
  ASSERT_TRUE(report.has_value()) << report.error().ToString();
  EXPECT_EQ(report->counts.added, 2u);
}

}  // namespace
}  // namespace dirsync
