// Text of old 8-bit systems as UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace dirsync {

// Takes `bytes` for Windows-1252, which is Latin-1 with printable characters at 0x80-0x9F, and
// appends them as UTF-8. Its five unused bytes become the control characters of Latin-1.
void AppendFromCodePage(std::string& out, std::string_view bytes);

}  // namespace dirsync
