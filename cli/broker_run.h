// broker run: the process, its configuration file and its options.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "cli/context.h"
#include "cli/options.h"
#include "proto/daemon/process_config.h"

namespace dirsync::cli {

Result<int> BrokerRun(Context& context, const Arguments& arguments);

// kWrongKind when a site's store lies in the folder of a broker's.
Result<> CheckNoSite(Context& context, const std::string& path, std::string_view operation);

// What its configuration file may say; deploy/broker.toml is made of this.
std::span<const ProcessOption> BrokerOptions();
// What `broker run` would say to the values of this file. Errors: kConfiguration.
Result<> CheckBrokerConfig(const Context& context, const ProcessConfig& config);
// The head of that file.
inline constexpr std::string_view kBrokerConfigTitle =
    "Configuration of a broker: dirsync broker run --config FILE. All of it may be left out.";

}  // namespace dirsync::cli
