// The join door (R9), and the roster that comes through it.
#include <algorithm>

#include "broker/core/broker_state.h"
#include "proto/base/bytes.h"
#include "proto/base/text.h"
#include "proto/codec/roster_codec.h"
#include "proto/trust/roster.h"
#include "proto/trust/signed_request.h"

namespace dirsync {
namespace {

std::string DoorKey() { return storage::MetaKey("door"); }

JoinReply Refused(ErrorCode code, std::string text) {
  return {JoinReply::State::kRefused, code, std::move(text), {}};
}

}  // namespace

Result<std::string> Broker::OpenDoor(storage::Transaction& transaction, Instant now) {
  const std::string token =
      ToHex(state_->ids.NextNonce().view()) + ToHex(state_->ids.NextNonce().view());
  const OpenedDoor door{DigestOf(token), now + std::chrono::seconds(limits::kDoorSeconds)};
  transaction.Put(DoorKey(), EncodeDoor(door));
  return token;
}

Result<> Broker::HandleAtDoor(storage::Transaction& transaction, const Incoming& incoming,
                              Instant now, std::vector<Outgoing>& out) {
  BrokerStep step{transaction, now, out};
  const auto* join = std::get_if<JoinRequest>(&incoming.message);
  if (join == nullptr) {
    ++state_->refusals["DOOR"];
    step.Say(incoming.session, Bye{ErrorCode::kNotPermitted, "only JOIN is taken here", 30}, true);
    return {};
  }
  return state_->TakeJoin(step, incoming.session, incoming.key, *join);
}

Result<> Broker::State::TakeJoin(BrokerStep& step, SessionId session, const TransportKey& key,
                                 const JoinRequest& join) {
  DIRSYNC_TRY(answer, JudgeJoin(step, key, join));
  if (answer.state == JoinReply::State::kRefused) ++refusals["JOIN"];
  if (answer.state == JoinReply::State::kPending && door.size() < limits::kJoinsPending)
    door[session] = FoldName(join.site);
  step.Say(session, std::move(answer));
  return {};
}

Result<JoinReply> Broker::State::JudgeJoin(BrokerStep& step, const TransportKey& key,
                                           const JoinRequest& join) {
  if (join.transport_key != key || !IsSignedJoin(join))
    return Refused(ErrorCode::kBadSignature, "the keys of the request are not its sender's");
  if (!settings.organization.empty() && join.organization != settings.organization)
    return Refused(ErrorCode::kNotPermitted,
                   "this is the broker of " + Printable(settings.organization));
  const std::string folded = FoldName(join.site);
  const auto known = sites.find(folded);
  // Who is approved needs no invitation to hear it once more.
  if (known != sites.end() && known->second.entry.state == SiteState::kActive) {
    const RosterEntry& entry = known->second.entry;
    if (entry.transport_key == key && entry.signing_key == join.signing_key) {
      JoinReply approved{JoinReply::State::kApproved, ErrorCode::kAlreadyApplied, "", {}};
      DIRSYNC_TRY(entries, ListSignedRoster(step.transaction));
      const std::size_t most = limits::kRosterPerMessage;
      for (SignedRosterEntry& row : entries)
        if (approved.roster.entries.size() < most) approved.roster.entries.push_back(row);
      return approved;
    }
    if (FoldName(join.replaces) != folded)
      return Refused(ErrorCode::kExists, "there is a site " + Printable(join.site) +
                                             " already; if its keys are lost: join --replaces " +
                                             Printable(join.site));
  }
  DIRSYNC_TRY(door_row, step.transaction.Get(DoorKey()));
  if (!door_row) return Refused(ErrorCode::kNotPermitted, "the door is closed");
  DIRSYNC_TRY(opened, DecodeDoor(*door_row));
  if (opened.until < step.now) return Refused(ErrorCode::kExpired, "the invitation is too old");
  if (opened.token != DigestOf(join.token))
    return Refused(ErrorCode::kNotPermitted, "the invitation is not the current one");
  std::size_t pending = 0;
  const auto [lower, upper] = storage::TableRange(storage::Table::kJoin);
  for (auto cursor = step.transaction.Scan(lower, upper); cursor->Valid(); cursor->Next())
    ++pending;
  DIRSYNC_TRY(before, step.transaction.Get(storage::JoinKey(folded)));
  if (!before && pending >= limits::kJoinsPending)
    return Refused(ErrorCode::kBusy, "too many requests wait already");
  if (before) {
    DIRSYNC_TRY(waiting, DecodePending(*before));
    if (waiting.signing_key != join.signing_key)
      return Refused(ErrorCode::kExists, "another request for this name waits already");
  } else {
    Event(step, "join", join.site, "",
          Printable(join.site) + " on " + Printable(join.server) + " asks to join; fingerprint " +
              Fingerprint(join.signing_key));
  }
  step.transaction.Put(storage::JoinKey(folded), EncodePending(join, step.now));
  return JoinReply{JoinReply::State::kPending,
                   ErrorCode::kAlreadyApplied,
                   "wait for: dirsync sites approve " + join.site,
                   {}};
}

Result<> Broker::RefuseJoin(storage::Transaction& transaction, const std::string& site,
                            Instant now) {
  const std::string key = storage::JoinKey(FoldName(site));
  DIRSYNC_TRY(row, transaction.Get(key));
  if (!row) return Fail(ErrorCode::kNotFound, "refuse join: " + Printable(site) + " has not asked");
  transaction.Delete(key);
  std::vector<Outgoing> none;
  BrokerStep step{transaction, now, none};
  state_->Event(step, "join-refused", site, "", Printable(site) + " may not join");
  return {};
}

Result<> Broker::TakeRoster(storage::Transaction& transaction, const SignedRosterEntry& entry,
                            Instant now, std::vector<Outgoing>& out) {
  BrokerStep step{transaction, now, out};
  return state_->TakeEntry(step, entry);
}

Result<> Broker::State::TakeEntry(BrokerStep& step, const SignedRosterEntry& signed_entry) {
  DIRSYNC_TRY(changed, TakeRosterEntry(step.transaction, settings.organization_key, signed_entry));
  if (!changed) return {};
  const std::string folded = FoldName(PeekRosterEntry(signed_entry.bytes)->site);
  DIRSYNC_TRY(entry, FindSite(step.transaction, folded));
  ++generation;
  if (settings.organization.empty()) settings.organization = entry->organization;
  BrokerSite& site = sites[folded];
  const bool new_keys =
      !site.entry.site.empty() && site.entry.transport_key != entry->transport_key;
  site_of.erase(site.entry.transport_key);
  site_of[entry->transport_key] = folded;
  site.entry = *entry;
  step.transaction.Delete(storage::JoinKey(folded));
  static constexpr const char* kKinds[] = {"joined", "revoked", "removed"};
  Event(step, kKinds[static_cast<int>(entry->state) - 1], entry->site, "",
        entry->site + (new_keys ? " has new keys; fingerprint " : "; fingerprint ") +
            Fingerprint(entry->signing_key));
  if (new_keys) step.transaction.Delete(storage::SessionKey(folded));
  if (BrokerSession* session = SessionOf(folded);
      session != nullptr && (entry->state != SiteState::kActive || new_keys))
    End(step, session->id, ErrorCode::kNotPermitted, "the roster has changed");
  std::vector<SessionId> waiting;
  for (const auto& [session, wanted] : door)
    if (wanted == folded) waiting.push_back(session);
  for (const SessionId session : waiting) {
    JoinReply approved{JoinReply::State::kApproved, ErrorCode::kAlreadyApplied, "", {}};
    DIRSYNC_TRY(entries, ListSignedRoster(step.transaction));
    entries.resize(std::min<std::size_t>(entries.size(), limits::kRosterPerMessage));
    approved.roster.entries = std::move(entries);
    step.Say(session, std::move(approved));
    door.erase(session);
  }
  for (const auto& [id, session] : sessions)
    if (!session.site.empty()) step.Say(id, RosterNews{{signed_entry}});
  SayStreamsToAll(step);
  return {};
}

}  // namespace dirsync
