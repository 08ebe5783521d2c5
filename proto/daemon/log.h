// The log of a process, on standard error: lines for people on a terminal, JSON objects for
// machines otherwise. Who logs never waits for who reads the log: a thread of its own writes the
// lines, and when too many wait the oldest go, and are counted. The only file that includes spdlog
// is log.cc.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/error.h"
#include "proto/base/time.h"

namespace dirsync {

enum class LogLevel : std::uint8_t { kDebug, kInfo, kWarning, kError };
enum class LogForm : std::uint8_t { kText, kJson };

// "debug", "info", "warning", "error"; nullopt: none of these.
std::optional<LogLevel> ParseLogLevel(std::string_view text);
std::string_view LogLevelName(LogLevel level);
// "text", "json", or "auto": text on a terminal.
std::optional<LogForm> ParseLogForm(std::string_view text);

// What a line is about; empty or 0: nothing of the kind.
struct LogFacts {
  std::string site;
  std::string stream;
  std::string epoch;
  std::uint64_t sequence = 0;
  std::string code;  // text of an ErrorCode, or the kind of an event
};

// One line without its end. JSON: ts, level, component, site, stream, epoch, seq, code, text; those
// that are empty are left out. Control characters are neutral in both forms.
std::string FormatLogLine(LogForm form, std::string_view component, LogLevel level, Instant time,
                          std::string_view text, const LogFacts& facts);

// Thread-safe. Lines that wait are lost with a process that is killed.
class Log {
 public:
  // Lines that wait for their reader; beyond, the oldest go.
  static constexpr std::size_t kLinesWaiting = 1024;
  // How long the end waits for a reader of what is left.
  static constexpr std::chrono::milliseconds kFarewell{2000};

  // `component`: "broker", "agent". Its thread takes no signals.
  Log(std::string component, LogForm form, LogLevel level);
  // Writes what waits, for kFarewell at most.
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Lines below the level, and repeats beyond a few a minute, are not written.
  void Write(LogLevel level, std::string_view text, const LogFacts& facts = {});
  void Write(LogLevel level, const Error& error);
  void SetLevel(LogLevel level);
  // Call about every second: tells how often repeats were left out.
  void Tick();
  // Lines that went because nobody read them, since the beginning. The log says so itself, where
  // they are missing, once it is read again.
  std::uint64_t dropped() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace dirsync
