#include "agent/loop/agent_loop.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <vector>

#include "proto/base/text.h"
#include "proto/daemon/command_socket.h"
#include "proto/daemon/signal_source.h"
#include "storage/key.h"

namespace dirsync {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr auto kLockPatience = std::chrono::seconds(10);
constexpr milliseconds kLockRetry{50};
constexpr milliseconds kReopenFirst{200};
constexpr milliseconds kReopenMax{30'000};

class AgentLoop {
 public:
  AgentLoop(World& world, const AgentSettings& settings, SignalSource& signals)
      : world_(world), settings_(settings), signals_(signals) {}
  Result<> Run();

 private:
  Result<> Open(Clock::duration patience);
  void Reopen();
  bool IsHealthy() const;
  void Wait(milliseconds at_most);
  void TakeSignals();
  void AnswerCommands();
  bool Stopping();
  void Log(std::string_view level, std::string_view text) const { settings_.log(level, text); }

  World& world_;
  const AgentSettings& settings_;
  SignalSource& signals_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<CommandSocket> commands_;
  bool stop_ = false;
};

Result<> AgentLoop::Run() {
  DIRSYNC_CHECK(Open(kLockPatience));
  Log("info", "serving " + Printable(store_->profile().basepoint().ToString()) + " from store " +
                  Printable(store_->path()));
  while (!Stopping()) {
    Wait(milliseconds(60'000));
    if (Stopping()) break;
    AnswerCommands();
    if (!IsHealthy()) Reopen();
  }
  Log("info", "stopping");
  return {};
}

Result<> AgentLoop::Open(Clock::duration patience) {
  const auto deadline = Clock::now() + patience;
  for (;;) {
    auto store = Store::Open(world_, settings_.store);
    if (store) {
      store_ = std::move(*store);
      break;
    }
    // A command may be at work on it, for a moment.
    if (store.error().code != ErrorCode::kLocked || Clock::now() >= deadline || Stopping())
      return std::unexpected(store.error());
    Wait(kLockRetry);
  }
  DIRSYNC_TRY(commands, CommandSocket::Listen(settings_.store));
  commands_ = std::move(commands);
  return {};
}

bool AgentLoop::IsHealthy() const {
  return store_->storage().Get(storage::MetaKey("site")).has_value();
}

// What is on disk is not known after a failed write: as after a crash, opening decides.
void AgentLoop::Reopen() {
  milliseconds pause = kReopenFirst;
  Log("error", "the store failed, and is opened again");
  commands_.reset();
  store_.reset();
  while (!Stopping()) {
    const auto opened = Open({});
    if (opened) {
      Log("info", "the store is open again");
      return;
    }
    Log("error", opened.error().ToString());
    Wait(pause);
    pause = std::min(pause * 2, kReopenMax);
  }
}

void AgentLoop::Wait(milliseconds at_most) {
  std::vector<pollfd> waited{{signals_.descriptor(), POLLIN, 0}};
  if (commands_) {
    for (const int descriptor : commands_->descriptors()) waited.push_back({descriptor, POLLIN, 0});
    const int until = commands_->timeout_ms();
    if (until >= 0) at_most = std::min(at_most, milliseconds(until));
  }
  if (poll(waited.data(), waited.size(), static_cast<int>(at_most.count())) < 0 && errno != EINTR)
    Log("error", std::string("waiting: ") + std::strerror(errno));
}

bool AgentLoop::Stopping() {
  TakeSignals();
  return stop_;
}

void AgentLoop::TakeSignals() {
  while (const auto signal = signals_.Take())
    stop_ = stop_ || *signal == SIGTERM || *signal == SIGINT;
}

void AgentLoop::AnswerCommands() {
  while (!Stopping()) {
    const auto call = commands_->Take();
    if (!call) return;
    settings_.answer(*store_, *call, [this] { return Stopping(); });
  }
}

}  // namespace

Result<> RunAgent(World& world, const AgentSettings& settings) {
  // A client, or the log's reader, that went away is no reason to die.
  std::signal(SIGPIPE, SIG_IGN);
  DIRSYNC_TRY(signals, SignalSource::Of({SIGTERM, SIGINT, SIGHUP}));
  return AgentLoop(world, settings, *signals).Run();
}

}  // namespace dirsync
