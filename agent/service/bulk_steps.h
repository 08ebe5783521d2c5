// The steps of a long write: commits of bounded size, each of them whole, that need not be durable
// before the next one is begun.
#pragma once

#include <functional>
#include <optional>

#include "agent/service/store.h"
#include "storage/absence_filter.h"

namespace dirsync {

// Not thread-safe. Others may commit between two steps.
class BulkSteps {
 public:
  explicit BulkSteps(Store& store) : store_(store), filter_(store.storage()) {
    store_.Watch(filter_);
  }
  ~BulkSteps() {
    Drop();
    store_.Unwatch(filter_);
  }
  BulkSteps(const BulkSteps&) = delete;
  BulkSteps& operator=(const BulkSteps&) = delete;

  // What the transaction of each step stands on.
  const storage::ReadView& view() const { return filter_; }
  // Enough for one step.
  static bool IsFull(const storage::Transaction& step);
  // As Store::Commit.
  Result<> Commit(storage::Transaction& step);
  // As Store::CommitStep: durable with the next Commit. The step is empty afterwards.
  Result<> CommitStep(storage::Transaction& step);

  // A step that stays open over several calls; made, if none is. While it is, everybody else must
  // call Store::Settle before reading what a commit will rest on; it runs `settle`, which must end
  // in Settle or Drop.
  storage::Transaction& Open(std::function<Result<>()> settle);
  bool is_open() const { return open_.has_value(); }
  // CommitStep of the open one. Whatever comes of it, none is open afterwards.
  Result<> Settle();
  // Nothing of the open one is written.
  void Drop();

 private:
  Store& store_;
  storage::AbsenceFilter filter_;
  std::optional<storage::Transaction> open_;
};

}  // namespace dirsync
