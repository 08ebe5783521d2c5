#include "agent/service/store.h"

#include <sys/stat.h>

#include <cerrno>

#include "agent/service/posix_files.h"
#include "proto/base/text.h"
#include "proto/daemon/key_file.h"
#include "storage/key.h"
#include "storage/rocksdb_storage.h"

namespace dirsync {
namespace {

std::string KeyPath(const std::string& path) { return path + "/keys/site.key"; }
std::string DatabasePath(const std::string& path) { return path + "/db"; }

Result<> MakeFolder(const std::string& path, unsigned mode) {
  if (mkdir(path.c_str(), mode) != 0 && errno != EEXIST)
    return std::unexpected(FileError("making folder", path, errno));
  return {};
}

Result<SigningKey> ReadKey(const std::string& path) {
  DIRSYNC_TRY(seed, ReadKeyFile(KeyPath(path), "the site's key",
                                "restore it from a backup; without it other sites refuse this "
                                "site's files"));
  auto key = SigningKey::FromSeed(seed);
  if (!key) return Fail(ErrorCode::kCorrupt, "reading the site's key: not 32 bytes");
  return *key;
}

// Opening writes too: on a full disk it needs the reserve.
Result<std::unique_ptr<storage::Storage>> OpenDatabase(const std::string& path) {
  auto opened = storage::OpenRocksdb({.path = DatabasePath(path)});
  if (opened || opened.error().code != ErrorCode::kDiskFull) return opened;
  StoreRoom(path).Release();
  return storage::OpenRocksdb({.path = DatabasePath(path)});
}

}  // namespace

Store::Store(World& world, std::shared_ptr<storage::Storage> storage, SiteProfile profile,
             const SigningKey& key)
    : world_(world), storage_(std::move(storage)), profile_(std::move(profile)), key_(key) {}

Result<std::unique_ptr<Store>> Store::Create(World& world, const std::string& path,
                                             const SiteProfile& profile) {
  if (world.files().Exists(KeyPath(path)) || world.files().Exists(DatabasePath(path)))
    return Fail(ErrorCode::kExists, "making store " + Printable(path) + ": one is there already",
                "choose another folder, or use the one that is there");
  DIRSYNC_CHECK(MakeFolder(path, 0750));
  DIRSYNC_CHECK(MakeFolder(path + "/keys", 0700));
  std::string seed = world.Random(32);
  auto key = SigningKey::FromSeed(seed);
  DIRSYNC_TRY(opened, storage::OpenRocksdb({.path = DatabasePath(path), .create = true}));
  auto store = Over(world, std::move(opened), profile, *key);
  if (!store) return store;
  // The key comes last: a store without one was never finished.
  DIRSYNC_CHECK(WriteKeyFile(KeyPath(path), seed));
  (*store)->SetPath(path);
  return store;
}

Result<std::unique_ptr<Store>> Store::Open(World& world, const std::string& path) {
  if (!world.files().Exists(DatabasePath(path)))
    return Fail(ErrorCode::kNotFound, "opening store " + Printable(path) + ": there is none",
                "dirsync init --store " + Printable(path) +
                    " --organization O --site S --server V --domain D");
  DIRSYNC_TRY(key, ReadKey(path));
  DIRSYNC_TRY(opened, OpenDatabase(path));
  DIRSYNC_TRY(row, opened->Get(storage::MetaKey("site")));
  if (!row)
    return Fail(ErrorCode::kCorrupt, "opening store " + Printable(path) + ": no site in it",
                "remove the folder and run dirsync init again, or restore a backup");
  DIRSYNC_TRY(profile, SiteProfile::Decode(*row));
  auto store = Over(world, std::move(opened), profile, key);
  if (store) (*store)->SetPath(path);
  return store;
}

Result<std::unique_ptr<Store>> Store::Over(World& world, std::shared_ptr<storage::Storage> storage,
                                           const SiteProfile& profile, const SigningKey& key) {
  std::unique_ptr<Store> store(new Store(world, std::move(storage), profile, key));
  DIRSYNC_TRY(row, store->storage().Get(storage::MetaKey("site")));
  if (row) return store;
  DIRSYNC_CHECK(store->Write([&](storage::Transaction& transaction) -> Result<> {
    transaction.Put(storage::MetaKey("site"), profile.Encode());
    IdSource ids = MakeIds(world);
    Directory directory(transaction, store->profile(), ids, world.Now());
    NewEntry recipients{.entry_class = EntryClass::kContainer,
                        .container = "",
                        .name = "Recipients",
                        .id = {},
                        .attributes = {}};
    DIRSYNC_CHECK(directory.Add(recipients));
    return {};
  }));
  return store;
}

Result<> Store::Commit(storage::Transaction& transaction) { return Commit(transaction.Take()); }

Result<> Store::Commit(storage::WriteBatch batch) {
  if (batch.empty()) return unsynced_ ? Sync() : Result<>();
  DIRSYNC_CHECK(BeginCommit(batch));
  DIRSYNC_CHECK(Freeing(storage_->Commit(std::move(batch))));
  return Sync();
}

Result<> Store::CommitStep(storage::WriteBatch step) {
  if (step.empty()) return {};
  DIRSYNC_CHECK(BeginCommit(step));
  unsynced_ = true;
  DIRSYNC_CHECK(Freeing(storage_->Commit(std::move(step))));
  world_.Effect("committed");
  return {};
}

Result<> Store::BeginCommit(const storage::WriteBatch& batch) {
  if (settle_) return Fail(ErrorCode::kInternal, "commit: beside a step that is still open");
  if (interrupted_ && interrupted_()) return Fail(ErrorCode::kInterrupted, "interrupted");
  for (storage::AbsenceFilter* filter : filters_) filter->Note(batch);
  ++commits_;
  world_.Effect("commit");
  return {};
}

Result<> Store::Sync() {
  world_.Effect("sync");
  DIRSYNC_CHECK(Freeing(storage_->Sync()));
  unsynced_ = false;
  world_.Effect("committed");
  return {};
}

Result<> Store::Freeing(Result<> written) {
  if (!written && room_ && written.error().code == ErrorCode::kDiskFull) room_->Release();
  return written;
}

void Store::SetPath(const std::string& path) {
  path_ = path;
  room_ = std::make_unique<StoreRoom>(path);
}

Result<> Store::CheckRoom() {
  if (!room_) return {};
  return room_->Check();
}

}  // namespace dirsync
