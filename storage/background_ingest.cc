#include "storage/background_ingest.h"

#include <algorithm>
#include <vector>

namespace dirsync::storage {

BackgroundIngest::Pending::Pending(WriteBatch rows) : batch(std::move(rows)) {
  const std::vector<WriteBatch::Operation>& operations = batch.operations();
  const auto key_of = [&](std::uint32_t number) -> std::string_view {
    return operations[number].key;
  };
  for (std::uint32_t i = 0; i < operations.size(); ++i) {
    const std::string_view key = operations[i].key;
    by_key.Put(key, i, key_of);
    const auto [span, fresh] =
        spans.try_emplace(key.empty() ? '\0' : key.front(), std::pair(key, key));
    if (fresh) continue;
    span->second.first = std::min(span->second.first, key);
    span->second.second = std::max(span->second.second, key);
  }
}

bool BackgroundIngest::Pending::MayHold(std::string_view lower, std::string_view upper) const {
  return std::ranges::any_of(spans, [&](const auto& table) {
    const auto& [first, last] = table.second;
    return last >= lower && (upper.empty() || first < upper);
  });
}

BackgroundIngest::BackgroundIngest(rocksdb::DB& db, Ingester ingester)
    : db_(db), ingester_(std::move(ingester)) {}

BackgroundIngest::~BackgroundIngest() { Finish().PermitUncheckedError(); }

void BackgroundIngest::Start(WriteBatch batch) {
  auto pending = std::make_shared<const Pending>(std::move(batch));
  {
    std::lock_guard lock(mutex_);
    pending_ = pending;
  }
  thread_ = std::thread([this, pending = std::move(pending)]() mutable {
    ended_ = ingester_.Ingest(db_, pending->batch);
    {
      std::lock_guard lock(mutex_);
      pending_.reset();
    }
    done_.notify_all();
    pending.reset();  // freeing the rows is this thread's work too
  });
}

rocksdb::Status BackgroundIngest::Finish() {
  if (!thread_.joinable()) return rocksdb::Status::OK();
  thread_.join();
  return std::exchange(ended_, rocksdb::Status::OK());
}

std::optional<std::optional<std::string>> BackgroundIngest::Find(std::string_view key) const {
  std::shared_ptr<const Pending> pending;
  {
    std::lock_guard lock(mutex_);
    pending = pending_;
  }
  if (!pending) return std::nullopt;
  const std::vector<WriteBatch::Operation>& operations = pending->batch.operations();
  const auto number = pending->by_key.Find(
      key, [&](std::uint32_t i) -> std::string_view { return operations[i].key; });
  if (!number) return std::nullopt;
  return operations[*number].value;
}

void BackgroundIngest::WaitFor(std::string_view lower, std::string_view upper) const {
  std::unique_lock lock(mutex_);
  done_.wait(lock, [&] { return !pending_ || !pending_->MayHold(lower, upper); });
}

}  // namespace dirsync::storage
