#include "cli/agent_run.h"

#include "agent/loop/agent_loop.h"
#include "cli/answer.h"
#include "cli/log_options.h"
#include "cli/version.h"
#include "proto/base/text.h"

namespace dirsync::cli {
namespace {

constexpr ProcessOption kOptions[] = {
    {"store", OptionKind::kText, "", "Folder of the site's store.", "to where it was made."},
    {"files.in", OptionKind::kText, "", "Folder of files that arrive; SIGHUP puts it in force.",
     "when files are carried."},
    {"files.out", OptionKind::kText, "", "Folder of files that go out; SIGHUP puts it in force.",
     "when files are carried."},
    {"files.every", OptionKind::kDuration, "0",
     "Exports by file run so often; 0: on change. SIGHUP puts it in force.",
     "when many small files are a burden."},
    {"broker", OptionKind::kText, "", "Address of the broker instead of the one joined.",
     "when the broker has moved."},
    {"subscribe", OptionKind::kTexts, "*", "Streams that are read: SITE, SITE/INSTANCE or *.",
     "when some sites are not wanted."},
    {"on_event", OptionKind::kTexts, "",
     "Program and arguments that hear of every event; SIGHUP puts it in force.",
     "to get mail, tickets or chat."},
    {"log.level", OptionKind::kText, "info",
     "debug, info, warning or error; SIGHUP puts it in force.", "when looking for a cause."},
    {"log.form", OptionKind::kText, "auto",
     "text, json, or auto: text on a terminal, else JSON lines.",
     "when whoever reads it wants the other."},
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

}  // namespace

std::span<const ProcessOption> AgentOptions() { return kOptions; }

Result<> CheckAgentConfig(const Context&, const ProcessConfig& config) {
  DIRSYNC_CHECK(LogLevelOf(config));
  DIRSYNC_CHECK(LogFormOf(config, false));
  return {};
}

Result<int> AgentRun(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(config, ConfigOf(context, arguments));
  DIRSYNC_TRY(settings, SettingsOf(context, arguments));
  DIRSYNC_TRY(form, LogFormOf(config, context.json()));
  DIRSYNC_TRY(level, LogLevelOf(config));
  Log log("agent", form, level);
  settings.log = [&](std::string_view given, std::string_view text) {
    log.Write(ParseLogLevel(given).value_or(LogLevel::kInfo), text);
    log.Tick();
  };
  settings.reload = [&]() -> Result<AgentSettings> {
    DIRSYNC_TRY(fresh, ConfigOf(context, arguments));
    DIRSYNC_TRY(fresh_level, LogLevelOf(fresh));
    log.SetLevel(fresh_level);
    return SettingsOf(context, arguments);
  };
  DIRSYNC_CHECK(RunAgent(context.world(), std::move(settings)));
  return 0;
}

}  // namespace dirsync::cli
