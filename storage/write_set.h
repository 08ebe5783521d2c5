// The uncommitted writes of a transaction: found by key through hashes, and kept in key order only
// from the first time that somebody asks for the order. Bulk work never does.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "storage/key_table.h"

namespace dirsync::storage {

// Not thread-safe. Rows are added and never removed; they stay where they are until Clear.
class WriteSet {
 public:
  // One write of a key. Those that a living cursor may be looking at stay where they are: the first
  // in the row, the others in a chain behind it, newest first.
  struct Write {
    std::optional<std::string> value;  // nullopt = deleted
    std::uint64_t time = 0;
    std::unique_ptr<Write> chain;
  };
  struct Row {
    std::string key;
    Write first;
    Write& latest() { return first.chain ? *first.chain : first; }
    const Write& latest() const { return first.chain ? *first.chain : first; }
  };
  struct ByKey {
    using is_transparent = void;
    bool operator()(const Row* a, const Row* b) const { return a->key < b->key; }
    bool operator()(const Row* a, std::string_view b) const { return a->key < b; }
    bool operator()(std::string_view a, const Row* b) const { return a < b->key; }
  };
  using Order = std::set<const Row*, ByKey>;

  // Null: never written.
  const Row* Find(std::string_view key) const;
  // The row of the key, which is new if `added`.
  Row& FindOrAdd(std::string key, bool& added);
  std::size_t size() const { return rows_.size(); }
  // False: surely no row in [lower, upper); empty `upper` = to the last key. Needs no order.
  bool MayHold(std::string_view lower, std::string_view upper) const;
  // All rows; those added later come into it too.
  const Order& order();
  // All rows in key order, without making the order.
  std::vector<Row*> Sorted();
  void Clear();

 private:
  std::string_view KeyOf(std::uint32_t number) const { return rows_[number].key; }

  std::deque<Row> rows_;
  KeyTable by_key_;
  std::bitset<256> tables_;  // first bytes of the keys
  std::optional<Order> order_;
};

}  // namespace dirsync::storage
