// The mirror table: of each entry told to us, what was told, as which local entry, and how it
// stands (R27). Every told entry has a row, applied or not, so that sums compare.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/error.h"
#include "proto/base/time.h"
#include "proto/model/change.h"
#include "storage/key.h"

namespace dirsync {

enum class MirrorStatus : std::uint8_t {
  kApplied = 1,
  kQuarantined = 2,  // told, but not in the directory
  kHeld = 3,         // the source deleted it; the gate kept it (not in the sum)
  kKept = 4,         // likewise, and a person rejected the delete (not in the sum)
};
// How a told entry found its local one (R8).
enum class JoinedBy : std::uint8_t { kCreated = 1, kIdentity = 2, kAddress = 3, kName = 4 };

// Value of a mirror row.
struct MirrorRow {
  Version version;
  Instant time{};
  MirrorStatus status = MirrorStatus::kApplied;
  JoinedBy joined = JoinedBy::kCreated;
  bool renamed = false;  // a suffix was needed for the name
  bool absent = false;   // not listed by the full copy under way
  EntryId local;         // zero while quarantined
  ToldState told;
  // Only while quarantined with an entry here: names of attributes that it has from what was told
  // before, though `told` has moved on without them. Ascending.
  std::vector<std::string> stale;
  // Names of told attributes that the entry here does not have from its source, because this site
  // does not take them (site_policy.h). Ascending.
  std::vector<std::string> kept_out;
};

std::string EncodeMirror(const MirrorRow& row);
Result<MirrorRow> DecodeMirror(std::string_view value);
Result<> DecodeMirrorInto(std::string_view value, MirrorRow& row);

// Local id of an imported entry: BLAKE2b-128 of (origin site, id), see R22.
EntryId LocalIdOf(std::string_view origin_site, const EntryId& id);

}  // namespace dirsync
