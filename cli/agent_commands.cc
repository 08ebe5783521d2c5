// agent run, pause, resume: the process that has the store open, and what it leaves alone.
#include "agent/core/instance.h"
#include "agent/loop/agent_loop.h"
#include "cli/answer.h"
#include "cli/command.h"
#include "cli/version.h"
#include "proto/base/json_text.h"
#include "proto/base/text.h"
#include "proto/daemon/process_config.h"

namespace dirsync::cli {
namespace {

constexpr ProcessOption kOptions[] = {
    {"store", OptionKind::kText, "", "folder of the site's store"},
    {"files.in", OptionKind::kText, "", "folder of files that arrive"},
    {"files.out", OptionKind::kText, "", "folder of files that go out"},
    {"files.every", OptionKind::kDuration, "0", "exports by file run so often; 0: on change"},
    {"broker", OptionKind::kText, "", "address of the broker instead of the one joined"},
    {"subscribe", OptionKind::kTexts, "*", "read these: SITE, SITE/INSTANCE or *"},
    {"on_event", OptionKind::kTexts, "", "program and arguments that hear of every event"},
};

Result<ProcessConfig> ConfigOf(const Context& context, const Arguments& arguments) {
  const auto file = arguments.Value("--config");
  if (!file) return ProcessConfig::Of(kOptions);
  return ProcessConfig::Load(context.WholePath(*file), kOptions);
}

// The command line goes before the file. Relative names start where the command was typed.
Result<AgentSettings> SettingsOf(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(config, ConfigOf(context, arguments));
  AgentSettings settings;
  const auto path = context.StorePath();
  if (!path && !config.IsGiven("store")) return std::unexpected(path.error());
  settings.store = config.IsGiven("store") && !arguments.Has("--store")
                       ? context.WholePath(config.Text("store"))
                       : *path;
  const auto folder = [&](std::string_view option, std::string_view name) {
    return context.WholePath(arguments.Value(option).value_or(config.Text(name)));
  };
  settings.files_in = folder("--in", "files.in");
  settings.files_out = folder("--out", "files.out");
  settings.files_every = config.Duration("files.every");
  if (const auto every = arguments.Value("--every")) {
    const auto duration = ParseDuration(*every);
    if (!duration)
      return Fail(ErrorCode::kUsage, "--every " + Printable(*every) + " is no duration",
                  "--every 30s");
    settings.files_every = *duration;
  }
  settings.on_event = config.Texts("on_event");
  if (const auto program = arguments.Value("--on-event"))
    settings.on_event = {context.WholePath(*program)};
  settings.session.address = config.Text("broker");
  settings.session.link.subscribe = config.Texts("subscribe");
  settings.session.link.program = "dirsync " + std::string(kVersion);
  settings.answer = [](AgentControl& agent, CommandCall& call, const std::function<bool()>& stop) {
    AnswerCall(agent, call, stop);
  };
  return settings;
}

Result<int> AgentRun(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(settings, SettingsOf(context, arguments));
  settings.reload = [&] { return SettingsOf(context, arguments); };
  settings.log = [&](std::string_view level, std::string_view text) {
    context.LogLine(level, text);
  };
  DIRSYNC_CHECK(RunAgent(context.world(), std::move(settings)));
  return 0;
}

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
  for (const std::string& name : names)
    context.out() << Printable(name)
                  << (paused ? " is paused: agents leave it alone until `dirsync resume`\n"
                             : " goes on\n");
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
