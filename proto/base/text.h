// UTF-8 text: validity, comparison form, and making foreign text harmless. Locale-free, pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dirsync {

// RFC 3629: no overlong forms, no surrogates, at most U+10FFFF.
bool IsUtf8(std::string_view text);

// Form under which names are compared: lower case (ASCII, Latin-1, Latin Extended-A, Greek,
// Cyrillic), leading and trailing blanks dropped, inner runs of blanks made one. Bytes that are not
// UTF-8 are kept.
std::string FoldName(std::string_view text);

// ASCII case-insensitive equality and lower-casing (attribute names, flags, address types).
bool EqualsIgnoreCase(std::string_view a, std::string_view b);
std::string ToLowerAscii(std::string_view text);
std::string ToUpperAscii(std::string_view text);

// Neutral on a terminal, in a log, on a page: control characters, ESC, DEL, C1, bidi marks and
// invalid bytes become \xHH; at most `bytes_max` bytes of output, then "…".
std::string Printable(std::string_view text, std::size_t bytes_max = 512);

// Splits at each `separator`; empty input gives one empty part.
std::vector<std::string_view> Split(std::string_view text, char separator);
std::string Join(std::span<const std::string> parts, std::string_view separator);
std::string_view TrimBlanks(std::string_view text);

// Of `candidates`, those nearest to `word` by edit distance (at most 2, or a common prefix), best
// first, at most 3: what "did you mean" shows.
std::vector<std::string> Nearest(std::string_view word, std::span<const std::string> candidates);

// Whole number without sign, blanks or overflow; else nullopt.
std::optional<std::uint64_t> ParseNumber(std::string_view text);

}  // namespace dirsync
