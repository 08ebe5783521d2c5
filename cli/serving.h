// What a process that has a store open lets its commands see besides the store: the loop of the
// broker, or of the agent, fills in what it has.
#pragma once

#include <functional>

#include "broker/core/link_state.h"
#include "storage/storage.h"

namespace dirsync::cli {

// Each empty where there is no such thing. Called on the thread that runs the command.
struct Serving {
  std::function<BrokerStats()> broker;            // this process is a broker
  std::function<AgentStanding()> agent;           // this process is a site's agent
  std::function<const storage::ReadView*()> log;  // of the broker's streams
};

}  // namespace dirsync::cli
