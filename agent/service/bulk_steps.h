// The steps of a long write: commits of bounded size, each of them whole, that need not be durable
// before the next one is begun.
#pragma once

#include "agent/service/store.h"
#include "storage/absence_filter.h"

namespace dirsync {

// Not thread-safe; nobody else writes entries meanwhile.
class BulkSteps {
 public:
  explicit BulkSteps(Store& store) : store_(store), filter_(store.storage()) {}

  // What the transaction of each step stands on.
  const storage::ReadView& view() const { return filter_; }
  // Enough for one step.
  static bool IsFull(const storage::Transaction& step);
  // As Store::Commit.
  Result<> Commit(storage::Transaction& step);
  // As Store::CommitStep: durable with the next Commit. The step is empty afterwards.
  Result<> CommitStep(storage::Transaction& step);

 private:
  Store& store_;
  storage::AbsenceFilter filter_;
};

}  // namespace dirsync
