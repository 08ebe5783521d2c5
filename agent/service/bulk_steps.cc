#include "agent/service/bulk_steps.h"

#include <array>

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

Result<> BulkSteps::Commit(storage::Transaction& step) {
  storage::WriteBatch batch = step.Take();
  filter_.Note(batch);
  return store_.Commit(std::move(batch));
}

// The filter is worth its making from the second step on.
Result<> BulkSteps::CommitStep(storage::Transaction& step) {
  if (!filter_.learned() && IsFull(step))
    DIRSYNC_CHECK(filter_.Learn(kAskedTables, limits::kLearnedRows));
  storage::WriteBatch batch = step.Take();
  filter_.Note(batch);
  return store_.CommitStep(std::move(batch));
}

}  // namespace dirsync
