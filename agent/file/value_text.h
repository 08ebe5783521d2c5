// How a value stands in one line of text: raw when that is harmless, else `\x` and hex digits.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/base/ids.h"

namespace dirsync {

// True if `text` may stand raw in a line: not empty, UTF-8, no control characters (C1 included),
// no blank at either end, and it begins neither with `"` nor with `\x`. No such text can end a
// line, begin one, or be read as anything but itself.
bool IsPlainText(std::string_view text);

// Appends `value` raw if IsPlainText, else `\x` and two lower-case digits a byte; the empty value
// is `\x` alone, which tells it from no value.
void AppendValueText(std::string& out, std::string_view value);

// Undoes AppendValueText into `value`, whose memory is reused. False, with `value` in any state,
// for text that AppendValueText never writes (upper-case digits, control characters, …).
bool ParseValueText(std::string_view text, std::string& value);

// Two lower-case digits a byte.
void AppendHex(std::string& out, std::string_view bytes);

// Exactly `count` bytes from lower-case digits; false if `text` is anything else.
bool ParseLowerHex(std::string_view text, std::uint8_t* bytes, std::size_t count);

// An id of its whole length.
template <std::size_t N, class Tag>
bool ParseLowerHex(std::string_view text, FixedId<N, Tag>& id) {
  return ParseLowerHex(text, id.bytes.data(), N);
}

// target = text, keeping memory that will be used again but not a buffer much larger than that:
// what one huge value left behind must not stay in every slot it passes through.
void AssignText(std::string& target, std::string_view text);

// A value's hex digits of either case into bytes; false if odd or not hex.
bool ParseAnyHex(std::string_view text, std::string& value);

}  // namespace dirsync
