#include "broker/loop/broker_loop.h"

#include <poll.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>

#include "broker/core/broker.h"
#include "broker/loop/active_keys.h"
#include "broker/loop/disk_guard.h"
#include "proto/base/text.h"
#include "proto/daemon/command_socket.h"
#include "proto/daemon/machine.h"
#include "proto/daemon/service_manager.h"
#include "proto/daemon/signal_source.h"
#include "proto/net/listener.h"
#include "storage/transaction.h"

namespace dirsync {
namespace {

using Clock = std::chrono::steady_clock;

std::uint64_t MicrosecondsSince(Clock::time_point begin) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - begin).count());
}

constexpr std::size_t kMessagesMost = 512;              // of one commit, refused ones too
constexpr std::size_t kCommitBytes = 4 * limits::kMiB;  // likewise, about
constexpr std::uint64_t kPumpBytes = 8 * limits::kMiB;  // sent before messages are taken again
constexpr SessionId kDoorBit = SessionId{1} << 63;      // marks sessions at the door
constexpr std::chrono::seconds kTick{1};
constexpr std::chrono::milliseconds kLookAgain{20};  // at what waits for room
constexpr std::chrono::milliseconds kDrain{300};
constexpr std::chrono::milliseconds kReopen{1000};  // between attempts to open a store that failed
constexpr std::size_t kDoorMessagesMost = 16;       // of one commit: each has a signature to check

class BrokerLoop : public BrokerAdmin {
 public:
  BrokerLoop(const BrokerProcess& process, SignalSource& signals)
      : process_(process),
        limits_(process.limits),
        signals_(signals),
        ids_(DigestOf(MachineRandom(32))) {}
  Result<> Run();

  BrokerStore& store() override { return *store_; }
  BrokerStats Stats() override {
    BrokerStats stats = broker_->Stats(store_->storage(), MachineTime());
    stats.times = times_;
    stats.log_lines_dropped = log().dropped();
    return stats;
  }
  Result<Invitation> Invite() override;
  Result<> Take(const SignedRosterEntry& entry) override;
  Result<> CheckTake(const SignedRosterEntry& entry) override;
  Result<> Refuse(const std::string& site) override;

 private:
  Result<> Open();
  Result<> Listen();
  Result<> Serve();
  Result<> Turn();
  Result<> Reopen(const Error& why);
  Result<> TakeMessages();
  Result<> HandleAll(const std::vector<Incoming>& batch);
  Result<> Deliver();
  Result<> Tick();
  // Not synced: what it wrote may fall back, harmlessly (MustSync).
  Result<> Commit(storage::Transaction& transaction, bool sync = true);
  void Send(const std::vector<Outgoing>& out);
  void LookAtBacklogs();
  void TakeFrom(bool at_door, ReceiveBudget budget, std::vector<Incoming>& batch);
  void TakeRefusals(bool at_door);
  void RefreshKeys();
  void CheckDisk();
  void AnswerCommands();
  void LogEvents();
  void Wait(std::chrono::milliseconds at_most);
  bool Stopping();
  void Reload();
  void SayBye(const std::string& text);
  void Drain();
  class Log& log() const { return *process_.log; }

  const BrokerProcess& process_;
  BrokerLimits limits_;
  SignalSource& signals_;
  IdSource ids_;
  std::unique_ptr<BrokerStore> store_;
  std::unique_ptr<Broker> broker_;
  ActiveKeys keys_;
  std::uint64_t generation_ = 0;
  std::atomic<std::int64_t> door_until_ms_{0};  // strangers may come to the door so long
  std::unique_ptr<DiskGuard> disk_;
  bool disk_full_ = false;
  std::optional<Error> failed_;  // the first write that failed
  std::unique_ptr<ListenerContext> context_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Listener> door_;
  std::unique_ptr<CommandSocket> commands_;
  std::unique_ptr<PageServer> page_;
  Clock::time_point ticked_ = Clock::now() - kTick;
  std::uint64_t event_logged_ = 0;
  HandlingTimes times_;
  bool more_ = false;  // to deliver, or to take
  bool stop_ = false;
};

