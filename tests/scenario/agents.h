// Agents beside a transcript: one on each store that its steps make, so that every later command
// is answered by an agent.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>

namespace dirsync::scenario {

class Agents {
 public:
  // Logs go to `folder`, one for each agent.
  Agents(std::string dirsync, std::string folder)
      : dirsync_(std::move(dirsync)), logs_(std::move(folder)) {}
  ~Agents() { Stop(); }
  Agents(const Agents&) = delete;
  Agents& operator=(const Agents&) = delete;

  // Starts one for each store below `folder` that has none, and ends those whose store is gone.
  // Folders named as backups are left alone. False: one does not serve in time.
  bool Follow(const std::string& folder);
  // Asks all to end. False: one did not leave cleanly.
  bool Stop();

 private:
  struct Agent {
    pid_t process;
    ino_t store;  // another folder of the same name is another store
  };
  bool Start(const std::string& store);
  static bool End(const Agent& agent);

  std::string dirsync_;
  std::string logs_;
  int started_ = 0;
  std::map<std::string, Agent> agents_;  // by the store's folder
};

}  // namespace dirsync::scenario
