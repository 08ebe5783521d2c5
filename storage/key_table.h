// Numbers of rows by their keys, through hashes. The rows themselves lie with whoever numbers them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace dirsync::storage {

// Not thread-safe while rows are put. `key_of(number)` is the key of a row that was put.
class KeyTable {
 public:
  template <class KeyOf>
  std::optional<std::uint32_t> Find(std::string_view key, const KeyOf& key_of) const {
    if (slots_.empty()) return std::nullopt;
    const std::uint32_t row = slots_[SlotOf(key, HashOf(key), key_of)].row;
    return row == 0 ? std::nullopt : std::optional(row - 1);
  }

  // The number that stands for the key already, else `fresh`, which stands for it from now on.
  template <class KeyOf>
  std::uint32_t FindOrPut(std::string_view key, std::uint32_t fresh, const KeyOf& key_of) {
    if (2 * (taken_ + 1) > slots_.size()) Grow();
    const std::uint32_t hash = HashOf(key);
    Slot& slot = slots_[SlotOf(key, hash, key_of)];
    if (slot.row != 0) return slot.row - 1;
    slot = {hash, fresh + 1};
    ++taken_;
    return fresh;
  }

  // `number` stands for the key from now on.
  template <class KeyOf>
  void Put(std::string_view key, std::uint32_t number, const KeyOf& key_of) {
    if (2 * (taken_ + 1) > slots_.size()) Grow();
    const std::uint32_t hash = HashOf(key);
    Slot& slot = slots_[SlotOf(key, hash, key_of)];
    if (slot.row == 0) ++taken_;
    slot = {hash, number + 1};
  }

  // No key has a number any more.
  void Clear() {
    slots_.clear();
    taken_ = 0;
  }

 private:
  static constexpr std::size_t kSlotsAtFirst = 64;

  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t row = 0;  // 0 = free, else number + 1
  };

  static std::uint32_t HashOf(std::string_view key) {
    return static_cast<std::uint32_t>(std::hash<std::string_view>{}(key));
  }

  // Where the key is, or would come.
  template <class KeyOf>
  std::size_t SlotOf(std::string_view key, std::uint32_t hash, const KeyOf& key_of) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t at = hash & mask;
    while (slots_[at].row != 0 &&
           (slots_[at].hash != hash || std::string_view(key_of(slots_[at].row - 1)) != key))
      at = (at + 1) & mask;
    return at;
  }

  void Grow() {
    const std::size_t size = slots_.empty() ? kSlotsAtFirst : 2 * slots_.size();
    const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(size));
    for (const Slot& slot : old) {
      if (slot.row == 0) continue;
      std::size_t at = slot.hash & (size - 1);
      while (slots_[at].row != 0) at = (at + 1) & (size - 1);
      slots_[at] = slot;
    }
  }

  std::vector<Slot> slots_;  // a power of two, at most half of them taken
  std::size_t taken_ = 0;
};

}  // namespace dirsync::storage
