#include "storage/rocksdb_ingest.h"

#include <rocksdb/sst_file_writer.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <utility>

#include "proto/base/limits.h"

namespace dirsync::storage {
namespace {

using Operation = WriteBatch::Operation;

// A file of its own for each table keeps the ranges of files apart, so that those of a table that
// grows at its end (entries, USNs) go straight to the lowest level.
constexpr std::uint64_t kFileBytes = 64 * limits::kMiB;

// The rows in key order, of each key the last one.
std::vector<const Operation*> Sorted(const WriteBatch& batch) {
  std::vector<const Operation*> rows;
  rows.reserve(batch.operations().size());
  for (const Operation& operation : batch.operations()) rows.push_back(&operation);
  if (batch.ascending()) return rows;
  std::stable_sort(rows.begin(), rows.end(),
                   [](const Operation* a, const Operation* b) { return a->key < b->key; });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i + 1 < rows.size() && rows[i]->key == rows[i + 1]->key) continue;
    rows[kept++] = rows[i];
  }
  rows.resize(kept);
  return rows;
}

}  // namespace

Result<void> Ingester::Clean(const std::string& folder) {
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  if (!error) std::filesystem::create_directory(folder, error);
  if (!error) return {};
  bool full = error == std::errc::no_space_on_device;
  return Fail(full ? ErrorCode::kDiskFull : ErrorCode::kIo,
              "clean folder " + folder + ": " + error.message());
}

Ingester::Ingester(std::string folder, rocksdb::Options settings)
    : folder_(std::move(folder)), settings_(std::move(settings)) {}

rocksdb::Status Ingester::WriteFiles(const std::vector<const Operation*>& rows,
                                     std::vector<std::string>& files) {
  auto i = rows.begin();
  while (i != rows.end()) {
    rocksdb::SstFileWriter file(rocksdb::EnvOptions(settings_), settings_, nullptr,
                                /*invalidate_page_cache=*/false);
    files.push_back(folder_ + "/" + std::to_string(next_file_++) + ".sst");
    if (auto s = file.Open(files.back()); !s.ok()) return s;
    char table = (*i)->key.empty() ? '\0' : (*i)->key.front();
    for (; i != rows.end() && file.FileSize() < kFileBytes; ++i) {
      const Operation& row = **i;
      if (!row.key.empty() && row.key.front() != table) break;
      auto s = row.value ? file.Put(row.key, *row.value) : file.Delete(row.key);
      if (!s.ok()) return s;
    }
    if (auto s = file.Finish(); !s.ok()) return s;
  }
  return rocksdb::Status::OK();
}

rocksdb::Status Ingester::Ingest(rocksdb::DB& db, const WriteBatch& batch) {
  std::vector<std::string> files;
  rocksdb::Status status = WriteFiles(Sorted(batch), files);
  if (status.ok()) {
    rocksdb::IngestExternalFileOptions how;
    how.move_files = true;
    how.write_global_seqno = false;  // it goes into the MANIFEST; files stay as they were written
    status = db.IngestExternalFile(files, how);
  }
  if (!status.ok()) {
    for (const std::string& file : files) {
      std::error_code ignored;
      std::filesystem::remove(file, ignored);
    }
  }
  return status;
}

}  // namespace dirsync::storage
