// Exports outside every stream (R15).
#pragma once

#include <functional>

#include "agent/core/scope.h"
#include "agent/service/run.h"

namespace dirsync {

// Hands what `scope` covers to `visit`: containers by depth, then the rest, as whole changes.
Result<> WalkScope(Store& store, const Scope& scope,
                   const std::function<Result<>(const Change&)>& visit);

// Writes what the request's scope covers as a file of kind adhoc; reads and writes no state.
// Errors: as RunExport.
Result<RunReport> ExportAdhoc(Store& store, const RunRequest& request);

}  // namespace dirsync