Result<> BrokerLoop::Run() {
  DIRSYNC_CHECK(Open());
  DIRSYNC_CHECK(Listen());
  TellServiceManager("READY=1\nSTATUS=listening on " + listener_->address());
  const auto served = Serve();
  if (!served) log().Write(LogLevel::kError, served.error());
  Drain();
  if (page_) page_->Stop();
  return served;
}

Result<> BrokerLoop::Open() {
  auto store = BrokerStore::IsThere(process_.store) ? BrokerStore::Open(process_.store)
                                                    : BrokerStore::Create(process_.store, "");
  if (!store) return std::unexpected(store.error());
  store_ = std::move(*store);
  BrokerSettings settings = limits_.settings;
  settings.organization = store_->organization();
  settings.organization_key = store_->organization_key();
  DIRSYNC_TRY(broker, Broker::Open(store_->storage(), settings, ids_));
  broker_ = std::move(broker);
  for (const BrokerEvent& event : broker_->EventsAfter(0)) event_logged_ = event.number;
  generation_ = 0;
  RefreshKeys();
  if (!disk_) disk_ = std::make_unique<DiskGuard>(store_->path(), limits_.disk);
  CheckDisk();
  return {};
}

Result<> BrokerLoop::Listen() {
  DIRSYNC_TRY(context, ListenerContext::Make());
  context_ = std::move(context);
  ListenerSettings settings;
  settings.address = process_.listen;
  settings.keys = store_->transport_keys();
  settings.zap_domain = "dirsync";
  settings.message_bytes_max = limits::kMessageBytes;
  DIRSYNC_TRY(listener,
              Listener::Bind(
                  *context_, settings, [this](const TransportKey& key) { return keys_.Has(key); },
                  MachineRandom(32)));
  listener_ = std::move(listener);
  settings.address = process_.door;
  settings.zap_domain = "dirsync-join";
  settings.message_bytes_max = limits::kJoinBytes;
  // Who is approved may hear so after the door was closed; nobody else.
  const auto may_ask = [this](const TransportKey& key) {
    return ToMillis(MachineTime()) < door_until_ms_ || keys_.Has(key);
  };
  const bool anybody = ToMillis(MachineTime()) < door_until_ms_;
  DIRSYNC_TRY(door, Listener::Bind(*context_, settings, may_ask, MachineRandom(32), anybody));
  door_ = std::move(door);
  DIRSYNC_TRY(commands, CommandSocket::Listen(process_.store));
  commands_ = std::move(commands);
  if (process_.page) {
    DIRSYNC_TRY(page, PageServer::Start(*process_.page));
    page_ = std::move(page);
    page_->SetReadiness({{"store", true}, {"authentication", true}, {"listener", true}});
  }
  log().Write(LogLevel::kInfo,
              "broker of " +
                  (store_->organization().empty() ? "an organisation not named yet"
                                                  : Printable(store_->organization())) +
                  " listens on " + listener_->address() + ", joins on " + door_->address() +
                  "; organisation key " + Fingerprint(store_->organization_key()));
  if (process_.ready)
    process_.ready(listener_->address(), door_->address(),
                   page_ ? page_->port() : std::uint16_t{0});
  return {};
}

Result<> BrokerLoop::Serve() {
  while (!Stopping()) {
    const auto turned = Turn();
    if (!turned && turned.error().code != ErrorCode::kDiskFull) return turned;
    if (!turned) DIRSYNC_CHECK(Reopen(turned.error()));
  }
  return {};
}

Result<> BrokerLoop::Turn() {
  // Before anybody is called silent: it may have been the broker that stood still, on a slow disk.
  DIRSYNC_CHECK(TakeMessages());
  if (Clock::now() >= ticked_ + kTick) DIRSYNC_CHECK(Tick());
  DIRSYNC_CHECK(Deliver());
  AnswerCommands();
  // A command's change may have failed too.
  if (failed_) return std::unexpected(*failed_);
  if (!more_)
    Wait(std::chrono::duration_cast<std::chrono::milliseconds>(ticked_ + kTick - Clock::now()));
  return {};
}

