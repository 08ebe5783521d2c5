// Entry <-> value of an entry row (storage/FORMAT.md, Values).
#pragma once

#include <string>
#include <string_view>

#include "proto/base/error.h"
#include "proto/model/entry.h"

namespace dirsync {

std::string EncodeEntry(const Entry& entry);
// `id` is the key's. Errors: kCorrupt.
Result<Entry> DecodeEntry(const EntryId& id, std::string_view row);
// The same into `entry`, reusing its memory: for walks over many rows.
Result<> DecodeEntryInto(const EntryId& id, std::string_view row, Entry& entry);

}  // namespace dirsync
