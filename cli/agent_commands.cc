// agent run, pause, resume: the process that has the store open, and what it leaves alone.
#include "agent/core/instance.h"
#include "cli/agent_run.h"
#include "cli/command.h"
#include "proto/base/json_text.h"
#include "proto/base/text.h"

namespace dirsync::cli {
namespace {

Result<int> SetPaused(Context& context, const Arguments& arguments, bool paused) {
  DIRSYNC_TRY(store, context.OpenStore());
  std::vector<std::string> names;
  DIRSYNC_CHECK(context.Change(*store, [&](storage::Transaction& transaction) -> Result<> {
    for (const std::string& name : arguments.words()) {
      DIRSYNC_TRY(settings, LoadInstance(transaction, name));
      settings.paused = paused;
      StoreInstance(transaction, settings);
      names.push_back(settings.name);
    }
    return {};
  }));
  if (context.json()) {
    context.out() << JsonObject().Texts("instances", names).Bool("paused", paused).Finish() << '\n';
    return 0;
  }
  const bool dry = context.dry_run();
  const std::string does = paused ? std::string(dry ? " would be" : " is") +
                                        " paused: agents leave it alone until `dirsync resume`\n"
                                  : std::string(dry ? " would go on\n" : " goes on\n");
  for (const std::string& name : names) context.out() << Printable(name) << does;
  return 0;
}

Result<int> Pause(Context& context, const Arguments& arguments) {
  return SetPaused(context, arguments, true);
}
Result<int> Resume(Context& context, const Arguments& arguments) {
  return SetPaused(context, arguments, false);
}

}  // namespace

CommandGroup AgentCommands() {
  return {"The agent",
          {
              {.path = "agent run",
               .help = "keep the store open, run its instances, answer all commands on it",
               .examples = {"dirsync agent run --store /srv/site1",
                            "dirsync agent run --config /etc/dirsync/agent.toml",
                            "dirsync agent run --in /srv/exchange/in --out /srv/exchange/out"},
               .options = {{"--config", "FILE", "TOML: store, files, on_event"},
                           {"--in", "DIR", "files that arrive here are imported"},
                           {"--out", "DIR", "what has changed is exported to files here"},
                           {"--every", "T", "export by file so often, as 30s (default: on change)"},
                           {"--on-event", "PROGRAM", "run for every event, facts on its input"}},
               .run = AgentRun,
               .changes = false,
               .own_process = true},
              {.path = "pause",
               .arguments = "INSTANCE…",
               .words_min = 1,
               .words_max = kManyWords,
               .help = "agents leave these instances alone; nothing fails, nothing is lost",
               .examples = {"dirsync pause INSTANCE1"},
               .run = Pause},
              {.path = "resume",
               .arguments = "INSTANCE…",
               .words_min = 1,
               .words_max = kManyWords,
               .help = "the opposite of pause",
               .examples = {"dirsync resume INSTANCE1"},
               .run = Resume},
          }};
}

}  // namespace dirsync::cli
