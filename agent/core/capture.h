// Capture: the directory as it is now against the told table -> a run of changes (R1, R26).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/producer_state.h"
#include "agent/core/scope.h"
#include "proto/base/crypto.h"
#include "proto/base/id_source.h"
#include "proto/base/limits.h"
#include "proto/model/batch.h"

namespace dirsync {

// What telling one change does to the told table and its sum. Done by NumberRun, which knows the
// version.
struct ToldEffect {
  storage::Rank rank = storage::kRecipientRank;  // of the row to write
  std::string row;  // EncodeTold, not stamped; empty: the entry is no longer told
  std::optional<storage::Rank> before;  // of the row that stood before
  RowSum sum;                           // of the row to write; zero if none
  RowSum sum_before;                    // of the row that stood before; zero if none
  auto operator<=>(const ToldEffect&) const = default;
};

// One run, at most limits::kRunBytes: containers first by depth, then deletes of recipients (names
// and addresses must be free for those who take them over), then recipients, then deletes of
// containers, deepest first.
struct CapturedRun {
  std::vector<Change> changes;
  std::vector<ToldEffect> effects;  // one per change
  RunTotals totals;
  bool more = false;  // call again: the run was cut, or a compare is not yet at its end
  std::uint64_t rows_read = 0;
  std::uint64_t without_address = 0;  // entries met that are left out for want of an address
};

// Where one call stops. Bytes are of memory: of changes, or of told rows that a first scan writes.
struct CaptureLimits {
  std::size_t run_bytes = limits::kRunBytes / 4 * 3;
  std::size_t rows = 64 * limits::kStepRows;
};

// What a capture needs besides storage; the references outlive it.
struct CaptureInput {
  const SiteProfile& profile;
  const InstanceSettings& settings;
  Instant now;
  bool compare_all = false;  // begin a compare even if nothing asks for one
  CaptureLimits bounds = {};
};

// Walks on from the mark (or through the compare that a first run, changed settings, a container
// that moved in or out, or purged tombstones ask for), moves the mark and the compare in `state`
// (not stored), and returns what must be told. The caller hands that to NumberRun in the same
// commit, or drops transaction and state. Nothing is shown before `more` is false.
// The first scan of a stream writes told rows and sums itself, with version (epoch, 1), and returns
// nothing to tell. Wanted ids are carried whole and forgotten.
// Cost: the changes since the mark, not the directory. Memory: below 100 MiB.
// Errors: of Scope::Make; kTooLarge (more than limits::kContainers); storage errors.
Result<CapturedRun> Capture(storage::Transaction& transaction, const CaptureInput& input,
                            ProducerState& state, IdSource& ids);

// About what a change takes in a payload. Batches and ranges are closed by it.
std::size_t PayloadBytes(const Change& change);

// One numbered batch of a run.
struct NumberedBatch {
  Digest digest;
  Batch batch;
  std::string stored;
};

// Cuts the run into batches (limits::kBatchTargetBytes, kChangesPerBatch), preceded by START when
// the epoch has none yet; numbers, signs and chains them; writes them to the outbox, the told rows
// of its changes with their true versions, and the digests into `transaction`; moves `state`.
// START carries sum and rows as they are before the run. A run without changes yields START alone,
// or nothing; while a first scan is under way, nothing. Errors: kTooLarge (the outbox is full:
// limits::kOutboxBytes unacked; the hint names who has not acked).
Result<std::vector<NumberedBatch>> NumberRun(storage::Transaction& transaction, CapturedRun run,
                                             ProducerState& state, const SigningKey& key,
                                             Instant now);

// A batch that says only where the told table stands: number of rows and sum (R24). For streams
// that were begun; else nothing. Errors: as NumberRun.
Result<std::vector<NumberedBatch>> NumberCanary(storage::Transaction& transaction,
                                                ProducerState& state, const SigningKey& key,
                                                Instant now);

}  // namespace dirsync
