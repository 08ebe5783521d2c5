// A command of a client, run in the process that has the store open.
#pragma once

#include <functional>

#include "agent/loop/agent_control.h"
#include "broker/loop/broker_admin.h"
#include "proto/daemon/command_call.h"

namespace dirsync::cli {

// Runs the call's words as RunCommand() does, on the agent's store, with the client's terminal, and
// finishes the call. Ctrl-C there, its end, or `stop` stops the command between two commits.
void AnswerCall(AgentControl& agent, CommandCall& call, const std::function<bool()>& stop);

// The same in the process that runs a broker.
void AnswerCall(BrokerAdmin& admin, CommandCall& call, const std::function<bool()>& stop);

}  // namespace dirsync::cli
