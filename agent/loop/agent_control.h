// What a command can ask of the agent that answers it, besides its store.
#pragma once

#include <vector>

#include "agent/link/link.h"
#include "agent/service/store.h"

namespace dirsync {

// Valid while the command runs. Not thread-safe.
class AgentControl {
 public:
  virtual ~AgentControl() = default;
  virtual Store& store() = 0;
  virtual Link& link() = 0;
  // Sends what a call of the link returned, and lets the agent go on for at most `at_most`, or
  // until something has happened: its session with the broker, files, and commands of others, at
  // most limits::kCommandsUnderWay of them in each other. So whatever was read of the store before
  // is old. REQUIRES no transaction to be open. Errors: of the store.
  virtual Result<> Turn(std::vector<Message> messages, Duration at_most) = 0;
};

}  // namespace dirsync
