#include "agent/service/tombstones.h"

#include <chrono>

#include "agent/directory/entry_store.h"
#include "proto/base/limits.h"

namespace dirsync {

Result<std::size_t> PurgeTombstones(storage::Transaction& transaction, Instant now) {
  return EntryStore(transaction, now).Purge(now - std::chrono::seconds(limits::kTombstoneSeconds));
}

}  // namespace dirsync
