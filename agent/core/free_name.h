// Names below a container that nobody has: collisions get one deterministic suffix (R8).
#pragma once

#include <string>
#include <string_view>

#include "agent/core/apply_context.h"

namespace dirsync {

// The first of `name` and its suffixed forms (entry_content.h) that is free below `parent`, or is
// `self`'s own. Errors: kBadValue when all are taken.
Result<std::string> FreeName(const ApplyContext& context, const EntryId& parent,
                             std::string_view name, const EntryId& self);

// Whether writing `b` in place of `a` would change anything that people see.
bool SameContent(const Entry& a, const Entry& b);

}  // namespace dirsync
