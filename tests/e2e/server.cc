#include "tests/e2e/server.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace dirsync::e2e {

Server::Server(std::vector<std::string> arguments, std::string log)
    : arguments_(std::move(arguments)), log_(std::move(log)) {}

Server::~Server() { Kill(); }

void Server::Start(std::uint64_t dies_at) {
  struct stat info{};
  log_begin_ = stat(log_.c_str(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
  pid_ = fork();
  if (pid_ != 0) return;
  const int log = open(log_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  dup2(open("/dev/null", O_RDONLY), STDIN_FILENO);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  if (dies_at != 0) setenv("DIRSYNC_KILL_AT", ("*:" + std::to_string(dies_at)).c_str(), 1);
  for (std::string& value : environment_) putenv(value.data());
  std::vector<char*> argv;
  for (const std::string& argument : arguments_)
    argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  execv(argv[0], argv.data());
  _exit(127);
}

void Server::Reap(int status) {
  pid_ = -1;
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ++deaths_;
}

bool Server::running() {
  if (pid_ < 0) return false;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return true;
  Reap(status);
  return false;
}

void Server::Kill() {
  if (!running()) return;
  ::kill(pid_, SIGKILL);
  int status = 0;
  waitpid(pid_, &status, 0);
  Reap(status);
}

void Server::Signal(int signal) {
  if (pid_ > 0) ::kill(pid_, signal);
}

int Server::Terminate() {
  if (!running()) return -1;
  ::kill(pid_, SIGTERM);
  int status = 0;
  waitpid(pid_, &status, 0);
  Reap(status);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string Server::LogOfThisRun() const {
  std::ifstream file(log_);
  file.seekg(static_cast<std::streamoff>(log_begin_));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace dirsync::e2e
