#include "agent/service/bulk_steps.h"

#include <array>
#include <utility>

#include "proto/base/limits.h"

namespace dirsync {
namespace {

// What is asked of every new entry: are its id, its name and its addresses free?
constexpr std::array kAskedTables = {storage::Table::kEntry, storage::Table::kName,
                                     storage::Table::kAddress};

}  // namespace

bool BulkSteps::IsFull(const storage::Transaction& step) {
  return step.bytes() >= limits::kBulkBytes;
}

Result<> BulkSteps::Commit(storage::Transaction& step) { return store_.Commit(step.Take()); }

// The filter is worth its making once a large step was written.
Result<> BulkSteps::CommitStep(storage::Transaction& step) {
  if (!filter_.learned() && step.bytes() > limits::kIngestBytes)
    DIRSYNC_CHECK(filter_.Learn(kAskedTables, limits::kLearnedRows));
  return store_.CommitStep(step.Take());
}

storage::Transaction& BulkSteps::Open(std::function<Result<>()> settle) {
  if (!open_) {
    open_.emplace(view());
    store_.OpenStep(std::move(settle));
  }
  return *open_;
}

Result<> BulkSteps::Settle() {
  if (!open_) return {};
  store_.CloseStep();
  auto committed = CommitStep(*open_);
  open_.reset();
  return committed;
}

void BulkSteps::Drop() {
  if (!open_) return;
  store_.CloseStep();
  open_.reset();
}

}  // namespace dirsync
