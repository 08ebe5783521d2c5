// Base64 (RFC 4648, section 4): how binary values are typed and shown.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dirsync {

std::string EncodeBase64(std::string_view bytes);
// With padding, without blanks; anything else is nullopt.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace dirsync
