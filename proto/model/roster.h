// The roster: which sites an organisation has, by which keys they are known, and what each may
// tell. Signed by the organisation's key, entry by entry (R6).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/base/ids.h"
#include "proto/base/time.h"

namespace dirsync {

enum class SiteState : std::uint8_t {
  kActive = 1,
  kRevoked = 2,  // its next message is refused; what it told stays
  kRemoved = 3,  // it left: readers take its contacts out, through the gate, or keep them
};

// What becomes of a removed site's contacts at the others.
enum class ContactsAfter : std::uint8_t { kKeep = 1, kDelete = 2 };

struct RosterEntry {
  std::string organization;
  std::string site;
  std::string server;                // where its agent runs, for people
  PublicKey signing_key;             // of its batches, files and requests
  TransportKey transport_key;        // of its connections
  std::vector<std::string> domains;  // mail domains, lower case; no two active sites share one
  std::uint64_t serial = 0;          // of this site's entry; a lower one is never taken again
  SiteState state = SiteState::kActive;
  ContactsAfter contacts = ContactsAfter::kKeep;  // kRemoved only
  bool admin = false;  // may ask other sites' agents for resyncs of any stream
  Instant time{};      // when the organisation signed it
  auto operator<=>(const RosterEntry&) const = default;
};

// As it travels and is stored: never made again from what was read.
struct SignedRosterEntry {
  std::string bytes;    // encoded RosterEntry (proto/codec/roster_codec.h)
  Signature signature;  // of the organisation's key
  auto operator<=>(const SignedRosterEntry&) const = default;
};

}  // namespace dirsync
