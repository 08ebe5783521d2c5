// config: the files of processes, without starting one.
#include "cli/agent_run.h"
#include "cli/broker_run.h"
#include "cli/command.h"
#include "proto/base/json_text.h"
#include "proto/base/text.h"

namespace dirsync::cli {
namespace {

struct Program {
  std::string_view title;
  std::span<const ProcessOption> options;
};

Result<Program> ProgramOf(const std::string& name) {
  if (name == "broker") return Program{kBrokerConfigTitle, BrokerOptions()};
  if (name == "agent") return Program{kAgentConfigTitle, AgentOptions()};
  return Fail(ErrorCode::kUsage, "config: " + Printable(name) + " has no configuration file",
              "broker or agent");
}

Result<int> ConfigShow(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(program, ProgramOf(arguments.words().front()));
  if (!context.json()) {
    context.out() << ConfigText(program.title, program.options);
    return 0;
  }
  std::vector<std::string> rows;
  for (const ProcessOption& option : program.options)
    rows.push_back(JsonObject()
                       .Text("name", option.name)
                       .Text("default", option.fallback)
                       .Text("help", option.help)
                       .Text("change", option.when)
                       .Finish());
  context.out() << JsonArray(rows) << '\n';
  return 0;
}

Result<int> ConfigCheck(Context& context, const Arguments& arguments) {
  const std::string& name = arguments.words()[0];
  const std::string& file = arguments.words()[1];
  DIRSYNC_TRY(program, ProgramOf(name));
  DIRSYNC_TRY(config, ProcessConfig::Load(context.WholePath(file), program.options));
  DIRSYNC_CHECK(name == "broker" ? CheckBrokerConfig(context, config)
                                 : CheckAgentConfig(context, config));
  std::vector<std::string> given;
  for (const ProcessOption& option : program.options)
    if (config.IsGiven(option.name)) given.emplace_back(option.name);
  context.out() << (context.json() ? JsonObject().Texts("given", given).Finish()
                                   : Printable(file) + ": good; it gives " +
                                         (given.empty() ? "nothing" : Join(given, ", ")))
                << '\n';
  return 0;
}

}  // namespace

CommandGroup ConfigCommands() {
  return {"Configuration files of processes",
          {
              {.path = "config show",
               .arguments = "broker|agent",
               .words_min = 1,
               .words_max = 1,
               .help = "a file that says every option and changes nothing",
               .examples = {"dirsync config show broker >/etc/dirsync/broker.toml"},
               .run = ConfigShow,
               .changes = false,
               .own_process = true},
              {.path = "config check",
               .arguments = "broker|agent FILE",
               .words_min = 2,
               .words_max = 2,
               .help = "read a file as the process would; what is wrong is named with its place",
               .examples = {"dirsync config check broker /etc/dirsync/broker.toml"},
               .run = ConfigCheck,
               .changes = false,
               .own_process = true},
          }};
}

}  // namespace dirsync::cli
