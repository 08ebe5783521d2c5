// Text of a filter (RFC 4515) to its tree.
#pragma once

#include <string_view>

#include "proto/base/error.h"
#include "proto/model/filter_term.h"

namespace dirsync {

// Blanks between components are accepted. Errors: kInvalid with the position, see Filter::Parse;
// kTooLarge beyond limits::kFilterBytes.
Result<FilterTerm> ParseFilterTerm(std::string_view text);

}  // namespace dirsync
