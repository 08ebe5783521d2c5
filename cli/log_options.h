// log.level and log.form, which every process has.
#pragma once

#include "proto/daemon/log.h"
#include "proto/daemon/process_config.h"

namespace dirsync::cli {

// Errors: kConfiguration.
Result<LogLevel> LogLevelOf(const ProcessConfig& config);
// `json`: it was asked for with --json.
Result<LogForm> LogFormOf(const ProcessConfig& config, bool json);

}  // namespace dirsync::cli
