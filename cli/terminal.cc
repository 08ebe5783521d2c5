#include "cli/terminal.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string_view>

#include "agent/service/world.h"
#include "cli/command.h"
#include "proto/daemon/command_client.h"
#include "storage/store_lock.h"

namespace dirsync::cli {
namespace {

constexpr int kInterruptedStatus = 130;
constexpr int kWatchMs = 2000;

// Set before the handler is; the handler only reads.
bool g_json = false;
bool g_bar = false;
bool g_only_reads = false;                // the command has nothing to go on with
std::atomic<bool> g_held = false;         // whoever runs the command looks whether
std::atomic<bool> g_interrupted = false;  // it has been asked to stop

void Interrupted(int) {
  constexpr std::string_view kText =
      "interrupted (INTERRUPTED)\n  run again: it goes on where it stopped\n";
  constexpr std::string_view kJson =
      "{\"code\":\"INTERRUPTED\",\"message\":\"interrupted\","
      "\"hint\":\"run again: it goes on where it stopped\"}\n";
  constexpr std::string_view kReadingText =
      "interrupted (INTERRUPTED)\n  run it again: nothing was changed\n";
  constexpr std::string_view kReadingJson =
      "{\"code\":\"INTERRUPTED\",\"message\":\"interrupted\","
      "\"hint\":\"run it again: nothing was changed\"}\n";
  constexpr std::string_view kErase = "\r\x1b[K";
  if (g_held && !g_interrupted.exchange(true)) return;
  if (g_bar) static_cast<void>(!write(STDERR_FILENO, kErase.data(), kErase.size()));
  const std::string_view text =
      g_only_reads ? (g_json ? kReadingJson : kReadingText) : (g_json ? kJson : kText);
  static_cast<void>(!write(STDERR_FILENO, text.data(), text.size()));
  _exit(kInterruptedStatus);
}

// SIGINT comes in only while the client waits.
class InterruptsBlocked {
 public:
  InterruptsBlocked() {
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGINT);
    pthread_sigmask(SIG_BLOCK, &blocked, &before_);
    g_held = true;
  }
  ~InterruptsBlocked() {
    g_held = false;
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  InterruptsBlocked(const InterruptsBlocked&) = delete;
  InterruptsBlocked& operator=(const InterruptsBlocked&) = delete;

 private:
  sigset_t before_{};
};

// For a command that has something to take away before it ends. Asked a second time, it ends.
void HoldSignals(bool held) {
  g_held = held;
  std::signal(SIGTERM, held ? Interrupted : SIG_DFL);
}

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::size_t TerminalWidth() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

Result<std::optional<int>> Forward(const Console& console, const std::vector<std::string>& words,
                                   const std::string& folder) {
  const CommandRequest request{.words = words,
                               .folder = console.folder,
                               .store = console.store,
                               .in_terminal = console.in_terminal,
                               .out_terminal = console.out_terminal,
                               .err_terminal = console.err_terminal,
                               .no_color = console.no_color,
                               .width = static_cast<std::uint32_t>(console.width)};
  const InterruptsBlocked blocked;
  return ForwardCommand(folder, request, {}, g_interrupted, storage::StoreLock::Holder(folder));
}

int RunOnce(Console& console, const std::vector<std::string>& words) {
  const int status = RunCommand(RealWorld(), console, words);
  std::cout.flush();
  std::cerr.flush();
  return status;
}

// Whether the command takes --watch and was given it. Each round is a command of its own: the
// process that serves the store is not held up by somebody who looks.
bool IsWatched(const std::vector<std::string>& words) {
  if (std::ranges::find(words, "--watch") == words.end()) return false;
  const CommandSpec* command = CommandOf(words);
  return command != nullptr && std::ranges::any_of(command->options, [](const OptionSpec& option) {
           return option.name == "--watch";
         });
}

}  // namespace

int RunAtTerminal(const std::vector<std::string>& words) {
  std::ios::sync_with_stdio(false);
  std::error_code no_folder;
  Console console{
      .in = std::cin,
      .out = std::cout,
      .err = std::cerr,
      .in_terminal = isatty(STDIN_FILENO) == 1,
      .out_terminal = isatty(STDOUT_FILENO) == 1,
      .err_terminal = isatty(STDERR_FILENO) == 1,
      .no_color = !Environment("NO_COLOR").empty() || Environment("TERM") == "dumb",
      .width = TerminalWidth(),
      .store = Environment("DIRSYNC_STORE"),
      .folder = std::filesystem::current_path(no_folder).string(),
      .interrupted = [] { return g_interrupted.load(); },
      .hold_signals = HoldSignals,
  };
  console.forward = [&](const std::string& folder) { return Forward(console, words, folder); };
  for (const std::string& word : words) g_json = g_json || word == "--json";
  g_bar = console.err_terminal && !console.no_color;
  const CommandSpec* command = CommandOf(words);
  g_only_reads = command != nullptr && !command->changes;
  std::signal(SIGINT, Interrupted);
  int status = RunOnce(console, words);
  while (status == 0 && !g_interrupted && IsWatched(words)) {
    poll(nullptr, 0, kWatchMs);
    // The table is written over the last one; a file or a pipe gets one after the other.
    if (console.out_terminal && !console.no_color) std::cout << "\x1b[H\x1b[J";
    console.width = TerminalWidth();
    status = RunOnce(console, words);
  }
  // A round that ended well all the same was the last one.
  return status == 0 && g_interrupted && IsWatched(words) ? kInterruptedStatus : status;
}

}  // namespace dirsync::cli
