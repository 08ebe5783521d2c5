// A record of a foreign system as an entry here (R23).
#pragma once

#include "agent/core/apply_context.h"
#include "agent/core/foreign_apply.h"

namespace dirsync {

// Class that the record asks for; mailboxes only where the instance makes mailboxes. `current`: of
// the entry that is here, if any. Errors: kInvalid.
Result<EntryClass> ForeignClass(const InstanceSettings& settings, const ForeignChange& change,
                                const Entry* current);

// Puts the record's attributes into `entry` (class, name, parent set) and completes it: target
// address, display name, home server, addresses of a mailbox. Errors: kNoTarget, kInvalid.
Result<> WriteForeign(const ApplyContext& context, const ForeignChange& change, bool fresh,
                      Entry& entry);

}  // namespace dirsync
