// The roster as a store holds it: at the broker and at every agent (rows of table kRoster).
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "proto/base/crypto.h"
#include "proto/base/error.h"
#include "proto/model/mail_domains.h"
#include "proto/model/message.h"
#include "proto/model/roster.h"
#include "storage/transaction.h"

namespace dirsync {

// Takes what is signed by `organization` and not below the serial held; an equal serial must be
// equal bytes. Errors: kBadSignature, kBadRecord, kOldEpoch (a lower serial: nothing changed),
// kConflict (same serial, other bytes; or a domain or key of another active site).
// Returns whether anything changed.
Result<bool> TakeRosterEntry(storage::Transaction& transaction, const PublicKey& organization,
                             const SignedRosterEntry& entry);

// nullopt: not there. The site's name is compared folded.
Result<std::optional<RosterEntry>> FindSite(const storage::ReadView& view, std::string_view site);
// By the key of a connection, whatever the state; nullopt: nobody's.
Result<std::optional<RosterEntry>> FindByTransportKey(const storage::ReadView& view,
                                                      const TransportKey& key);
// All, in order of their names.
Result<std::vector<RosterEntry>> ListRoster(const storage::ReadView& view);
Result<std::vector<SignedRosterEntry>> ListSignedRoster(const storage::ReadView& view);
// `entries` in messages that each hold no more than ROSTER may; one empty message for none.
std::vector<RosterNews> RosterMessages(std::vector<SignedRosterEntry> entries);
// What each site may claim; empty without a roster.
Result<MailDomains> LoadMailDomains(const storage::ReadView& view);

}  // namespace dirsync
