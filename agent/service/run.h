// Runs of instances: capture and export, verify and import.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/apply.h"
#include "agent/core/instance.h"
#include "agent/service/store.h"

namespace dirsync {

// How far a run is; `total` 0 = not known.
struct Progress {
  std::string what;  // "reading SYNC1", "writing SYNC1"
  std::uint64_t done = 0;
  std::uint64_t total = 0;
};

// What a run of an instance does; an instance may do both, import first.
enum class Direction : std::uint8_t { kExport = 1, kImport = 2 };

// What a run did, or with dry_run would do. JSON keys are the same names.
struct RunReport {
  std::string instance;
  Direction direction = Direction::kExport;
  Instant time{};
  ApplyCounts counts;  // export: what was told (added, modified, renamed, deleted)
  std::string stream;  // "Testorg/Site1/INSTANCE1"; empty: foreign or ad hoc
  Epoch epoch;
  Sequence sequence = 0;           // position after the run
  std::string file;                // written, or the last one read; empty = none
  std::vector<std::string> files;  // all of them
  bool full = false;
  bool adhoc = false;
  bool nothing_to_do = false;
  bool sums_equal = false;         // import of a stream: proof compared and equal (R24)
  std::uint64_t bad_records = 0;   // foreign: written to FILE.err
  std::vector<std::string> notes;  // for people: pinned fingerprint, entries without address …
  // First error that concerned one of several files: the rest was done. kInternal + empty = none.
  std::optional<Error> problem;
};

// What a run is asked to do.
struct RunRequest {
  InstanceSettings settings;      // stored ones, with this run's overrides merged in
  bool stored = true;             // false: no instance: no state is read or written
  bool scope_overridden = false;  // container, subs, filter, class, attributes from this run (R15)
  bool full = false;
  bool dry_run = false;     // nothing is written anywhere
  bool reset_mark = false;  // old /USN=0: compare everything
  bool alone = false;       // import: the import file itself, and none of those beside it
  std::function<void(const Progress&)> progress;  // may be empty
  std::function<void(const PlanLine&)> plan;      // sees each effect; may be empty
  // First import of a new pair: counts and fingerprint -> go on? Empty: yes.
  std::function<bool(const RunReport&, const std::string& fingerprint)> confirm;
};

// Export (R1, R13, R15): capture, commit, file by rename. Finishes first what an earlier run
// left half done. Errors: kConfiguration (no export file …), kNotFound, kRefused (the producer's
// own gate: source shrank), kIo, kDiskFull.
Result<RunReport> RunExport(Store& store, const RunRequest& request);

// Import (R7, R11, R13): F and F.* in the order of their headers; each is verified whole before
// anything of it is applied. Takes acks and wants that ride in the files. Errors: those of
// VerifySyncFile, kGap, kFork, kWrongStream, kOldEpoch, kEpochChanged, kSuspect, kOverLimit,
// kUnsigned, kKeyChanged, kOwnStream, kNotFound (no file); kTooLarge for a dry run that would write
// more than limits::kDryRunBytes. kAlreadyApplied is no error but nothing_to_do.
Result<RunReport> RunImport(Store& store, const RunRequest& request);

// A plan: the printable effects of a run, and an id that changes when any of them would.
struct Plan {
  std::string id;               // 16 hex digits
  std::vector<PlanLine> lines;  // at most 10,000 kept; counts are complete
  RunReport report;
};
Result<Plan> MakePlan(Store& store, const RunRequest& request, Direction direction);
// Runs exactly the plan. Errors: kStalePlan when it would do anything else now; kNotFound.
Result<std::vector<RunReport>> ApplyPlan(Store& store, const std::string& plan_id,
                                         const std::function<void(const Progress&)>& progress);

// The last runs, newest first.
Result<std::vector<RunReport>> ListRuns(Store& store, std::size_t count);
// Remembers a run, the last 1,000 of them; and removes tombstones that are too old.
Result<> RecordRun(Store& store, const RunReport& report);

// The cursor that a reader tells its producer where no file goes back (one-way links): text
// "STREAM EPOCH SEQUENCE DIGEST" printed by the reader and given here. Returns what it did, or with
// dry_run would do, for people.
Result<std::string> AckText(Store& store, const std::string& import_instance);
Result<std::string> TakeAckText(Store& store, const std::string& reader_site,
                                const std::string& text, bool dry_run);

// Deletes the instance and its state. While it owns imported entries here: `contacts` empty =
// kNotEmpty; "keep" makes them local, "delete" deletes them through plan and gate.
Result<ApplyCounts> DeleteInstance(Store& store, const std::string& name,
                                   const std::string& contacts, bool dry_run);
// The same of its import; an instance that exports too stays, with its export as it is.
Result<ApplyCounts> EndImport(Store& store, const std::string& name, const std::string& contacts);

}  // namespace dirsync
