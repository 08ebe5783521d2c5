#include "agent/loop/agent_loop.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include "agent/loop/event_command.h"
#include "agent/loop/file_runs.h"
#include "agent/service/tombstones.h"
#include "proto/base/limits.h"
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
constexpr milliseconds kRound{60'000};  // nothing waits longer than this
// Shares send no events, and a file that does not change sends none either.
constexpr milliseconds kFolderRound{1000};
constexpr milliseconds kExportAgain{10'000};
constexpr milliseconds kPurgeEvery{3'600'000};

// Everything that lives as long as the store is open.
struct Opened {
  std::unique_ptr<Store> store;
  std::unique_ptr<CommandSocket> commands;
  std::unique_ptr<FileRuns> files;
  std::unique_ptr<BrokerSession> session;
};

class AgentLoop : private AgentControl {
 public:
  AgentLoop(World& world, AgentSettings settings, SignalSource& signals)
      : world_(world), settings_(std::move(settings)), signals_(signals) {}
  Result<> Run();

 private:
  Store& store() override { return *opened_->store; }
  Link& link() override { return opened_->session->link(); }
  Result<> Turn(std::vector<Message> messages, Duration at_most) override;

  Result<> Open(Clock::duration patience);
  void Reopen();
  bool IsHealthy() const;
  Result<> TurnAll();
  void Wait(milliseconds at_most, bool with_commands = true);
  milliseconds UntilNextTurn() const;
  bool Stopping();
  void TakeSignals();
  Result<> TurnMeanwhile(const std::vector<Message>& messages, Duration at_most);
  Result<> AnswerCommands();
  Result<> RunFiles();
  Result<> PurgeOnTime();
  void Reload();
  void Tell(const LinkEvent& event);
  void Log(std::string_view level, std::string_view text) const { settings_.log(level, text); }

  World& world_;
  AgentSettings settings_;
  SignalSource& signals_;
  std::optional<Opened> opened_;
  std::unique_ptr<EventCommand> on_event_;
  std::optional<std::uint64_t> exported_at_;  // commits of the store then; nullopt: not yet
  bool exported_by_broker_ = false;
  Clock::time_point export_at_{};                  // with files_every: then
  std::optional<Clock::time_point> export_again_;  // what failed
  Clock::time_point purge_at_{};
  std::size_t commands_under_way_ = 0;  // each waits in the one before
  bool stop_ = false;
  bool reload_ = false;
};

Result<> AgentLoop::Run() {
  DIRSYNC_CHECK(Open(kLockPatience));
  const SiteProfile& profile = opened_->store->profile();
  on_event_ = std::make_unique<EventCommand>(settings_.on_event, profile.site);
  Log("info", "serving " + Printable(profile.basepoint().ToString()) + " from store " +
                  Printable(settings_.store));
  while (!Stopping()) {
    const auto turned = TurnAll();
    // A commit that was stopped because the agent ends is no failure of the store.
    if (!turned && turned.error().code == ErrorCode::kInterrupted && Stopping()) break;
    if (!turned) Log("error", turned.error().ToString());
    if (!turned || !IsHealthy()) Reopen();
    if (!Stopping()) Wait(UntilNextTurn());
  }
  Log("info", "stopping");
  if (opened_) opened_->session->Leave();
  return {};
}

Result<> AgentLoop::Open(Clock::duration patience) {
  const auto deadline = Clock::now() + patience;
  Opened opened;
  while (!opened.store) {
    auto store = Store::Open(world_, settings_.store);
    if (store) {
      opened.store = std::move(*store);
      break;
    }
    // A command may be at work on it, for a moment.
    if (store.error().code != ErrorCode::kLocked || Clock::now() >= deadline || Stopping())
      return std::unexpected(store.error());
    Wait(kLockRetry);
  }
  opened.store->set_interrupted([this] { return Stopping(); });
  DIRSYNC_TRY(commands, CommandSocket::Listen(settings_.store));
  opened.commands = std::move(commands);
  DIRSYNC_TRY(files, FileRuns::Open(*opened.store, settings_.files_in, settings_.files_out,
                                    [this](const LinkEvent& event) { Tell(event); }));
  opened.files = std::move(files);
  opened.session = std::make_unique<BrokerSession>(*opened.store, settings_.session,
                                                   [this](const LinkEvent& event) { Tell(event); });
  opened_ = std::move(opened);
  exported_at_.reset();
  return {};
}

bool AgentLoop::IsHealthy() const {
  return opened_->store->storage().Get(storage::MetaKey("site")).has_value();
}

// What is on disk is not known after a failed write: as after a crash, opening decides.
void AgentLoop::Reopen() {
  milliseconds pause = kReopenFirst;
  Log("error", "the store failed, and is opened again");
  opened_.reset();
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

Result<> AgentLoop::TurnAll() {
  if (reload_) Reload();
  DIRSYNC_CHECK(AnswerCommands());
  DIRSYNC_CHECK(opened_->session->Turn(Clock::now()));
  DIRSYNC_CHECK(RunFiles());
  DIRSYNC_CHECK(PurgeOnTime());
  if (const std::string wrong = on_event_->Step(Clock::now()); !wrong.empty())
    Log("warning", "on_event: " + wrong);
  return {};
}

// For a command that waits for another site, or for a person: the session goes on, and so do files
// and the commands of others.
Result<> AgentLoop::Turn(std::vector<Message> messages, Duration at_most) {
  // What stops the command does not stop these.
  auto of_command = opened_->store->set_interrupted([this] { return Stopping(); });
  auto turned = TurnMeanwhile(messages, at_most);
  opened_->store->set_interrupted(std::move(of_command));
  return turned;
}

Result<> AgentLoop::TurnMeanwhile(const std::vector<Message>& messages, Duration at_most) {
  const bool with_commands = commands_under_way_ < limits::kCommandsUnderWay;
  opened_->session->Send(messages);
  DIRSYNC_CHECK(opened_->session->Turn(Clock::now()));
  const int soon = opened_->session->timeout_ms(Clock::now());
  if (soon != 0)
    Wait(soon < 0 ? at_most : std::min<Duration>(at_most, Duration(soon)), with_commands);
  if (with_commands) DIRSYNC_CHECK(AnswerCommands());
  DIRSYNC_CHECK(opened_->session->Turn(Clock::now()));
  DIRSYNC_CHECK(RunFiles());
  return opened_->store->Settle();
}

// A configuration that is wrong changes nothing.
void AgentLoop::Reload() {
  reload_ = false;
  if (!settings_.reload) return;
  auto fresh = settings_.reload();
  if (!fresh) {
    Log("error", "reading the configuration again: " + fresh.error().ToString());
    return;
  }
  if (fresh->store != settings_.store)
    Log("warning", "the store stays " + Printable(settings_.store) + " until a new start");
  auto files = FileRuns::Open(*opened_->store, fresh->files_in, fresh->files_out,
                              [this](const LinkEvent& event) { Tell(event); });
  if (!files) {
    Log("error", "reading the configuration again: " + files.error().ToString());
    return;
  }
  opened_->files = std::move(*files);
  settings_.files_in = fresh->files_in;
  settings_.files_out = fresh->files_out;
  settings_.files_every = fresh->files_every;
  settings_.on_event = fresh->on_event;
  settings_.session = fresh->session;
  opened_->session = std::make_unique<BrokerSession>(
      *opened_->store, settings_.session, [this](const LinkEvent& event) { Tell(event); });
  on_event_ = std::make_unique<EventCommand>(settings_.on_event, opened_->store->profile().site);
  exported_at_.reset();
  Log("info", "the configuration was read again");
}

Result<> AgentLoop::AnswerCommands() {
  while (!Stopping()) {
    const auto call = opened_->commands->Take();
    if (!call) break;
    DIRSYNC_CHECK(opened_->store->Settle());
    ++commands_under_way_;
    settings_.answer(*this, *call, [this] { return Stopping(); });
    --commands_under_way_;
  }
  opened_->store->set_interrupted([this] { return Stopping(); });
  return {};
}

Result<> AgentLoop::RunFiles() {
  Store& store = *opened_->store;
  opened_->files->Import(Clock::now());
  // What goes both ways is carried by hand once the broker is away.
  const bool by_broker = opened_->session->carries(Clock::now());
  const bool again = export_again_ && Clock::now() >= *export_again_;
  const bool changed = exported_at_ != store.commits() || by_broker != exported_by_broker_;
  const bool due = settings_.files_every.count() == 0 || Clock::now() >= export_at_;
  if (!again && !(changed && due)) return {};
  DIRSYNC_CHECK(store.Settle());
  // A folder that was away, or a disk that was full.
  export_again_.reset();
  if (!opened_->files->Export(by_broker)) export_again_ = Clock::now() + kExportAgain;
  exported_by_broker_ = by_broker;
  export_at_ = Clock::now() + settings_.files_every;
  exported_at_ = store.commits();
  return {};
}

// Runs purge too, but a site that only has a broker makes none.
Result<> AgentLoop::PurgeOnTime() {
  if (Clock::now() < purge_at_) return {};
  DIRSYNC_CHECK(opened_->store->Settle());
  const auto purged = opened_->store->Write([&](storage::Transaction& transaction) {
    return PurgeTombstones(transaction, world_.Now());
  });
  if (!purged) return std::unexpected(purged.error());
  // A full step says that there may be more.
  purge_at_ = Clock::now() + (*purged < limits::kStepRows ? kPurgeEvery : milliseconds(0));
  return {};
}

milliseconds AgentLoop::UntilNextTurn() const {
  milliseconds left = kRound;
  const auto at_most = [&](std::int64_t ms) {
    if (ms >= 0) left = std::min(left, milliseconds(ms));
  };
  at_most(opened_->commands->timeout_ms());
  at_most(on_event_->timeout_ms(Clock::now()));
  at_most(opened_->session->timeout_ms(Clock::now()));
  if (!settings_.files_in.empty()) at_most(kFolderRound.count());
  const auto at_latest = [&](Clock::time_point then) {
    const auto ms = std::chrono::duration_cast<milliseconds>(then - Clock::now()).count();
    at_most(std::max<std::int64_t>(0, ms));
  };
  if (settings_.files_every.count() > 0 && exported_at_ != opened_->store->commits())
    at_latest(export_at_);
  if (export_again_) at_latest(*export_again_);
  return left;
}

void AgentLoop::Wait(milliseconds at_most, bool with_commands) {
  std::vector<pollfd> waited{{signals_.descriptor(), POLLIN, 0}};
  if (opened_)
    for (const int descriptor : opened_->session->descriptors())
      waited.push_back({descriptor, POLLIN, 0});
  if (opened_ && with_commands) {
    for (const int descriptor : opened_->commands->descriptors())
      waited.push_back({descriptor, POLLIN, 0});
    // A descriptor of -1 is passed over.
    waited.push_back({opened_->files->descriptor(), POLLIN, 0});
  }
  if (poll(waited.data(), waited.size(), static_cast<int>(at_most.count())) < 0 && errno != EINTR)
    Log("error", std::string("waiting: ") + std::strerror(errno));
}

bool AgentLoop::Stopping() {
  TakeSignals();
  return stop_;
}

void AgentLoop::TakeSignals() {
  while (const auto signal = signals_.Take()) {
    stop_ = stop_ || *signal == SIGTERM || *signal == SIGINT;
    reload_ = reload_ || *signal == SIGHUP;
  }
}

void AgentLoop::Tell(const LinkEvent& event) {
  const bool fine = event.code == ErrorCode::kAlreadyApplied;
  std::string text = event.kind;
  if (!event.instance.empty()) text += " " + Printable(event.instance);
  text += ": " + event.text;
  if (!fine) text += " (" + std::string(InfoOf(event.code).text) + ")";
  Log(fine ? "info" : "warning", text);
  if (on_event_) on_event_->Add(event, world_.Now());
}

}  // namespace

Result<> RunAgent(World& world, AgentSettings settings) {
  // A client, or the log's reader, that went away is no reason to die.
  std::signal(SIGPIPE, SIG_IGN);
  DIRSYNC_TRY(signals, SignalSource::Of({SIGTERM, SIGINT, SIGHUP, SIGCHLD}));
  return AgentLoop(world, std::move(settings), *signals).Run();
}

}  // namespace dirsync
