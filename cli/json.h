// Attribute values as JSON; the writer itself is proto/base/json_text.h.
#pragma once

#include <string>
#include <string_view>

#include "proto/base/json_text.h"

namespace dirsync::cli {

// An attribute value: text; or, if it is binary or not UTF-8, {"base64":"…"}.
std::string JsonValue(std::string_view value, bool binary);

}  // namespace dirsync::cli
