#include "tests/sim/network.h"

#include <algorithm>

#include "agent/core/reader_state.h"
#include "broker/core/stream_log.h"
#include "proto/base/text.h"
#include "proto/codec/message_codec.h"
#include "proto/codec/roster_codec.h"
#include "proto/trust/membership.h"
#include "proto/trust/roster.h"

namespace dirsync::sim {
namespace {

TransportKey KeyOf(std::size_t site) {
  TransportKey key;
  key.bytes[0] = static_cast<std::uint8_t>(site + 1);
  key.bytes[31] = 0x5a;
  return key;
}

// As over a wire: what cannot be encoded or decoded again never arrives.
std::optional<Message> OverWire(const Message& message) {
  WireMessage wire = EncodeMessage(message);
  auto decoded = DecodeMessage(wire.header, std::move(wire.payload));
  if (!decoded) return std::nullopt;
  return std::move(*decoded);
}

// As `dirsync join` leaves a store.
Result<> JoinStore(Store& store, const PublicKey& organization,
                   const std::vector<SignedRosterEntry>& roster) {
  return store.Write([&](storage::Transaction& transaction) -> Result<> {
    StoreMembership(transaction, {"Testorg", organization, "tcp://simulated:1", KeyOf(99)});
    for (const SignedRosterEntry& entry : roster)
      DIRSYNC_CHECK(TakeRosterEntry(transaction, organization, entry));
    return {};
  });
}

}  // namespace

Network::Network(Deployment& deployment)
    : deployment_(deployment), storage_(std::make_shared<storage::MemoryStorage>()) {
  SimWorld& world = *deployment_.sites().front().world;
  organization_ = SigningKey::FromSeed(world.Random(32));
  settings_.organization = "Testorg";
  settings_.organization_key = organization_->public_key();
  apart_.resize(deployment_.sites().size());
  links_.resize(deployment_.sites().size());
  OpenBroker();
  JoinAll();
  for (std::size_t site = 0; site < links_.size(); ++site) {
    deployment_.sites()[site].before_reopen = [this, site] { links_[site].reset(); };
    Relink(site);
  }
}

void Network::OpenBroker() {
  ids_.emplace(DigestOf(deployment_.sites().front().world->Random(32)));
  auto opened = Broker::Open(*storage_, settings_, *ids_);
  if (!opened) {
    problems_.push_back("broker does not open: " + opened.error().ToString());
    return;
  }
  broker_ = std::move(*opened);
}

// The roster, signed once, as everybody knows it.
void Network::JoinAll() {
  for (std::size_t i = 0; i < deployment_.sites().size(); ++i) {
    Site& site = deployment_.sites()[i];
    RosterEntry entry;
    entry.organization = "Testorg";
    entry.site = site.name;
    entry.server = site.profile.server;
    entry.signing_key = site.key->public_key();
    entry.transport_key = KeyOf(i);
    entry.domains = {ToLowerAscii(site.name) + ".test"};
    entry.serial = 1;
    entry.time = now_;
    roster_.push_back(SignRosterEntry(entry, *organization_));
  }
  storage::Transaction transaction(*storage_);
  std::vector<Outgoing> out;
  for (const SignedRosterEntry& entry : roster_)
    if (auto taken = broker_->TakeRoster(transaction, entry, now_, out); !taken)
      problems_.push_back("roster refused: " + taken.error().ToString());
  Commit(transaction);
  for (Site& site : deployment_.sites())
    if (auto joined = JoinStore(*site.store, organization_->public_key(), roster_); !joined)
      problems_.push_back("join refused: " + joined.error().ToString());
}

void Network::Relink(std::size_t site) {
  Drop(site);
  LinkSettings settings;
  settings.program = "simulator";
  links_[site] = std::make_unique<Link>(*deployment_.sites()[site].store, settings);
}

bool Network::Commit(storage::Transaction& transaction, bool sync) {
  if (transaction.rows() == 0) return true;
  return storage_->Commit(transaction.Take()).has_value() &&
         (!sync || storage_->Sync().has_value());
}

Session* Network::SessionOf(std::size_t site) {
  for (auto& session : sessions_)
    if (session->site == site && session->open) return session.get();
  return nullptr;
}

void Network::Push(std::size_t site, Result<std::vector<Message>> messages) {
  for (const LinkEvent& event : links_[site]->TakeEvents())
    deployment_.trace.push_back(deployment_.sites()[site].name + " " + event.kind + " " +
                                event.instance + ": " + event.text);
  Session* session = SessionOf(site);
  if (!messages) {
    problems_.push_back(deployment_.sites()[site].name +
                        ": link failed: " + messages.error().ToString());
    return;
  }
  if (session == nullptr) return;
  for (Message& message : *messages) session->up.push_back(std::move(message));
}

template <class F>
void Network::SiteStep(std::size_t site, const char* what, F&& step) {
  const std::uint64_t deaths = deployment_.deaths();
  deployment_.MayDie(deployment_.sites()[site], what, std::forward<F>(step));
  if (deployment_.deaths() != deaths) Relink(site);
}

void Network::Connect(std::size_t site) {
  if (apart_[site]) return;
  Drop(site);
  auto session = std::make_unique<Session>();
  session->id = next_session_++;
  session->site = site;
  sessions_.push_back(std::move(session));
  SiteStep(site, "connects", [&] { Push(site, links_[site]->Connected()); });
}

void Network::Drop(std::size_t site) {
  Session* session = SessionOf(site);
  if (session == nullptr) return;
  ++counts_.drops;
  session->open = false;
  session->down.clear();
  // What was under way may still arrive, up to some message.
  session->up.resize(deployment_.Draw(session->up.size() + 1));
  if (links_[site]) links_[site]->Lost();
}

void Network::Partition(std::size_t site, bool apart) {
  apart_[site] = apart;
  if (apart) Drop(site);
}

void Network::PumpSite(std::size_t site) {
  SiteStep(site, "pumps", [&] { Push(site, links_[site]->Pump()); });
}

void Network::TickSite(std::size_t site) {
  SiteStep(site, "ticks", [&] { Push(site, links_[site]->Tick()); });
}

void Network::Resync(std::size_t site) {
  auto instances = ListInstances(deployment_.sites()[site].store->storage());
  if (!instances) return;
  std::erase_if(*instances, [](const InstanceSettings& settings) { return !settings.imports; });
  if (instances->empty()) return;
  const std::string name = (*instances)[deployment_.Draw(instances->size())].name;
  SiteStep(site, "takes a full copy", [&] {
    auto messages = links_[site]->TakeFull(name);
    if (messages) Push(site, std::move(messages));
  });
}

void Network::Send(std::vector<Outgoing> out) {
  for (Outgoing& outgoing : out) {
    if (const auto* answer = std::get_if<Published>(&outgoing.message)) {
      if (answer->outcome == PublishOutcome::kStored) {
        ++counts_.stored;
        stored_.push_back({answer->stream, answer->position});
      } else {
        ++(answer->outcome == PublishOutcome::kDuplicate ? counts_.duplicates : counts_.refused);
      }
    }
    if (std::holds_alternative<Range>(outgoing.message)) ++counts_.ranges;
    for (auto& session : sessions_)
      if (session->id == outgoing.session && session->open)
        session->down.push_back(std::move(outgoing.message));
  }
}

// Several messages, one commit, then what they caused (R19). Dies now and then on the way.
void Network::Up(std::size_t most) {
  storage::Transaction transaction(*storage_);
  std::vector<Outgoing> out;
  std::size_t taken = 0;
  bool sync = false;
  while (taken < most) {
    std::vector<Session*> waiting;
    for (auto& session : sessions_)
      if (!session->up.empty()) waiting.push_back(session.get());
    if (waiting.empty()) break;
    Session& session = *waiting[deployment_.Draw(waiting.size())];
    std::optional<Message> message = OverWire(session.up.front());
    session.up.pop_front();
    ++taken;
    ++counts_.messages;
    if (!message) {
      problems_.push_back("a message did not survive its encoding");
      continue;
    }
    Incoming incoming{session.id, KeyOf(session.site), std::move(*message)};
    sync = sync || MustSync(incoming.message);
    if (auto handled = broker_->Handle(transaction, incoming, now_, out); !handled)
      problems_.push_back("broker failed: " + handled.error().ToString());
  }
  const std::uint64_t dice = calm_ ? 59 : deployment_.Draw(60);
  if (dice == 0) return CrashBroker();  // before the commit
  if (dice == 1) {                      // between commit and sync
    (void)storage_->Commit(transaction.Take());
    return CrashBroker();
  }
  if (!Commit(transaction, sync)) problems_.emplace_back("broker does not commit");
  if (dice == 2) return CrashBroker();  // between sync and send
  Send(std::move(out));
  PumpBroker();
  std::erase_if(sessions_, [&](const std::unique_ptr<Session>& session) {
    if (session->open || !session->up.empty()) return false;
    broker_->Gone(session->id, now_);
    return true;
  });
}

void Network::PumpBroker() {
  for (;;) {
    // Its network holds nothing back.
    for (const SessionId session : broker_->Loaded()) broker_->SetUnderWay(session, 0);
    std::vector<Outgoing> out;
    auto more = broker_->Pump(*storage_, now_, 64 * limits::kKiB, out);
    if (!more) {
      problems_.push_back("broker cannot deliver: " + more.error().ToString());
      return;
    }
    const bool any = !out.empty();
    Send(std::move(out));
    if (!*more || !any) return;
  }
}

void Network::Down(std::size_t site, std::size_t most) {
  for (std::size_t i = 0; i < most; ++i) {
    Session* session = SessionOf(site);
    if (session == nullptr || session->down.empty()) return;
    std::optional<Message> message = OverWire(session->down.front());
    session->down.pop_front();
    ++counts_.messages;
    if (!message) {
      problems_.push_back("a message did not survive its encoding");
      continue;
    }
    const bool bye = std::holds_alternative<Bye>(*message);
    SiteStep(site, MessageName(*message).data(),
             [&] { Push(site, links_[site]->Handle(*message)); });
    if (bye) Drop(site);
  }
}

void Network::TickBroker() {
  now_ += std::chrono::seconds(1 + deployment_.Draw(20));
  storage::Transaction transaction(*storage_);
  std::vector<Outgoing> out;
  if (auto ticked = broker_->Tick(transaction, now_, out); !ticked)
    problems_.push_back("broker cannot tick: " + ticked.error().ToString());
  if (!Commit(transaction)) problems_.emplace_back("broker does not commit");
  Send(std::move(out));
  PumpBroker();
}

void Network::CrashBroker() {
  ++counts_.broker_crashes;
  for (std::size_t site = 0; site < links_.size(); ++site) Drop(site);
  sessions_.clear();
  broker_.reset();
  if (deployment_.Draw(2) == 0) {
    storage_->DropUnsynced();
  } else {
    (void)storage_->Sync();
  }
  OpenBroker();
  CheckStored();
}

void Network::BackupBroker() { backup_ = storage_->rows(); }

void Network::ChangeRoster(std::size_t site) {
  RosterEntry entry = *PeekRosterEntry(roster_[site].bytes);
  ++entry.serial;
  entry.admin = !entry.admin;
  roster_[site] = SignRosterEntry(entry, *organization_);
  storage::Transaction transaction(*storage_);
  std::vector<Outgoing> out;
  if (auto taken = broker_->TakeRoster(transaction, roster_[site], now_, out); !taken)
    problems_.push_back("roster refused: " + taken.error().ToString());
  Commit(transaction);
  Send(std::move(out));
}

void Network::CheckRosters() {
  const auto known = ListSignedRoster(*storage_);
  for (const Site& site : deployment_.sites())
    if (const auto held = ListSignedRoster(site.store->storage());
        !held || !known || *held != *known)
      problems_.push_back(site.name + " and the broker have different rosters");
}

void Network::RestoreBroker() {
  if (backup_.empty()) return;
  ++counts_.broker_restores;
  for (std::size_t site = 0; site < links_.size(); ++site) Drop(site);
  sessions_.clear();
  broker_.reset();
  storage_->Restore(backup_);
  stored_.clear();
  OpenBroker();
}

void Network::LoseBroker() {
  ++counts_.broker_restores;
  for (std::size_t site = 0; site < links_.size(); ++site) Drop(site);
  sessions_.clear();
  broker_.reset();
  backup_.clear();
  storage_->Restore({});
  stored_.clear();
  OpenBroker();
  storage::Transaction transaction(*storage_);
  std::vector<Outgoing> out;
  for (const SignedRosterEntry& entry : roster_)
    (void)broker_->TakeRoster(transaction, entry, now_, out);
  Commit(transaction);
}

// What was answered STORED is in the log, or was trimmed behind the readers.
void Network::CheckStored() {
  auto logs = StreamLog::Open(*storage_);
  if (!logs) return problems_.push_back("log unreadable: " + logs.error().ToString());
  for (const Stored& stored : stored_) {
    bool there = false;
    for (const LogState& log : *logs) {
      if (log.stream != stored.stream) continue;
      there = log.tail.epoch.counter > stored.position.epoch.counter ||
              (log.tail.epoch == stored.position.epoch &&
               log.tail.sequence >= stored.position.sequence);
    }
    if (!there)
      problems_.push_back("I2: " + stored.stream.ToString() + " " +
                          std::to_string(stored.position.sequence) +
                          " was answered STORED and is gone");
  }
}

void Network::Clone(std::size_t index, const std::function<void(const storage::ReadView&)>& told) {
  Site& original = deployment_.sites()[index];
  ++counts_.clones;
  SimWorld world(deployment_.Draw(1'000'000));
  auto storage = std::make_shared<storage::MemoryStorage>();
  storage->Restore(original.storage->rows());
  auto store = Store::Over(world, storage, original.profile, *original.key);
  if (!store) return;
  Link link(**store, {.program = "clone"});
  // It changes something of its own and wants to tell it.
  (void)(*store)->Write([&](storage::Transaction& transaction) -> Result<> {
    IdSource ids = MakeIds(world);
    Directory directory(transaction, original.profile, ids, world.Now());
    NewEntry person;
    person.name = "clone" + std::to_string(deployment_.Draw(100));
    DIRSYNC_CHECK(directory.Add(person));
    return {};
  });
  const bool was_connected = SessionOf(index) != nullptr;
  auto session = std::make_unique<Session>();
  session->id = next_session_++;
  session->site = index;
  session->open = false;  // not the original's: its answers are taken here
  const SessionId id = session->id;
  auto hello = link.Connected();
  if (!hello) return;
  std::deque<Message> up(hello->begin(), hello->end());
  for (int turn = 0; turn < 8; ++turn) {
    storage::Transaction transaction(*storage_);
    std::vector<Outgoing> out;
    for (Message& message : up)
      (void)broker_->Handle(transaction, {id, KeyOf(index), std::move(message)}, now_, out);
    up.clear();
    Commit(transaction);
    std::vector<Outgoing> others;
    for (Outgoing& outgoing : out) {
      if (outgoing.session != id) {
        others.push_back(std::move(outgoing));
        continue;
      }
      auto answer = link.Handle(outgoing.message);
      if (answer) up.insert(up.end(), answer->begin(), answer->end());
    }
    Send(std::move(others));
    if (auto more = link.Pump(); more) up.insert(up.end(), more->begin(), more->end());
  }
  broker_->Gone(id, now_);
  told(*storage);
  deployment_.trace.push_back(original.name + " cloned" +
                              (was_connected ? " beside its live session" : ""));
}

bool Network::Settle(std::size_t rounds) {
  std::fill(apart_.begin(), apart_.end(), false);
  calm_ = true;
  std::vector<std::string> before;
  std::size_t still = 0;
  for (std::size_t round = 0; round < rounds; ++round) {
    for (std::size_t site = 0; site < links_.size(); ++site) {
      deployment_.sites()[site].world->Advance(std::chrono::hours(2));
      if (SessionOf(site) == nullptr) {
        deployment_.sites()[site].world->DieAfter(0);
        auto session = std::make_unique<Session>();
        session->id = next_session_++;
        session->site = site;
        sessions_.push_back(std::move(session));
        Push(site, links_[site]->Connected());
      }
      if (round > 2) deployment_.ApproveAll(deployment_.sites()[site]);
      if (round > 2) deployment_.RetryAll(deployment_.sites()[site]);
      Push(site, links_[site]->Tick());
      Push(site, links_[site]->Pump());
    }
    now_ += std::chrono::minutes(5);  // beyond all that the broker waits for
    for (int turn = 0; turn < 64; ++turn) {
      bool any = false;
      for (auto& session : sessions_) any |= !session->up.empty() || !session->down.empty();
      if (!any) break;
      Up(256);
      for (std::size_t site = 0; site < links_.size(); ++site) {
        for (Session* session = SessionOf(site); session != nullptr && !session->down.empty();
             session = SessionOf(site)) {
          std::optional<Message> message = OverWire(session->down.front());
          session->down.pop_front();
          if (!message) break;
          const bool bye = std::holds_alternative<Bye>(*message);
          Push(site, links_[site]->Handle(*message));
          if (bye) Drop(site);
        }
      }
    }
    TickBroker();
    std::vector<std::string> now;
    for (Site& site : deployment_.sites()) {
      std::string rows;
      // Keys only: what stays in quarantine is asked for again each round, and comes again.
      for (auto table : {storage::Table::kMirror, storage::Table::kHeld}) {
        auto [lower, upper] = storage::TableRange(table);
        for (auto cursor = site.storage->Scan(lower, upper); cursor->Valid(); cursor->Next())
          rows += std::string(cursor->Key());
      }
      now.push_back(DigestOf(rows).hex());
    }
    still = now == before ? still + 1 : 0;
    if (round > 6 && still >= 2) return true;
    before = std::move(now);
  }
  return false;
}

void Network::Explain() {
  for (std::size_t site = 0; site < links_.size(); ++site)
    for (const InstanceReport& report : links_[site]->Report().instances)
      deployment_.trace.push_back(deployment_.sites()[site].name + " " + report.instance + " at " +
                                  std::to_string(report.position.epoch.counter) + "/" +
                                  std::to_string(report.position.sequence) + " " +
                                  report.problem_text + (report.full_total > 0 ? " copying" : ""));
  auto logs = StreamLog::Open(*storage_);
  if (!logs) return;
  for (const LogState& log : *logs)
    deployment_.trace.push_back(
        "broker " + log.stream.ToString() + " at " + std::to_string(log.tail.epoch.counter) + "/" +
        std::to_string(log.tail.sequence) + ", " + std::to_string(log.batches()) + " kept");
}

std::vector<std::string> Network::TakeProblems() { return std::exchange(problems_, {}); }

}  // namespace dirsync::sim
