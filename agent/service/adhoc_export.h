// Exports outside every stream (R15).
#pragma once

#include "agent/service/run.h"

namespace dirsync {

// Writes what the request's scope covers as a file of kind adhoc; reads and writes no state.
// Errors: as RunExport.
Result<RunReport> ExportAdhoc(Store& store, const RunRequest& request);

}  // namespace dirsync
