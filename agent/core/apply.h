// Apply: what a source tells -> entries here, mirror rows and cursor, in the caller's one commit.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/instance.h"
#include "agent/core/mirror.h"
#include "agent/core/reader_state.h"
#include "agent/directory/entry_store.h"
#include "agent/directory/site_profile.h"
#include "proto/model/batch.h"
#include "proto/model/mail_domains.h"

namespace dirsync {

// What an apply did, or (from a transaction that is rolled back) would do.
struct ApplyCounts {
  std::uint64_t added = 0, modified = 0, renamed = 0, deleted = 0, unchanged = 0;
  std::uint64_t held = 0, quarantined = 0, wanted = 0, adopted = 0, superseded = 0;
  // The sum of what was told differs from the source's at the same sequence although nothing is
  // wanted: a full copy is needed (R24).
  bool diverged = false;
  // For people, once: the site has come near its limit of objects. Empty: it has not.
  std::string warning;
  // Changes that did something, or wait: what a site's rate counts.
  std::uint64_t changes() const {
    return added + modified + renamed + deleted + adopted + held + quarantined + wanted;
  }
  auto operator<=>(const ApplyCounts&) const = default;
  void Add(const ApplyCounts& other);
};

// One line of a plan, for people: "add", the entry's DN here, and why.
struct PlanLine {
  std::string action;  // add modify rename delete hold quarantine want adopt
  std::string name;    // DN at the source, or here for deletes
  std::string reason;  // empty when there is nothing to say
};

// What every apply needs besides storage; the references outlive it.
struct ApplyInput {
  const SiteProfile& profile;
  const InstanceSettings& settings;
  Instant now;
  std::function<void(const PlanLine&)> plan;  // may be empty; called per effect, in order
  // Whose mail domains are whose; null or empty: nobody said. Outlives this.
  const MailDomains* domains = nullptr;
};

// Applies one verified batch that Judge() called kNext or kNewEpoch. Writes entries, mirror, held,
// quarantine, wanted rows, digests, budget; moves state.cursor and sums (state is not stored).
// A change of a version not above its mirror row's changes nothing. Nothing that is not ours is
// touched (R8). An unbound state is bound to the batch's stream. Errors: kSuspect (state.suspect
// is set: drop the transaction and store the state), kRefused (the run was rejected), kOwnStream,
// kWrongStream, kAlreadyApplied (behind the cursor), kEpochChanged (another hash key, or a full
// copy of a newer epoch is under way), kOverLimit (PolicyMeter::Judge: the site's limits here),
// storage errors. After any of them but kSuspect `state` is as before and the transaction must be
// dropped.
Result<ApplyCounts> ApplyBatch(storage::Transaction& transaction, const ApplyInput& input,
                               const Batch& batch, const Digest& digest, ReaderState& state);

// A full copy, range by range; each range stands at a position of its own, none before the first
// one's. Begin once (or after a restart with state.full set: it goes on),
// Take in range order any number of entries, then End; the caller commits transaction and state
// whenever it likes between calls, giving a fresh transaction. The gate counts the entries that it
// gives another address, with those of the stream's batches (R5), and what waits for a person or
// was rejected stops it too (R4).
class FullApply {
 public:
  // REQUIRES: `as_of` is not behind the cursor in the same epoch; state.stream is set. Verifies
  // nothing itself.
  FullApply(const ApplyInput& input, const Position& as_of, const StreamTerms& terms,
            ReaderState& state);
  ~FullApply();
  // Whether a person here asked for this copy: then the gate lets its addresses pass, and its end
  // answers what waits. Until it is called, nobody did.
  void AskedHere(bool asked_here);
  // Binds to the caller's current transaction, which holds nothing that `state` does not know.
  void Begin(storage::Transaction& transaction);
  // What is taken from here on is told as of `position` (R2). REQUIRES: not behind the first one,
  // of the same epoch; at another position than before, no container is under way (containers()).
  void At(const Position& position);
  // Whether containers are still being listed: they must all be as of one position.
  bool containers() const;
  // Entries at or before state.full's progress are passed over (a restart repeats the file).
  // False: limits::kBulkRows rows that were not listed are marked: commit, and take it again.
  // Errors: kBadRecord (out of order, a container whose parent was not listed), kOwnStream,
  // kSuspect, kRefused (both: state is as at Begin, but for state.suspect: drop the transaction and
  // store the state), storage errors.
  Result<bool> Take(const Change& whole);
  // After the last: rows not listed and not newer are deleted through the gate, at most
  // limits::kBulkRows a call (false: commit and call again); then the cursor moves to as_of.
  // Batches behind it change only rows that are not newer. Errors: as of Take.
  // `after_rollback`: every delete is held (R5).
  Result<bool> End(bool after_rollback);
  const ApplyCounts& counts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Whole entries outside every stream (R15): upserts of entries that no stream owns. Errors:
// kOwnStream, storage errors.
Result<ApplyCounts> ApplyAdhoc(storage::Transaction& transaction, const ApplyInput& input,
                               std::string_view origin_site, const Change& whole,
                               ReaderState& adhoc_state);

}  // namespace dirsync
