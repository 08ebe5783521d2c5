// The agent: one process that has a site's store open, answers every command on it, and runs the
// site's instances. All of it in one thread: a long command holds up the rest, and nothing races.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "agent/service/store.h"
#include "proto/daemon/command_call.h"

namespace dirsync {

struct AgentSettings {
  std::string store;  // folder
  // Runs a client's command on the store and finishes the call; stops between two commits when
  // `stop` says so.
  std::function<void(Store& store, CommandCall& call, const std::function<bool()>& stop)> answer;
  // One line for the log; level "info", "warning" or "error".
  std::function<void(std::string_view level, std::string_view text)> log;
};

// Opens the store (waits some seconds for a command that has it), serves until SIGTERM or SIGINT,
// then finishes the commit under way and returns. A store that failed (full disk) is closed, and
// opened again as after a crash. Errors: Store::Open's, CommandSocket::Listen's.
Result<> RunAgent(World& world, const AgentSettings& settings);

}  // namespace dirsync
