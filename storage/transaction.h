// A view of storage with one's own uncommitted writes on top: what the pure cores work on. They
// read through it, write into it, and hand the batch to whoever commits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "storage/storage.h"
#include "storage/write_set.h"

namespace dirsync::storage {

// Not thread-safe; `base` must outlive it and must not change under it.
class Transaction : public ReadView {
 public:
  explicit Transaction(const ReadView& base);
  // Not a copy: a nested one on top of `base`, which later absorbs it or not; never by accident.
  // NOLINTNEXTLINE(google-explicit-constructor)
  explicit Transaction(const Transaction& base) : Transaction(static_cast<const ReadView&>(base)) {}
  Transaction& operator=(const Transaction&) = delete;

  // Reads see this transaction's writes first.
  Result<std::optional<std::string>> Get(std::string_view key) const override;
  // A cursor sees the writes made before it was made; writing while it lives is allowed and not
  // seen by it. Costs nothing extra where this transaction has no rows in the table; the first one
  // that meets rows puts all of them in order, and from then on each new one is (WriteSet).
  std::unique_ptr<Cursor> Scan(std::string_view lower, std::string_view upper) const override;

  // The last one of a key wins; visible to this transaction's reads at once.
  void Put(std::string key, std::string value);
  void Delete(std::string key);

  std::size_t rows() const { return writes_->set.size(); }
  // Of keys and values, as WriteBatch counts them.
  std::size_t bytes() const { return bytes_; }
  // The writes in key order; the transaction is empty afterwards.
  WriteBatch Take();
  // Drops all writes.
  void Rollback();

  // A nested transaction's writes are moved in (its base must be this one); it is empty afterwards.
  void Absorb(Transaction& nested);

 private:
  // Shared with the cursors.
  struct Writes {
    WriteSet set;
    std::uint64_t time = 1;  // of the next write; moves on with each cursor
  };
  class MergingCursor;

  bool HasCursors() const { return writes_.use_count() > 1; }
  void Set(std::string key, std::optional<std::string> value);

  const ReadView& base_;
  std::shared_ptr<Writes> writes_;
  std::size_t bytes_ = 0;
};

}  // namespace dirsync::storage
