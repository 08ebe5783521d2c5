// What a reader remembers of the one source that an import instance is bound to (row kReader).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/site_policy.h"
#include "proto/base/error.h"
#include "proto/model/batch.h"
#include "storage/key.h"
#include "storage/transaction.h"

namespace dirsync {

enum class SourceKind : std::uint8_t { kUnbound = 0, kStream = 1, kForeign = 2 };  // R7

// A full copy under way: one commit = one range and this progress.
struct FullJob {
  Position as_of;
  Position highest;        // of its ranges: what was taken may be as new as this
  storage::Rank rank = 0;  // last entry applied: (rank, after); (0, zero) = none yet
  EntryId after;
  std::uint64_t absent = 0;  // candidates marked so far: mirror rows that were not listed
  // All ranges are applied; candidates are being dealt with: recipients up to `after` while `rank`
  // is kRecipientRank, then containers.
  bool ending = false;
  RowSum sum;                   // of the told states listed so far
  AttributeList taken = {"*"};  // what this site took of its source when it began
  auto operator<=>(const FullJob&) const = default;
};

struct RunRetargets {
  std::uint64_t declared = 0;  // by its first batch, which the gate let pass
  std::uint64_t told = 0;      // by its batches so far, counted here
  auto operator<=>(const RunRetargets&) const = default;
};

// Stands for a full copy as of this position where runs are named that wait for a person, or that
// one has judged. No batch's run counts under such an id.
RunId CopyRun(const Position& as_of);
bool IsCopyRun(const RunId& run);

struct ReaderState {
  storage::StreamNumber number = 0;
  SourceKind source = SourceKind::kUnbound;
  StreamName stream;  // kStream
  PublicKey signer;   // pinned at the first import; zero = none yet
  Position cursor;    // kForeign: epoch.counter 1, sequence = files read
  StreamTerms terms;
  RowSum sum;  // of told states of mirror rows that the source still has (R24)
  std::map<EntryClass, std::uint64_t> rows;  // mirror rows by class, held and kept ones too
  // The run being applied and what the gate said of it, for its later batches.
  RunId run;
  std::map<EntryClass, bool> hold_deletes;
  // A fork was seen: until a full copy has ended or a batch of another epoch is applied.
  bool hold_all_deletes = false;
  // Entries that the run gives another address, by class.
  std::map<EntryClass, RunRetargets> retargets;
  // A suspect run that a person let pass, until another run begins; or full copy (CopyRun), until
  // one has ended.
  RunId approved_run;
  std::map<EntryClass, std::uint64_t> approved_retargets;  // of it, as that person saw them
  RunId rejected_run;
  std::optional<RunTotals> suspect;  // what stopped the stream: waiting for approve or reject
  std::optional<FullJob> full;
  // Rows of the last full copy may be newer than the cursor: sums compare from here on (R24).
  Position settled;
  // What this site took of the source when everything here was last brought in step with that:
  // where it takes something else by now, a full copy is due.
  AttributeList taken = {"*"};
  auto operator<=>(const ReaderState&) const = default;
};

// A full copy as of `as_of` has ended, and ends every fork. Of the runs before it none waits, was
// approved or is rejected any longer; one as of the cursor knows nothing of what has yet to come.
void EndRuns(ReaderState& state, const Position& as_of);
// Mirror rows of all classes: what counts as objects of its site.
std::uint64_t RowsOf(const ReaderState& state);
// Whether entries here have other attributes of their source than this site takes of it now, and
// no run of it waits for a person or was rejected. Errors: storage errors.
Result<bool> IsCopyDue(const storage::ReadView& view, const ReaderState& state);
std::string EncodeReader(const ReaderState& state);
Result<ReaderState> DecodeReader(std::string_view row);
// State of the import with this number; nullopt before its first run.
Result<std::optional<ReaderState>> LoadReader(const storage::ReadView& view,
                                              storage::StreamNumber number);
void StoreReader(storage::Transaction& transaction, const ReaderState& state);
// Name of the import instance that is bound to the stream; nullopt: none is.
Result<std::optional<std::string>> FindImport(const storage::ReadView& view,
                                              const StreamName& stream);

// How a file or batch that says `at` follows what was applied (R11, R17). `previous` is the digest
// that it names for its predecessor.
enum class Follows : std::uint8_t {
  kNext,    // apply it
  kRepeat,  // applied before, digest known and equal: kAlreadyApplied
  kGap,     // too early
  kFork,    // another digest where we stand, or one we no longer know
  kOldEpoch,
  kNewEpoch,      // START from exactly where we stand: apply it
  kEpochChanged,  // a newer epoch we cannot follow by batches: a full copy is needed
};
Result<Follows> Judge(const storage::ReadView& view, const ReaderState& state, const Position& at,
                      const Digest& previous, const std::optional<Position>& start_previous);

// Remembers an applied digest; forgets those older than limits::kDigestsKept.
Result<> RememberDigest(storage::Transaction& transaction, storage::StreamNumber number,
                        const Position& position);

}  // namespace dirsync
