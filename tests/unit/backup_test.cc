// A backup and what is restored from it, on the real disk: who may look into their folders, and
// what a power cut leaves of them.
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <utility>

#include "agent/service/bulk.h"

namespace dirsync {
namespace {

// What was synced, in that order, under the names that it had then.
struct Synced {
  std::mutex mutex;
  std::vector<std::string> paths;

  // What there is so far, which is then forgotten.
  std::vector<std::string> Take() {
    const std::lock_guard lock(mutex);
    return std::exchange(paths, {});
  }
  static Synced& All() {
    static Synced all;
    return all;
  }
};

}  // namespace
}  // namespace dirsync

// In place of the C library's, which it asks: it writes down whom.
extern "C" int fsync(int descriptor) {
  std::error_code error;
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
  const std::string path = std::filesystem::read_symlink(link, error).string();
  auto& synced = dirsync::Synced::All();
  const std::lock_guard lock(synced.mutex);
  synced.paths.push_back(path);
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}

namespace dirsync {
namespace {

using testing::AllOf;
using testing::Contains;

// Looks at a folder at each effect.
class LookingWorld : public World {
 public:
  Instant Now() override { return RealWorld().Now(); }
  std::string Random(std::size_t count) override { return RealWorld().Random(count); }
  FileSystem& files() override { return RealWorld().files(); }
  void Effect(std::string_view) override {
    struct stat info{};
    if (looked_at.empty() || stat(looked_at.c_str(), &info) != 0) return;
    ++looks;
    open = open || (info.st_mode & (S_IRWXG | S_IRWXO)) != 0;
  }

  std::string looked_at;
  std::size_t looks = 0;
  bool open = false;  // anybody else could enter it, once
};

class BackupTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = std::filesystem::temp_directory_path() / "dirsync-backup-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = std::filesystem::canonical(name);
    umask_ = umask(0);  // the most careless account
    SiteProfile profile;
    profile.organization = "Testorg";
    profile.site = "Site1";
    profile.server = "Server1";
    auto store = Store::Create(world_, folder_ + "/store", profile);
    ASSERT_TRUE(store.has_value());
    store_ = std::move(*store);
  }
  void TearDown() override {
    store_.reset();
    umask(umask_);
    std::filesystem::remove_all(folder_);
  }
  // Its permissions, as of chmod.
  unsigned ModeOf(const std::string& name) const {
    struct stat info{};
    return stat((folder_ + "/" + name).c_str(), &info) == 0 ? info.st_mode & 0777U : 0;
  }
  void ExpectOwnersOnly(const std::string& name) const {
    for (const char* within : {"", "/db", "/keys"})
      EXPECT_EQ(ModeOf(name + within), 0700U) << name << within;
    EXPECT_EQ(ModeOf(name + "/keys/site.key"), 0600U);
  }

  // What `act` syncs until the folder of this test is, which is what ends a rename within it.
  std::vector<std::string> SyncedBy(const std::function<void()>& act) const {
    Synced::All().Take();
    act();
    std::vector<std::string> paths = Synced::All().Take();
    const auto folder = std::ranges::find(paths, folder_);
    EXPECT_NE(folder, paths.end()) << "the name is not durable";
    paths.erase(folder, paths.end());
    return paths;
  }
  // All that is in the folder now, by the names that it had as a part.
  std::vector<std::string> PartsOf(const std::string& name) const {
    const std::string part = folder_ + "/" + name + ".part";
    std::vector<std::string> paths = {part};
    for (const auto& item : std::filesystem::recursive_directory_iterator(folder_ + "/" + name))
      paths.push_back(part + "/" +
                      std::filesystem::relative(item.path(), folder_ + "/" + name).string());
    return paths;
  }

  LookingWorld world_;
  std::string folder_;
  mode_t umask_ = 0;
  std::unique_ptr<Store> store_;
};

TEST_F(BackupTest, OnlyItsOwnerMayEnterABackup) {
  ASSERT_TRUE(BackupStore(*store_, folder_ + "/backup").has_value());
  ExpectOwnersOnly("backup");
  // A name as a shell completes it.
  ASSERT_TRUE(BackupStore(*store_, folder_ + "/other/").has_value());
  ExpectOwnersOnly("other");
}

TEST_F(BackupTest, OnlyItsOwnerMayEnterARestoredStore_FromTheFirstMomentOn) {
  ASSERT_TRUE(BackupStore(*store_, folder_ + "/backup").has_value());
  // One that came by a tape that forgot who may read it.
  for (const char* within : {"", "/db", "/keys"})
    ASSERT_EQ(chmod((folder_ + "/backup" + within).c_str(), 0755), 0);
  ASSERT_EQ(chmod((folder_ + "/backup/keys/site.key").c_str(), 0644), 0);
  world_.looked_at = folder_ + "/restored.part";
  const auto restored = RestoreStore(world_, folder_ + "/backup", folder_ + "/restored");
  ASSERT_TRUE(restored.has_value()) << restored.error().message;
  ExpectOwnersOnly("restored");
  EXPECT_GT(world_.looks, 0U);
  EXPECT_FALSE(world_.open);
}

TEST_F(BackupTest, AFolderIsPutBackAsItWas) {
  ASSERT_TRUE(BackupFolder(store_->storage(), store_->path(), folder_ + "/backup").has_value());
  EXPECT_EQ(BackupFolder(store_->storage(), store_->path(), folder_ + "/backup").error().code,
            ErrorCode::kExists);
  ASSERT_TRUE(RestoreFolder(folder_ + "/backup", folder_ + "/restored").has_value());
  ExpectOwnersOnly("restored");
  EXPECT_EQ(RestoreFolder(folder_ + "/backup", folder_ + "/restored").error().code,
            ErrorCode::kExists);
  EXPECT_TRUE(Store::Open(world_, folder_ + "/restored").has_value());
}

TEST_F(BackupTest, ACopyIsDurableBeforeItGetsItsName_AndThenItsName) {
  const auto backed_up =
      SyncedBy([&] { ASSERT_TRUE(BackupStore(*store_, folder_ + "/backup").has_value()); });
  for (const std::string& path : PartsOf("backup")) EXPECT_THAT(backed_up, Contains(path));
  const auto put_back = SyncedBy(
      [&] { ASSERT_TRUE(RestoreFolder(folder_ + "/backup", folder_ + "/broker").has_value()); });
  for (const std::string& path : PartsOf("broker")) EXPECT_THAT(put_back, Contains(path));
  // Opened, it no longer has the files that were put in place.
  const auto restored = SyncedBy([&] {
    ASSERT_TRUE(RestoreStore(world_, folder_ + "/backup", folder_ + "/store2").has_value());
  });
  for (const char* within : {"", "/db", "/db/CURRENT", "/keys", "/keys/site.key"})
    EXPECT_THAT(restored, Contains(folder_ + "/store2.part" + within));
}

TEST_F(BackupTest, FoldersThatAreMadeForACopyHaveDurableNames) {
  Synced::All().Take();
  ASSERT_TRUE(BackupStore(*store_, folder_ + "/new/er/backup").has_value());
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/new/er/backup/db"));
  EXPECT_THAT(Synced::All().Take(),
              AllOf(Contains(folder_), Contains(folder_ + "/new"), Contains(folder_ + "/new/er")));
}

}  // namespace
}  // namespace dirsync
