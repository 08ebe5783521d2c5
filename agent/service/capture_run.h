// Telling without showing: what changed in the directory becomes batches of the outbox. Files and
// the broker take them from there.
#pragma once

#include <functional>

#include "agent/core/capture.h"
#include "agent/core/instance.h"
#include "agent/service/store.h"

namespace dirsync {

// State of the export of `settings`; a new one if it never ran. With `keep` the number of a new
// stream is stored.
Result<ProducerState> LoadExport(Store& store, const InstanceSettings& settings, bool keep);

struct CaptureOptions {
  bool compare_all = false;
  bool dry_run = false;                      // nothing is stored
  std::function<void(const Change&)> visit;  // sees each change told; may be empty
};
// Runs until nothing is left to capture, one commit a run; moves `state` with each, so that after
// an error it is as stored. Nothing is written where nothing has changed. Whether something was
// told. Errors: of Capture and NumberRun, kDiskFull, kIo.
Result<bool> CaptureAll(Store& store, const InstanceSettings& settings,
                        const CaptureOptions& options, ProducerState& state);

}  // namespace dirsync
