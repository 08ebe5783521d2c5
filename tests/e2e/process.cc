#include "tests/e2e/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace dirsync::e2e {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void Child(const std::vector<std::string>& arguments, const Kill& kill, int out,
                        int err) {
  dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
  dup2(out, STDOUT_FILENO);
  dup2(err, STDERR_FILENO);
  if (kill.effect != 0) setenv("DIRSYNC_KILL_AT", ("*:" + std::to_string(kill.effect)).c_str(), 1);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  _exit(127);
}

constexpr std::chrono::minutes kPatience{5};

// Of a process that does not end: each thread's name, and the call it waits in.
std::string WhereItStands(pid_t child) {
  std::string text = "\nnot ended in time:";
  const std::filesystem::path tasks = "/proc/" + std::to_string(child) + "/task";
  std::error_code ignored;
  for (const auto& task : std::filesystem::directory_iterator(tasks, ignored)) {
    text += "\n  thread " + task.path().filename().string() + ":";
    for (const char* part : {"comm", "wchan", "syscall"}) {
      std::string line;
      std::ifstream in(task.path() / part);
      std::getline(in, line);
      text += " " + line;
    }
  }
  return text + "\n";
}

// Reads both pipes until they close; kills the child when its time has come.
void Collect(pid_t child, int out, int err, const Kill& kill, Outcome& outcome) {
  const auto start = Clock::now();
  bool armed = kill.microseconds != 0;
  auto deadline = start + std::chrono::microseconds(kill.microseconds);
  if (!armed) deadline = start + kPatience;
  std::string late;
  pollfd waits[2] = {{out, POLLIN, 0}, {err, POLLIN, 0}};
  std::string* sinks[2] = {&outcome.output, &outcome.errors};
  for (int open_ends = 2; open_ends > 0;) {
    auto left = std::chrono::ceil<std::chrono::microseconds>(deadline - Clock::now()).count();
    if (left <= 0) {
      if (!armed && late.empty()) late = WhereItStands(child);
      ::kill(child, SIGKILL);
      armed = false;
      deadline = Clock::now() + kPatience;
    }
    timespec time{left > 0 ? left / 1000000 : 0, left > 0 ? left % 1000000 * 1000 : 0};
    if (ppoll(waits, 2, &time, nullptr) <= 0) continue;
    for (int i = 0; i < 2; ++i) {
      if (waits[i].fd < 0 || waits[i].revents == 0) continue;
      char buffer[16384];
      ssize_t got = read(waits[i].fd, buffer, sizeof buffer);
      if (got > 0) {
        sinks[i]->append(buffer, static_cast<std::size_t>(got));
      } else {
        waits[i].fd = -1;
        --open_ends;
      }
    }
  }
  outcome.errors += late;
}

}  // namespace

Outcome RunProcess(const std::vector<std::string>& arguments, const Kill& kill) {
  int out[2], err[2];
  if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) std::abort();
  pid_t child = fork();
  if (child == 0) Child(arguments, kill, out[1], err[1]);
  close(out[1]);
  close(err[1]);
  Outcome outcome;
  Collect(child, out[0], err[0], kill, outcome);
  close(out[0]);
  close(err[0]);
  int status = 0;
  waitpid(child, &status, 0);
  outcome.killed = WIFSIGNALED(status);
  outcome.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return outcome;
}

}  // namespace dirsync::e2e
