// Lower-casing by ranges, so that comparison needs neither a locale nor a table of all Unicode.
#include "proto/base/text.h"
#include "proto/base/utf8.h"

namespace dirsync {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

char LowerAscii(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }

bool In(std::uint32_t point, std::uint32_t first, std::uint32_t last) {
  return point >= first && point <= last;
}

std::uint32_t LowerLatin(std::uint32_t p) {
  if (In(p, 0x00C0, 0x00DE) && p != 0x00D7) return p + 32;
  if (p == 0x0130) return 'i';
  if (p == 0x0178) return 0x00FF;
  const bool even_pairs = In(p, 0x0100, 0x0137) || In(p, 0x014A, 0x0177);
  const bool odd_pairs = In(p, 0x0139, 0x0148) || In(p, 0x0179, 0x017E);
  if (even_pairs && p % 2 == 0) return p + 1;
  if (odd_pairs && p % 2 == 1) return p + 1;
  return p;
}

std::uint32_t LowerGreek(std::uint32_t p) {
  if (p == 0x0386) return 0x03AC;
  if (In(p, 0x0388, 0x038A)) return p + 37;
  if (p == 0x038C) return 0x03CC;
  if (In(p, 0x038E, 0x038F)) return p + 63;
  if (In(p, 0x0391, 0x03AB) && p != 0x03A2) return p + 32;
  // Final sigma: upper case has one sigma only, so both must compare equal.
  if (p == 0x03C2) return 0x03C3;
  return p;
}

std::uint32_t LowerCyrillic(std::uint32_t p) {
  if (In(p, 0x0400, 0x040F)) return p + 80;
  if (In(p, 0x0410, 0x042F)) return p + 32;
  if (p == 0x04C0) return 0x04CF;
  if (In(p, 0x04C1, 0x04CE)) return p % 2 == 1 ? p + 1 : p;
  const bool even_pairs = In(p, 0x0460, 0x0481) || In(p, 0x048A, 0x04BF) || In(p, 0x04D0, 0x052F);
  return even_pairs && p % 2 == 0 ? p + 1 : p;
}

std::uint32_t LowerPoint(std::uint32_t p) {
  if (p < 0x0180) return LowerLatin(p);
  if (In(p, 0x0370, 0x03FF)) return LowerGreek(p);
  if (In(p, 0x0400, 0x052F)) return LowerCyrillic(p);
  return p;
}

}  // namespace

std::string FoldName(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  bool blank_pending = false;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (IsBlank(c)) {
      blank_pending = !out.empty();
      ++i;
      continue;
    }
    if (blank_pending) out.push_back(' ');
    blank_pending = false;
    if (static_cast<unsigned char>(c) < 0x80) {
      out.push_back(LowerAscii(c));
      ++i;
      continue;
    }
    const Utf8Character character = FirstCharacter(text.substr(i));
    const std::size_t size = character.size == 0 ? 1 : character.size;
    if (character.size == 2) {
      AppendShortUtf8(LowerPoint(character.point), out);
    } else {
      out.append(text, i, size);
    }
    i += size;
  }
  return out;
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (LowerAscii(a[i]) != LowerAscii(b[i])) return false;
  return true;
}

std::string ToLowerAscii(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = LowerAscii(c);
  return out;
}

std::string ToUpperAscii(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  return out;
}

std::string_view TrimBlanks(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace dirsync
