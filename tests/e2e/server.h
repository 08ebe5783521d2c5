// A real server process of a test: started, killed, started again, and never left behind.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace dirsync::e2e {

class Server {
 public:
  // `arguments` begin with the program; what it prints goes to the end of `log`.
  Server(std::vector<std::string> arguments, std::string log);
  ~Server();  // SIGKILL, and waits
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // `dies_at`: at the nth point of death (DIRSYNC_KILL_AT=*:n); 0 = not. REQUIRES !running().
  void Start(std::uint64_t dies_at = 0);
  // Looks without waiting.
  bool running();
  void Kill();  // SIGKILL, and waits
  void Signal(int signal);
  pid_t pid() const { return pid_; }  // -1: none
  int Terminate();  // SIGTERM, and waits; the exit status, -1 if a signal ended it
  // How often a process was ended by SIGKILL, from outside or at a point of death.
  std::uint64_t deaths() const { return deaths_; }
  void set_arguments(std::vector<std::string> arguments) { arguments_ = std::move(arguments); }
  const std::vector<std::string>& arguments() const { return arguments_; }
  // "NAME=VALUE", for processes started from now on, besides our own environment.
  void set_environment(std::vector<std::string> values) { environment_ = std::move(values); }
  // The log from where the process now running began to write it.
  std::string LogOfThisRun() const;

 private:
  void Reap(int status);
  std::vector<std::string> arguments_;
  std::vector<std::string> environment_;
  std::string log_;
  pid_t pid_ = -1;
  std::uint64_t deaths_ = 0;
  std::uint64_t log_begin_ = 0;
};

}  // namespace dirsync::e2e
