// Requests that a site signs: to join, and to another site's agent (R6). What is signed names its
// kind, and every part with its length, so that no signature serves for anything else.
#pragma once

#include <string_view>

#include "proto/base/crypto.h"
#include "proto/base/error.h"
#include "proto/model/message.h"
#include "storage/storage.h"

namespace dirsync {

// Sets signing_key and signature.
void SignJoin(JoinRequest& join, const SigningKey& key);
// Whether the holder of join.signing_key wrote it.
bool IsSignedJoin(const JoinRequest& join);

// Sets the signature; `request.signer` is the site of `key`.
void SignRequest(AdminRequest& request, const SigningKey& key);
// Signed by an active site of the roster, for this `site`. Returns the signer. Errors:
// kNotPermitted (nobody's, not active, another target), kBadSignature.
Result<RosterEntry> CheckRequest(const storage::ReadView& view, const AdminRequest& request,
                                 std::string_view site);
// Whether it says what was read ("position"), which stays true: neither its age nor a repeat
// matters, and a site whose clock is wrong can say it too.
bool IsStatement(const AdminRequest& request);
// Not expired, and not good for longer than limits::kRequestSeconds. For requests that order
// something: whether one was taken before is for the caller, who keeps the nonces. Errors:
// kExpired.
Result<> CheckAge(const AdminRequest& request, Instant now);

}  // namespace dirsync
