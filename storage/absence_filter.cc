#include "storage/absence_filter.h"

#include <functional>
#include <memory>
#include <string>

#include "proto/base/limits.h"

namespace dirsync::storage {
namespace {

constexpr int kBitsPerKey = 5;
constexpr int kBitsOfPlace = 9;  // of a bit in its block of 512

// Calls `take(word, mask)` for each bit of the key in its block.
template <class F>
void ForBits(std::uint64_t hash, const F& take) {
  for (int i = 0; i < kBitsPerKey; ++i) {
    take((hash >> 6) & 7, std::uint64_t{1} << (hash & 63));
    hash >>= kBitsOfPlace;
  }
}

std::uint64_t HashOf(std::string_view key) { return std::hash<std::string_view>{}(key); }

// The bits above those of the places choose the block.
std::size_t BlockOf(std::uint64_t hash, std::size_t blocks) {
  return static_cast<std::size_t>((hash >> (kBitsPerKey * kBitsOfPlace)) % blocks);
}

}  // namespace

void AbsenceFilter::Add(std::string_view key) {
  const std::uint64_t hash = HashOf(key);
  Block& block = bits_[BlockOf(hash, bits_.size())];
  ForBits(hash, [&](std::size_t word, std::uint64_t mask) { block[word] |= mask; });
}

bool AbsenceFilter::MayHold(std::string_view key) const {
  const std::uint64_t hash = HashOf(key);
  const Block& block = bits_[BlockOf(hash, bits_.size())];
  bool all = true;
  ForBits(hash,
          [&](std::size_t word, std::uint64_t mask) { all = all && (block[word] & mask) != 0; });
  return all;
}

Result<> AbsenceFilter::Learn(std::span<const Table> tables, std::size_t rows_max) {
  bits_.assign(limits::kAbsenceFilterBytes / sizeof(Block), Block{});
  for (const Table table : tables) {
    const auto [lower, upper] = TableRange(table);
    const auto cursor = base_.Scan(lower, upper);
    std::size_t rows = 0;
    for (; cursor->Valid() && rows <= rows_max; cursor->Next(), ++rows) Add(cursor->Key());
    DIRSYNC_CHECK(cursor->status());
    if (rows <= rows_max) tables_.set(static_cast<std::uint8_t>(table));
  }
  return {};
}

void AbsenceFilter::Note(const WriteBatch& batch) {
  if (!learned()) return;
  for (const WriteBatch::Operation& operation : batch.operations())
    if (operation.value && Covers(operation.key)) Add(operation.key);
}

Result<std::optional<std::string>> AbsenceFilter::Get(std::string_view key) const {
  if (Covers(key) && !MayHold(key)) return std::nullopt;
  return base_.Get(key);
}

std::unique_ptr<Cursor> AbsenceFilter::Scan(std::string_view lower, std::string_view upper) const {
  return base_.Scan(lower, upper);
}

}  // namespace dirsync::storage
