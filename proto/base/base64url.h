// Bytes as text that survives mail, chat and shells (RFC 4648, section 5, without padding).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace dirsync {

// Never fails; about four characters for three bytes.
std::string ToBase64Url(std::string_view bytes);
// nullopt: a character that does not belong there, or an impossible length.
std::optional<std::string> FromBase64Url(std::string_view text);

}  // namespace dirsync
