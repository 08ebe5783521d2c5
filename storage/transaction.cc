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
        order_(writes->set.order()),
        row_(order_.lower_bound(std::string_view(lower_))) {
    Settle();
  }

  bool Valid() const override { return side_ != Side::kNone; }
  std::string_view Key() const override {
    return side_ == Side::kBase ? base_->Key() : std::string_view((*row_)->key);
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
    row_ = order_.lower_bound(key);
    Settle();
  }
  Result<void> status() const override { return base_->status(); }

 private:
  enum class Side { kNone, kBase, kWrite };

  bool HasWrite() const {
    return row_ != order_.end() && (upper_.empty() || (*row_)->key < upper_);
  }
  // The newest write of this row as of this cursor's making; null if the key was first written
  // later. REQUIRES HasWrite().
  const WriteSet::Write* Visible() const {
    const WriteSet::Write& first = (*row_)->first;
    for (const WriteSet::Write* w = first.chain.get(); w != nullptr; w = w->chain.get()) {
      if (w->time <= time_) return w;
    }
    return first.time <= time_ ? &first : nullptr;
  }
  // Over the write, and over the base's row that it hides.
  void PassWrite() {
    if (base_->Valid() && base_->Key() == (*row_)->key) base_->Next();
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
      if (base_->Valid() && base_->Key() < (*row_)->key) break;
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
  const WriteSet::Order& order_;
  WriteSet::Order::const_iterator row_;
  Side side_ = Side::kNone;
};

Transaction::Transaction(const ReadView& base) : base_(base), writes_(std::make_shared<Writes>()) {}

Result<std::optional<std::string>> Transaction::Get(std::string_view key) const {
  if (const WriteSet::Row* row = writes_->set.Find(key)) return row->latest().value;
  return base_.Get(key);
}

std::unique_ptr<Cursor> Transaction::Scan(std::string_view lower, std::string_view upper) const {
  std::unique_ptr<Cursor> base = base_.Scan(lower, upper);
  if (!writes_->set.MayHold(lower, upper)) return base;
  return std::make_unique<MergingCursor>(std::move(base), writes_, lower, upper);
}

void Transaction::Put(std::string key, std::string value) { Set(std::move(key), std::move(value)); }

void Transaction::Delete(std::string key) { Set(std::move(key), std::nullopt); }

void Transaction::Set(std::string key, std::optional<std::string> value) {
  bytes_ += value ? value->size() : 0;
  bool added = false;
  WriteSet::Row& row = writes_->set.FindOrAdd(std::move(key), added);
  if (added) bytes_ += row.key.size();
  bytes_ -= row.latest().value ? row.latest().value->size() : 0;
  if (!HasCursors()) {
    row.first.chain.reset();
  } else if (!added && row.latest().time < writes_->time) {
    auto write = std::make_unique<WriteSet::Write>();
    write->chain = std::move(row.first.chain);
    row.first.chain = std::move(write);
  }
  WriteSet::Write& latest = row.latest();
  latest.value = std::move(value);
  latest.time = writes_->time;
}

WriteBatch Transaction::Take() {
  WriteBatch batch;
  batch.Reserve(writes_->set.size());
  const bool copies = HasCursors();  // which may be looking at any of them
  for (WriteSet::Row* row : writes_->set.Sorted()) {
    std::string key = copies ? row->key : std::move(row->key);
    std::optional<std::string>& value = row->latest().value;
    if (!value) {
      batch.Delete(std::move(key));
    } else {
      batch.Put(std::move(key), copies ? *value : std::move(*value));
    }
  }
  Rollback();
  return batch;
}

void Transaction::Rollback() {
  if (HasCursors()) {
    writes_ = std::make_shared<Writes>();
  } else {
    writes_->set.Clear();
  }
  bytes_ = 0;
}

void Transaction::Absorb(Transaction& nested) {
  for (auto& [key, value] : nested.Take().Release()) Set(std::move(key), std::move(value));
}

}  // namespace dirsync::storage
