#include "broker/loop/broker_loop.h"

#include <poll.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <mutex>
#include <set>

#include "broker/core/broker.h"
#include "proto/base/text.h"
#include "proto/daemon/command_socket.h"
#include "proto/daemon/machine.h"
#include "proto/daemon/signal_source.h"
#include "proto/net/listener.h"
#include "storage/disk_space.h"
#include "storage/transaction.h"

namespace dirsync {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMessagesMost = 512;              // of one commit
constexpr std::size_t kCommitBytes = 4 * limits::kMiB;  // likewise, about
constexpr std::uint64_t kPumpBytes = 8 * limits::kMiB;  // sent before messages are taken again
constexpr SessionId kDoorBit = SessionId{1} << 63;      // marks sessions at the door
constexpr std::chrono::seconds kTick{1};
constexpr std::chrono::milliseconds kDrain{300};

// Keys that may connect, shared with the handler of handshakes.
class ActiveKeys {
 public:
  void Set(std::set<TransportKey> keys) {
    const std::lock_guard lock(mutex_);
    keys_ = std::move(keys);
  }
  bool Has(const TransportKey& key) const {
    const std::lock_guard lock(mutex_);
    return keys_.contains(key);
  }

 private:
  mutable std::mutex mutex_;
  std::set<TransportKey> keys_;
};

class BrokerLoop : public BrokerAdmin {
 public:
  BrokerLoop(const BrokerProcess& process, SignalSource& signals)
      : process_(process), signals_(signals), ids_(DigestOf(MachineRandom(32))) {}
  Result<> Run();

  BrokerStore& store() override { return *store_; }
  BrokerStats Stats() override { return broker_->Stats(store_->storage(), MachineTime()); }
  Result<Invitation> Invite() override;
  Result<> Take(const SignedRosterEntry& entry) override;
  Result<> Refuse(const std::string& site) override;

 private:
  Result<> Open();
  Result<> Listen();
  Result<> Serve();
  Result<> TakeMessages();
  Result<> Deliver();
  Result<> Tick();
  Result<> Commit(storage::Transaction& transaction);
  void Send(std::vector<Outgoing> out);
  bool TakeOne(std::vector<Incoming>& batch, bool at_door);
  void RefreshKeys();
  void CheckDisk();
  void AnswerCommands();
  void LogEvents();
  void Wait();
  bool Stopping();
  void Reload();
  void Drain();
  void Log(std::string_view level, std::string_view text) const { process_.log(level, text); }

