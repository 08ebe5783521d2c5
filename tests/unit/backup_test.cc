// A backup and what is restored from it, on the real disk: who may look into their folders.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>

#include "agent/service/bulk.h"

namespace dirsync {
namespace {

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
    folder_ = name;
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

}  // namespace
}  // namespace dirsync
