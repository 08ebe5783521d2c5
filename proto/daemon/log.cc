#include "proto/daemon/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <array>
#include <mutex>
#include <utility>
#include <vector>

#include "proto/base/json_text.h"
#include "proto/base/text.h"
#include "proto/daemon/machine.h"
#include "proto/daemon/repeat_filter.h"

namespace dirsync {
namespace {

constexpr std::array<std::string_view, 4> kLevels = {"debug", "info", "warning", "error"};
constexpr std::size_t kTextBytes = 4096;

spdlog::level::level_enum SpdlogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

std::string FactsText(const LogFacts& facts) {
  std::vector<std::string> parts;
  for (const std::string* part : {&facts.site, &facts.stream, &facts.epoch})
    if (!part->empty()) parts.push_back(Printable(*part));
  if (facts.sequence != 0) parts.push_back("#" + std::to_string(facts.sequence));
  if (!facts.code.empty()) parts.push_back(Printable(facts.code));
  return parts.empty() ? "" : " [" + Join(parts, " ") + "]";
}

}  // namespace

std::optional<LogLevel> ParseLogLevel(std::string_view text) {
  for (std::size_t i = 0; i < kLevels.size(); ++i)
    if (kLevels[i] == text) return static_cast<LogLevel>(i);
  return std::nullopt;
}

std::string_view LogLevelName(LogLevel level) { return kLevels[static_cast<std::size_t>(level)]; }

std::optional<LogForm> ParseLogForm(std::string_view text) {
  if (text == "text") return LogForm::kText;
  if (text == "json") return LogForm::kJson;
  if (text == "auto") return isatty(STDERR_FILENO) != 0 ? LogForm::kText : LogForm::kJson;
  return std::nullopt;
}

std::string FormatLogLine(LogForm form, std::string_view component, LogLevel level, Instant time,
                          std::string_view text, const LogFacts& facts) {
  const std::string harmless = Printable(text, kTextBytes);
  if (form == LogForm::kText)
    return FormatTime(time) + " " + std::string(LogLevelName(level)) + ": " + harmless +
           FactsText(facts);
  JsonObject line;
  line.Text("ts", FormatTime(time)).Text("level", LogLevelName(level)).Text("component", component);
  if (!facts.site.empty()) line.Text("site", Printable(facts.site));
  if (!facts.stream.empty()) line.Text("stream", Printable(facts.stream));
  if (!facts.epoch.empty()) line.Text("epoch", Printable(facts.epoch));
  if (facts.sequence != 0) line.Number("seq", facts.sequence);
  if (!facts.code.empty()) line.Text("code", Printable(facts.code));
  return line.Text("text", harmless).Finish();
}

struct Log::State {
  State(std::string given_component, LogForm given_form)
      : component(std::move(given_component)),
        form(given_form),
        logger("log", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {}

  const std::string component;
  const LogForm form;
  spdlog::logger logger;
  std::mutex mutex;  // of `repeats`
  RepeatFilter repeats;

  void Print(LogLevel level, std::string_view text, const LogFacts& facts) {
    const std::string line = FormatLogLine(form, component, level, MachineTime(), text, facts);
    logger.log(SpdlogLevel(level), spdlog::string_view_t(line.data(), line.size()));
  }
  void PrintUntold(Instant until) {
    for (const RepeatFilter::Untold& line : repeats.Take(until))
      Print(LogLevel::kInfo, std::to_string(line.count) + " more of: " + line.line, {});
  }
};

Log::Log(std::string component, LogForm form, LogLevel level)
    : state_(std::make_unique<State>(std::move(component), form)) {
  // The whole line is ours; a log that cannot be written is no reason to end.
  state_->logger.set_pattern("%v");
  state_->logger.set_error_handler([](const std::string&) {});
  state_->logger.flush_on(spdlog::level::debug);
  SetLevel(level);
}

Log::~Log() { state_->PrintUntold(RepeatFilter::kEnd); }

void Log::SetLevel(LogLevel level) { state_->logger.set_level(SpdlogLevel(level)); }

void Log::Write(LogLevel level, std::string_view text, const LogFacts& facts) {
  if (!state_->logger.should_log(SpdlogLevel(level))) return;
  const std::lock_guard lock(state_->mutex);
  if (state_->repeats.Pass(Printable(text) + FactsText(facts), MachineTime()))
    state_->Print(level, text, facts);
}

void Log::Write(LogLevel level, const Error& error) {
  LogFacts facts;
  facts.code = InfoOf(error.code).text;
  Write(level, error.message + (error.hint.empty() ? "" : "; " + error.hint), facts);
}

void Log::Tick() {
  const std::lock_guard lock(state_->mutex);
  state_->PrintUntold(MachineTime());
}

}  // namespace dirsync