// The disk was full in the middle of a write (R30): what of it is there is found out by opening the
// store again. Nothing of it was answered; sessions greet again and are told how things stand.
Result<> BrokerLoop::Reopen(const Error& why) {
  log().Write(LogLevel::kError, why);
  SayBye("the broker's disk is full");
  disk_->Release();
  for (;;) {
    failed_.reset();
    broker_.reset();
    store_.reset();
    if (Stopping()) return {};
    const auto opened = Open();
    if (opened) {
      log().Write(LogLevel::kInfo, "the store is open again");
      return {};
    }
    log().Write(LogLevel::kError, opened.error());
    // A store that is damaged is not healed by trying again.
    const ErrorCode code = opened.error().code;
    if (code != ErrorCode::kDiskFull && code != ErrorCode::kIo) return opened;
    broker_.reset();
    TellServiceManager("WATCHDOG=1\nSTATUS=the disk is full");
    Wait(kReopen);
  }
}

void BrokerLoop::TakeFrom(bool at_door, ReceiveBudget budget, std::vector<Incoming>& batch) {
  Listener& listener = at_door ? *door_ : *listener_;
  const SessionId bit = at_door ? kDoorBit : 0;
  while (auto received = listener.Receive(budget))
    batch.push_back({received->session | bit, received->key, std::move(received->message)});
}

// Behind the messages of the same turn: those of a session that was ended came before its end.
void BrokerLoop::TakeRefusals(bool at_door) {
  for (const std::uint64_t session : (at_door ? *door_ : *listener_).TakeEnded())
    broker_->Gone(session | (at_door ? kDoorBit : 0), MachineTime());
  for (const std::string& reason : (at_door ? *door_ : *listener_).TakeRefusals()) {
    broker_->CountRefusal(reason);
    log().Write(LogLevel::kWarning,
                "refused " + std::string(at_door ? "at the join door" : "a connection or message"),
                {.code = reason});
  }
}

// Everything that waits, up to a bound, in one commit and one sync; then the answers.
Result<> BrokerLoop::TakeMessages() {
  const auto begin = Clock::now();
  std::vector<Incoming> batch;
  more_ = false;
  TakeFrom(false, {kMessagesMost, kCommitBytes}, batch);
  const auto publishes = static_cast<std::uint64_t>(std::ranges::count_if(
      batch, [](const Incoming& one) { return std::holds_alternative<Publish>(one.message); }));
  TakeFrom(true, {kDoorMessagesMost, kCommitBytes}, batch);
  more_ = !batch.empty();
  const auto handled = more_ ? HandleAll(batch) : Result<>();
  TakeRefusals(false);
  TakeRefusals(true);
  if (handled && publishes > 0) {
    times_.publish.Count(MicrosecondsSince(begin), publishes);
    times_.commit_batches.Count(publishes);
  }
  return handled;
}

Result<> BrokerLoop::HandleAll(const std::vector<Incoming>& batch) {
  LookAtBacklogs();
  storage::Transaction transaction(store_->storage());
  std::vector<Outgoing> out;
  const Instant now = MachineTime();
  bool sync = false;
  for (const Incoming& incoming : batch) {
    const bool to_door = (incoming.session & kDoorBit) != 0;
    sync = sync || to_door || MustSync(incoming.message);
    DIRSYNC_CHECK(to_door ? broker_->HandleAtDoor(transaction, incoming, now, out)
                          : broker_->Handle(transaction, incoming, now, out));
  }
  DIRSYNC_CHECK(Commit(transaction, sync));
  RefreshKeys();
  Send(out);
  return {};
}

Result<> BrokerLoop::Commit(storage::Transaction& transaction, bool sync) {
  if (transaction.rows() == 0) return {};
  PassKillPoint("broker-commit");
  const auto begin = Clock::now();
  auto done = store_->storage().Commit(transaction.Take());
  PassKillPoint("broker-sync");
  if (done && sync) done = store_->storage().Sync();
  if (!done) {
    // After the first one nothing that the store says is news.
    if (!failed_) failed_ = done.error();
    return std::unexpected(*failed_);
  }
  if (sync) times_.commit.Count(MicrosecondsSince(begin));
  PassKillPoint("broker-committed");
  LogEvents();
  return {};
}

