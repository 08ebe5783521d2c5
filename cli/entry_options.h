// Options that give values to entries, shared by `mailbox`, `recipient` and `group`.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/directory/directory.h"
#include "cli/options.h"

namespace dirsync::cli {

// `add`: options of the add commands; else those of set (which can take values away too).
std::vector<OptionSpec> EntryOptionSpecs(bool add);

// Values for a new entry. Errors: kUsage, kInvalid, kNotFound (a person named by a reference).
Result<Attributes> NewAttributes(const Directory& directory, const Arguments& arguments);
// Changes of `entry`. Errors: likewise; kUsage when nothing would change.
Result<EntryEdit> EditOf(const Directory& directory, const Arguments& arguments,
                         const Entry& entry);

// Who a name, DN, address, EntryId or "SITE/ID" stands for; a "SITE/ID" may be unknown yet.
Result<Reference> ReferenceOf(const Directory& directory, std::string_view text);

}  // namespace dirsync::cli
