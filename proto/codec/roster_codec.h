// Roster entries and the organisation's signature on them.
#pragma once

#include <string_view>

#include "proto/base/crypto.h"
#include "proto/base/error.h"
#include "proto/model/roster.h"

namespace dirsync {

// Deterministic.
SignedRosterEntry SignRosterEntry(const RosterEntry& entry, const SigningKey& organization);
// Errors: kBadSignature, kBadRecord, kTooLarge.
Result<RosterEntry> OpenRosterEntry(const SignedRosterEntry& signed_entry,
                                    const PublicKey& organization);

// Without looking at any signature: for entries that were verified when they were stored. Errors:
// kBadRecord.
Result<RosterEntry> PeekRosterEntry(std::string_view bytes);

}  // namespace dirsync
