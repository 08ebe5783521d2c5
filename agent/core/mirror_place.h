// Keys of the mirror table, taken apart: walks need the place that a row stands at.
#pragma once

#include <compare>
#include <string_view>

#include "proto/base/error.h"
#include "storage/key.h"

namespace dirsync {

// Order of a full copy.
struct MirrorPlace {
  storage::Rank rank = 0;
  EntryId id;
  auto operator<=>(const MirrorPlace&) const = default;
};

// Of a MirrorKey. Errors: kCorrupt.
Result<MirrorPlace> PlaceOf(std::string_view mirror_key);

// The id at the end of a key of (stream, EntryId). Errors: kCorrupt.
Result<EntryId> IdOfKey(std::string_view key);

}  // namespace dirsync
