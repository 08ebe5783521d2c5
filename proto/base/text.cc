#include "proto/base/text.h"

#include <algorithm>
#include <charconv>
#include <numeric>

#include "proto/base/bytes.h"
#include "proto/base/utf8.h"

namespace dirsync {
namespace {

constexpr std::size_t kNearestMax = 3;
constexpr std::size_t kNearestDistance = 2;
constexpr std::size_t kNearestPrefix = 3;
constexpr std::size_t kNearestWordBytes = 64;  // longer words are no typing slips
constexpr std::string_view kCut = "…";

// Characters that move the cursor, hide text or turn its direction.
bool IsHarmful(std::uint32_t p) {
  if (p < 0x20 || (p >= 0x7F && p <= 0x9F)) return true;
  if (p == 0x061C || p == 0x200E || p == 0x200F || p == 0xFEFF) return true;
  return (p >= 0x2028 && p <= 0x202E) || (p >= 0x2066 && p <= 0x2069);
}

std::string Escaped(std::string_view bytes) {
  std::string out;
  for (const char& c : bytes) out += "\\x" + ToHex({&c, 1});
  return out;
}

std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

std::size_t CommonPrefix(std::string_view a, std::string_view b) {
  const auto [end, unused] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  return static_cast<std::size_t>(end - a.begin());
}

// Less is nearer; nullopt: too far.
std::optional<std::size_t> Farness(const std::string& word, const std::string& candidate) {
  if (candidate.size() > kNearestWordBytes) return std::nullopt;
  // The difference in length: no distance is below it.
  const std::size_t more =
      std::max(word.size(), candidate.size()) - std::min(word.size(), candidate.size());
  // A short word is within two edits of anything; at least half of it must stay.
  if (more <= kNearestDistance) {
    const std::size_t distance = EditDistance(word, candidate);
    if (distance <= kNearestDistance && 2 * distance <= word.size()) return distance;
  }
  const std::size_t prefix = CommonPrefix(word, candidate);
  const bool whole = prefix == word.size() || prefix == candidate.size();
  if (prefix < kNearestPrefix || (!whole && 2 * prefix < word.size())) return std::nullopt;
  return kNearestWordBytes + more;
}

}  // namespace

std::string Printable(std::string_view text, std::size_t bytes_max) {
  std::string out;
  out.reserve(std::min(text.size(), bytes_max));
  for (std::size_t i = 0; i < text.size();) {
    const Utf8Character character = FirstCharacter(text.substr(i));
    const std::size_t size = character.size == 0 ? 1 : character.size;
    const std::string_view raw = text.substr(i, size);
    const bool harmful = character.size == 0 || IsHarmful(character.point);
    const std::size_t needed = harmful ? 4 * size : size;
    if (out.size() + needed > bytes_max) return out.append(kCut);
    if (harmful) {
      out += Escaped(raw);
    } else {
      out += raw;
    }
    i += size;
  }
  return out;
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string Join(std::span<const std::string> parts, std::string_view separator) {
  std::string out;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (i > 0) out += separator;
    out += parts[i];
  }
  return out;
}

std::vector<std::string> Nearest(std::string_view word, std::span<const std::string> candidates) {
  if (word.empty() || word.size() > kNearestWordBytes) return {};
  const std::string lower = ToLowerAscii(word);
  std::vector<std::pair<std::size_t, std::size_t>> found;  // farness, index
  for (std::size_t i = 0; i < candidates.size(); ++i)
    if (const auto farness = Farness(lower, ToLowerAscii(candidates[i])))
      found.emplace_back(*farness, i);
  std::sort(found.begin(), found.end());
  if (found.size() > kNearestMax) found.resize(kNearestMax);
  std::vector<std::string> names;
  for (const auto& [farness, index] : found) names.push_back(candidates[index]);
  return names;
}

std::optional<std::uint64_t> ParseNumber(std::string_view text) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  if (text.empty() || error != std::errc() || stop != end) return std::nullopt;
  return number;
}

}  // namespace dirsync
