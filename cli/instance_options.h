// Options that say how an instance exports and imports: for `instance set`, and for one run only.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/core/instance.h"
#include "cli/context.h"
#include "cli/options.h"

namespace dirsync::cli {

std::vector<OptionSpec> InstanceOptionSpecs();

// Writes what is given into `settings`; file names become whole. Errors: kUsage (options that
// contradict, wrong values), kInvalid (filter, attribute names): all of them in one message.
Result<> ApplyInstanceOptions(const Context& context, const Arguments& arguments,
                              InstanceSettings& settings);

// What is missing for a run in these directions, as "--export-file F" (or "/EXPFILE=F").
std::vector<std::string> MissingSettings(const InstanceSettings& settings, bool old_spelling);

// "export", "import", "both", or "none".
std::string_view DirectionName(const InstanceSettings& settings);

// Pairs of a setting and its value, only those that matter for its directions: for `instance show`.
std::vector<std::pair<std::string, std::string>> DescribeInstance(const Context& context,
                                                                  const InstanceSettings& settings);
// Every setting, with the names of the options: {"name":…,"export":true,"export_file":…}.
std::string InstanceJsonFields(const InstanceSettings& settings, std::string_view more);

}  // namespace dirsync::cli
