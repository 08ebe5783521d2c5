// agent run: the process that has the store open.
#include "agent/loop/agent_loop.h"
#include "cli/answer.h"
#include "cli/command.h"
#include "cli/json.h"
#include "proto/base/text.h"

namespace dirsync::cli {
namespace {

Result<int> AgentRun(Context& context, const Arguments&) {
  DIRSYNC_TRY(path, context.StorePath());
  AgentSettings settings;
  settings.store = path;
  settings.answer = AnswerCall;
  settings.log = [&](std::string_view level, std::string_view text) {
    const std::string time = FormatTime(context.world().Now());
    if (context.json()) {
      context.err()
          << JsonObject().Text("time", time).Text("level", level).Text("text", text).Finish()
          << '\n';
    } else {
      context.err() << time << ' ' << level << ": " << PrintableLines(text) << '\n';
    }
  };
  DIRSYNC_CHECK(RunAgent(context.world(), settings));
  return 0;
}

}  // namespace

CommandGroup AgentCommands() {
  return {"The agent",
          {
              {.path = "agent run",
               .help = "keep the store open, run its instances, answer all commands on it",
               .examples = {"dirsync agent run --store /srv/site1"},
               .run = AgentRun,
               .changes = false,
               .own_process = true},
          }};
}

}  // namespace dirsync::cli
