// What commands ask of a broker: answered by the process that runs it, or, when none runs, over its
// store.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "broker/core/broker_stats.h"
#include "broker/loop/broker_store.h"
#include "proto/trust/invitation.h"

namespace dirsync {

// Thread-safety: one thread, that of the broker.
class BrokerAdmin {
 public:
  virtual ~BrokerAdmin() = default;
  virtual BrokerStore& store() = 0;
  virtual BrokerStats Stats() = 0;
  // Opens the join door. Error: kUnreachable when no broker runs.
  virtual Result<Invitation> Invite() = 0;
  // A roster entry that an administrator signed. Errors: of TakeRosterEntry.
  virtual Result<> Take(const SignedRosterEntry& entry) = 0;
  // What Take would answer; nothing is changed.
  virtual Result<> CheckTake(const SignedRosterEntry& entry) = 0;
  // A request to join is turned away. Error: kNotFound.
  virtual Result<> Refuse(const std::string& site) = 0;
};

// Over an opened store, no process running.
std::unique_ptr<BrokerAdmin> AdminOver(std::unique_ptr<BrokerStore> store);

}  // namespace dirsync
