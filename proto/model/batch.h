// Batches in their domain form. Bytes: proto/PROTOCOL.md; conversion: proto/codec/batch_codec.h.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto/base/ids.h"
#include "proto/base/time.h"
#include "proto/model/change.h"

namespace dirsync {

enum class BatchKind : std::uint8_t {
  kStart = 1,  // sequence 1 of an epoch: names the end of the one before (R17)
  kChanges = 2,
  kCanary = 3,  // carries the sum only (R24)
  // Not a batch of the stream but a range of its full copy, signed like one: stands at (epoch,
  // sequence, previous = digest of that sequence); `changes` are whole entries (R2).
  kRange = 4,
};

// Changes of one run by class; what the gate judges (R5).
struct ClassTotals {
  std::uint64_t adds = 0, modifies = 0, renames = 0, deletes = 0;
  std::uint64_t retargets = 0;  // modifies whose target address changed
  auto operator<=>(const ClassTotals&) const = default;
};
struct RunTotals {
  RunId run;
  std::map<EntryClass, ClassTotals> by_class;
  auto operator<=>(const RunTotals&) const = default;
};

// What a reader must know of the stream besides its changes.
struct StreamTerms {
  HashKey hash_key;                     // of this epoch (R27)
  std::string address_type;             // of target addresses, "EDK"
  std::vector<std::string> attributes;  // told attributes; a single "*" = all exported ones
  auto operator<=>(const StreamTerms&) const = default;
};

// kRange only: the told rows behind (rank_after, after), all of them up to (rank_last, last), in
// the order of a full copy. `end`: nothing follows.
struct RangeBounds {
  std::uint8_t rank_after = 0;  // (0, zero): from the beginning
  EntryId after;
  std::uint8_t rank_last = 0;
  EntryId last;
  bool end = false;
  auto operator<=>(const RangeBounds&) const = default;
};

struct Batch {
  StreamName stream;
  Epoch epoch;
  Sequence sequence = 0;
  Digest previous;  // digest of `sequence` - 1; zero for 1
  BatchKind kind = BatchKind::kChanges;
  Instant time{};
  StreamTerms terms;
  RunTotals run;
  std::vector<Change> changes;
  // Of all told rows and their number, after this batch.
  RowSum sum_after;
  std::uint64_t rows_after = 0;
  // kStart only: where the previous epoch ended, as its producer knows; counter 0 = none.
  Position previous_epoch;
  RangeBounds range;  // kRange only
  auto operator<=>(const Batch&) const = default;
};

}  // namespace dirsync
