// One character of UTF-8 at a time, without allocation.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace dirsync {

struct Utf8Character {
  std::uint32_t point = 0;
  std::size_t size = 0;  // bytes, 1-4; 0 = the text does not begin with a valid character
};

// The first character of `text` by RFC 3629. size 0 for empty text too.
Utf8Character FirstCharacter(std::string_view text);

// Appends `point`. REQUIRES a valid one below U+0800: all that case folding yields.
void AppendShortUtf8(std::uint32_t point, std::string& out);

// Whether a control character is in it: C0, DEL, or C1 (U+0080 to U+009F). REQUIRES UTF-8.
bool HasControl(std::string_view text);

}  // namespace dirsync
