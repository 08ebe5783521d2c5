#include "proto/base/bytes.h"

#include <array>

namespace dirsync {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr int kVarintBitsMax = 64;

// The value of each byte as a hex digit; -1 for others.
constexpr std::array<std::int8_t, 256> MakeHexValues() {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (int i = 0; i < 10; ++i) values['0' + i] = static_cast<std::int8_t>(i);
  for (int i = 0; i < 6; ++i) {
    values['a' + i] = static_cast<std::int8_t>(10 + i);
    values['A' + i] = static_cast<std::int8_t>(10 + i);
  }
  return values;
}
constexpr std::array<std::int8_t, 256> kHexValues = MakeHexValues();

}  // namespace

std::string ToHex(std::string_view bytes) {
  std::string out(bytes.size() * 2, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<unsigned char>(bytes[i]);
    out[2 * i] = kHexDigits[byte >> 4];
    out[2 * i + 1] = kHexDigits[byte & 15];
  }
  return out;
}

std::optional<std::string> FromHex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string out(text.size() / 2, '\0');
  for (std::size_t i = 0; i < out.size(); ++i) {
    const int high = kHexValues[static_cast<unsigned char>(text[2 * i])];
    const int low = kHexValues[static_cast<unsigned char>(text[2 * i + 1])];
    if (high < 0 || low < 0) return std::nullopt;
    out[i] = static_cast<char>(high * 16 + low);
  }
  return out;
}

void RowWriter::U32Big(std::uint32_t v) {
  char raw[4];
  for (int i = 3; i >= 0; --i, v >>= 8) raw[i] = static_cast<char>(v & 0xFF);
  out_.append(raw, sizeof raw);
}

void RowWriter::U64Big(std::uint64_t v) {
  char raw[8];
  for (int i = 7; i >= 0; --i, v >>= 8) raw[i] = static_cast<char>(v & 0xFF);
  out_.append(raw, sizeof raw);
}

std::uint8_t RowReader::U8() {
  const std::string_view raw = Raw(1);
  return raw.empty() ? 0 : static_cast<std::uint8_t>(raw[0]);
}

std::uint32_t RowReader::U32Big() {
  std::uint32_t v = 0;
  for (char c : Raw(4)) v = v << 8 | static_cast<unsigned char>(c);
  return v;
}

std::uint64_t RowReader::U64Big() {
  std::uint64_t v = 0;
  for (char c : Raw(8)) v = v << 8 | static_cast<unsigned char>(c);
  return v;
}

std::uint64_t RowReader::LongVarint() {
  if (!ok_) return 0;
  std::uint64_t v = 0;
  std::size_t used = 0;
  for (int shift = 0; shift < kVarintBitsMax; shift += 7) {
    if (used == rest_.size()) break;
    const auto byte = static_cast<unsigned char>(rest_[used++]);
    // The tenth byte has room for one bit only; more would be lost silently.
    if (shift == 63 && byte > 1) break;
    v |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) {
      rest_.remove_prefix(used);
      return v;
    }
  }
  ok_ = false;
  return 0;
}

}  // namespace dirsync