void BrokerLoop::Send(const std::vector<Outgoing>& out) {
  for (const Outgoing& outgoing : out) {
    const bool at_door = (outgoing.session & kDoorBit) != 0;
    Listener& listener = at_door ? *door_ : *listener_;
    const std::uint64_t session = outgoing.session & ~kDoorBit;
    const auto sent = listener.Send(session, outgoing.message);
    // Who takes nothing, or is gone, greets again and is told what it missed.
    if (!sent) broker_->Gone(outgoing.session, MachineTime());
    if (!sent || outgoing.last) listener.Close(session);
  }
}

// What ZeroMQ has sent since the last time.
void BrokerLoop::LookAtBacklogs() {
  for (const SessionId session : broker_->Loaded())
    broker_->SetUnderWay(session, listener_->UnderWay(session));
}

Result<> BrokerLoop::Deliver() {
  LookAtBacklogs();
  std::vector<Outgoing> out;
  DIRSYNC_TRY(more, broker_->Pump(store_->storage(), MachineTime(), kPumpBytes, out));
  more_ = more_ || more;
  if (!out.empty()) PassKillPoint("broker-deliver");
  Send(out);
  return {};
}

Result<> BrokerLoop::Tick() {
  ticked_ = Clock::now();
  CheckDisk();
  storage::Transaction transaction(store_->storage());
  std::vector<Outgoing> out;
  DIRSYNC_CHECK(broker_->Tick(transaction, MachineTime(), out));
  DIRSYNC_CHECK(Commit(transaction));
  Send(out);
  door_until_ms_ = ToMillis(broker_->door_until());
  if (page_) page_->Publish(std::make_shared<const BrokerStats>(Stats()));
  log().Tick();
  TellServiceManager("WATCHDOG=1\nSTATUS=" + std::to_string(broker_->Sessions().size()) +
                     " sites are connected" + (disk_full_ ? "; the disk is full" : ""));
  return {};
}

// R30: nothing more is published when the disk is nearly full; acks and trims go on.
void BrokerLoop::CheckDisk() {
  const auto verdict = disk_->Check();
  if (!verdict) {
    log().Write(LogLevel::kError, verdict.error());
    return;
  }
  broker_->SetDiskFree(verdict->free_bytes);
  broker_->SetReadOnly(verdict->full, verdict->full ? "the disk is nearly full" : "");
  if (verdict->full != disk_full_)
    log().Write(verdict->full ? LogLevel::kError : LogLevel::kInfo,
                verdict->full ? "the disk is nearly full: nothing more is taken, acks go on"
                              : "there is room again on the disk",
                {.code = verdict->full ? "READ_ONLY" : ""});
  disk_full_ = verdict->full;
}

void BrokerLoop::RefreshKeys() {
  if (generation_ == broker_->roster_generation()) return;
  generation_ = broker_->roster_generation();
  keys_.Set(broker_->ActiveKeys());
}

void BrokerLoop::LogEvents() {
  for (const BrokerEvent& event : broker_->EventsAfter(event_logged_)) {
    event_logged_ = event.number;
    log().Write(event.kind == "refused" ? LogLevel::kWarning : LogLevel::kInfo, event.text,
                {.site = event.site, .stream = event.stream, .code = event.kind});
  }
}

Result<Invitation> BrokerLoop::Invite() {
  storage::Transaction transaction(store_->storage());
  const Instant now = MachineTime();
  DIRSYNC_TRY(token, broker_->OpenDoor(transaction, now));
  DIRSYNC_CHECK(Commit(transaction));
  door_until_ms_ = ToMillis(broker_->door_until());
  Invitation invitation;
  invitation.door_address = process_.public_door.empty() ? door_->address() : process_.public_door;
  invitation.broker_address =
      process_.public_address.empty() ? listener_->address() : process_.public_address;
  invitation.broker_key = store_->transport_keys().public_key;
  invitation.organization = store_->organization();
  invitation.organization_key = store_->organization_key();
  invitation.token = std::move(token);
  invitation.until = now + std::chrono::seconds(limits::kDoorSeconds);
  return invitation;
}

