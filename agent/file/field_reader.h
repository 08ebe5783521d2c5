// Takes strict fields off the front of a `#!` line: exact words, single blanks, lower-case hex.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <string_view>

#include "agent/file/value_text.h"
#include "proto/base/ids.h"

namespace dirsync {

// After the first field that is not there, ok() is false and every later field is zero.
class FieldReader {
 public:
  explicit FieldReader(std::string_view rest) : rest_(rest) {}

  // Exactly these characters.
  void Word(std::string_view word) {
    if (!rest_.starts_with(word)) return Fail();
    rest_.remove_prefix(word.size());
  }
  // True and taken, or false and left.
  bool Optional(std::string_view word) {
    if (!ok_ || !rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }
  // Everything up to the next blank or the end.
  std::string_view Token() { return Take(std::min(rest_.find(' '), rest_.size())); }

  // Digits without sign or leading zero, 64 bits.
  std::uint64_t Number() {
    std::uint64_t number = 0;
    const char* begin = rest_.data();
    const auto [stop, error] = std::from_chars(begin, begin + rest_.size(), number);
    const auto size = static_cast<std::size_t>(stop - begin);
    if (error != std::errc() || size == 0 || (*begin == '0' && size > 1)) {
      Fail();
      return 0;
    }
    Take(size);
    return number;
  }
  // Milliseconds; may be negative.
  std::int64_t Signed() {
    const bool negative = Optional("-");
    const std::uint64_t number = Number();
    if (number > kSignedMax + (negative ? 1 : 0) || (negative && number == 0)) Fail();
    return static_cast<std::int64_t>(negative ? ~number + 1 : number);
  }
  template <class FixedIdType>
  FixedIdType Id() {
    FixedIdType id{};
    if (!ParseLowerHex(Take(2 * id.bytes.size()), id)) {
      Fail();
      return FixedIdType{};
    }
    return id;
  }
  RowSum Sum() {
    const EntryId raw = Id<EntryId>();
    RowSum sum;
    for (int i = 0; i < 8; ++i) sum.high = sum.high << 8 | raw.bytes[i];
    for (int i = 8; i < 16; ++i) sum.low = sum.low << 8 | raw.bytes[i];
    return sum;
  }
  Epoch ReadEpoch() {
    Epoch epoch;
    epoch.counter = Number();
    Word(".");
    epoch.id = Id<EpochId>();
    return epoch;
  }
  Position ReadPosition() {
    Position position;
    position.epoch = ReadEpoch();
    Word(" ");
    position.sequence = Number();
    Word(" ");
    position.digest = Id<Digest>();
    return position;
  }
  bool ok() const { return ok_; }
  bool at_end() const { return rest_.empty(); }
  // All fields were there and nothing is left.
  bool done() const { return ok_ && rest_.empty(); }

 private:
  static constexpr std::uint64_t kSignedMax = 0x7FFFFFFFFFFFFFFF;

  void Fail() {
    ok_ = false;
    rest_ = {};
  }
  std::string_view Take(std::size_t size) {
    if (size > rest_.size()) {
      Fail();
      return {};
    }
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace dirsync
