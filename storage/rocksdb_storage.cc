#include "storage/rocksdb_storage.h"

#include <fcntl.h>
#include <rocksdb/db.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "storage/key.h"
#include "storage/log_check.h"
#include "storage/rocksdb_file_system.h"
#include "storage/rocksdb_store.h"

namespace dirsync::storage {
namespace {

namespace fs = std::filesystem;

// The number in MetaKey("storage-format"): of the layout of files and keys, not of row values.
constexpr std::uint32_t kFormat = 1;
constexpr std::string_view kFormatRow = "storage-format";

Error FailedBy(int error, const std::string& operation) {
  bool full = error == ENOSPC || error == EDQUOT;
  return Error{full ? ErrorCode::kDiskFull : ErrorCode::kIo,
               operation + ": " + std::strerror(error), ""};
}

Result<std::string> ReadFile(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  std::string bytes;
  if (file.is_open() && file.good()) {
    bytes.resize(static_cast<std::size_t>(file.tellg()));
    file.seekg(0);
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    bytes.resize(static_cast<std::size_t>(file.gcount()));
  }
  if (!file.is_open() || file.bad()) return std::unexpected(FailedBy(errno, "read file " + path));
  return bytes;
}

// What lies in the folder of a store.
struct Listing {
  bool current = false;           // the file that names the MANIFEST
  bool tables = false;            // any table file
  std::vector<std::string> logs;  // WAL files, oldest first
};

Result<Listing> List(const std::string& path) {
  Listing listing;
  std::error_code error;
  if (!fs::exists(path, error) && !error) return listing;
  for (fs::directory_iterator i(path, error), end; !error && i != end; i.increment(error)) {
    std::string name = i->path().filename();
    if (name == "CURRENT") listing.current = true;
    if (name.ends_with(".sst")) listing.tables = true;
    if (name.ends_with(".log")) listing.logs.push_back(name);
  }
  if (error) return std::unexpected(FailedBy(error.value(), "open store " + path));
  // Numbers have six digits or more; a longer one is the greater.
  std::sort(listing.logs.begin(), listing.logs.end(), [](const auto& a, const auto& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  return listing;
}

Result<void> MakeFolder(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return std::unexpected(FailedBy(error.value(), "create store " + path));
  fs::permissions(path, fs::perms::owner_all, error);
  // The folder's own name must survive a power cut too.
  fs::path parent = fs::absolute(path, error).lexically_normal().parent_path();
  int descriptor = open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  bool synced = descriptor >= 0 && fsync(descriptor) == 0;
  int cause = errno;
  if (descriptor >= 0) close(descriptor);
  // A parent that may be entered but not read cannot be synced by us.
  if (!synced && cause != EACCES) return std::unexpected(FailedBy(cause, "create store " + path));
  return {};
}

// Scans one log. `torn_bytes` is set to where to cut a torn tail off.
Result<void> CheckLog(const std::string& file, bool may_be_torn,
                      std::optional<std::uint64_t>& torn_bytes) {
  DIRSYNC_TRY(bytes, ReadFile(file));
  LogScan scan = ScanLog(bytes);
  if (scan.end == LogScan::End::kTorn && !may_be_torn) {
    return Fail(ErrorCode::kCorrupt, "open store: file " + file + ": its end is missing");
  }
  if (scan.end == LogScan::End::kDamaged) {
    return Fail(ErrorCode::kCorrupt, "open store: file " + file + ": " + scan.cause);
  }
  if (scan.end == LogScan::End::kTorn) torn_bytes = scan.good_bytes;
  return {};
}

// The MANIFEST may end torn: RocksDB writes a new one at each opening.
Result<void> CheckManifest(const std::string& path) {
  DIRSYNC_TRY(name, ReadFile(path + "/CURRENT"));
  constexpr std::string_view kPrefix = "MANIFEST-";
  if (!name.starts_with(kPrefix) || !name.ends_with('\n') ||
      name.find_first_not_of("0123456789", kPrefix.size()) != name.size() - 1) {
    return Fail(ErrorCode::kCorrupt, "open store: file " + path + "/CURRENT: names no MANIFEST");
  }
  name.pop_back();
  std::error_code ignored;
  if (!fs::exists(path + "/" + name, ignored)) {
    return Fail(ErrorCode::kCorrupt, "open store: file " + path + "/" + name + ": is missing");
  }
  std::optional<std::uint64_t> torn_bytes;
  return CheckLog(path + "/" + name, true, torn_bytes);
}

// Every log but the last was synced before the next one was begun, so only the last may be torn.
// It is cut there, because once there is a newer log it would no longer be allowed to be torn.
Result<void> CheckLogs(const std::string& path, const Listing& listing, bool read_only) {
  for (const std::string& log : listing.logs) {
    const std::string file = std::string(path).append("/").append(log);
    std::optional<std::uint64_t> torn_bytes;
    DIRSYNC_CHECK(CheckLog(file, log == listing.logs.back(), torn_bytes));
    if (!torn_bytes || read_only) continue;
    if (truncate(file.c_str(), static_cast<off_t>(*torn_bytes)) != 0)
      return std::unexpected(FailedBy(errno, "open store: cut file " + file));
  }
  return {};
}

Error OpeningError(const rocksdb::Status& status, const std::string& path) {
  Error error = ErrorOf(status, "open store " + path);
  if (status.IsPathNotFound()) error.code = ErrorCode::kCorrupt;  // a file that others refer to
  if (status.IsIOError() && error.message.find("/LOCK:") != std::string::npos) {
    error.code = ErrorCode::kLocked;
    error.message = "open store " + path + ": in use by another process";
  }
  return error;
}

// Checks the format row, or writes it into a store that has never had one.
Result<void> CheckFormat(RocksdbStore& store, const RocksdbOptions& options) {
  DIRSYNC_TRY(row, store.Get(MetaKey(kFormatRow)));
  if (row) {
    std::uint32_t format = 0;
    auto [end, error] = std::from_chars(row->data(), row->data() + row->size(), format);
    if (error != std::errc() || end != row->data() + row->size()) {
      return Fail(ErrorCode::kCorrupt, "open store " + options.path + ": wrong format number");
    }
    std::string have = "open store " + options.path + ": format " + *row + ", this program has " +
                       std::to_string(kFormat);
    if (format > kFormat) return Fail(ErrorCode::kNewerFormat, have);
    if (format < kFormat) return Fail(ErrorCode::kOlderFormat, have);
    return {};
  }
  auto any = store.Scan("", "");
  DIRSYNC_CHECK(any->status());
  if (any->Valid() || !options.create || options.read_only) {
    return Fail(ErrorCode::kCorrupt, "open store " + options.path + ": its format row is missing");
  }
  WriteBatch batch;
  batch.Put(MetaKey(kFormatRow), std::to_string(kFormat));
  DIRSYNC_CHECK(store.Commit(batch));
  // In a table file, which the MANIFEST names: a store whose log is lost does not look new.
  return store.Flush();
}

Result<std::unique_ptr<rocksdb::DB>> OpenDatabase(const RocksdbOptions& options,
                                                  const rocksdb::Options& settings) {
  rocksdb::DB* db = nullptr;
  rocksdb::Status status = options.read_only
                               ? rocksdb::DB::OpenForReadOnly(settings, options.path, &db)
                               : rocksdb::DB::Open(settings, options.path, &db);
  if (!status.ok()) return std::unexpected(OpeningError(status, options.path));
  return std::unique_ptr<rocksdb::DB>(db);
}

// Everything that is looked at before RocksDB may touch the folder.
Result<std::optional<StoreLock>> Prepare(const RocksdbOptions& options) {
  const std::string& path = options.path;
  DIRSYNC_TRY(before, List(path));
  if (!before.current && (before.tables || !before.logs.empty())) {
    return Fail(ErrorCode::kCorrupt, "open store: file " + path + "/CURRENT: is missing");
  }
  bool missing = !before.current;
  if (missing && (!options.create || options.read_only)) {
    return Fail(ErrorCode::kNotFound, "open store " + path + ": there is none");
  }
  std::optional<StoreLock> lock;
  if (missing) DIRSYNC_CHECK(MakeFolder(path));
  if (!options.read_only) {
    DIRSYNC_TRY(taken, StoreLock::Take(path));
    lock = std::move(taken);
    DIRSYNC_CHECK(Ingester::Clean(path + "/ingest"));
  }
  // Listed again, now that nobody else changes it.
  DIRSYNC_TRY(listing, List(path));
  if (listing.current) DIRSYNC_CHECK(CheckManifest(path));
  DIRSYNC_CHECK(CheckLogs(path, listing, options.read_only));
  return lock;
}

}  // namespace

Result<std::unique_ptr<Storage>> OpenRocksdb(const RocksdbOptions& options) {
  RocksdbParts parts;
  DIRSYNC_TRY(lock, Prepare(options));
  parts.lock = std::move(lock);
  if (options.io_hook != nullptr) parts.env = HookedEnv(*options.io_hook);
  parts.gate = std::make_shared<WriteGate>();
  parts.settings = MakeSettings(options, parts.env.get(), parts.gate);
  DIRSYNC_TRY(db, OpenDatabase(options, parts.settings));
  parts.db = std::move(db);
  if (options.read_only) {
    parts.gate->Close({ErrorCode::kInvalid, "opening store " + options.path + " read-only", ""});
  }
  auto store = std::make_unique<RocksdbStore>(options, std::move(parts));
  DIRSYNC_CHECK(CheckFormat(*store, options));
  return std::unique_ptr<Storage>(std::move(store));
}

}  // namespace dirsync::storage
