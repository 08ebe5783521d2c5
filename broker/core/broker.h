// The broker's decisions: sessions, publishing, delivery, retention, roster, stats. Pure: the loop
// hands in authenticated messages and the time, commits the transaction, syncs, and only then
// sends what came out (R19).
//
//   for each message waiting:  broker.Handle(transaction, incoming, now, out)
//   commit, sync;  send out;   broker.Pump(view, now, out);  send out
//
// Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
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
  // Deliveries within the credit of each session, from what `view` holds durably; fair over
  // sessions; at most `bytes` together. Whether there is more to send.
  Result<bool> Pump(const storage::ReadView& view, Instant now, std::uint64_t bytes,
                    std::vector<Outgoing>& out);
  // The connection is gone (or silent too long). Harmless for unknown ones.
  void Gone(SessionId session, Instant now);
  // Every second or so: silence, retention (R21), trims, the door's end, rings of the stats.
  Result<> Tick(storage::Transaction& transaction, Instant now, std::vector<Outgoing>& out);

  // New limits, or a roster entry that an administrator signed here; sessions learn of it.
  void Apply(const BrokerSettings& settings);
  // Errors: of TakeRosterEntry; nothing is changed then.
  Result<> TakeRoster(storage::Transaction& transaction, const SignedRosterEntry& entry,
                      Instant now, std::vector<Outgoing>& out);
  // Opens the join door until `now` + limits::kDoorSeconds; returns the token of the invitation.
  // An earlier invitation ends.
  Result<std::string> OpenDoor(storage::Transaction& transaction, Instant now);
  // Forgets what asked to join as `site`. kNotFound.
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
