// What a broker holds in memory. Internal to broker/core: each file there is one subject of it.
// It follows the rows that were written: after a commit that failed, the broker is opened anew.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "broker/core/broker.h"
#include "broker/core/broker_rows.h"
#include "broker/core/recent_payloads.h"
#include "broker/core/stream_log.h"
#include "storage/transaction.h"

namespace dirsync {

struct BrokerReader {
  std::string site;
  ReaderHold hold;  // as stored
  Instant moved{};  // when it last came on; 0 = before this process
  Version reached;  // so far it has come ever: only what is behind that is coming on
  Instant last_ack{};
  // Of the session that reads now; session 0 = none.
  SessionId session = 0;
  Position sent;
  Version furthest;  // sent ever: behind it, a delivery is a repeat
  std::optional<SubscribeOutcome> refused;
  std::optional<std::uint64_t> range_request;  // under way to the producer
  Instant range_asked{};                       // when
  Instant wants_since{};                       // when the counting of wants began
  std::size_t wants = 0;                       // forwarded since
  bool owed = false;                           // an ack that its producer had no room for
  std::uint64_t delivered = 0, redelivered = 0, nacks = 0, ranges = 0;
};

struct BrokerStream {
  LogState log;
  std::string producer;                         // folded site
  std::map<std::string, BrokerReader> readers;  // by folded site
  Instant aged{};                               // when the age of its readers was looked at
  std::uint64_t received = 0, stored = 0, duplicates = 0, stored_bytes = 0, stored_changes = 0;
  std::map<PublishOutcome, std::uint64_t> rejected;
  std::deque<MinutePoint> minutes;
};

struct BrokerSession {
  SessionId id = 0;
  TransportKey key;
  std::string site;  // folded; empty: HELLO has not come
  Instant heard{};
  std::int64_t credit = 0;  // below 0: the last batch was larger than what was left
  bool confirmed = false;   // it used what WELCOME gave: its nonce is stored there
  // The streams that it reads, and those of them with something to send.
  std::map<storage::StreamNumber, BrokerStream*> reads;
  std::set<storage::StreamNumber> waiting;
  storage::StreamNumber turn = 0;            // the stream that was served last
  std::uint64_t turn_left = 0;               // bytes of its turn
  std::uint64_t under_way = 0;               // that wait for it in the loop, at most
  std::size_t roster_left = limits::kSites;  // entries that it may bring back and have checked
  // Batches that it asked for and that wait for room, the last of each stream.
  std::map<storage::StreamNumber, Fetch> fetches;
};

struct BrokerSite {
  RosterEntry entry;
  SessionId session = 0;  // 0 = not connected
  Instant since{};
  Instant heard{};
  std::string program;
  std::uint64_t sessions = 0;
  std::optional<AgentReport> report;
  std::uint64_t acks = 0, acked_microseconds = 0;
};

// How often somebody made an event; the same one is told once in ten minutes.
struct EventBudget {
  Instant hour{};           // when the counting began
  std::uint64_t spent = 0;  // in it
  std::map<std::string, Instant> told;
};

// Somebody at the door who waits for an answer.
struct DoorWaiter {
  std::string site;  // folded
  TransportKey key;
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
  Result<> Take(BrokerStep& step, const Incoming& incoming);
  Result<> Dispatch(BrokerStep& step, BrokerSession& session, const Message& message);

  // sessions.cc
  BrokerSession* SessionOf(const std::string& folded_site);
  BrokerStream* StreamOf(const StreamName& name);
  bool IsActive(const std::string& folded_site) const;
  // Ends the session with a word; harmless if it is gone.
  void End(BrokerStep& step, SessionId session, ErrorCode code, std::string text);
  void Forget(SessionId session);
  void EndSilent(BrokerStep& step);
  // Delivery to a reader begins, or ends.
  void Attach(BrokerStream& stream, BrokerReader& reader, BrokerSession& session);
  void Detach(BrokerStream& stream, BrokerReader& reader);
  // Something of `stream` may have to be sent.
  void Wake(BrokerStream& stream);
  void AddCredit(BrokerSession& session, std::uint64_t bytes);

  // events.cc
  void Event(BrokerStep& step, std::string kind, std::string site, std::string stream,
             const std::string& text);
  void Note(BrokerStep& step, const std::string& folded_site, std::string kind, std::string stream,
            const std::string& text);
  void Warn(BrokerStep& step, const std::string& folded_site, std::string kind, std::string stream,
            const std::string& text);
  void Refuse(BrokerStep& step, SessionId session, const std::string& folded_site, ErrorCode code,
              const std::string& text);
  void CountRefused(BrokerStep& step, const BrokerSession& session, const std::string& reason,
                    const StreamName& stream, const std::string& text);

