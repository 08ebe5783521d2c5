// The parts of an import run that the kinds of file share.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/core/reader_state.h"
#include "agent/service/bulk_steps.h"
#include "agent/service/run.h"

namespace dirsync {

// State of one import while its files are read. Made by RunImport.
class ImportRun {
 public:
  Store& store;
  const RunRequest& request;
  ReaderState state;
  RunReport report;
  ApplyInput input;
  MailDomains domains;  // what `input` points to, for what a site signed
  // The state of the instance, or a new one: to be called first.
  Result<> Load();

  // What reads rest on: the store, with dry_run under all that was committed of this run so far.
  const storage::ReadView& accepted() const;
  // The transaction to write into now, over what is accepted, and what ends a step of it: a commit
  // of rows and state. With dry_run it goes into memory: kTooLarge once that is too_large(). The
  // plan's lines of a step are told when it is committed.
  storage::Transaction& Begin();
  Result<> Commit();
  // Likewise, when there is enough for a bulk step, and without waiting until it is durable: the
  // next Commit makes it so. Whether it was.
  Result<bool> CommitStep();
  // Commits the state, and drops the rows that were written since the last Commit.
  Result<> CommitState();
  // Drops what was written since the last Commit, of rows, of state, of the report's counts.
  void Abort();
  // With dry_run: more would be written than memory holds (limits::kDryRunBytes). What the run does
  // is not known then.
  bool too_large() const;

  ImportRun(Store& store_in, const RunRequest& request_in);

 private:
  void DropStep();
  void EndStep();

  BulkSteps steps_;
  storage::Transaction dry_;  // with dry_run: what was committed
  std::unique_ptr<storage::Transaction> current_;
  std::vector<PlanLine> lines_;  // of the current step
  ReaderState committed_;
  ApplyCounts committed_counts_;
};

// One of our files at `path`, opened: verified, judged, applied. Errors as RunImport; kNotPermitted
// of a site that by the roster is revoked, has left, or is another organisation's; kAlreadyApplied
// when nothing was new. Acks and wants are taken from a refused file too, once its writer is known
// here: the instance was bound before.
Result<> ImportSyncFile(ImportRun& run, const std::string& path, ByteSource& source);

// A foreign file at `path`; bad records go to PATH.err.
Result<> ImportForeignFile(ImportRun& run, const std::string& path, ByteSource& source);

}  // namespace dirsync
