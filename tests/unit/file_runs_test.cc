// Files that arrive in a folder while a person has yet to decide.
#include "agent/loop/file_runs.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "agent/file/sync_file_writer.h"
#include "agent/service/world.h"
#include "tests/unit/reader_world.h"

namespace dirsync {
namespace {

using testing::Contains;
using testing::IsEmpty;

class FileRunsTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "dirsync-files-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    SiteProfile profile{"Testorg", "Site2", "Server2", {}};
    store_ =
        *Store::Over(RealWorld(), storage_, profile, *SigningKey::FromSeed(std::string(32, '2')));
    InstanceSettings settings;
    settings.name = "IN";
    settings.imports = true;
    Write([&](storage::Transaction& transaction) { StoreInstance(transaction, settings); });
    runs_ = *FileRuns::Open(*store_, folder_ + "/in", "",
                            [&](const LinkEvent& event) { told_.push_back(event.kind); });
    source_.Start();
    for (unsigned i = 1; i <= 30; ++i) source_.Add(Person(i, "M" + std::to_string(i)));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void Write(const std::function<void(storage::Transaction&)>& write) {
    EXPECT_OK(store_->Write([&](storage::Transaction& transaction) -> Result<> {
      write(transaction);
      return {};
    }));
  }
  // All that the source tells, as a file that has arrived.
  void Arrive(const std::string& name) {
    const SigningKey key = *SigningKey::FromSeed(std::string(32, 'k'));
    FileHeader header;
    header.kind = FileKind::kFull;
    header.stream = source_.stream;
    header.signer = key.public_key();
    header.time = RealWorld().Now();
    header.terms = source_.terms;
    header.epoch = source_.epoch;
    header.as_of = source_.At();
    std::ofstream out(folder_ + "/in/" + name, std::ios::binary);
    SyncFileWriter writer(std::move(header), key, [&](std::string_view piece) -> Result<> {
      out << piece;
      return {};
    });
    for (const Change& change : source_.Listing()) EXPECT_OK(writer.Write(change));
    EXPECT_OK(writer.Finish(source_.Sum(), source_.told.size()));
  }
  // What happened.
  std::vector<std::string> Import() {
    told_.clear();
    now_ += std::chrono::minutes(1);
    runs_->Import(now_);
    return told_;
  }
  void Decide(Result<> (*verdict)(ReaderState&)) {
    ReaderState reader = State();
    EXPECT_OK(verdict(reader));
    Write([&](storage::Transaction& transaction) { StoreReader(transaction, reader); });
  }
  ReaderState State() {
    return LoadReader(*storage_, *FindNumber(*storage_, "import/in").value()).value().value();
  }

  std::string folder_;
  std::shared_ptr<storage::MemoryStorage> storage_ = std::make_shared<storage::MemoryStorage>();
  std::unique_ptr<Store> store_;
  std::unique_ptr<FileRuns> runs_;
  std::vector<std::string> told_;
  FileRuns::Clock::time_point now_ = FileRuns::Clock::now();
  Source source_;
};

TEST_F(FileRunsTest, ASuspectCopyIsReadAgain_OnceAPersonHasDecided) {
  Arrive("first");
  EXPECT_THAT(Import(), Contains("imported"));
  ++source_.sequence;
  for (unsigned i = 1; i <= 25; ++i) {
    Change person = source_.told[IdOf(i)];
    person.target_address = "EDK:x" + std::to_string(i) + "@Site1.Testorg.com";
    source_.Add(person);
  }
  Arrive("second");
  EXPECT_THAT(Import(), Contains("waiting"));
  EXPECT_TRUE(State().suspect);
  EXPECT_THAT(Import(), IsEmpty());
  Decide(RejectSuspect);
  EXPECT_THAT(Import(), Contains("refused"));
  EXPECT_FALSE(State().suspect);
  ++source_.sequence;
  Arrive("third");
  EXPECT_THAT(Import(), Contains("waiting"));
  Decide(ApproveSuspect);
  EXPECT_THAT(Import(), Contains("imported"));
  EXPECT_EQ(State().sum, source_.Sum());
}

TEST_F(FileRunsTest, FilesOfOneStreamThatWait_LeaveRoomForThoseOfOthers) {
  Arrive("first");
  EXPECT_THAT(Import(), Contains("imported"));
  const auto pause = [&](bool paused) {
    Write([&](storage::Transaction& transaction) {
      InstanceSettings settings = *LoadInstance(transaction, "IN");
      settings.paused = paused;
      StoreInstance(transaction, settings);
    });
  };
  pause(true);
  for (int i = 1; i <= 260; ++i) Arrive("more" + std::to_string(i));
  Import();  // somebody may still be writing them
  EXPECT_EQ(std::ranges::count(Import(), "refused"), 4);
  const auto files_in = [&](const std::string& part) {
    std::filesystem::directory_iterator files(folder_ + "/in/" + part);
    return std::ranges::distance(files, std::filesystem::directory_iterator());
  };
  EXPECT_EQ(files_in("waiting"), 256);
  EXPECT_EQ(files_in("bad"), 8);  // each with its reason
  pause(false);
  Import();
  EXPECT_EQ(files_in("waiting"), 0);
}

}  // namespace
}  // namespace dirsync
