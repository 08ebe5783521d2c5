// Flat binary rows: writers and bounded readers of the primitives that storage/FORMAT.md names.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/ids.h"

namespace dirsync {

// Two lower-case digits a byte.
std::string ToHex(std::string_view bytes);
// Even number of hex digits of either case; else nullopt.
std::optional<std::string> FromHex(std::string_view text);

// Appends primitives to a string it does not own.
class RowWriter {
 public:
  explicit RowWriter(std::string& out) : out_(out) {}
  void U8(std::uint8_t v) { out_.push_back(static_cast<char>(v)); }
  void U32Big(std::uint32_t v);  // big-endian: order-preserving in keys
  void U64Big(std::uint64_t v);
  // LEB128.
  void Varint(std::uint64_t v) {
    for (; v >= 0x80; v >>= 7) out_.push_back(static_cast<char>(v | 0x80));
    out_.push_back(static_cast<char>(v));
  }
  // Varint length, bytes.
  void Bytes(std::string_view v) {
    Varint(v.size());
    out_.append(v);
  }
  void Raw(std::string_view v) { out_.append(v); }
  template <std::size_t N, class Tag>
  void Id(const FixedId<N, Tag>& id) {
    out_.append(id.view());
  }

 private:
  std::string& out_;
};

// Takes primitives off the front of a row. After the first short read every later one yields zero
// or empty, and ok() is false: check once at the end. Views point into the row.
class RowReader {
 public:
  explicit RowReader(std::string_view row) : rest_(row) {}
  std::uint8_t U8();
  std::uint32_t U32Big();
  std::uint64_t U64Big();
  std::uint64_t Varint() {
    if (!ok_ || rest_.empty() || static_cast<signed char>(rest_[0]) < 0) return LongVarint();
    const auto v = static_cast<std::uint8_t>(rest_[0]);
    rest_.remove_prefix(1);
    return v;
  }
  std::string_view Bytes() {
    const std::uint64_t n = Varint();
    return Raw(static_cast<std::size_t>(n));
  }
  std::string_view Raw(std::size_t n) {
    if (!ok_ || n > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view raw(rest_.data(), n);
    rest_.remove_prefix(n);
    return raw;
  }
  template <class FixedIdType>
  FixedIdType Id() {
    FixedIdType id{};
    std::string_view raw = Raw(id.bytes.size());
    if (ok_) std::copy(raw.begin(), raw.end(), reinterpret_cast<char*>(id.bytes.data()));
    return id;
  }
  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }

 private:
  std::uint64_t LongVarint();

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace dirsync
