// The broker's decisions: sessions, publishing, delivery, retention, roster, stats. Pure: the loop
// hands in authenticated messages and the time, commits the transaction, syncs, and only then
// sends what came out (R19).
//
//   for each message waiting:  broker.Handle(transaction, incoming, now, out)
//   commit, sync;  send out;   broker.Pump(view, now, bytes, out);  send out
//
// What Handle put into `out` may leave once what it wrote is durable; a step all of whose messages
// are such that MustSync() is false need not be synced for that. What it holds in memory follows
// what it wrote: after a commit or a sync that failed, the broker must be opened anew, or not at
// all.
//
// Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "broker/core/broker_settings.h"
#include "broker/core/broker_stats.h"
#include "proto/base/id_source.h"
#include "proto/model/message.h"
#include "storage/transaction.h"

namespace dirsync {

// One connection that CURVE authenticated, named by the loop; never used twice in a process.
using SessionId = std::uint64_t;

struct Incoming {
  SessionId session = 0;
  TransportKey key;  // what CURVE authenticated: the only thing that says who speaks
  Message message;
};
struct Outgoing {
  SessionId session = 0;
  Message message;
  bool last = false;  // close the session behind it
};

// Whether what Handle writes for `message` must be durable before its answers leave. Not so for
// what only moves the broker's copy of a position, or nothing: a fall-back repeats it, harmlessly
// (R19).
bool MustSync(const Message& message);

class Broker {
 public:
  // Reads logs, readers, roster. `ids` gives incarnations and nonces. Errors: kCorrupt, kIo.
  static Result<std::unique_ptr<Broker>> Open(const storage::ReadView& view,
                                              const BrokerSettings& settings, IdSource& ids);
  ~Broker();

  // One message. Whatever it says is checked against the roster entry of `incoming.key`: absent or
  // not active = BYE(NOT_PERMITTED), counted. Errors are of storage only: the loop must stop.
  Result<> Handle(storage::Transaction& transaction, const Incoming& incoming, Instant now,
                  std::vector<Outgoing>& out);
  // The join door (R9): a connection of anybody. Only JOIN is answered.
  Result<> HandleAtDoor(storage::Transaction& transaction, const Incoming& incoming, Instant now,
                        std::vector<Outgoing>& out);
  // News of streams, and deliveries within the credit of each session, from what `view` holds: give
  // it what is durable. A turn is one stream of one session, of at most 1 MiB or one batch; at most
  // `bytes` together, and the rest of the last batch. Whether `bytes` was too little.
  Result<bool> Pump(const storage::ReadView& view, Instant now, std::uint64_t bytes,
                    std::vector<Outgoing>& out);
  // How much of limits::kPeerBytes waits for a session: what was said counts from then on, and what
  // has left is for the loop to tell, before each batch of messages and each Pump, of all that are
  // Loaded. Without room deliveries and fetched batches wait, and what others want to have relayed
  // is refused to them, BUSY.
  void SetUnderWay(SessionId session, std::uint64_t bytes);
  std::vector<SessionId> Loaded() const;
  bool IsHeldUp() const;  // something waits for that: look again soon
  // The connection is gone (or silent too long). Harmless for unknown ones.
  void Gone(SessionId session, Instant now);
  // Every second or so: silence, retention (R21), trims, the door's end, rings of the stats.
  Result<> Tick(storage::Transaction& transaction, Instant now, std::vector<Outgoing>& out);

  // New limits. The organisation and its key stay as they are where `settings` names none.
  void Apply(const BrokerSettings& settings);
  // An entry that the organisation signed: sessions and who waits at the door learn of it, and the
  // site's pending request ends. A site that is no longer active, or has other keys, loses its
  // session; what it told can no longer be verified, and is no longer kept. Errors: of
  // TakeRosterEntry; kNotPermitted (of another organisation), kTooLarge (limits::kSites). Nothing
  // is changed then.
  Result<> TakeRoster(storage::Transaction& transaction, const SignedRosterEntry& entry,
                      Instant now, std::vector<Outgoing>& out);
  // What TakeRoster would answer, over what `view` holds; nothing is changed.
  Result<> CheckRoster(const storage::ReadView& view, const SignedRosterEntry& entry) const;
  // Opens the join door until `now` + limits::kDoorSeconds; returns the token of the invitation.
  // An earlier invitation ends.
  Result<std::string> OpenDoor(storage::Transaction& transaction, Instant now);
  // Until when it is open; 0 = closed. Nothing need listen there while it is closed.
  Instant door_until() const;
  // Who asked to join as `site` is told so, now and when it asks again under this invitation.
  // kNotFound.
  Result<> RefuseJoin(storage::Transaction& transaction, const std::string& site, Instant now);
  // Disk state as the loop saw it: true = PUBLISH is answered READ_ONLY; acks and trims go on.
  void SetReadOnly(bool read_only, std::string reason);
  void SetDiskFree(std::uint64_t bytes);
  // Refusals that happened below: handshakes that CURVE or ZAP refused, bytes that are no message.
  void CountRefusal(std::string_view reason);

  // Those that have greeted.
  std::vector<SessionId> Sessions() const;
  // Keys that may connect, and a number that changes whenever they do: what the ZAP handler asks
  // a copy of.
  std::set<TransportKey> ActiveKeys() const;
  std::uint64_t roster_generation() const;

  // Events with a higher number, oldest first.
  std::vector<BrokerEvent> EventsAfter(std::uint64_t number) const;
  BrokerStats Stats(const storage::ReadView& view, Instant now) const;

  struct State;  // internal: broker/core/broker_state.h

 private:
  explicit Broker(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace dirsync
