// Backup by checkpoint; restore into a new store, in a new epoch.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "agent/core/producer_state.h"
#include "agent/service/bulk.h"
#include "agent/service/posix_files.h"
#include "proto/base/text.h"
#include "storage/key.h"

namespace dirsync {
namespace {

namespace fs = std::filesystem;

// A new folder that only its owner may enter, from its first moment: whatever is put into it later
// is out of everybody else's reach, whatever the modes of the files.
Result<> MakeOwnFolder(const std::string& path) {
  if (mkdir(path.c_str(), S_IRWXU) == 0) return {};
  return std::unexpected(FileError("making folder", path, errno));
}

// A file's content, or the names in a folder, survive a power cut when this returns.
Result<> Sync(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  const int failed = descriptor >= 0 && fsync(descriptor) == 0 ? 0 : errno;
  if (descriptor >= 0) close(descriptor);
  if (failed != 0) return std::unexpected(FileError("syncing", path, failed));
  return {};
}

// The folder that `path` stands in. One that may be entered but not read cannot be synced by us.
Result<> SyncParent(const fs::path& path) {
  const std::string parent = path.parent_path().string();
  const std::string folder = parent.empty() ? "." : parent;
  if (access(folder.c_str(), R_OK) != 0 && errno == EACCES) return {};
  return Sync(folder);
}

// Everything in the folder `path`, and the folder itself.
Result<> SyncTree(const std::string& path) {
  std::error_code error;
  for (fs::recursive_directory_iterator i(path, error), end; !error && i != end; i.increment(error))
    DIRSYNC_CHECK(Sync(i->path().string()));
  if (error) return std::unexpected(FileError("reading folder", path, error.value()));
  return Sync(path);
}

// Puts a whole copy in its place. Under that name a power cut never leaves less than all of it.
Result<> Publish(const std::string& part, const std::string& path) {
  DIRSYNC_CHECK(SyncTree(part));
  std::error_code error;
  fs::rename(part, path, error);
  if (error) return std::unexpected(FileError("renaming to", path, error.value()));
  return SyncParent(part);
}

// Beside `path`, however that is written: DIR or DIR/.
std::string PartOf(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path + ".part";
}

// `folder` and those above it, as far as they are not there; their names are durable too.
Result<> MakeFolders(const fs::path& folder) {
  std::error_code error;
  if (folder.empty() || fs::exists(folder, error)) return {};
  DIRSYNC_CHECK(MakeFolders(folder.parent_path()));
  fs::create_directory(folder, error);
  if (error) return std::unexpected(FileError("making folder", folder.string(), error.value()));
  return SyncParent(folder);
}

Result<> MakePart(const std::string& part) {
  std::error_code error;
  fs::remove_all(part, error);
  if (error) return std::unexpected(FileError("removing folder", part, error.value()));
  DIRSYNC_CHECK(MakeFolders(fs::path(part).parent_path()));
  return MakeOwnFolder(part);
}

// What is within, as in a store that was just made: folders of mode 0700, keys of mode 0600.
Result<> Tighten(const std::string& path) {
  std::error_code error;
  for (const char* folder : {"/db", "/keys"}) {
    fs::permissions(path + folder, fs::perms::owner_all, error);
    if (error) return std::unexpected(FileError("protecting", path + folder, error.value()));
  }
  for (fs::directory_iterator i(path + "/keys", error), end; !error && i != end; i.increment(error))
    fs::permissions(i->path(), fs::perms::owner_read | fs::perms::owner_write, error);
  if (error) return std::unexpected(FileError("protecting", path + "/keys", error.value()));
  return {};
}

Result<> CopyTree(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::copy(from, to, fs::copy_options::recursive, error);
  if (error)
    return std::unexpected(FileError("copying " + Printable(from) + " to", to, error.value()));
  return {};
}

// What is in the backup `folder`, beside `path`, under a name that is returned.
Result<std::string> CopyBackup(const std::string& folder, const std::string& path) {
  std::error_code error;
  if (fs::exists(path, error))
    return Fail(ErrorCode::kExists, "restoring to " + Printable(path) + ": it is there already",
                "move the old store away first: it is kept until you delete it");
  std::string part = PartOf(path);
  DIRSYNC_CHECK(MakePart(part));
  DIRSYNC_CHECK(CopyTree(folder, part));
  DIRSYNC_CHECK(Tighten(part));
  return part;
}

// Every export stream of a restored store may have told more than the store knows (R17, R18).
Result<> BeginAnew(Store& store) {
  IdSource ids = MakeIds(store.world());
  return store.Write([&](storage::Transaction& transaction) -> Result<> {
    auto [lower, upper] = storage::TableRange(storage::Table::kStream);
    auto cursor = store.storage().Scan(lower, upper);
    for (; cursor->Valid(); cursor->Next()) {
      DIRSYNC_TRY(state, DecodeProducer(cursor->Value()));
      DIRSYNC_CHECK(BeginEpoch(transaction, state, ids));
      StoreProducer(transaction, state);
    }
    // No session went before: the broker takes it for what it is, and not for a running copy.
    transaction.Delete(storage::MetaKey("session"));
    return cursor->status();
  });
}

}  // namespace

Result<> BackupStore(Store& store, const std::string& folder) {
  return BackupFolder(store.storage(), store.path(), folder);
}

Result<> BackupFolder(storage::Storage& storage, const std::string& path,
                      const std::string& folder) {
  std::error_code error;
  if (fs::exists(folder, error))
    return Fail(ErrorCode::kExists, "backing up to " + Printable(folder) + ": it is there already",
                "name a new folder");
  const std::string part = PartOf(folder);
  DIRSYNC_CHECK(MakePart(part));
  DIRSYNC_CHECK(storage.Checkpoint(part + "/db"));
  DIRSYNC_CHECK(CopyTree(path + "/keys", part + "/keys"));
  DIRSYNC_CHECK(Tighten(part));
  return Publish(part, folder);
}

Result<std::unique_ptr<Store>> RestoreStore(World& world, const std::string& folder,
                                            const std::string& path) {
  if (!world.files().Exists(folder + "/db") || !world.files().Exists(folder + "/keys/site.key"))
    return Fail(ErrorCode::kNotFound, "restoring from " + Printable(folder) + ": it is no backup",
                "name a folder that `dirsync backup` made");
  DIRSYNC_TRY(part, CopyBackup(folder, path));
  {
    DIRSYNC_TRY(store, Store::Open(world, part));
    DIRSYNC_CHECK(BeginAnew(*store));
  }
  DIRSYNC_CHECK(Publish(part, path));
  return Store::Open(world, path);
}

Result<> RestoreFolder(const std::string& folder, const std::string& path) {
  DIRSYNC_TRY(part, CopyBackup(folder, path));
  return Publish(part, path);
}

}  // namespace dirsync
