// The join door (R9): closed unless somebody was invited, one kind of message, all of it bounded.
#include <algorithm>

#include "broker/core/broker_state.h"
#include "proto/base/bytes.h"
#include "proto/base/crypto.h"
#include "proto/base/text.h"
#include "proto/codec/roster_codec.h"
#include "proto/model/dn.h"
#include "proto/trust/roster.h"
#include "proto/trust/signed_request.h"

namespace dirsync {
namespace {

constexpr Duration kMinute = std::chrono::minutes(1);

std::string DoorKey() { return storage::MetaKey("door"); }

JoinReply Refused(ErrorCode code, std::string text) {
  return {JoinReply::State::kRefused, code, std::move(text), {}};
}

JoinReply Pending(const std::string& site) {
  return {JoinReply::State::kPending,
          ErrorCode::kAlreadyApplied,
          "wait for: dirsync sites approve " + Printable(site),
          {}};
}

std::size_t BytesOf(const JoinRequest& join) {
  std::size_t bytes = 0;
  for (const std::string* part :
       {&join.token, &join.organization, &join.site, &join.server, &join.replaces})
    bytes += part->size();
  for (const std::string& domain : join.domains) bytes += domain.size();
  return bytes;
}

// As mail is judged by them, in any case.
std::vector<std::string> Folded(const std::vector<std::string>& domains) {
  std::vector<std::string> folded;
  for (const std::string& domain : domains) folded.push_back(ToLowerAscii(domain));
  return folded;
}

}  // namespace

Result<std::string> Broker::OpenDoor(storage::Transaction& transaction, Instant now) {
  std::string token = ToHex(state_->ids.NextNonce().view()) + ToHex(state_->ids.NextNonce().view());
  const OpenedDoor door{DigestOf(token), now + std::chrono::seconds(limits::kDoorSeconds)};
  std::vector<Outgoing> none;
  BrokerStep step{transaction, now, none};
  // Who was refused may ask again with the new invitation.
  DIRSYNC_CHECK(state_->CloseDoor(step));
  transaction.Put(DoorKey(), EncodeDoor(door));
  state_->door_until = door.until;
  state_->Event(step, "invited", "", "", "the join door is open for 15 minutes");
  return token;
}

Instant Broker::door_until() const { return state_->door_until; }

Result<> Broker::State::CloseDoor(BrokerStep& step) {
  door_until = {};
  step.transaction.Delete(DoorKey());
  const auto [lower, upper] = storage::TableRange(storage::Table::kJoin);
  std::vector<std::string> refused;
  auto cursor = step.transaction.Scan(lower, upper);
  for (; cursor->Valid(); cursor->Next()) {
    DIRSYNC_TRY(join, DecodeJoin(cursor->Value()));
    if (join.refused) refused.emplace_back(cursor->Key());
  }
  DIRSYNC_CHECK(cursor->status());
  for (std::string& key : refused) step.transaction.Delete(std::move(key));
  return {};
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
  if (door_minute + kMinute <= step.now || door_minute > step.now) {
    door_minute = step.now;
    door_joins = 0;
  }
  JoinReply answer = Refused(ErrorCode::kBusy, "too many requests in a minute");
  if (++door_joins <= limits::kJoinsPerMinute) {
    DIRSYNC_TRY(judged, JudgeJoin(step, key, join));
    answer = std::move(judged);
  }
  if (answer.state == JoinReply::State::kRefused) {
    ++refusals["JOIN"];
    Warn(step, "", "refused", "", "JOIN: " + answer.text);
  }
  if (answer.state == JoinReply::State::kPending && door.size() < limits::kJoinsPending)
    door[session] = {FoldName(join.site), key};
  step.Say(session, std::move(answer));
  return {};
}

// What costs least first; a signature is verified only for who has the invitation.
Result<JoinReply> Broker::State::JudgeJoin(BrokerStep& step, const TransportKey& key,
                                           const JoinRequest& join) {
  if (BytesOf(join) > limits::kJoinBytes || join.domains.size() > limits::kDomainsPerSite)
    return Refused(ErrorCode::kTooLarge, "the request is too large");
  if (join.transport_key != key)
    return Refused(ErrorCode::kBadSignature, "the keys of the request are not its sender's");
  if (!settings.organization.empty() && join.organization != settings.organization)
    return Refused(ErrorCode::kNotPermitted,
                   "this is the broker of " + Printable(settings.organization));
  if (!CheckName("name", join.site) || !CheckName("name", join.organization))
    return Refused(ErrorCode::kInvalid, "the name of a site or an organisation is not one");
  DIRSYNC_TRY(old, JudgeOld(step, join));
  if (old) return *old;
  DIRSYNC_TRY(uninvited, JudgeToken(step, join));
  if (uninvited) return *uninvited;
  if (!IsSignedJoin(join))
    return Refused(ErrorCode::kBadSignature, "the keys of the request are not its sender's");
  DIRSYNC_TRY(unfit, JudgeClaims(step, join));
  if (unfit) return *unfit;
  const JoinRow row{{join.site, join.server, join.replaces, Folded(join.domains), join.signing_key,
                     join.transport_key, step.now},
                    false};
  step.transaction.Put(storage::JoinKey(FoldName(join.site)), EncodeJoin(row));
  Event(step, "join", join.site, "",
        Printable(join.site) + " on " + Printable(join.server) + " asks to join; fingerprint " +
            Fingerprint(join.signing_key));
  return Pending(join.site);
}

// Who is approved, waits or was refused needs no invitation to hear it once more.
Result<std::optional<JoinReply>> Broker::State::JudgeOld(BrokerStep& step,
                                                         const JoinRequest& join) const {
  const std::string folded = FoldName(join.site);
  if (IsActive(folded)) {
    const RosterEntry& entry = sites.at(folded).entry;
    if (entry.transport_key == join.transport_key && entry.signing_key == join.signing_key) {
      DIRSYNC_TRY(approved, Approved(step, folded));
      return approved;
    }
  }
  DIRSYNC_TRY(row, step.transaction.Get(storage::JoinKey(folded)));
  if (!row) return std::nullopt;
  DIRSYNC_TRY(waiting, DecodeJoin(*row));
  if (waiting.request.signing_key == join.signing_key &&
      waiting.request.transport_key == join.transport_key)
    return waiting.refused ? Refused(ErrorCode::kNotPermitted, "the request was refused")
                           : Pending(join.site);
  // Another one of that name comes in the place of a refused one only.
  if (waiting.refused) return std::nullopt;
  return Refused(ErrorCode::kExists, "another request for this name waits already");
}

Result<std::optional<JoinReply>> Broker::State::JudgeToken(BrokerStep& step,
                                                           const JoinRequest& join) const {
  DIRSYNC_TRY(row, step.transaction.Get(DoorKey()));
  if (!row) return Refused(ErrorCode::kNotPermitted, "the door is closed");
  DIRSYNC_TRY(opened, DecodeDoor(*row));
  if (opened.until < step.now) return Refused(ErrorCode::kExpired, "the invitation is too old");
  if (opened.token != DigestOf(join.token))
    return Refused(ErrorCode::kNotPermitted, "the invitation is not the current one");
  return std::nullopt;
}

// What could not be approved is refused at once.
Result<std::optional<JoinReply>> Broker::State::JudgeClaims(BrokerStep& step,
                                                            const JoinRequest& join) const {
  const std::string folded = FoldName(join.site);
  const std::string replaced = FoldName(join.replaces);
  if (IsActive(folded) && replaced != folded)
    return Refused(ErrorCode::kExists, "there is a site " + Printable(join.site) +
                                           " already; if its keys are lost: dirsync join "
                                           "INVITATION --replaces");
  if (!replaced.empty() && !sites.contains(replaced))
    return Refused(ErrorCode::kNotFound, "there is no site " + Printable(join.replaces));
  if (!sites.contains(folded) && sites.size() >= limits::kSites)
    return Refused(ErrorCode::kBusy, "the organisation has as many sites as it may");
  for (const auto& [name, site] : sites) {
    const RosterEntry& entry = site.entry;
    if (name == folded || name == replaced || entry.state != SiteState::kActive) continue;
    if (entry.transport_key == join.transport_key || entry.signing_key == join.signing_key)
      return Refused(ErrorCode::kConflict, "its key is that of " + Printable(entry.site));
    const std::vector<std::string> taken = Folded(entry.domains);
    for (const std::string& domain : Folded(join.domains))
      if (std::ranges::find(taken, domain) != taken.end())
        return Refused(ErrorCode::kConflict,
                       "the domain " + Printable(domain) + " is that of " + Printable(entry.site));
  }
  std::size_t pending = 0;
  const auto [lower, upper] = storage::TableRange(storage::Table::kJoin);
  auto cursor = step.transaction.Scan(lower, upper);
  for (; cursor->Valid(); cursor->Next())
    pending += cursor->Key() == storage::JoinKey(folded) ? 0 : 1;
  DIRSYNC_CHECK(cursor->status());
  if (pending >= limits::kJoinsPending)
    return Refused(ErrorCode::kBusy, "too many requests wait already");
  return std::nullopt;
}

// As much of the roster as fits, its own entry first; the rest comes after HELLO.
Result<JoinReply> Broker::State::Approved(BrokerStep& step, const std::string& folded) const {
  JoinReply approved{JoinReply::State::kApproved, ErrorCode::kAlreadyApplied, "", {}};
  DIRSYNC_TRY(entries, ListSignedRoster(step.transaction));
  const auto own = std::ranges::find_if(entries, [&](const SignedRosterEntry& row) {
    const auto entry = PeekRosterEntry(row.bytes);
    return entry && FoldName(entry->site) == folded;
  });
  if (own != entries.end()) std::rotate(entries.begin(), own, own + 1);
  approved.roster = std::move(RosterMessages(std::move(entries)).front());
  return approved;
}

Result<> Broker::RefuseJoin(storage::Transaction& transaction, const std::string& site,
                            Instant now) {
  const std::string folded = FoldName(site);
  DIRSYNC_TRY(row, transaction.Get(storage::JoinKey(folded)));
  const auto absent = [&] {
    return Fail(ErrorCode::kNotFound, "refuse join: " + Printable(site) + " has not asked");
  };
  if (!row) return absent();
  DIRSYNC_TRY(join, DecodeJoin(*row));
  if (join.refused) return absent();
  join.refused = true;
  transaction.Put(storage::JoinKey(folded), EncodeJoin(join));
  std::vector<Outgoing> none;
  BrokerStep step{transaction, now, none};
  state_->Event(step, "join-refused", join.request.site, "",
                Printable(join.request.site) + " may not join");
  for (auto waiter = state_->door.begin(); waiter != state_->door.end();) {
    if (waiter->second.site != folded || waiter->second.key != join.request.transport_key) {
      ++waiter;
      continue;
    }
    state_->later.push_back(
        {waiter->first, Refused(ErrorCode::kNotPermitted, "the request was refused"), true});
    waiter = state_->door.erase(waiter);
  }
  return {};
}

}  // namespace dirsync
