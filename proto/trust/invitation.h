// One string that a site needs to join: where the door is, whom to expect there, and the token that
// opens it. Carried by people; whoever has it may ask to join while the door is open, and no more.
#pragma once

#include <string>
#include <string_view>

#include "proto/base/error.h"
#include "proto/base/ids.h"
#include "proto/base/time.h"

namespace dirsync {

struct Invitation {
  std::string door_address;    // "tcp://broker.example:7601"
  std::string broker_address;  // "tcp://broker.example:7600"
  TransportKey broker_key;     // of both
  std::string organization;    // empty: that of the first site
  PublicKey organization_key;
  std::string token;
  Instant until{};
  auto operator<=>(const Invitation&) const = default;

  // "dirsync-invite-…", about 300 characters, with a checksum.
  std::string ToString() const;
  // Errors: kInvalid (not an invitation, or a character was lost on the way).
  static Result<Invitation> Parse(std::string_view text);
};

}  // namespace dirsync
