// A broker, its store and some sites in one thread: what the broker's tests share. Each step is
// committed and synced before what it says is heard, as the loop does it (R19).
#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/core/broker.h"
#include "proto/base/text.h"
#include "proto/codec/roster_codec.h"
#include "proto/trust/signed_request.h"
#include "storage/memory_storage.h"
#include "tests/unit/signed_stream.h"

namespace dirsync {

class BrokerWorld : public testing::Test {
 protected:
  struct Site {
    std::string name;
    SigningKey key = TestKey("");
    TransportKey transport;
    std::uint64_t serial = 0;
    Nonce nonce;            // as stored by its agent
    SessionId session = 0;  // of its last connection
  };

  BrokerWorld() {
    settings_.organization = "Testorg";
    settings_.organization_key = organization_.public_key();
    Reopen();
  }

  static TransportKey TransportOf(const std::string& name) {
    return *TransportKey::FromBytes(DigestOf("transport of " + name).view());
  }
  static StreamName Stream(const std::string& site, const std::string& instance = "OUT") {
    return {"Testorg", site, instance};
  }
  static SignedStream Told(const std::string& site, const std::string& instance = "OUT") {
    return {Stream(site, instance), TestKey(site)};
  }

  // ---- the broker's process ----

  // As after kill -9: memory is gone, sessions too.
  void Reopen() {
    for (auto& [name, site] : sites_) site.session = 0;
    auto broker = Broker::Open(storage_, settings_, ids_);
    ASSERT_TRUE(broker) << broker.error().ToString();
    broker_ = std::move(*broker);
  }
  void PowerCut() {
    storage_.DropUnsynced();
    Reopen();
  }
  template <class Step>
  void Run(Step&& step) {
    Look();
    storage::Transaction transaction(storage_);
    std::vector<Outgoing> out;
    auto done = step(transaction, out);
    ASSERT_TRUE(done) << done.error().ToString();
    rows_ = transaction.rows();
    ASSERT_TRUE(storage_.Commit(transaction.Take()));
    ASSERT_TRUE(storage_.Sync());
    Hear(std::move(out));
    if (pumping_) Pump();
  }
  // As the loop tells it: everything has left, but to a `stuck_` session nothing at all.
  void Look() {
    for (const SessionId session : broker_->Loaded())
      if (!stuck_.contains(session)) broker_->SetUnderWay(session, 0);
  }
  // Whether there is more.
  bool Pump(std::uint64_t bytes = 64 * limits::kMiB) {
    Look();
    std::vector<Outgoing> out;
    auto more = broker_->Pump(storage_, now_, bytes, out);
    EXPECT_TRUE(more) << (more ? "" : more.error().ToString());
    Hear(std::move(out));
    return more && *more;
  }
  void Tick(std::int64_t seconds = 1) {
    now_ += std::chrono::seconds(seconds);
    Run([&](auto& transaction, auto& out) { return broker_->Tick(transaction, now_, out); });
  }
  void Say(SessionId session, const TransportKey& key, Message message) {
    Run([&](auto& transaction, auto& out) {
      return broker_->Handle(transaction, {session, key, std::move(message)}, now_, out);
    });
  }
  void Say(const std::string& site, Message message) {
    Say(sites_.at(site).session, sites_.at(site).transport, std::move(message));
  }

  // ---- sites ----

  RosterEntry Entry(const std::string& name) {
    Site& site = sites_[name];
    site.name = name;
    if (site.serial == 0) {
      site.key = TestKey(name);
      site.transport = TransportOf(name);
    }
    RosterEntry entry;
    entry.organization = "Testorg";
    entry.site = name;
    entry.server = "server of " + name;
    entry.signing_key = site.key.public_key();
    entry.transport_key = site.transport;
    entry.domains = {ToLowerAscii(name) + ".example"};
    entry.serial = ++site.serial;
    entry.time = now_;
    return entry;
  }
  ErrorCode Take(const RosterEntry& entry) {
    ErrorCode code = ErrorCode::kAlreadyApplied;
    storage::Transaction transaction(storage_);
    std::vector<Outgoing> out;
    auto taken = broker_->TakeRoster(transaction, SignRosterEntry(entry, organization_), now_, out);
    if (!taken) return taken.error().code;
    EXPECT_TRUE(storage_.Commit(transaction.Take()));
    EXPECT_TRUE(storage_.Sync());
    Hear(std::move(out));
    if (pumping_) Pump();
    return code;
  }
  void Add(const std::string& name) { ASSERT_EQ(Take(Entry(name)), ErrorCode::kAlreadyApplied); }
  void SetState(const std::string& name, SiteState state) {
    RosterEntry entry = Entry(name);
    entry.state = state;
    ASSERT_EQ(Take(entry), ErrorCode::kAlreadyApplied);
  }

