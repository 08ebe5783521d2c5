// Base64 of RFC 4648, as LDIF carries values.
#pragma once

#include <string>
#include <string_view>

namespace dirsync {

// Standard alphabet, with padding, without line ends.
void AppendBase64(std::string& out, std::string_view bytes);

// Into `bytes`, whose memory is reused. False for anything but whole groups of the standard
// alphabet with the padding they need.
bool ParseBase64(std::string_view text, std::string& bytes);

}  // namespace dirsync
