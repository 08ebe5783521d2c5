#include "tests/bench/recording_storage.h"

#include <chrono>
#include <cstdint>
#include <utility>

namespace dirsync::bench {
namespace {

using Clock = std::chrono::steady_clock;

double Since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::string ReadString(std::FILE* file) {
  std::uint32_t size = 0;
  if (std::fread(&size, sizeof size, 1, file) != 1) return {};
  std::string bytes(size, '\0');
  if (size != 0 && std::fread(bytes.data(), size, 1, file) != 1) return {};
  return bytes;
}

}  // namespace

RecordingStorage::RecordingStorage(std::shared_ptr<storage::Storage> inner,
                                   const std::string& log_path)
    : inner_(std::move(inner)), log_(std::fopen(log_path.c_str(), "wb")) {
  std::setvbuf(log_, nullptr, _IOFBF, 1 << 20);
}

RecordingStorage::~RecordingStorage() { std::fclose(log_); }

void RecordingStorage::Write(char kind, std::string_view bytes) const {
  auto size = static_cast<std::uint32_t>(bytes.size());
  std::fputc(kind, log_);
  std::fwrite(&size, sizeof size, 1, log_);
  std::fwrite(bytes.data(), bytes.size(), 1, log_);
}

Result<std::optional<std::string>> RecordingStorage::Get(std::string_view key) const {
  Write('G', key);
  return inner_->Get(key);
}

std::unique_ptr<storage::Cursor> RecordingStorage::Scan(std::string_view lower,
                                                        std::string_view upper) const {
  return inner_->Scan(lower, upper);
}

Result<void> RecordingStorage::Commit(storage::WriteBatch batch) {
  for (const auto& operation : batch.operations()) {
    Write(operation.value ? 'P' : 'D', operation.key);
    if (operation.value) Write('V', *operation.value);
  }
  Write('C', {});
  return inner_->Commit(std::move(batch));
}

Result<void> RecordingStorage::Sync() {
  Write('S', {});
  return inner_->Sync();
}

std::shared_ptr<const storage::ReadView> RecordingStorage::Snapshot() const {
  return inner_->Snapshot();
}

Result<void> RecordingStorage::Checkpoint(const std::string& path) {
  return inner_->Checkpoint(path);
}

double Replay(const std::string& log_path, storage::Storage& storage, bool look_ups) {
  std::FILE* log = std::fopen(log_path.c_str(), "rb");
  std::setvbuf(log, nullptr, _IOFBF, 1 << 20);
  double seconds = 0;
  storage::WriteBatch batch;
  for (int kind = std::fgetc(log); kind != EOF; kind = std::fgetc(log)) {
    std::string bytes = ReadString(log);
    auto start = Clock::now();
    bool ok = true;
    if (kind == 'G' && look_ups) {
      ok = storage.Get(bytes).has_value();
    } else if (kind == 'P') {
      std::fgetc(log);
      batch.Put(std::move(bytes), ReadString(log));
      continue;
    } else if (kind == 'D') {
      batch.Delete(std::move(bytes));
      continue;
    } else if (kind == 'C') {
      // Synced at once: what a thread of the store goes on with counts too.
      ok = storage.Commit(std::exchange(batch, {})).has_value() && storage.Sync().has_value();
    } else if (kind == 'S') {
      ok = storage.Sync().has_value();
    }
    seconds += Since(start);
    if (!ok) std::fprintf(stderr, "replay: a storage call failed\n");
  }
  std::fclose(log);
  return seconds;
}

}  // namespace dirsync::bench
