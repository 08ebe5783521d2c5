// Join and adoption (R8): which entry here a told one is, if any.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/apply_context.h"
#include "agent/core/mirror.h"

namespace dirsync {

// Nobody's custom recipient that the told entry becomes.
struct Adoption {
  Entry entry;
  JoinedBy by = JoinedBy::kAddress;
};

// Live entries besides `self` that hold one of the addresses (Target-Address, Proxy-Addresses) of
// `entry`; each once, in the order of its addresses.
Result<std::vector<EntryId>> HoldersOf(const ApplyContext& context, const Entry& entry,
                                       const EntryId& self);

// "address held by A, B", all of them by DN.
Result<std::string> NameHolders(const ApplyContext& context, const std::vector<EntryId>& holders);

// For a told entry that is not here by identity. `fresh` is what would be created, `display_name`
// the told one. nullopt: create it. Errors: kAddressTaken, naming all holders.
Result<std::optional<Adoption>> FindAdoption(ApplyContext& context, const Change& change,
                                             const Entry& fresh, std::string_view display_name);

}  // namespace dirsync
