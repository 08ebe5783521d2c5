// Rows of a broker's store beside its logs; bytes in storage/FORMAT.md. Internal to broker/core.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "broker/core/broker_stats.h"
#include "proto/base/error.h"
#include "proto/model/message.h"

namespace dirsync {

// What a registered reader keeps in the log for itself (R21).
struct ReaderHold {
  std::string site;
  Position acked;           // what it said; epoch counter 0 = nothing yet
  Position from;            // the log is kept for it behind here: acked, or where it registered
  std::uint64_t total = 0;  // LogState::total at `from`
  Instant since{};          // registered
  bool holds = true;        // false: needs ranges before it goes on
  auto operator<=>(const ReaderHold&) const = default;
};
std::string EncodeHold(const ReaderHold& hold);
Result<ReaderHold> DecodeHold(std::string_view row);

// A nonce begins with a number that grows with the site's sessions: so a broker that was itself put
// back from a copy sees that a site comes from later. 0: none, as of those that were drawn whole.
std::uint64_t CountOf(const Nonce& nonce);
// `drawn` with that number, which begins again at 1 where 48 bits end.
Nonce Counted(Nonce drawn, std::uint64_t count);

// Nonces of a site's sessions (R18).
struct SessionNonces {
  Nonce given;      // by the last WELCOME, which may not have arrived
  Nonce confirmed;  // the last one that the site is known to have stored
  // Shown by a copy of the store while the store itself was connected, and when; without a time:
  // the store itself has come back since, and the copy stays out.
  Nonce refused;
  Instant refused_at{};
};
std::string EncodeNonces(const SessionNonces& nonces);
Result<SessionNonces> DecodeNonces(std::string_view row);

// A request to join, that waits for a person or that a person refused.
struct JoinRow {
  PendingJoin request;
  bool refused = false;
};
std::string EncodeJoin(const JoinRow& join);
Result<JoinRow> DecodeJoin(std::string_view row);

// The open door: digest of the token, and until when.
struct OpenedDoor {
  Digest token;
  Instant until{};
};
std::string EncodeDoor(const OpenedDoor& door);
Result<OpenedDoor> DecodeDoor(std::string_view row);

std::string EncodeEvent(const BrokerEvent& event);
Result<BrokerEvent> DecodeEvent(std::string_view row);

}  // namespace dirsync
