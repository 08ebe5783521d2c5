// The parts of an import run that the kinds of file share.
#pragma once

#include <memory>
#include <string>

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
  // The transaction to write into now, and what ends a step of it: a commit of rows and state, or
  // with dry_run nothing (bulk steps roll back, so that memory stays bounded).
  storage::Transaction& Begin();
  Result<> Commit();
  // Likewise, when there is enough for a bulk step, and without waiting until it is durable: the
  // next Commit makes it so. Whether it was.
  Result<bool> CommitStep();
  // Drops what was written since the last Commit, of rows and of state.
  void Abort();

  ImportRun(Store& store_in, const RunRequest& request_in, ReaderState state_in);

 private:
  BulkSteps steps_;
  std::unique_ptr<storage::Transaction> current_;
  ReaderState committed_;
};

// One of our files at `path`, opened: verified, judged, applied. Errors as RunImport;
// kAlreadyApplied when nothing was new.
Result<> ImportSyncFile(ImportRun& run, const std::string& path, ByteSource& source);

// A foreign file at `path`; bad records go to PATH.err.
Result<> ImportForeignFile(ImportRun& run, const std::string& path, ByteSource& source);

}  // namespace dirsync