  const BrokerProcess& process_;
  SignalSource& signals_;
  IdSource ids_;
  std::unique_ptr<BrokerStore> store_;
  std::unique_ptr<Broker> broker_;
  ActiveKeys keys_;
  std::uint64_t generation_ = 0;
  std::unique_ptr<ListenerContext> context_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<Listener> door_;
  std::unique_ptr<CommandSocket> commands_;
  std::unique_ptr<PageServer> page_;
  Clock::time_point ticked_ = Clock::now() - kTick;
  std::uint64_t event_logged_ = 0;
  bool more_ = false;  // to deliver, or to take
  bool stop_ = false;
};

Result<> BrokerLoop::Run() {
  DIRSYNC_CHECK(Open());
  DIRSYNC_CHECK(Listen());
  const auto served = Serve();
  Drain();
  if (page_) page_->Stop();
  return served;
}

Result<> BrokerLoop::Open() {
  auto store = BrokerStore::IsThere(process_.store) ? BrokerStore::Open(process_.store)
                                                    : BrokerStore::Create(process_.store, "");
  if (!store) return std::unexpected(store.error());
  store_ = std::move(*store);
  BrokerSettings settings = process_.limits;
  settings.organization = store_->organization();
  settings.organization_key = store_->organization_key();
  DIRSYNC_TRY(broker, Broker::Open(store_->storage(), settings, ids_));
  broker_ = std::move(broker);
  for (const BrokerEvent& event : broker_->EventsAfter(0)) event_logged_ = event.number;
  RefreshKeys();
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
  DIRSYNC_TRY(door, Listener::Bind(
                        *context_, settings, [](const TransportKey&) { return true; },
                        MachineRandom(32), true));
  door_ = std::move(door);
  DIRSYNC_TRY(commands, CommandSocket::Listen(process_.store));
  commands_ = std::move(commands);
  if (process_.page) {
    DIRSYNC_TRY(page, PageServer::Start(*process_.page));
    page_ = std::move(page);
    page_->SetReadiness({{"store", true}, {"authentication", true}, {"listener", true}});
  }
  Log("info", "broker of " +
                  Printable(store_->organization().empty() ? "an organisation not named yet"
                                                           : store_->organization()) +
                  " listens on " + listener_->address() + ", joins on " + door_->address() +
                  "; organisation key " + Fingerprint(store_->organization_key()));
  if (process_.ready)
    process_.ready(listener_->address(), door_->address(),
                   page_ ? page_->port() : std::uint16_t{0});
  return {};
}

Result<> BrokerLoop::Serve() {
  while (!Stopping()) {
    if (Clock::now() >= ticked_ + kTick) DIRSYNC_CHECK(Tick());
    DIRSYNC_CHECK(TakeMessages());
    DIRSYNC_CHECK(Deliver());
    AnswerCommands();
    if (!more_) Wait();
  }
  return {};
}

bool BrokerLoop::TakeOne(std::vector<Incoming>& batch, bool at_door) {
  Listener& listener = at_door ? *door_ : *listener_;
  auto received = listener.Receive();
  for (const std::string& reason : listener.TakeRefusals()) {
    broker_->CountRefusal(reason);
    Log("warning", "refused: " + reason + (at_door ? " at the join door" : ""));
  }
  if (!received) return false;
  batch.push_back(
      {received->session | (at_door ? kDoorBit : 0), received->key, std::move(received->message)});
  return true;
}

// Everything that waits, up to a bound, in one commit and one sync; then the answers.
Result<> BrokerLoop::TakeMessages() {
  std::vector<Incoming> batch;
  std::size_t bytes = 0;
  more_ = false;
  while (batch.size() < kMessagesMost && bytes < kCommitBytes) {
    const std::size_t before = batch.size();
    TakeOne(batch, false);
    TakeOne(batch, true);
    if (batch.size() == before) break;
    for (std::size_t i = before; i < batch.size(); ++i)
      if (const auto* publish = std::get_if<Publish>(&batch[i].message); publish != nullptr)
        bytes += publish->payload ? publish->payload->size() : 0;
  }
  if (batch.empty()) return {};
  more_ = true;
  storage::Transaction transaction(store_->storage());
  std::vector<Outgoing> out;
  const Instant now = MachineTime();
  for (const Incoming& incoming : batch) {
    const bool at_door = (incoming.session & kDoorBit) != 0;
    DIRSYNC_CHECK(at_door ? broker_->HandleAtDoor(transaction, incoming, now, out)
                          : broker_->Handle(transaction, incoming, now, out));
  }
  DIRSYNC_CHECK(Commit(transaction));
  RefreshKeys();
  Send(std::move(out));
  return {};
}

Result<> BrokerLoop::Commit(storage::Transaction& transaction) {
  if (transaction.rows() == 0) return {};
  PassKillPoint("broker-commit");
  DIRSYNC_CHECK(store_->storage().Commit(transaction.Take()));
  PassKillPoint("broker-sync");
  DIRSYNC_CHECK(store_->storage().Sync());
  PassKillPoint("broker-committed");
  LogEvents();
  return {};
}

void BrokerLoop::Send(std::vector<Outgoing> out) {
  for (Outgoing& outgoing : out) {
    const bool at_door = (outgoing.session & kDoorBit) != 0;
    Listener& listener = at_door ? *door_ : *listener_;
    const std::uint64_t session = outgoing.session & ~kDoorBit;
    const auto sent = listener.Send(session, outgoing.message);
    // Who takes nothing, or is gone, greets again and is told what it missed.
    if (!sent) broker_->Gone(outgoing.session, MachineTime());
    if (!sent || outgoing.last) listener.Close(session);
  }
}

Result<> BrokerLoop::Deliver() {
  std::vector<Outgoing> out;
  DIRSYNC_TRY(more, broker_->Pump(store_->storage(), MachineTime(), kPumpBytes, out));
  more_ = more_ || more;
  if (!out.empty()) PassKillPoint("broker-deliver");
  Send(std::move(out));
  return {};
}

Result<> BrokerLoop::Tick() {
  ticked_ = Clock::now();
  CheckDisk();
  storage::Transaction transaction(store_->storage());
  std::vector<Outgoing> out;
  DIRSYNC_CHECK(broker_->Tick(transaction, MachineTime(), out));
  DIRSYNC_CHECK(Commit(transaction));
  Send(std::move(out));
  if (page_) page_->Publish(std::make_shared<const BrokerStats>(Stats()));
  return {};
}

// R30: nothing more is published when the disk is nearly full; acks and trims go on.
void BrokerLoop::CheckDisk() {
  const auto space = storage::CheckDiskSpace(store_->path());
  if (!space) return;
  broker_->SetDiskFree(space->free_bytes);
  broker_->SetReadOnly(space->below_mark, space->below_mark ? "the disk is nearly full" : "");
}

void BrokerLoop::RefreshKeys() {
  if (generation_ == broker_->roster_generation()) return;
  generation_ = broker_->roster_generation();
  keys_.Set(broker_->ActiveKeys());
}

void BrokerLoop::LogEvents() {
  for (const BrokerEvent& event : broker_->EventsAfter(event_logged_)) {
    event_logged_ = event.number;
    Log(event.kind == "refused" ? "warning" : "info",
        event.kind + (event.site.empty() ? "" : " " + Printable(event.site)) + ": " +
            Printable(event.text));
  }
}

Result<Invitation> BrokerLoop::Invite() {
  storage::Transaction transaction(store_->storage());
  const Instant now = MachineTime();
  DIRSYNC_TRY(token, broker_->OpenDoor(transaction, now));
  DIRSYNC_CHECK(Commit(transaction));
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
  Send(std::move(out));
  return {};
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

void BrokerLoop::Wait() {
  if (listener_->IsWaiting() || door_->IsWaiting()) return;
  std::vector<pollfd> waited{{signals_.descriptor(), POLLIN, 0}};
  const auto add = [&](const std::vector<int>& descriptors) {
    for (const int descriptor : descriptors) waited.push_back({descriptor, POLLIN, 0});
  };
  add(listener_->descriptors());
  add(door_->descriptors());
  add(commands_->descriptors());
  auto left = std::chrono::duration_cast<std::chrono::milliseconds>(ticked_ + kTick - Clock::now());
  const int until = commands_->timeout_ms();
  if (until >= 0) left = std::min(left, std::chrono::milliseconds(until));
  poll(waited.data(), waited.size(), static_cast<int>(std::max<std::int64_t>(0, left.count())));
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
  auto settings = process_.reload();
  if (!settings) {
    Log("error", "the old limits stay: " + settings.error().ToString());
    return;
  }
  broker_->Apply(*settings);
  Log("info", "new limits are in force");
}

// Agents hear that they should come back soon, and where they stand is durable already.
void BrokerLoop::Drain() {
  Log("info", "stopping");
  const Bye bye{ErrorCode::kUnreachable, "the broker stops", 1};
  for (const SessionId session : broker_->Sessions())
    static_cast<void>(listener_->Send(session, bye));
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
