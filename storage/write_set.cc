#include "storage/write_set.h"

#include <algorithm>
#include <span>
#include <utility>

namespace dirsync::storage {
namespace {

using Row = WriteSet::Row;

constexpr std::size_t kWordBytes = sizeof(std::uint64_t);
constexpr std::size_t kShortRun = 16;  // sorted by whole keys

std::uint8_t TableOf(std::string_view key) {
  return key.empty() ? 0 : static_cast<std::uint8_t>(key.front());
}

// A row with eight bytes of its key: most comparisons need no look at the key itself.
struct Handle {
  std::uint64_t word = 0;
  Row* row = nullptr;
};

// Bytes from `depth` on as a number that orders as they do; zeros behind the end.
std::uint64_t WordAt(std::string_view key, std::size_t depth) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < kWordBytes; ++i)
    word = word << 8 | (depth + i < key.size() ? static_cast<std::uint8_t>(key[depth + i]) : 0U);
  return word;
}

// How many bytes all keys share, from `depth` on, at which they all agree.
std::size_t SharedBytes(std::span<const Handle> run, std::size_t depth) {
  const std::string_view first = run.front().row->key;
  std::size_t shared = first.size();
  for (const Handle& handle : run) {
    const std::string_view key = handle.row->key;
    const std::size_t end = std::min(shared, key.size());
    std::size_t at = depth;
    while (at < end && key[at] == first[at]) ++at;
    shared = at;
    if (shared == depth) break;
  }
  return shared;
}

// Sorts keys that agree in their first `depth` bytes, eight bytes at a time.
void Sort(std::span<Handle> run, std::size_t depth) {
  depth = SharedBytes(run, depth);
  for (Handle& handle : run) handle.word = WordAt(handle.row->key, depth);
  std::ranges::sort(run, {}, &Handle::word);
  for (std::size_t begin = 0, end = 0; begin < run.size(); begin = end) {
    for (end = begin + 1; end < run.size() && run[end].word == run[begin].word; ++end) {
    }
    const auto same = run.subspan(begin, end - begin);
    if (same.size() == 1) continue;
    const bool goes_on = std::ranges::all_of(
        same, [&](const Handle& handle) { return handle.row->key.size() > depth + kWordBytes; });
    if (same.size() > kShortRun && goes_on) {
      Sort(same, depth + kWordBytes);
    } else {
      std::ranges::sort(same, {},
                        [](const Handle& handle) -> std::string_view { return handle.row->key; });
    }
  }
}

}  // namespace

const WriteSet::Row* WriteSet::Find(std::string_view key) const {
  const auto number = by_key_.Find(key, [this](std::uint32_t n) { return KeyOf(n); });
  return number ? &rows_[*number] : nullptr;
}

WriteSet::Row& WriteSet::FindOrAdd(std::string key, bool& added) {
  const auto fresh = static_cast<std::uint32_t>(rows_.size());
  const std::uint32_t number =
      by_key_.FindOrPut(key, fresh, [this](std::uint32_t n) { return KeyOf(n); });
  added = number == fresh;
  if (!added) return rows_[number];
  tables_.set(TableOf(key));
  Row& row = rows_.emplace_back();
  row.key = std::move(key);
  if (order_) order_->insert(&row);
  return row;
}

bool WriteSet::MayHold(std::string_view lower, std::string_view upper) const {
  if (order_) {
    const auto first = order_->lower_bound(lower);
    return first != order_->end() && (upper.empty() || (*first)->key < upper);
  }
  std::size_t last = upper.empty() ? tables_.size() - 1 : TableOf(upper);
  if (upper.size() == 1 && last > 0) --last;  // the bound itself is outside
  for (std::size_t table = TableOf(lower); table <= last; ++table)
    if (tables_.test(table)) return true;
  return false;
}

const WriteSet::Order& WriteSet::order() {
  if (!order_) {
    order_.emplace();
    for (const Row* row : Sorted()) order_->insert(order_->end(), row);
  }
  return *order_;
}

std::vector<WriteSet::Row*> WriteSet::Sorted() {
  std::vector<Handle> handles;
  handles.reserve(rows_.size());
  for (Row& row : rows_) handles.push_back({0, &row});
  if (!handles.empty()) Sort(handles, 0);
  std::vector<Row*> sorted;
  sorted.reserve(handles.size());
  for (const Handle& handle : handles) sorted.push_back(handle.row);
  return sorted;
}

void WriteSet::Clear() {
  rows_.clear();
  by_key_.Clear();
  tables_.reset();
  order_.reset();
}

}  // namespace dirsync::storage