Result<> BrokerLoop::Take(const SignedRosterEntry& entry) {
  storage::Transaction transaction(store_->storage());
  std::vector<Outgoing> out;
  DIRSYNC_CHECK(broker_->TakeRoster(transaction, entry, MachineTime(), out));
  DIRSYNC_CHECK(Commit(transaction));
  RefreshKeys();
  Send(out);
  return {};
}

Result<> BrokerLoop::CheckTake(const SignedRosterEntry& entry) {
  return broker_->CheckRoster(store_->storage(), entry);
}

Result<> BrokerLoop::Refuse(const std::string& site) {
  storage::Transaction transaction(store_->storage());
  DIRSYNC_CHECK(broker_->RefuseJoin(transaction, site, MachineTime()));
  return Commit(transaction);
}

void BrokerLoop::AnswerCommands() {
  while (const auto call = commands_->Take())
    process_.answer(*this, *call, [this] { return Stopping(); });
}

void BrokerLoop::Wait(std::chrono::milliseconds at_most) {
  const bool open = broker_ != nullptr;
  if (open && (listener_->IsWaiting() || door_->IsWaiting())) return;
  std::vector<pollfd> waited{{signals_.descriptor(), POLLIN, 0}};
  const auto add = [&](const std::vector<int>& descriptors) {
    for (const int descriptor : descriptors) waited.push_back({descriptor, POLLIN, 0});
  };
  if (open) {
    add(listener_->descriptors());
    add(door_->descriptors());
    add(commands_->descriptors());
    if (broker_->IsHeldUp()) at_most = std::min(at_most, kLookAgain);
    const int until = commands_->timeout_ms();
    if (until >= 0) at_most = std::min(at_most, std::chrono::milliseconds(until));
  }
  poll(waited.data(), waited.size(), static_cast<int>(std::max<std::int64_t>(0, at_most.count())));
}

bool BrokerLoop::Stopping() {
  while (const auto signal = signals_.Take()) {
    if (*signal == SIGHUP) {
      Reload();
    } else {
      stop_ = true;
    }
  }
  return stop_;
}

void BrokerLoop::Reload() {
  if (!process_.reload) return;
  const auto limits = process_.reload();
  if (!limits) {
    log().Write(LogLevel::kError, limits.error());
    log().Write(LogLevel::kWarning, "the configuration stays as it was");
    return;
  }
  limits_ = *limits;
  log().SetLevel(limits_.log_level);
  disk_->SetMark(limits_.disk);
  if (broker_) broker_->Apply(limits_.settings);
  log().Write(LogLevel::kInfo, "new limits are in force");
}

void BrokerLoop::SayBye(const std::string& text) {
  for (const SessionId session : broker_->Sessions()) {
    static_cast<void>(listener_->Send(session, Bye{ErrorCode::kUnreachable, text, 1}));
    listener_->Close(session);
  }
}

// Agents hear that they should come back soon, and where they stand is durable already.
void BrokerLoop::Drain() {
  log().Write(LogLevel::kInfo, "stopping");
  TellServiceManager("STOPPING=1");
  if (broker_) SayBye("the broker stops");
  const auto until = Clock::now() + kDrain;
  while (Clock::now() < until) {
    pollfd item{listener_->descriptors().front(), POLLIN, 0};
    poll(&item, 1, 20);
    while (listener_->Receive()) {
    }
  }
}

}  // namespace

Result<> RunBroker(const BrokerProcess& process) {
  // A client, or the log's reader, that went away is no reason to die.
  std::signal(SIGPIPE, SIG_IGN);
  DIRSYNC_TRY(signals, SignalSource::Of({SIGTERM, SIGINT, SIGHUP}));
  return BrokerLoop(process, *signals).Run();
}

}  // namespace dirsync
