// Runs instances and prints what came of it: shared by `run` and the old spelling.
#pragma once

#include <optional>
#include <string>

#include "agent/service/run.h"
#include "cli/context.h"
#include "cli/progress.h"

namespace dirsync::cli {

struct RunChoice {
  InstanceSettings settings;
  bool stored = true;
  bool scope_overridden = false;
  bool full = false;
  bool reset_mark = false;
  std::optional<bool> progress;  // asked for, or asked not to show
  bool old_spelling = false;
};

// Import, then export, as the settings say; each has its own outcome (a failed import does not
// stop the export). Prints reports and errors; returns the exit status of the first failure, or 0.
// Errors: kConfiguration, naming every setting that is missing.
Result<int> RunInstance(Context& context, Store& store, const RunChoice& choice);

// Whether the export scope differs from the stored one (R15).
bool ScopeDiffers(const Store& store, const InstanceSettings& stored,
                  const InstanceSettings& merged);

// One report: sentences, or one JSON object. `dry`: what would be done.
void PrintReport(Context& context, const RunReport& report, bool dry);
std::string ReportJson(const RunReport& report);
// "3 added, 1 deleted, 2 held"; "nothing" if all are zero.
std::string CountsText(const ApplyCounts& counts);
void PrintPlanLine(Context& context, const PlanLine& line);
std::string PlanLineJson(const PlanLine& line);

ProgressMeter::Style ProgressStyle(const Context& context, const Console& console,
                                   std::optional<bool> wanted);

}  // namespace dirsync::cli
