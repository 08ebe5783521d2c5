// Ids for new things, all from one seed that the loop drew: same seed, same ids.
#pragma once

#include <cstdint>

#include "proto/base/ids.h"
#include "proto/base/time.h"

namespace dirsync {

// Not thread-safe. Distinct seeds give distinct series (BLAKE2b of seed and counter).
class IdSource {
 public:
  explicit IdSource(const Digest& seed) : seed_(seed) {}
  // 16 bytes: 6 of `now` in milliseconds, big-endian, then 2 of a counter and 8 that cannot be
  // guessed; so ids of one load ascend and are stored side by side.
  EntryId NextEntryId(Instant now);
  RunId NextRunId();
  EpochId NextEpochId();
  IncarnationId NextIncarnationId();
  Nonce NextNonce();
  HashKey NextHashKey();

 private:
  Digest Next();
  Digest seed_;
  std::uint64_t counter_ = 0;
};

}  // namespace dirsync
