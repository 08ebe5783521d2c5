// A view that knows of most absent rows that they are absent. A long write asks of every entry
// whether its id, its name and its addresses are free; where the tables were small when it began,
// nearly all answers come from memory.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/key.h"
#include "storage/storage.h"

namespace dirsync::storage {

// Not thread-safe. Holds limits::kAbsenceFilterBytes once it has learned a table; answers are right
// whatever the number of rows, and only come slower beyond some millions.
class AbsenceFilter : public ReadView {
 public:
  // `base` must outlive it. Until Learn every read goes to it.
  explicit AbsenceFilter(const ReadView& base) : base_(base) {}

  // Reads the keys of `tables`; one of more than `rows_max` rows is not filtered. From here on
  // `base` may change by batches only that were noted before.
  Result<> Learn(std::span<const Table> tables, std::size_t rows_max);
  bool learned() const { return !bits_.empty(); }
  // Rows that are about to be committed.
  void Note(const WriteBatch& batch);

  Result<std::optional<std::string>> Get(std::string_view key) const override;
  std::unique_ptr<Cursor> Scan(std::string_view lower, std::string_view upper) const override;

 private:
  // A Bloom filter in blocks of one cache line each: all bits of a key lie in one.
  using Block = std::array<std::uint64_t, 8>;

  bool Covers(std::string_view key) const {
    return !key.empty() && tables_.test(static_cast<std::uint8_t>(key.front()));
  }
  void Add(std::string_view key);
  bool MayHold(std::string_view key) const;

  const ReadView& base_;
  std::vector<Block> bits_;
  std::bitset<256> tables_;  // those learned
};

}  // namespace dirsync::storage
