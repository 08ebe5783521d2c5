#include "agent/file/value_text.h"

#include <array>
#include <cstring>

#include "proto/base/utf8.h"

namespace dirsync {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::string_view kHexMark = "\\x";
constexpr std::size_t kKeptBytes = 1024;  // buffers up to this are always kept

constexpr std::array<std::int8_t, 256> MakeDigits(bool upper) {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (int i = 0; i < 10; ++i) values['0' + i] = static_cast<std::int8_t>(i);
  for (int i = 0; i < 6; ++i) {
    values['a' + i] = static_cast<std::int8_t>(10 + i);
    if (upper) values['A' + i] = static_cast<std::int8_t>(10 + i);
  }
  return values;
}
constexpr std::array<std::int8_t, 256> kLowerDigits = MakeDigits(false);
constexpr std::array<std::int8_t, 256> kAnyDigits = MakeDigits(true);

bool DecodeHex(const std::array<std::int8_t, 256>& digits, std::string_view text, char* bytes) {
  int bad = 0;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = digits[static_cast<unsigned char>(text[i])];
    const int low = digits[static_cast<unsigned char>(text[i + 1])];
    bad |= high | low;
    bytes[i / 2] = static_cast<char>(high * 16 + low);
  }
  return bad >= 0;
}

// True if all 8 bytes are in 0x20-0x7E.
bool IsPlainWord(std::uint64_t word) {
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  constexpr std::uint64_t kHigh = 0x8080808080808080;
  const std::uint64_t below_blank = (word - kOnes * 0x20) & ~word;
  const std::uint64_t flipped = word ^ (kOnes * 0x7F);
  const std::uint64_t is_delete = (flipped - kOnes) & ~flipped;
  return ((word | below_blank | is_delete) & kHigh) == 0;
}

// Length of the run of printable ASCII that `text` begins with; may stop short inside a word.
std::size_t AsciiRun(std::string_view text) {
  std::size_t i = 0;
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t word;
    std::memcpy(&word, text.data() + i, 8);
    if (!IsPlainWord(word)) break;
  }
  for (; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte >= 0x7F) break;
  }
  return i;
}

bool HasNoControl(std::string_view text) {
  for (;;) {
    text.remove_prefix(AsciiRun(text));
    if (text.empty()) return true;
    const Utf8Character character = FirstCharacter(text);
    if (character.size == 0 || character.point < 0x20) return false;
    if (character.point >= 0x7F && character.point <= 0x9F) return false;
    text.remove_prefix(character.size);
  }
}

}  // namespace

bool IsPlainText(std::string_view text) {
  if (text.empty() || text.front() == ' ' || text.back() == ' ') return false;
  if (text.front() == '"' || text.starts_with(kHexMark)) return false;
  return HasNoControl(text);
}

void AppendHex(std::string& out, std::string_view bytes) {
  std::size_t at = out.size();
  out.resize(at + 2 * bytes.size());
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out[at++] = kHexDigits[byte >> 4];
    out[at++] = kHexDigits[byte & 15];
  }
}

void AppendValueText(std::string& out, std::string_view value) {
  if (IsPlainText(value)) {
    out.append(value);
    return;
  }
  out.append(kHexMark);
  AppendHex(out, value);
}

bool ParseValueText(std::string_view text, std::string& value) {
  if (!text.starts_with(kHexMark)) {
    if (!IsPlainText(text)) return false;
    AssignText(value, text);
    return true;
  }
  text.remove_prefix(kHexMark.size());
  if (text.size() % 2 != 0) return false;
  AssignText(value, {});
  value.resize(text.size() / 2);
  return DecodeHex(kLowerDigits, text, value.data());
}

bool ParseLowerHex(std::string_view text, std::uint8_t* bytes, std::size_t count) {
  if (text.size() != 2 * count) return false;
  return DecodeHex(kLowerDigits, text, reinterpret_cast<char*>(bytes));
}

bool ParseAnyHex(std::string_view text, std::string& value) {
  if (text.size() % 2 != 0) return false;
  value.resize(text.size() / 2);
  return DecodeHex(kAnyDigits, text, value.data());
}

void AssignText(std::string& target, std::string_view text) {
  if (target.capacity() > kKeptBytes && text.size() < target.capacity() / 4) {
    std::string(text).swap(target);  // a move would copy short text into the old buffer
    return;
  }
  target.assign(text);
}

}  // namespace dirsync
