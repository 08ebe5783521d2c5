// The configuration files that are shipped say every option of their table, and nothing else.
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "cli/agent_run.h"
#include "cli/broker_run.h"

namespace dirsync::cli {
namespace {

void ExpectShipped(const std::string& file, std::string_view title,
                   std::span<const ProcessOption> options) {
  std::ifstream in(std::string(DIRSYNC_SOURCE_DIR "/deploy/") + file);
  const std::string shipped{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(shipped, ConfigText(title, options)) << "deploy/" << file << " should be that text";
  const auto config = ProcessConfig::Parse(shipped, file, options);
  ASSERT_TRUE(config.has_value()) << config.error().ToString();
  for (const ProcessOption& option : options) {
    EXPECT_FALSE(config->IsGiven(option.name)) << option.name;
    EXPECT_FALSE(option.help.empty() || option.when.empty()) << option.name;
  }
}

TEST(ProcessFiles, Broker_IsItsTable) {
  ExpectShipped("broker.toml", kBrokerConfigTitle, BrokerOptions());
}

TEST(ProcessFiles, Agent_IsItsTable) {
  ExpectShipped("agent.toml", kAgentConfigTitle, AgentOptions());
}

}  // namespace
}  // namespace dirsync::cli
