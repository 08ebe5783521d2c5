// The program: gives RunCommand() the machine's terminal and environment.
#include <sys/ioctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "agent/service/world.h"
#include "cli/command.h"

namespace {

using dirsync::cli::Console;

constexpr int kInterruptedStatus = 130;

// Set before the handler is; the handler only reads.
bool g_json = false;
bool g_bar = false;

// Every state on disk is one that a power cut could leave, so stopping at once is safe.
void Interrupted(int) {
  constexpr std::string_view kText =
      "interrupted (INTERRUPTED)\n  run again: it goes on where it stopped\n";
  constexpr std::string_view kJson =
      "{\"code\":\"INTERRUPTED\",\"message\":\"interrupted\","
      "\"hint\":\"run again: it goes on where it stopped\"}\n";
  constexpr std::string_view kErase = "\r\x1b[K";
  if (g_bar) static_cast<void>(!write(STDERR_FILENO, kErase.data(), kErase.size()));
  const std::string_view text = g_json ? kJson : kText;
  static_cast<void>(!write(STDERR_FILENO, text.data(), text.size()));
  _exit(kInterruptedStatus);
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

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
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
  };
  for (const std::string& word : words) g_json = g_json || word == "--json";
  g_bar = console.err_terminal;
  std::signal(SIGINT, Interrupted);
  const int status = dirsync::cli::RunCommand(dirsync::RealWorld(), console, words);
  std::cout.flush();
  std::cerr.flush();
  return status;
}
