// Whether entries and their index rows agree: the invariants of EntryStore, checked from both
// sides. For `doctor`, the tests and the simulator.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "proto/base/error.h"
#include "storage/storage.h"

namespace dirsync {

// Walks every entry and every row of the name, address, USN, container and tombstone tables of
// `view`, and asks for each row that one implies the other. Returns one sentence per problem, at
// most `problems_max`; empty: none. Damaged rows are problems; errors are those of the storage
// itself (kIo, kCorrupt). Reads everything: about six look-ups per entry.
Result<std::vector<std::string>> CheckConsistency(const storage::ReadView& view,
                                                  std::size_t problems_max = 100);

}  // namespace dirsync
