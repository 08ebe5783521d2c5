// One call of Capture: settles entries against the told table, one by one.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/core/capture.h"
#include "agent/core/run_builder.h"
#include "agent/core/told.h"

namespace dirsync {

// What stands in the told table of one entry.
struct ToldAt {
  storage::Rank rank = storage::kRecipientRank;
  ToldRow row;
};

// Not thread-safe; used for one call. Reads one unchanging view: what one entry needs is decided
// once, and told rows of changes that the run holds are not yet written.
class CaptureStep {
 public:
  CaptureStep(storage::Transaction& transaction, const CaptureInput& input, ProducerState& state)
      : transaction_(transaction), input_(input), state_(state), entries_(transaction, input.now) {}

  // All of Capture(); once per object.
  Result<CapturedRun> Run(IdSource& ids);

 private:
  // capture.cc: the order of work.
  Result<> Begin();
  void SetHorizon();
  Result<> Work();
  Result<> StartCompare();
  Result<> AnswerWants();
  Result<> AnswerWant(const EntryId& id);
  Result<> WalkChanges();
  Result<bool> WalkRows();  // false: cut
  Result<> SettleChanged(const EntryId& id);
  bool IsFull() const {
    return bytes_ + builder_.bytes() >= input_.bounds.run_bytes || rows_read_ >= input_.bounds.rows;
  }
  bool IsFirstScan() const { return state_.compare && state_.compare->first_scan; }

  // settle.cc: one entry.
  Result<std::optional<ToldAt>> FindTold(const EntryId& id);
  Result<> LoadContainers();
  // Tells what differs between `entry` (null: not here) and what was told of it (null: nothing).
  // `wanted`: tells it whole, if it is in scope. Containers that left the scope are not told yet.
  Result<> Settle(const EntryId& id, const Entry* entry, const ToldAt* told, bool wanted);
  // The same for `whole_`, which `entry` is told as.
  Result<> SettleInScope(const Entry& entry, const ToldAt* told, bool wanted);
  void NoteContainer(const Entry& entry, storage::Rank rank, const ToldAt* told);
  Result<> EnsureParent();
  Result<> TellWhole(const Entry& entry, storage::Rank rank, const ToldAt* told, bool wanted);
  Result<> TellDelete(const EntryId& id, const ToldAt& told);
  void Put(Change change, ToldEffect effect, bool retarget);
  void PutFirstScan(const EntryId& id, ToldEffect effect);
  void Rekey(const EntryId& id, storage::Rank rank, const ToldAt& told);

  // compare.cc: everything with everything.
  Result<> CompareContainers();
  Result<std::vector<std::pair<storage::Rank, EntryId>>> ContainersInScope();
  Result<> CompareRecipients();
  Result<> CompareRow(const EntryId& id, std::optional<std::string_view> entry_row,
                      std::optional<std::string_view> told_row);
  Result<> DeleteContainers();

  storage::Transaction& transaction_;
  const CaptureInput& input_;
  ProducerState& state_;
  EntryStore entries_;
  std::optional<Scope> scope_;
  RunBuilder builder_;

  // Told containers as storage had them at the beginning of the call, first-scan writes included.
  std::optional<std::map<EntryId, storage::Rank>> told_containers_;
  // Contents of a container that was made later have, each, a change that is still to be read.
  Usn horizon_ = 0;
  bool containers_moved_ = false;     // ranks below them are to be looked at
  bool containers_compared_ = false;  // in this call
  bool containers_left_ = false;      // some must be told deleted, after all else
  bool compare_needed_ = false;       // a container with contents came into the scope or left it
  bool more_ = false;
  std::size_t bytes_ = 0;  // of told rows that a first scan wrote
  std::uint64_t rows_read_ = 0;

  // Reused from entry to entry.
  Entry entry_;
  ToldAt told_;
  Change whole_;
  ToldRow fresh_;
};

}  // namespace dirsync
