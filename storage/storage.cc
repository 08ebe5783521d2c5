#include "storage/storage.h"

#include <utility>

namespace dirsync::storage {

void WriteBatch::Put(std::string key, std::string value) {
  bytes_ += key.size() + value.size();
  Add(std::move(key), std::move(value));
}

void WriteBatch::Delete(std::string key) {
  bytes_ += key.size();
  Add(std::move(key), std::nullopt);
}

void WriteBatch::Add(std::string key, std::optional<std::string> value) {
  if (!operations_.empty() && operations_.back().key >= key) ascending_ = false;
  operations_.push_back({std::move(key), std::move(value)});
}

void WriteBatch::Reserve(std::size_t operations) { operations_.reserve(operations); }

void WriteBatch::Clear() {
  operations_.clear();
  bytes_ = 0;
  ascending_ = true;
}

std::vector<WriteBatch::Operation> WriteBatch::Release() {
  bytes_ = 0;
  ascending_ = true;
  return std::exchange(operations_, {});
}

}  // namespace dirsync::storage
