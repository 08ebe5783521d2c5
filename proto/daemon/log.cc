#include "proto/daemon/log.h"

#include <spdlog/async_logger.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <functional>
#include <mutex>
#include <utility>
#include <vector>

#include "proto/base/json_text.h"
#include "proto/base/text.h"
#include "proto/daemon/line_writer.h"
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

using Pool = spdlog::details::thread_pool;

// The thread inherits its mask: signals are for the loop.
std::shared_ptr<Pool> MakePool() {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  auto pool = std::make_shared<Pool>(Log::kLinesWaiting, 1);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return pool;
}

// Runs in the pool's thread, but for GiveUpAfter.
class StandardErrorSink : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  // `dropped` counts; `missing` is the line that says how many were dropped.
  StandardErrorSink(std::function<std::uint64_t()> dropped,
                    std::function<std::string(std::uint64_t count)> missing)
      : dropped_(std::move(dropped)), missing_(std::move(missing)), writer_(STDERR_FILENO) {}
  void GiveUpAfter(std::chrono::milliseconds patience) { writer_.GiveUpAfter(patience); }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    // What was dropped was older than this line.
    const std::uint64_t dropped = dropped_();
    if (dropped != told_ && writer_.Write(missing_(dropped - told_) + "\n")) told_ = dropped;
    writer_.Write(std::string(message.payload.data(), message.payload.size()) + "\n");
  }
  void flush_() override {}

 private:
  const std::function<std::uint64_t()> dropped_;
  const std::function<std::string(std::uint64_t)> missing_;
  LineWriter writer_;
  std::uint64_t told_ = 0;  // of dropped_
};

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
      : component(std::move(given_component)), form(given_form) {
    sink = std::make_shared<StandardErrorSink>(
        [this] { return pool->overrun_counter(); },
        [this](std::uint64_t count) {
          return FormatLogLine(form, component, LogLevel::kWarning, MachineTime(),
                               std::to_string(count) +
                                   " lines are missing here: this log was "
                                   "not read",
                               {});
        });
    logger = std::make_shared<spdlog::async_logger>("log", sink, pool,
                                                    spdlog::async_overflow_policy::overrun_oldest);
    // A log that cannot be written is no reason to end.
    logger->set_error_handler([](const std::string&) {});
  }

  const std::string component;
  const LogForm form;
  std::shared_ptr<StandardErrorSink> sink;  // outlives the pool's thread, which writes into it
  const std::shared_ptr<Pool> pool = MakePool();
  std::shared_ptr<spdlog::async_logger> logger;
  std::mutex mutex;  // of `repeats`
  RepeatFilter repeats;

  void Print(LogLevel level, std::string_view text, const LogFacts& facts) {
    const std::string line = FormatLogLine(form, component, level, MachineTime(), text, facts);
    logger->log(SpdlogLevel(level), spdlog::string_view_t(line.data(), line.size()));
  }
  void PrintUntold(Instant until) {
    for (const RepeatFilter::Untold& line : repeats.Take(until))
      Print(LogLevel::kInfo, std::to_string(line.count) + " more of: " + line.line, {});
  }
};

Log::Log(std::string component, LogForm form, LogLevel level)
    : state_(std::make_unique<State>(std::move(component), form)) {
  SetLevel(level);
}

Log::~Log() {
  state_->PrintUntold(RepeatFilter::kEnd);
  state_->sink->GiveUpAfter(kFarewell);
}

void Log::SetLevel(LogLevel level) { state_->logger->set_level(SpdlogLevel(level)); }

void Log::Write(LogLevel level, std::string_view text, const LogFacts& facts) {
  if (!state_->logger->should_log(SpdlogLevel(level))) return;
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

std::uint64_t Log::dropped() const { return state_->pool->overrun_counter(); }

}  // namespace dirsync
