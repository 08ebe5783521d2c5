#include "agent/loop/event_command.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <utility>

#include "proto/base/json_text.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

// A file without a name that holds `text`, to be read from its beginning; -1: none can be made.
int InputOf(const std::string& text) {
  const int input = memfd_create("event", MFD_CLOEXEC);
  if (input < 0) return -1;
  if (write(input, text.data(), text.size()) != static_cast<ssize_t>(text.size()) ||
      lseek(input, 0, SEEK_SET) != 0) {
    close(input);
    return -1;
  }
  return input;
}

// Our environment, with `facts` in it.
std::vector<std::string> EnvironmentWith(std::vector<std::string> facts) {
  std::vector<std::string> all = std::move(facts);
  for (char** entry = environ; *entry != nullptr; ++entry)
    if (!std::string_view(*entry).starts_with("DIRSYNC_")) all.emplace_back(*entry);
  return all;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// No NUL, no control characters: it becomes an environment variable.
std::string Fact(std::string_view name, std::string_view value) {
  return std::string(name) + "=" + Printable(value, 4096);
}

}  // namespace

EventCommand::~EventCommand() {
  if (running_ == 0) return;
  kill(-running_, SIGKILL);
  waitpid(running_, nullptr, 0);
}

void EventCommand::Add(const LinkEvent& event, Instant now) {
  if (words_.empty()) return;
  if (waiting_.size() == limits::kEventsWaiting) {
    waiting_.pop_front();
    ++dropped_;
  }
  waiting_.push_back({event, now});
}

std::string EventCommand::Step(Clock::time_point now) {
  std::string wrong;
  if (running_ != 0) {
    int status = 0;
    if (waitpid(running_, &status, WNOHANG) == 0) {
      if (now < deadline_ || killed_) return "";
      killed_ = true;
      kill(-running_, SIGKILL);
      return "";
    }
    running_ = 0;
    if (killed_) {
      wrong = words_.front() + ": killed after " + std::to_string(limits::kEventSeconds) + " s";
    } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      wrong = words_.front() + ": ended with " +
              (WIFEXITED(status) ? "exit status " + std::to_string(WEXITSTATUS(status))
                                 : "signal " + std::to_string(WTERMSIG(status)));
    }
  }
  if (waiting_.empty()) return wrong;
  const Facts facts = std::move(waiting_.front());
  waiting_.pop_front();
  const std::string failed = Start(facts, now);
  return failed.empty() ? wrong : failed;
}

int EventCommand::timeout_ms(Clock::time_point now) const {
  if (running_ == 0) return waiting_.empty() ? -1 : 0;
  if (killed_) return 100;
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline_ - now).count() + 1;
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, limits::kEventSeconds * 1000));
}

// Empty, or why it could not be started.
std::string EventCommand::Start(const Facts& facts, Clock::time_point now) {
  const LinkEvent& event = facts.event;
  const std::string code(InfoOf(event.code).text);
  const std::string time = FormatTime(facts.time);
  JsonObject object;
  object.Text("event", event.kind)
      .Text("site", site_)
      .Text("instance", event.instance)
      .Text("code", code)
      .Text("text", event.text)
      .Text("time", time);
  if (dropped_ > 0) object.Number("dropped_before", std::exchange(dropped_, 0));
  const int input = InputOf(object.Finish() + "\n");
  if (input < 0) return std::string("on_event: no input can be made: ") + std::strerror(errno);
  std::vector<std::string> environment =
      EnvironmentWith({Fact("DIRSYNC_EVENT", event.kind), Fact("DIRSYNC_INSTANCE", event.instance),
                       Fact("DIRSYNC_CODE", code), Fact("DIRSYNC_TEXT", event.text),
                       Fact("DIRSYNC_SITE", site_), Fact("DIRSYNC_TIME", time)});
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  // A group of its own, so that what it starts dies with it; and the signals we take for ourselves.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  sigset_t all;
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  pid_t process = 0;
  const int failed = posix_spawnp(&process, words_.front().c_str(), &actions, &attributes,
                                  Pointers(words_).data(), Pointers(environment).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  close(input);
  if (failed != 0) return words_.front() + ": cannot be run: " + std::strerror(failed);
  running_ = process;
  killed_ = false;
  deadline_ = now + std::chrono::seconds(limits::kEventSeconds);
  return "";
}

}  // namespace dirsync