  Hello HelloOf(const std::string& name) {
    Hello hello;
    hello.organization = "Testorg";
    hello.site = name;
    hello.program = "dirsync test on " + name;
    hello.nonce = sites_.at(name).nonce;
    return hello;
  }
  // A new connection that greets; what WELCOME says is kept for Welcomed(), and not yet stored.
  SessionId Greet(const std::string& name) {
    Site& site = sites_.at(name);
    site.session = ++last_session_;
    Say(name, HelloOf(name));
    return site.session;
  }
  // Greets, stores the nonce, and gives credit.
  Welcome Connect(const std::string& name, std::uint64_t credit = limits::kCreditBytes) {
    const SessionId session = Greet(name);
    const auto welcome = Last<Welcome>(session);
    EXPECT_TRUE(welcome) << name << " was not welcome";
    if (!welcome) return {};
    sites_.at(name).nonce = welcome->nonce;
    Say(name, Credit{credit});
    return *welcome;
  }
  void Gone(const std::string& name) {
    broker_->Gone(sites_.at(name).session, now_);
    sites_.at(name).session = 0;
    if (pumping_) Pump();
  }
  PublishOutcome Publishes(const std::string& name, const Publish& publish) {
    Drop(name);
    Say(name, publish);
    const auto answer = Last<Published>(name);
    EXPECT_TRUE(answer);
    return answer ? answer->outcome : PublishOutcome::kVersion;
  }
  SubscribeOutcome Subscribes(const std::string& name, const StreamName& stream,
                              const Position& cursor) {
    Say(name, Subscribe{stream, cursor, {}});
    const auto answer = Last<Subscribed>(name);
    EXPECT_TRUE(answer);
    return answer ? answer->outcome : SubscribeOutcome::kNotFound;
  }
  void Acks(const std::string& name, const Publish& batch) {
    Say(name, Ack{batch.stream, "", batch.position, {}, false});
  }

  // ---- what was heard ----

  template <class Kind>
  std::vector<Kind> All(SessionId session) {
    std::vector<Kind> all;
    for (const Message& message : heard_[session])
      if (const auto* kind = std::get_if<Kind>(&message); kind != nullptr) all.push_back(*kind);
    return all;
  }
  template <class Kind>
  std::vector<Kind> All(const std::string& site) {
    return All<Kind>(sites_.at(site).session);
  }
  template <class Kind>
  std::optional<Kind> Last(SessionId session) {
    auto all = All<Kind>(session);
    if (all.empty()) return std::nullopt;
    return std::move(all.back());
  }
  template <class Kind>
  std::optional<Kind> Last(const std::string& site) {
    return Last<Kind>(sites_.at(site).session);
  }
  std::vector<Sequence> Delivered(const std::string& site, const StreamName& stream) {
    std::vector<Sequence> sequences;
    for (const Deliver& deliver : All<Deliver>(site))
      if (deliver.stream == stream) sequences.push_back(deliver.position.sequence);
    return sequences;
  }
  void Drop(const std::string& site) { heard_[sites_.at(site).session].clear(); }
  void DropAll() { heard_.clear(); }
  // The code of the BYE that ended it; kAlreadyApplied: it was not ended.
  ErrorCode Ended(SessionId session) {
    const auto bye = Last<Bye>(session);
    EXPECT_EQ(bye.has_value(), closed_.contains(session));
    return bye ? bye->code : ErrorCode::kAlreadyApplied;
  }
  ErrorCode Ended(const std::string& site) { return Ended(sites_.at(site).session); }

  BrokerStats Stats() { return broker_->Stats(storage_, now_); }
  StreamStats StatsOf(const StreamName& stream) {
    for (StreamStats& stats : Stats().streams)
      if (stats.stream == stream) return stats;
    ADD_FAILURE() << "no stats of " << stream.ToString();
    return {};
  }
  ReaderStats StatsOf(const StreamName& stream, const std::string& reader) {
    for (ReaderStats& stats : StatsOf(stream).readers)
      if (stats.site == reader) return stats;
    ADD_FAILURE() << "no reader " << reader << " of " << stream.ToString();
    return {};
  }
  bool IsReader(const StreamName& stream, const std::string& reader) {
    const StreamStats stats = StatsOf(stream);
    return std::ranges::any_of(stats.readers,
                               [&](const ReaderStats& row) { return row.site == reader; });
  }
  std::uint64_t Refusals(const std::string& reason) {
    const BrokerStats stats = Stats();
    const auto found = stats.refusals.find(reason);
    return found == stats.refusals.end() ? 0 : found->second;
  }
  std::size_t Events(const std::string& kind, const std::string& site = "") {
    std::size_t events = 0;
    for (const BrokerEvent& event : Stats().events)
      events += event.kind == kind && (site.empty() || event.site == site) ? 1 : 0;
    return events;
  }

  void Hear(std::vector<Outgoing> out) {
    for (Outgoing& outgoing : out) {
      EXPECT_FALSE(closed_.contains(outgoing.session)) << "said to a session that was ended";
      if (outgoing.last) closed_.insert(outgoing.session);
      heard_[outgoing.session].push_back(std::move(outgoing.message));
    }
  }

  SigningKey organization_ = TestKey("the organisation");
  BrokerSettings settings_;
  storage::MemoryStorage storage_;
  IdSource ids_{DigestOf("seed")};
  std::unique_ptr<Broker> broker_;
  std::map<std::string, Site> sites_;
  std::map<SessionId, std::deque<Message>> heard_;
  std::set<SessionId> closed_;
  std::set<SessionId> stuck_;
  SessionId last_session_ = 0;
  Instant now_ = TestTime(0);
  std::size_t rows_ = 0;  // written by the last step
  bool pumping_ = true;   // a pump behind each step
};

}  // namespace dirsync
