#include "agent/loop/join.h"

#include <poll.h>

#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/codec/roster_codec.h"
#include "proto/daemon/key_file.h"
#include "proto/net/connection.h"
#include "proto/trust/roster.h"
#include "proto/trust/signed_request.h"

namespace dirsync {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kAnswer{10};
constexpr std::chrono::seconds kAskAgain{2};
constexpr int kPollMs = 50;

std::unexpected<Error> Refused(ErrorCode code, const std::string& cause, std::string hint = {}) {
  return Fail(code, "join: " + cause, std::move(hint));
}

// A broker that was put back from a copy may know less than this site.
bool IsPassedOver(const Error& error, const SignedRosterEntry& entry, const std::string& own_site) {
  if (error.code == ErrorCode::kOldEpoch) return true;
  const auto said = PeekRosterEntry(entry.bytes);
  return error.code == ErrorCode::kConflict && said && FoldName(said->site) != FoldName(own_site);
}

Result<> StoreJoined(Store& store, const Invitation& invitation, const TransportKey& transport,
                     const RosterNews& roster) {
  return store.Write([&](storage::Transaction& transaction) -> Result<> {
    StoreMembership(transaction, {store.profile().organization, invitation.organization_key,
                                  invitation.broker_address, invitation.broker_key});
    for (const SignedRosterEntry& entry : roster.entries) {
      const auto taken = TakeRosterEntry(transaction, invitation.organization_key, entry);
      if (!taken && !IsPassedOver(taken.error(), entry, store.profile().site))
        return std::unexpected(taken.error());
    }
    DIRSYNC_TRY(own, FindSite(transaction, store.profile().site));
    if (!own || own->state != SiteState::kActive || own->signing_key != store.key().public_key() ||
        own->transport_key != transport)
      return Refused(ErrorCode::kBadSignature,
                     "the organisation did not sign this site's key into the roster");
    return {};
  });
}

Result<JoinRequest> MakeRequest(Store& store, const JoinOptions& options,
                                const TransportKeyPair& keys) {
  const SiteProfile& profile = store.profile();
  const Invitation& invitation = options.invitation;
  if (!invitation.organization.empty() && invitation.organization != profile.organization)
    return Refused(ErrorCode::kNotPermitted,
                   "the invitation is to " + Printable(invitation.organization) +
                       ", and this site is of " + Printable(profile.organization));
  DIRSYNC_TRY(before, LoadMembership(store.storage()));
  if (before && before->organization_key != invitation.organization_key)
    return Refused(ErrorCode::kConfiguration,
                   "this site belongs to an organisation with the key " +
                       Fingerprint(before->organization_key),
                   "make a new store for another organisation");
  JoinRequest request;
  request.token = invitation.token;
  request.organization = profile.organization;
  request.site = profile.site;
  request.server = profile.server;
  request.transport_key = keys.public_key;
  request.domains = options.domains;
  if (options.replaces) request.replaces = profile.site;
  SignJoin(request, store.key());
  return request;
}

// Waits for readable descriptors, a little.
void Wait(const Connection& connection) {
  pollfd items[] = {{connection.descriptor(), POLLIN, 0},
                    {connection.monitor_descriptor(), POLLIN, 0}};
  poll(items, 2, kPollMs);
}

}  // namespace

Result<TransportKeyPair> TransportKeysOf(Store& store) {
  const std::string path = store.path() + "/keys/transport.key";
  if (!HasKeyFile(path)) DIRSYNC_CHECK(WriteKeyFile(path, store.world().Random(32)));
  DIRSYNC_TRY(secret, ReadKeyFile(path, "the key of this site's connections"));
  return TransportKeysFrom(secret);
}

Result<JoinOutcome> JoinOrganization(Store& store, const JoinOptions& options) {
  DIRSYNC_TRY(keys, TransportKeysOf(store));
  DIRSYNC_TRY(request, MakeRequest(store, options, keys));
  ConnectionSettings settings;
  settings.address = options.invitation.door_address;
  settings.broker_key = options.invitation.broker_key;
  settings.keys = keys;
  settings.message_bytes_max = limits::kMessageBytes;
  DIRSYNC_TRY(connection, Connection::Open(settings));
  const auto start = Clock::now();
  auto ask_at = start;
  bool pending = false;
  for (;;) {
    if (options.interrupted && options.interrupted())
      return Refused(ErrorCode::kInterrupted, "stopped; ask again with the same invitation");
    const auto now = Clock::now();
    if (now >= ask_at && connection->Send(request)) ask_at = now + kAskAgain;
    while (auto answer = connection->Receive()) {
      if (!*answer) continue;
      const auto* reply = std::get_if<JoinReply>(&**answer);
      if (reply == nullptr) continue;
      if (reply->state == JoinReply::State::kRefused)
        return Refused(reply->code, Printable(reply->text));
      if (reply->state == JoinReply::State::kApproved) {
        DIRSYNC_CHECK(StoreJoined(store, options.invitation, keys.public_key, reply->roster));
        return JoinOutcome::kApproved;
      }
      pending = true;
    }
    // ZeroMQ tries again by itself; who has asked already waits for that.
    std::string why;
    while (const auto state = connection->TakeState(why))
      if (*state == ConnectionState::kRefused && !pending)
        return Refused(
            ErrorCode::kNotPermitted,
            "the join door at " + Printable(options.invitation.door_address) + " is closed",
            "at the broker, `dirsync broker invite` opens it for 15 minutes");
    if (pending && Clock::now() >= start + options.wait) return JoinOutcome::kPending;
    if (!pending && Clock::now() >= start + kAnswer)
      return Refused(ErrorCode::kUnreachable,
                     "nobody answers at " + Printable(options.invitation.door_address),
                     "is the broker running, and the address reachable from here?");
    Wait(*connection);
  }
}

}  // namespace dirsync
