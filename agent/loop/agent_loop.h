// The agent: one process that has a site's store open, answers every command on it, and runs the
// site's instances. All of it in one thread, so nothing races: a command that works holds up the
// rest, one that waits for another site or for a person does not.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/loop/agent_control.h"
#include "agent/loop/broker_session.h"
#include "agent/service/store.h"
#include "proto/daemon/command_call.h"

namespace dirsync {

struct AgentSettings {
  std::string store;  // folder
  // Folders of files that arrive and that go out; empty: none, and files move by commands only.
  std::string files_in;
  std::string files_out;
  // Exports by file run so often; zero: as soon as something has changed.
  std::chrono::milliseconds files_every{0};
  std::vector<std::string> on_event;  // program and arguments; empty: none
  SessionSettings session;
  // Runs a client's command on the agent's store and finishes the call; stops between two commits
  // when `stop` says so.
  std::function<void(AgentControl& agent, CommandCall& call, const std::function<bool()>& stop)>
      answer;
  // One line for the log; level "info", "warning" or "error".
  std::function<void(std::string_view level, std::string_view text)> log;
  // What may change while it runs, read again on SIGHUP. Empty: nothing does.
  std::function<Result<AgentSettings>()> reload;
};

// Opens the store (waits some seconds for a command that has it), serves until SIGTERM or SIGINT,
// then finishes the commit under way and returns. A store that failed (full disk) is closed, and
// opened again as after a crash. Errors: Store::Open's, CommandSocket::Listen's, FileRuns::Open's.
Result<> RunAgent(World& world, AgentSettings settings);

}  // namespace dirsync
