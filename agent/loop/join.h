// Joining an organisation: asked at the broker's join door, pinned when approved (R6, R9).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "agent/service/store.h"
#include "proto/net/transport_key_pair.h"
#include "proto/trust/invitation.h"
#include "proto/trust/membership.h"

namespace dirsync {

struct JoinOptions {
  Invitation invitation;
  std::vector<std::string> domains;   // mail domains of this site, lower case
  bool replaces = false;              // this site's earlier keys are lost
  std::chrono::seconds wait{0};       // for the approval
  std::function<bool()> interrupted;  // may be empty
};

enum class JoinOutcome : std::uint8_t { kPending = 1, kApproved = 2 };

// Keys of this site's connections: STORE/keys/transport.key, made at first use.
Result<TransportKeyPair> TransportKeysOf(Store& store);

// Asks, and waits as long as `wait` says. Approved: membership and roster are stored in one commit.
// Asking again is harmless. Errors: kUnreachable (nobody answers within 10 s, or the answer is not
// the inviting broker's), kExpired, kNotPermitted, kExists (the name is taken), kBusy,
// kBadSignature (the roster is not the inviting organisation's), kConfiguration (another
// organisation was joined), storage errors.
Result<JoinOutcome> JoinOrganization(Store& store, const JoinOptions& options);

}  // namespace dirsync
