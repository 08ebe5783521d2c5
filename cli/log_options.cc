#include "cli/log_options.h"

#include "proto/base/text.h"

namespace dirsync::cli {

Result<LogLevel> LogLevelOf(const ProcessConfig& config) {
  const std::string text = config.Text("log.level");
  if (const auto level = ParseLogLevel(text)) return *level;
  return Fail(ErrorCode::kConfiguration,
              "log.level " + Printable(text) + " is not debug, info, warning or error");
}

Result<LogForm> LogFormOf(const ProcessConfig& config, bool json) {
  const std::string text = json ? "json" : config.Text("log.form");
  if (const auto form = ParseLogForm(text)) return *form;
  return Fail(ErrorCode::kConfiguration,
              "log.form " + Printable(text) + " is not text, json or auto");
}

}  // namespace dirsync::cli
