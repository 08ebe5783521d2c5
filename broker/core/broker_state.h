// What a broker holds in memory. Internal to broker/core: each file there is one subject of it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "broker/core/broker.h"
#include "broker/core/broker_rows.h"
#include "broker/core/stream_log.h"
#include "storage/transaction.h"

namespace dirsync {

struct BrokerReader {
  std::string site;
  ReaderHold hold;  // as stored
  // Of the session that reads now; session 0 = none.
  SessionId session = 0;
  Position sent;
  Position furthest;  // sent ever: behind it, a delivery is a repeat
  std::optional<SubscribeOutcome> refused;
  std::optional<std::uint64_t> range_request;  // under way to the producer
  Instant last_ack{};
  std::uint64_t delivered = 0, redelivered = 0, nacks = 0, ranges = 0;
};

struct BrokerStream {
  LogState log;
  std::map<std::string, BrokerReader> readers;  // by folded site
  std::uint64_t received = 0, stored = 0, duplicates = 0, stored_bytes = 0, stored_changes = 0;
  std::map<PublishOutcome, std::uint64_t> rejected;
  std::deque<MinutePoint> minutes;
};

struct BrokerSession {
  SessionId id = 0;
  TransportKey key;
  std::string site;  // folded; empty: HELLO has not come
  Instant heard{};
  std::uint64_t credit = 0;
  bool confirmed = false;  // it used what WELCOME gave: its nonce is stored there
};

struct BrokerSite {
  RosterEntry entry;
  SessionId session = 0;  // 0 = not connected
  Instant since{};
  Instant heard{};
  Instant warned{};  // last event of a refusal: one a minute
  std::string program;
  std::uint64_t sessions = 0;
  std::optional<AgentReport> report;
};

// One call from outside: what it may write and say.
struct BrokerStep {
  storage::Transaction& transaction;
  Instant now;
  std::vector<Outgoing>& out;
  void Say(SessionId session, Message message, bool last = false) {
    out.push_back({session, std::move(message), last});
  }
};

struct Broker::State {
  State(const BrokerSettings& given, IdSource& source) : settings(given), ids(source) {}

  // broker.cc
  Result<> Open(const storage::ReadView& view);
  Result<> Dispatch(BrokerStep& step, BrokerSession& session, const Message& message);
  BrokerSession* SessionOf(std::string_view folded_site);
  BrokerStream* StreamOf(const StreamName& name);
  // Ends the session with a word; harmless if it is gone.
  void End(BrokerStep& step, SessionId session, ErrorCode code, std::string text);
  void Forget(SessionId session);
  void Refuse(BrokerStep& step, SessionId session, const std::string& site, ErrorCode code,
              const std::string& text);
  void Event(BrokerStep& step, std::string kind, std::string site, std::string stream,
             std::string text);

  // hello.cc
  Result<> TakeHello(BrokerStep& step, BrokerSession& session, const Hello& hello);
  Result<> Confirm(BrokerStep& step, BrokerSession& session);
  Welcome MakeWelcome(const std::string& site) const;
  void SayStreams(BrokerStep& step, SessionId session) const;
  void SayStreamsToAll(BrokerStep& step) const;
  Result<> SayRoster(BrokerStep& step, SessionId session) const;

  // publishing.cc
  Result<> TakePublish(BrokerStep& step, BrokerSession& session, const Publish& publish);
  bool MayPublish(const BrokerSession& session, const Publish& publish);
  void CountPublish(BrokerStep& step, BrokerStream& stream, const LogState& before,
                    const Publish& publish, PublishOutcome outcome);
  Result<> TakeFetch(BrokerStep& step, BrokerSession& session, const Fetch& fetch);
  bool IsFull() const;

  // reading.cc
  Result<> TakeSubscribe(BrokerStep& step, BrokerSession& session, const Subscribe& subscribe);
  Result<> TakeUnsubscribe(BrokerStep& step, BrokerSession& session, const Unsubscribe& message);
  Result<> TakeAck(BrokerStep& step, BrokerSession& session, const Ack& ack);
  Result<> TakeNack(BrokerStep& step, BrokerSession& session, const Nack& nack);
  Result<bool> Deliver(const storage::ReadView& view, BrokerSession& session, std::uint64_t& bytes,
                       std::vector<Outgoing>& out);
  BrokerReader& ReaderOf(BrokerStep& step, BrokerStream& stream, const std::string& site);
  void StoreHold(BrokerStep& step, const BrokerStream& stream, const BrokerReader& reader) const;

  // relay.cc
  Result<> TakeGetRange(BrokerStep& step, BrokerSession& session, const GetRange& message);
  Result<> TakeRange(BrokerStep& step, BrokerSession& session, const dirsync::Range& message);
  Result<> TakeAdmin(BrokerStep& step, BrokerSession& session, const AdminRequest& message);
  Result<> TakeAdminReply(BrokerStep& step, BrokerSession& session, const AdminReply& message);

  // retention.cc
  Result<> Retain(BrokerStep& step, BrokerStream& stream);
  Result<> ReleaseHold(BrokerStep& step, BrokerStream& stream, BrokerReader& reader,
                       const std::string& why);

  // door.cc
  Result<> TakeJoin(BrokerStep& step, SessionId session, const TransportKey& key,
                    const JoinRequest& join);
  Result<JoinReply> JudgeJoin(BrokerStep& step, const TransportKey& key, const JoinRequest& join);
  Result<> TakeEntry(BrokerStep& step, const SignedRosterEntry& entry);

  // stats.cc
  StreamStats StatsOf(const storage::ReadView& view, const StreamName& name,
                      const BrokerStream& stream) const;
  ReaderStats StatsOf(const storage::ReadView& view, const BrokerStream& stream,
                      const std::string& folded, const BrokerReader& reader) const;
  void CountMinute(BrokerStream& stream, Instant now, std::uint64_t changes, std::uint64_t bytes);

  BrokerSettings settings;
  IdSource& ids;
  std::map<std::string, BrokerSite> sites;      // by folded name
  std::map<TransportKey, std::string> site_of;  // folded name
  std::map<StreamName, BrokerStream> streams;
  std::map<SessionId, BrokerSession> sessions;
  std::map<std::string, std::uint64_t> refusals;
  std::map<SessionId, std::string> door;  // sessions at the door: folded site asked for
  std::deque<BrokerEvent> events;         // newest first
  std::uint64_t next_event = 1;
  std::uint64_t generation = 1;  // of the roster
  bool read_only = false;
  std::string read_only_reason;
  std::uint64_t disk_free = 0;
  Instant started{};
  SessionId turn = 0;  // the session that was served last
};

}  // namespace dirsync
