// The index rows that make an entry findable: what must stand in storage besides its own row.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/base/error.h"
#include "proto/model/entry.h"

namespace dirsync {

// Keys of AddressKey() of a live entry, ascending, each once: of its Proxy-Addresses, and for a
// custom recipient of its Target-Address. Errors: kInvalid: a value that is no address.
Result<std::vector<std::string>> AddressKeysOf(const Entry& entry);

// Key of NameKey() of a live entry.
std::string NameKeyOf(const Entry& entry);

// Value of rows that point to an entry. Errors: kCorrupt, naming `what`.
std::string IdValue(const EntryId& id);
Result<EntryId> ParseIdValue(std::string_view what, std::string_view value);

// The id at the end of a key of the tables kEntry, kTombstone and kContainer. REQUIRES a key of
// at least its 16 bytes.
EntryId IdAtEnd(std::string_view key);

}  // namespace dirsync
