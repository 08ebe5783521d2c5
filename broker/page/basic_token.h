// The password of HTTP Basic (RFC 7617).
#pragma once

#include <string_view>

namespace dirsync {

// Whether `authorization` ("Basic …") carries `token` as password; the user name is not looked at.
// Takes the same time wherever they differ.
bool MatchesBasic(std::string_view authorization, std::string_view token);

}  // namespace dirsync
