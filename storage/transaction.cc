#include "storage/transaction.h"

#include <algorithm>
#include <utility>

namespace dirsync::storage {

// Walks the base and the writes side by side; of equal keys the write counts, and a deleted row is
// stepped over. Writes after its making are there and not looked at.
class Transaction::MergingCursor : public Cursor {
 public:
  MergingCursor(std::unique_ptr<Cursor> base, const std::shared_ptr<Writes>& writes,
                std::string_view lower, std::string_view upper)
      : base_(std::move(base)),
        writes_(writes),
        time_(writes->time++),
        lower_(lower),
        upper_(upper),
        row_(writes_->rows.lower_bound(lower_)) {
    Settle();
  }

  bool Valid() const override { return side_ != Side::kNone; }
  std::string_view Key() const override {
    return side_ == Side::kBase ? base_->Key() : std::string_view(row_->first);
  }
  std::string_view Value() const override {
    return side_ == Side::kBase ? base_->Value() : std::string_view(*Visible()->value);
  }
  void Next() override {
    if (side_ == Side::kBase) {
      base_->Next();
    } else {
      PassWrite();
    }
    Settle();
  }
  void Seek(std::string_view key) override {
    key = std::max(key, std::string_view(lower_));
    base_->Seek(key);
    row_ = writes_->rows.lower_bound(key);
    Settle();
  }
  Result<void> status() const override { return base_->status(); }

 private:
  enum class Side { kNone, kBase, kWrite };

  bool HasWrite() const {
    return row_ != writes_->rows.end() && (upper_.empty() || row_->first < upper_);
  }
  // The newest write of this row as of this cursor's making; null if the key was first written
  // later. REQUIRES HasWrite().
  const Write* Visible() const {
    for (const Write* w = row_->second.chain.get(); w != nullptr; w = w->chain.get()) {
      if (w->time <= time_) return w;
    }
    return row_->second.time <= time_ ? &row_->second : nullptr;
  }
  // Over the write, and over the base's row that it hides.
  void PassWrite() {
    if (base_->Valid() && base_->Key() == row_->first) base_->Next();
    ++row_;
  }
  // Finds whose row is the next one.
  void Settle() {
    side_ = Side::kNone;
    for (; HasWrite() && Visible() == nullptr; ++row_) {
    }
    while (HasWrite()) {
      // Where the base broke off, rows may be missing before the next write: stop there too.
      if (!base_->Valid() && !base_->status()) return;
      if (base_->Valid() && base_->Key() < row_->first) break;
      if (Visible()->value) {
        side_ = Side::kWrite;
        return;
      }
      PassWrite();
      for (; HasWrite() && Visible() == nullptr; ++row_) {
      }
    }
    if (base_->Valid()) side_ = Side::kBase;
  }

  const std::unique_ptr<Cursor> base_;
  const std::shared_ptr<const Writes> writes_;
  const std::uint64_t time_;
  const std::string lower_;
  const std::string upper_;
  std::map<std::string, Write, std::less<>>::const_iterator row_;
  Side side_ = Side::kNone;
};

Transaction::Transaction(const ReadView& base) : base_(base), writes_(std::make_shared<Writes>()) {}

Result<std::optional<std::string>> Transaction::Get(std::string_view key) const {
  auto row = writes_->rows.find(key);
  if (row != writes_->rows.end()) return Latest(row->second).value;
  return base_.Get(key);
}

std::unique_ptr<Cursor> Transaction::Scan(std::string_view lower, std::string_view upper) const {
  std::unique_ptr<Cursor> base = base_.Scan(lower, upper);
  auto first = writes_->rows.lower_bound(lower);
  if (first == writes_->rows.end() || (!upper.empty() && first->first >= upper)) return base;
  return std::make_unique<MergingCursor>(std::move(base), writes_, lower, upper);
}

void Transaction::Put(std::string key, std::string value) { Set(std::move(key), std::move(value)); }

void Transaction::Delete(std::string key) { Set(std::move(key), std::nullopt); }

void Transaction::Set(std::string key, std::optional<std::string> value) {
  bytes_ += value ? value->size() : 0;
  auto [row, added] = writes_->rows.try_emplace(std::move(key));
  Write& first = row->second;
  if (added) bytes_ += row->first.size();
  bytes_ -= Latest(first).value ? Latest(first).value->size() : 0;
  if (!HasCursors()) {
    first.chain.reset();
  } else if (!added && Latest(first).time < writes_->time) {
    auto write = std::make_unique<Write>();
    write->chain = std::move(first.chain);
    first.chain = std::move(write);
  }
  Write& latest = Latest(first);
  latest.value = std::move(value);
  latest.time = writes_->time;
}

WriteBatch Transaction::Take() {
  WriteBatch batch;
  batch.Reserve(writes_->rows.size());
  if (HasCursors()) {
    for (const auto& [key, write] : writes_->rows) {
      const auto& value = Latest(write).value;
      value ? batch.Put(key, *value) : batch.Delete(key);
    }
  }
  while (!HasCursors() && !writes_->rows.empty()) {
    auto row = writes_->rows.extract(writes_->rows.begin());
    std::optional<std::string>& value = Latest(row.mapped()).value;
    value ? batch.Put(std::move(row.key()), std::move(*value)) : batch.Delete(std::move(row.key()));
  }
  Rollback();
  return batch;
}

void Transaction::Rollback() {
  if (HasCursors()) {
    writes_ = std::make_shared<Writes>();
  } else {
    writes_->rows.clear();
  }
  bytes_ = 0;
}

void Transaction::Absorb(Transaction& nested) {
  for (auto& [key, value] : nested.Take().Release()) Set(std::move(key), std::move(value));
}

}  // namespace dirsync::storage
