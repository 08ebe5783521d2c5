#include "cli/answer.h"

#include <chrono>
#include <utility>

#include "cli/command.h"
#include "cli/serving.h"
#include "proto/trust/membership.h"

namespace dirsync::cli {

namespace {

constexpr Duration kWhileAsked = std::chrono::milliseconds(200);

Console ConsoleOf(CommandCall& call, const std::function<bool()>& interrupted) {
  const CommandRequest& request = call.request();
  return {.in = call.in(),
          .out = call.out(),
          .err = call.err(),
          .in_terminal = request.in_terminal,
          .out_terminal = request.out_terminal,
          .err_terminal = request.err_terminal,
          .no_color = request.no_color,
          .width = request.width,
          .store = request.store,
          .folder = request.folder,
          .interrupted = interrupted};
}

AgentStanding StandingOf(AgentControl& agent) {
  AgentStanding standing;
  standing.site = agent.store().profile().site;
  standing.connected = agent.link().phase() == LinkPhase::kOpen;
  if (!standing.connected) standing.reason = agent.link().reason();
  standing.report = agent.link().Report();
  standing.now = agent.store().world().Now();
  return standing;
}

// Empty before the site has joined an organisation: then its links are as its store has them.
Serving ServingOf(AgentControl& agent) {
  const auto membership = LoadMembership(agent.store().storage());
  if (!membership || !*membership) return {};
  return {.broker = {}, .agent = [&agent] { return StandingOf(agent); }, .log = {}};
}

}  // namespace

void AnswerCall(AgentControl& agent, CommandCall& call, const std::function<bool()>& stop) {
  Store& store = agent.store();
  const auto interrupted = [&] { return call.Interrupted() || stop(); };
  Console console = ConsoleOf(call, interrupted);
  console.open_store = &store;
  console.agent = &agent;
  const Serving serving = ServingOf(agent);
  console.serving = &serving;
  // An error of the agent's ends the next thing that the command does.
  console.go_on_while_asked = [&](bool on) {
    call.WhileAsked(!on ? std::function<void()>()
                        : [&] { static_cast<void>(agent.Turn({}, kWhileAsked)); });
  };
  auto before = store.set_interrupted(interrupted);
  const int status = RunCommand(store.world(), console, call.request().words);
  store.set_interrupted(std::move(before));
  call.Finish(status);
}

void AnswerCall(BrokerAdmin& admin, CommandCall& call, const std::function<bool()>& stop) {
  Console console = ConsoleOf(call, [&] { return call.Interrupted() || stop(); });
  console.open_broker = &admin;
  const Serving serving{
      .broker = [&] { return admin.Stats(); },
      .log = [&]() -> const storage::ReadView* { return &admin.store().storage(); }};
  console.serving = &serving;
  call.Finish(RunCommand(RealWorld(), console, call.request().words));
}

}  // namespace dirsync::cli
