// agent run: the process, its configuration file and its options.
#pragma once

#include <span>
#include <string_view>

#include "cli/context.h"
#include "cli/options.h"
#include "proto/daemon/process_config.h"

namespace dirsync::cli {

Result<int> AgentRun(Context& context, const Arguments& arguments);

// What its configuration file may say; deploy/agent.toml is made of this.
std::span<const ProcessOption> AgentOptions();
// What `agent run` would say to the values of this file. Errors: kConfiguration.
Result<> CheckAgentConfig(const Context& context, const ProcessConfig& config);
// The head of that file.
inline constexpr std::string_view kAgentConfigTitle =
    "Configuration of an agent: dirsync agent run --config FILE. What is synced is not in it.";

}  // namespace dirsync::cli
