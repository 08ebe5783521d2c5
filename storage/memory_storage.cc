#include "storage/memory_storage.h"

#include <utility>

namespace dirsync::storage {
namespace {

using Map = MemoryStorage::Map;

// Keeps the rows that it walks: a commit copies them first.
class MemoryCursor : public Cursor {
 public:
  MemoryCursor(std::shared_ptr<const Map> rows, std::string_view lower, std::string_view upper)
      : rows_(std::move(rows)), lower_(lower), upper_(upper) {
    at_ = rows_->lower_bound(lower_);
  }
  bool Valid() const override {
    return at_ != rows_->end() && (upper_.empty() || at_->first < upper_);
  }
  std::string_view Key() const override { return at_->first; }
  std::string_view Value() const override { return at_->second; }
  void Next() override { ++at_; }
  void Seek(std::string_view key) override {
    at_ = rows_->lower_bound(key < std::string_view(lower_) ? std::string_view(lower_) : key);
  }
  Result<void> status() const override { return {}; }

 private:
  const std::shared_ptr<const Map> rows_;
  const std::string lower_;
  const std::string upper_;
  Map::const_iterator at_;
};

Result<std::optional<std::string>> GetFrom(const Map& rows, std::string_view key) {
  auto row = rows.find(key);
  if (row == rows.end()) return std::nullopt;
  return row->second;
}

class MemoryView : public ReadView {
 public:
  explicit MemoryView(std::shared_ptr<const Map> rows) : rows_(std::move(rows)) {}
  Result<std::optional<std::string>> Get(std::string_view key) const override {
    return GetFrom(*rows_, key);
  }
  std::unique_ptr<Cursor> Scan(std::string_view lower, std::string_view upper) const override {
    return std::make_unique<MemoryCursor>(rows_, lower, upper);
  }

 private:
  const std::shared_ptr<const Map> rows_;
};

// Sets or removes one row and gives back what undoes it.
WriteBatch::Operation Apply(Map& rows, const WriteBatch::Operation& operation) {
  WriteBatch::Operation undo{operation.key, std::nullopt};
  auto row = rows.lower_bound(operation.key);
  bool found = row != rows.end() && row->first == operation.key;
  if (found) undo.value = std::move(row->second);
  if (operation.value && found) {
    row->second = *operation.value;
  } else if (operation.value) {
    rows.emplace_hint(row, operation.key, *operation.value);
  } else if (found) {
    rows.erase(row);
  }
  return undo;
}

}  // namespace

Result<std::optional<std::string>> MemoryStorage::Get(std::string_view key) const {
  return GetFrom(*rows_, key);
}

std::unique_ptr<Cursor> MemoryStorage::Scan(std::string_view lower, std::string_view upper) const {
  return std::make_unique<MemoryCursor>(rows_, lower, upper);
}

MemoryStorage::Map& MemoryStorage::OwnRows() {
  if (rows_.use_count() > 1) rows_ = std::make_shared<Map>(*rows_);
  return *rows_;
}

Result<void> MemoryStorage::Commit(WriteBatch batch) {
  if (batch.empty()) return {};
  Map& rows = OwnRows();
  for (const WriteBatch::Operation& operation : batch.operations()) {
    undo_.push_back(Apply(rows, operation));
  }
  return {};
}

Result<void> MemoryStorage::Sync() {
  undo_.clear();
  return {};
}

std::shared_ptr<const ReadView> MemoryStorage::Snapshot() const {
  return std::make_shared<MemoryView>(rows_);
}

Result<void> MemoryStorage::Checkpoint(const std::string& path) {
  return Fail(ErrorCode::kInvalid, "copy store to " + path + ": it is kept in memory only");
}

void MemoryStorage::DropUnsynced() {
  if (undo_.empty()) return;
  Map& rows = OwnRows();
  for (auto operation = undo_.rbegin(); operation != undo_.rend(); ++operation) {
    Apply(rows, *operation);
  }
  undo_.clear();
}

void MemoryStorage::Restore(Map rows) {
  rows_ = std::make_shared<Map>(std::move(rows));
  undo_.clear();
}

}  // namespace dirsync::storage
