// The told state, whole: what ranges and full files are made of (R1, R2).
#pragma once

#include <memory>

#include "agent/core/producer_state.h"
#include "agent/core/scope.h"

namespace dirsync {

// Walks told rows in range order (containers by depth, then EntryId), each with its entry as
// told. Never shows what was not told: an entry changed behind the mark, another scope or a compare
// under way end the walk with kRefused ("capture first"). Not thread-safe; `view` must not change
// under it; all arguments must outlive it, and `entries` must read the same view.
class FullCopy {
 public:
  FullCopy(const storage::ReadView& view, const EntryStore& entries, const Scope& scope,
           const ProducerState& state);
  ~FullCopy();
  // The next entry behind (rank, id), as kAdd, into `change` (memory reused); false at the end.
  Result<bool> Next(Change& change);
  // Where the last entry stands in the order. REQUIRES Next returned true.
  storage::Rank rank() const;
  // Goes on behind this key.
  void SeekAfter(storage::Rank rank, const EntryId& id);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace dirsync