  // hello.cc
  Result<> TakeHello(BrokerStep& step, BrokerSession& session, const Hello& hello);
  enum class Shown : std::uint8_t { kCurrent = 1, kStale = 2, kCopied = 3 };
  Result<Shown> JudgeNonce(BrokerStep& step, const std::string& folded, const Nonce& nonce,
                           bool beside, Nonce& fresh);
  void RefuseCopy(BrokerStep& step, const BrokerSite& site, SessionId id,
                  const BrokerSession* other, const Hello& hello);
  Result<> Confirm(BrokerStep& step, BrokerSession& session);
  void SayWelcome(BrokerStep& step, SessionId id, const Hello& hello, const Nonce& nonce,
                  bool restored) const;

  // backlog.cc
  // Whether the largest message finds room; if not, nothing is sent that others ask for.
  bool HasRoom(const BrokerSession& session) const;
  // What `out` says from its place `from` on is under way.
  void CountOut(const std::vector<Outgoing>& out, std::size_t from);
  Result<> ServeFetches(const storage::ReadView& view, std::vector<Outgoing>& out);
  void TellOwed(BrokerStep& step, BrokerStream& stream);

  // announcing.cc
  void SayStreams(BrokerStep& step, const BrokerSession& session) const;
  Result<> SayRoster(BrokerStep& step, SessionId session) const;
  void NewsOf(const std::string& folded_site);  // all streams of a site: tell the others
  void Announce(std::vector<Outgoing>& out);

  // publishing.cc
  Result<> TakePublish(BrokerStep& step, BrokerSession& session, const Publish& publish);
  Result<> TakeFetch(BrokerStep& step, BrokerSession& session, const Fetch& fetch);
  Result<Message> AnswerFetch(const storage::ReadView& view, const BrokerSession& session,
                              const Fetch& fetch);
  bool MayPublish(const BrokerSession& session, const Publish& publish, const BrokerStream* known);
  Result<> Store(BrokerStep& step, BrokerSession& session, const Publish& publish,
                 BrokerStream& stream);
  void TellBegun(BrokerStep& step, const LogState& before, BrokerStream& stream);

  // reading.cc
  Result<> TakeSubscribe(BrokerStep& step, BrokerSession& session, const Subscribe& subscribe);
  void SubscribeRefused(BrokerStep& step, BrokerStream& stream, BrokerReader& reader,
                        SubscribeOutcome outcome, const std::string& text);
  Result<> TakeUnsubscribe(BrokerStep& step, BrokerSession& session, const Unsubscribe& message);
  bool MayWant(BrokerReader& reader, std::size_t count, Instant now);
  Result<> TakeAck(BrokerStep& step, BrokerSession& session, const Ack& ack);
  Result<> TakeNack(BrokerStep& step, BrokerSession& session, const Nack& nack);
  BrokerReader& ReaderOf(BrokerStep& step, BrokerStream& stream, const std::string& site);
  void StoreHold(BrokerStep& step, const BrokerStream& stream, const BrokerReader& reader) const;

  // delivery.cc
  Result<bool> Deliver(const storage::ReadView& view, BrokerSession& session, std::uint64_t& bytes,
                       std::vector<Outgoing>& out);

  // relay.cc
  Result<> TakeGetRange(BrokerStep& step, BrokerSession& session, const GetRange& message);
  Result<> TakeRange(BrokerStep& step, BrokerSession& session, const dirsync::Range& message);
  Result<> TakeAdmin(BrokerStep& step, BrokerSession& session, const AdminRequest& message);
  Result<> TakeAdminReply(BrokerStep& step, BrokerSession& session, const AdminReply& message);
  void FailRanges(const std::string& folded_producer);

  // retention.cc
  Result<> Retain(BrokerStep& step, BrokerStream& stream);
  Result<Position> LowestHold(BrokerStep& step, BrokerStream& stream);
  Result<> TrimUnread(BrokerStep& step, BrokerStream& stream);
  Result<bool> Trim(BrokerStep& step, BrokerStream& stream, const Position& position);
  // `producer`: among its streams, until they keep its share; empty: among all.
  Result<> MakeRoom(BrokerStep& step, const std::string& producer);
  Result<> MakeRoomWhereFull(BrokerStep& step);
  Result<bool> IsStuck(const BrokerStep& step, const BrokerStream& stream,
                       const BrokerReader& reader) const;
  void ReleaseHold(BrokerStep& step, BrokerStream& stream, BrokerReader& reader,
                   const std::string& why);
  // The whole log, or the share of it that one site may fill.
  bool IsFull(const std::string& producer) const;
  void CountKept(const BrokerStream& stream, std::uint64_t before);

