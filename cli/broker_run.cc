#include "cli/broker_run.h"

#include <fstream>

#include "broker/loop/broker_loop.h"
#include "cli/answer.h"
#include "cli/log_options.h"
#include "cli/version.h"
#include "proto/base/json_text.h"
#include "proto/base/text.h"

namespace dirsync::cli {
namespace {

constexpr ProcessOption kOptions[] = {
    {"store", OptionKind::kText, "broker",
     "Folder of the broker's store; made when it is not there.",
     "to where its disk has room for limits.log."},
    {"listen", OptionKind::kText, "tcp://127.0.0.1:7600",
     "Where agents connect. Port 0: a free one.",
     "to an address that agents reach, as tcp://0.0.0.0:7600."},
    {"join_listen", OptionKind::kText, "tcp://127.0.0.1:7601",
     "The join door, where new sites ask; strangers are refused unless `broker invite` opened it.",
     "together with listen."},
    {"public_address", OptionKind::kText, "", "What invitations name instead of listen.",
     "when agents reach the broker by a name, or through a firewall."},
    {"public_join_address", OptionKind::kText, "", "What invitations name instead of join_listen.",
     "together with public_address."},
    {"page.port", OptionKind::kText, "7680",
     "Port of page, metrics, API and health; \"0\": a free one, \"off\": none.",
     "when another program has it."},
    {"page.address", OptionKind::kText, "127.0.0.1", "Address of the page.",
     "only together with page.token_file; a proxy that authenticates is better."},
    {"page.host_names", OptionKind::kTexts, "",
     "Names besides localhost under which it is asked for.",
     "when a proxy or another machine asks."},
    {"page.token_file", OptionKind::kText, "",
     "File with the password that the page asks for (one line, 16 characters or more).",
     "together with page.address."},
    {"log.level", OptionKind::kText, "info",
     "debug, info, warning or error; SIGHUP puts it in force.", "when looking for a cause."},
    {"log.form", OptionKind::kText, "auto",
     "text, json, or auto: text on a terminal, else JSON lines.",
     "when whoever reads it wants the other."},
    {"limits.reader", OptionKind::kBytes, "512MiB",
     "What the log keeps for a reader that lags, of one stream; 512MiB at most, half of what its "
     "producer can keep. SIGHUP puts it in force.",
     "to less on a small disk."},
    {"limits.reader_age", OptionKind::kDuration, "30d",
     "How long it keeps it; SIGHUP puts it in force.", "when sites are away for longer."},
    {"limits.log", OptionKind::kBytes, "16GiB",
     "All streams together; beyond, or when one site's fill a quarter, producers wait (QUOTA). "
     "SIGHUP "
     "puts it in force.",
     "to half of the disk."},
    {"limits.sessions", OptionKind::kNumber, "8192", "Connected sites; SIGHUP puts it in force.",
     "to let fewer in than open files allow."},
    {"limits.disk_free", OptionKind::kBytes, "1GiB",
     "Below this much free room nothing more is taken (READ_ONLY); SIGHUP puts it in force.",
     "on a small disk of its own."},
    {"limits.disk_free_percent", OptionKind::kNumber, "1",
     "The same as a part of the disk; the greater of both counts. SIGHUP puts it in force.",
     "on a large disk that others share."},
};

Result<ProcessConfig> ConfigOf(const Context& context, const Arguments& arguments) {
  const auto file = arguments.Value("--config");
  if (!file) return ProcessConfig::Of(kOptions);
  return ProcessConfig::Load(context.WholePath(*file), kOptions);
}

Error Wrong(std::string_view option, const std::string& value, const std::string& wanted) {
  return {ErrorCode::kConfiguration,
          "broker run: " + std::string(option) + " " + Printable(value) + " is not " + wanted, ""};
}

Result<BrokerLimits> LimitsOf(const ProcessConfig& config) {
  BrokerLimits limits;
  limits.settings.reader_bytes_max = config.Number("limits.reader");
  if (limits.settings.reader_bytes_max > limits::kReaderBytes)
    return std::unexpected(
        Wrong("limits.reader", std::to_string(config.Number("limits.reader")),
              std::to_string(limits::kReaderBytes / limits::kMiB) + "MiB or less"));
  limits.settings.reader_seconds_max =
      std::chrono::duration_cast<std::chrono::seconds>(config.Duration("limits.reader_age"))
          .count();
  limits.settings.log_bytes_max = config.Number("limits.log");
  if (config.Number("limits.sessions") > limits::kSessions)
    return std::unexpected(Wrong("limits.sessions",
                                 std::to_string(config.Number("limits.sessions")),
                                 std::to_string(limits::kSessions) + " or less"));
  limits.settings.sessions_max = static_cast<std::uint32_t>(config.Number("limits.sessions"));
  limits.disk.bytes = config.Number("limits.disk_free");
  if (config.Number("limits.disk_free_percent") > 90)
    return std::unexpected(Wrong("limits.disk_free_percent",
                                 std::to_string(config.Number("limits.disk_free_percent")),
                                 "90 or less"));
  limits.disk.percent = static_cast<unsigned>(config.Number("limits.disk_free_percent"));
  DIRSYNC_TRY(level, LogLevelOf(config));
  limits.log_level = level;
  return limits;
}

Result<std::optional<PageSettings>> PageOf(const Context& context, const Arguments& arguments,
                                           const ProcessConfig& config) {
  const std::string port = arguments.Value("--page").value_or(config.Text("page.port"));
  if (port == "off") return std::nullopt;
  const auto number = ParseNumber(port);
  if (!number || *number > 65535)
    return Fail(arguments.Has("--page") ? ErrorCode::kUsage : ErrorCode::kConfiguration,
                "broker run: page port " + Printable(port) + " is no port",
                "a number, 0 for any free port, or off");
  PageSettings page;
  page.port = static_cast<std::uint16_t>(*number);
  page.address = config.Text("page.address");
  page.host_names = config.Texts("page.host_names");
  page.program = DIRSYNC_VERSION;
  if (const std::string file = config.Text("page.token_file"); !file.empty()) {
    std::ifstream in(context.WholePath(file));
    if (!std::getline(in, page.token))
      return Fail(ErrorCode::kConfiguration,
                  "broker run: page.token_file " + Printable(file) + " cannot be read");
  }
  return page;
}

// tcp://HOST:PORT, as a listener takes it; HOST may be * or [::], PORT 0 or *.
bool IsAddress(std::string_view address) {
  constexpr std::string_view kTcp = "tcp://";
  const std::size_t colon = address.rfind(':');
  if (!address.starts_with(kTcp) || colon == std::string_view::npos || colon <= kTcp.size())
    return false;
  const std::string_view port = address.substr(colon + 1);
  const auto number = ParseNumber(port);
  return port == "*" || (number && *number <= 65535);
}

Result<> CheckAddresses(const BrokerProcess& process) {
  const std::pair<std::string_view, const std::string*> addresses[] = {
      {"listen", &process.listen},
      {"join_listen", &process.door},
      {"public_address", &process.public_address},
      {"public_join_address", &process.public_door}};
  for (const auto& [name, address] : addresses) {
    const bool may_lack = name.starts_with("public");
    if (!(may_lack && address->empty()) && !IsAddress(*address))
      return std::unexpected(Wrong(name, *address, "tcp://HOST:PORT"));
  }
  return {};
}

Result<BrokerProcess> ProcessOf(const Context& context, const Arguments& arguments,
                                const ProcessConfig& config) {
  BrokerProcess process;
  const auto path = context.StorePath();
  process.store = path && (arguments.Has("--store") || !config.IsGiven("store"))
                      ? *path
                      : context.WholePath(config.Text("store"));
  const auto text = [&](std::string_view option, std::string_view name) {
    return arguments.Value(option).value_or(config.Text(name));
  };
  process.listen = text("--listen", "listen");
  process.door = text("--join-listen", "join_listen");
  process.public_address = text("--public-address", "public_address");
  process.public_door = text("--public-join-address", "public_join_address");
  DIRSYNC_CHECK(CheckAddresses(process));
  DIRSYNC_TRY(page, PageOf(context, arguments, config));
  process.page = std::move(page);
  DIRSYNC_TRY(limits, LimitsOf(config));
  process.limits = limits;
  return process;
}

void SayReady(Context& context, const std::string& address, const std::string& door,
              std::uint16_t port) {
  if (context.json()) {
    context.out()
        << JsonObject().Text("listen", address).Text("join", door).Number("page", port).Finish()
        << std::endl;
    return;
  }
  context.out() << "listening on " << address << ", joins on " << door;
  if (port != 0) context.out() << ", page at http://127.0.0.1:" << port << "/";
  context.out() << std::endl;
}

}  // namespace

std::span<const ProcessOption> BrokerOptions() { return kOptions; }

Result<> CheckBrokerConfig(const Context& context, const ProcessConfig& config) {
  DIRSYNC_CHECK(ProcessOf(context, Arguments(), config));
  DIRSYNC_CHECK(LogFormOf(config, false));
  return {};
}

Result<> CheckNoSite(Context& context, const std::string& path, std::string_view operation) {
  FileSystem& files = context.world().files();
  if (!files.Exists(path + "/keys/site.key")) return {};
  return Fail(ErrorCode::kWrongKind,
              std::string(operation) + " " + Printable(path) + ": it is the store of a site",
              "a broker has a store of its own: name another folder with --store");
}

Result<int> BrokerRun(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(config, ConfigOf(context, arguments));
  DIRSYNC_TRY(process, ProcessOf(context, arguments, config));
  DIRSYNC_CHECK(CheckNoSite(context, process.store, "open broker store"));
  DIRSYNC_TRY(form, LogFormOf(config, context.json()));
  Log log("broker", form, process.limits.log_level);
  process.log = &log;
  process.answer = [](BrokerAdmin& admin, CommandCall& call, const std::function<bool()>& stop) {
    AnswerCall(admin, call, stop);
  };
  process.ready = [&](const std::string& address, const std::string& door, std::uint16_t port) {
    SayReady(context, address, door, port);
  };
  process.reload = [&]() -> Result<BrokerLimits> {
    DIRSYNC_TRY(fresh, ConfigOf(context, arguments));
    return LimitsOf(fresh);
  };
  DIRSYNC_CHECK(RunBroker(process));
  return 0;
}

}  // namespace dirsync::cli
