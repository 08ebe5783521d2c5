#include "agent/file/code_page.h"

#include <array>
#include <cstdint>

namespace dirsync {
namespace {

// Characters at 0x80-0x9F.
constexpr std::array<std::uint16_t, 32> kUpperControls = {
    0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
    0x2039, 0x0152, 0x008D, 0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178};

}  // namespace

void AppendFromCodePage(std::string& out, std::string_view bytes) {
  for (const char c : bytes) {
    std::uint32_t point = static_cast<unsigned char>(c);
    if (point >= 0x80 && point < 0xA0) point = kUpperControls[point - 0x80];
    if (point < 0x80) {
      out.push_back(c);
    } else if (point < 0x800) {
      out.push_back(static_cast<char>(0xC0 | point >> 6));
      out.push_back(static_cast<char>(0x80 | (point & 0x3F)));
    } else {
      out.push_back(static_cast<char>(0xE0 | point >> 12));
      out.push_back(static_cast<char>(0x80 | (point >> 6 & 0x3F)));
      out.push_back(static_cast<char>(0x80 | (point & 0x3F)));
    }
  }
}

}  // namespace dirsync