  // door.cc
  Result<> TakeJoin(BrokerStep& step, SessionId session, const TransportKey& key,
                    const JoinRequest& join);
  Result<JoinReply> JudgeJoin(BrokerStep& step, const TransportKey& key, const JoinRequest& join);
  Result<std::optional<JoinReply>> JudgeOld(BrokerStep& step, const JoinRequest& join) const;
  Result<std::optional<JoinReply>> JudgeToken(BrokerStep& step, const JoinRequest& join) const;
  Result<std::optional<JoinReply>> JudgeClaims(BrokerStep& step, const JoinRequest& join) const;
  Result<JoinReply> Approved(BrokerStep& step, const std::string& folded) const;
  Result<> CloseDoor(BrokerStep& step);

  // members.cc
  // The entry, if it is new: what it changes in the roster is written. Errors: of TakeRoster.
  Result<std::optional<RosterEntry>> JudgeEntry(storage::Transaction& transaction,
                                                const SignedRosterEntry& entry) const;
  // Whether it was new; with `event`, that is told of the site.
  Result<bool> TakeEntry(BrokerStep& step, const SignedRosterEntry& entry, bool event);
  void SayEntries(BrokerStep& step, const std::vector<SignedRosterEntry>& entries) const;
  bool IsNews(const SignedRosterEntry& entry) const;
  Result<> TakeRosterBack(BrokerStep& step, BrokerSession& session, const RosterNews& brought);
  void Know(const RosterEntry& entry);
  Result<> EndMembership(BrokerStep& step, const std::string& folded, bool new_signing_key);
  void EndReader(BrokerStep& step, BrokerStream& stream, BrokerReader& reader);
  Result<> AnswerWaiting(BrokerStep& step, const std::string& folded);

  // stats.cc
  void CountMinute(BrokerStream& stream, Instant now, std::uint64_t changes, std::uint64_t bytes);
  void CountWaiting(BrokerStream& stream, Instant now);
  void CountAck(const std::string& folded_site, Duration age);
  ReaderStats StatsOf(const storage::ReadView& view, const BrokerStream& stream,
                      const std::string& folded, const BrokerReader& reader) const;
  StreamStats StatsOf(const storage::ReadView& view, const BrokerStream& stream) const;

  BrokerSettings settings;
  IdSource& ids;
  std::map<std::string, BrokerSite> sites;      // by folded name
  std::map<TransportKey, std::string> site_of;  // folded name
  std::map<StreamName, BrokerStream> streams;   // never erased: others point into it
  std::map<SessionId, BrokerSession> sessions;
  std::set<SessionId> ready;  // those with credit, and something waiting
  SessionId turn = 0;         // the session that was served last
  // Those with much under way, without room for what waits, and with room again for a FETCH.
  std::set<SessionId> loaded, held_up, fetching;
  std::set<StreamName> news;  // streams that STREAMS has to tell of
  // Said where nothing could be sent: with the next step.
  std::vector<Outgoing> later;
  RecentPayloads recent;
  std::uint64_t log_bytes = 0;  // kept, of all streams
  storage::StreamNumber last_number = 0;
  std::map<SessionId, DoorWaiter> door;
  Instant door_until{};   // 0 = closed
  Instant door_minute{};  // in which `door_joins` were looked at
  std::uint64_t door_joins = 0;
  std::map<std::string, std::uint64_t> refusals;
  Histogram propagation{kPropagationBounds};
  std::map<std::string, EventBudget> budgets;  // by folded site; "" = nobody known
  std::deque<BrokerEvent> events;              // newest first
  std::uint64_t next_event = 1;
  std::uint64_t generation = 1;  // of the roster
  bool read_only = false;
  std::string read_only_reason;
  std::uint64_t disk_free = 0;
  Instant started{};
  std::map<std::string, std::uint64_t> kept_of;  // likewise, of a folded producer's
  std::map<std::string, Instant> roomed;         // when room was last made for it; "" = for all
};

// The bytes that a list takes in a message, about: lists beyond limits::kPartBytes go in parts.
std::uint64_t WeightOf(const StreamName& stream);

// What a message counts of limits::kPeerBytes, about.
std::uint64_t CostOf(const Message& message);

}  // namespace dirsync
