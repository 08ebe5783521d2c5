// The roster as it changes: who comes, who goes, whose keys are new.
#include <algorithm>

#include "broker/core/broker_state.h"
#include "proto/base/crypto.h"
#include "proto/base/text.h"
#include "proto/codec/roster_codec.h"
#include "proto/trust/roster.h"
#include "storage/storage_error.h"

namespace dirsync {
namespace {

// Names a few of them.
std::string HeardAgain(const std::vector<SignedRosterEntry>& entries, const std::string& from) {
  constexpr std::size_t kNamed = 10;
  std::string text = "this store had lost what the roster says of ";
  for (std::size_t i = 0; i < std::min(entries.size(), kNamed); ++i) {
    const auto entry = PeekRosterEntry(entries[i].bytes);
    if (!entry) continue;
    if (i > 0) text += ", ";
    text +=
        Printable(entry->site) + (entry->state == SiteState::kActive ? "" : " (no longer here)");
  }
  if (entries.size() > kNamed) text += " and " + std::to_string(entries.size() - kNamed) + " more";
  return text + ", and heard it again of " + Printable(from);
}

}  // namespace

Result<> Broker::TakeRoster(storage::Transaction& transaction, const SignedRosterEntry& entry,
                            Instant now, std::vector<Outgoing>& out) {
  BrokerStep step{transaction, now, out};
  DIRSYNC_TRY(changed, state_->TakeEntry(step, entry, true));
  if (changed) state_->SayEntries(step, {entry});
  return {};
}

Result<> Broker::CheckRoster(const storage::ReadView& view, const SignedRosterEntry& entry) const {
  storage::Transaction dropped(view);
  DIRSYNC_CHECK(state_->JudgeEntry(dropped, entry));
  return {};
}

// A key that an active site has is nobody else's, whatever is known of old entries.
void Broker::State::Know(const RosterEntry& entry) {
  const std::string folded = FoldName(entry.site);
  const auto holder = site_of.find(entry.transport_key);
  const bool taken = holder != site_of.end() && holder->second != folded &&
                     entry.state != SiteState::kActive && IsActive(holder->second);
  BrokerSite& site = sites[folded];
  if (const auto old = site_of.find(site.entry.transport_key);
      old != site_of.end() && old->second == folded)
    site_of.erase(old);
  if (!taken) site_of[entry.transport_key] = folded;
  site.entry = entry;
}

Result<std::optional<RosterEntry>> Broker::State::JudgeEntry(
    storage::Transaction& transaction, const SignedRosterEntry& signed_entry) const {
  DIRSYNC_TRY(entry, OpenRosterEntry(signed_entry, settings.organization_key));
  if (!settings.organization.empty() && entry.organization != settings.organization)
    return Fail(ErrorCode::kNotPermitted, "take roster entry of " + Printable(entry.site) +
                                              ": it is of " + Printable(entry.organization) +
                                              ", not of " + Printable(settings.organization));
  if (!sites.contains(FoldName(entry.site)) && sites.size() >= limits::kSites)
    return Fail(ErrorCode::kTooLarge, "take roster entry of " + Printable(entry.site) +
                                          ": the organisation has as many sites as it may");
  DIRSYNC_TRY(changed, TakeRosterEntry(transaction, settings.organization_key, signed_entry));
  if (!changed) return std::nullopt;
  return std::move(entry);
}

Result<bool> Broker::State::TakeEntry(BrokerStep& step, const SignedRosterEntry& signed_entry,
                                      bool event) {
  DIRSYNC_TRY(changed, JudgeEntry(step.transaction, signed_entry));
  if (!changed) return false;
  const RosterEntry& entry = *changed;
  const std::string folded = FoldName(entry.site);
  ++generation;
  if (settings.organization.empty()) settings.organization = entry.organization;
  const bool known = sites.contains(folded);
  const RosterEntry before = known ? sites[folded].entry : entry;
  const bool new_transport = before.transport_key != entry.transport_key;
  const bool new_signing = before.signing_key != entry.signing_key;
  Know(entry);
  static constexpr const char* kKinds[] = {"joined", "revoked", "removed"};
  const bool same_state = known && before.state == entry.state && !new_transport && !new_signing;
  if (event)
    Event(step, same_state ? "roster" : kKinds[static_cast<int>(entry.state) - 1], entry.site, "",
          entry.site +
              (new_transport || new_signing ? " has new keys; fingerprint " : "; fingerprint ") +
              Fingerprint(entry.signing_key));
  if (new_signing) {
    // Another life of the site, which knows of no epoch that was told before: no nonce that it can
    // show is current, so WELCOME says so, and its streams begin above the logs.
    // Its number is behind all that the lost life had: that one, put back, is no later one either.
    DIRSYNC_TRY(row, step.transaction.Get(storage::SessionKey(folded)));
    SessionNonces lost;
    if (row) {
      DIRSYNC_TRY(earlier, DecodeNonces(*row));
      lost.given = earlier.given;
    }
    lost.given = lost.confirmed = Counted(ids.NextNonce(), CountOf(lost.given) + 1);
    step.transaction.Put(storage::SessionKey(folded), EncodeNonces(lost));
  } else if (new_transport) {
    step.transaction.Delete(storage::SessionKey(folded));
  }
  if (BrokerSession* session = SessionOf(folded);
      session != nullptr && (entry.state != SiteState::kActive || new_transport || new_signing))
    End(step, session->id, ErrorCode::kNotPermitted, "the roster has changed");
  DIRSYNC_CHECK(EndMembership(step, folded, new_signing));
  DIRSYNC_CHECK(AnswerWaiting(step, folded));
  NewsOf(folded);
  return true;
}

void Broker::State::SayEntries(BrokerStep& step,
                               const std::vector<SignedRosterEntry>& entries) const {
  if (entries.empty()) return;
  const std::vector<RosterNews> messages = RosterMessages(entries);
  for (const auto& [id, session] : sessions)
    for (const RosterNews& message : messages)
      if (!session.site.empty()) step.Say(id, message);
}

// What is known already is not worth checking a signature.
bool Broker::State::IsNews(const SignedRosterEntry& signed_entry) const {
  const auto entry = PeekRosterEntry(signed_entry.bytes);
  const auto known = entry ? sites.find(FoldName(entry->site)) : sites.end();
  return known == sites.end() ||
         (entry->serial >= known->second.entry.serial && *entry != known->second.entry);
}

// What this store has lost of the roster, put back from a copy, by a site that knows it. It is
// signed: by whom it comes does not matter. Of two sites that share something, one after the other,
// the later one is taken once the earlier one's end is.
Result<> Broker::State::TakeRosterBack(BrokerStep& step, BrokerSession& session,
                                       const RosterNews& brought) {
  const std::string from = session.site;  // its own entry may end the session
  const SessionId id = session.id;
  std::vector<SignedRosterEntry> left;
  for (const SignedRosterEntry& entry : brought.entries)
    if (IsNews(entry)) left.push_back(entry);
  if (left.size() > session.roster_left) {
    Refuse(step, id, from, ErrorCode::kTooLarge,
           "it brings more entries of the roster than an organisation has sites");
    return {};
  }
  session.roster_left -= left.size();
  std::vector<SignedRosterEntry> taken;
  std::optional<Error> conflict;
  for (bool again = true; again;) {
    again = false;
    conflict.reset();
    for (SignedRosterEntry& entry : std::exchange(left, {})) {
      const auto changed = TakeEntry(step, entry, false);
      if (changed) {
        again = again || *changed;
        if (*changed) taken.push_back(std::move(entry));
        continue;
      }
      if (changed.error().code == ErrorCode::kOldEpoch) continue;
      if (changed.error().code != ErrorCode::kConflict) {
        SayEntries(step, taken);
        if (IsStorageError(changed.error().code)) return std::unexpected(changed.error());
        Refuse(step, id, from, changed.error().code, changed.error().message);
        return {};
      }
      conflict = changed.error();
      left.push_back(std::move(entry));
    }
    again = again && !left.empty();
  }
  SayEntries(step, taken);
  if (!taken.empty())
    Note(step, from, "roster-back", "", HeardAgain(taken, sites[from].entry.site));
  if (conflict) {
    ++refusals[std::string(InfoOf(conflict->code).text)];
    Warn(step, from, "refused", "", "CONFLICT: " + conflict->message);
  }
  return {};
}

// What a site that may no longer speak, or that signs with another key, leaves in the logs.
Result<> Broker::State::EndMembership(BrokerStep& step, const std::string& folded,
                                      bool new_signing_key) {
  const SiteState now = sites[folded].entry.state;
  if (now == SiteState::kActive && !new_signing_key) return {};
  for (auto& [name, stream] : streams) {
    if (stream.producer == folded) {
      for (auto& [site, reader] : stream.readers) {
        if (reader.session == 0) continue;
        const SessionId session = reader.session;
        Detach(stream, reader);
        step.Say(session, Subscribed{name, SubscribeOutcome::kNotFound, stream.log.incarnation,
                                     stream.log.tail});
      }
      // Nobody can verify it from now on: who has not read it takes a full copy.
      DIRSYNC_CHECK(Trim(step, stream, stream.log.tail));
    }
    const auto reader = stream.readers.find(folded);
    if (reader == stream.readers.end() || now == SiteState::kActive) continue;
    EndReader(step, stream, reader->second);
    if (now != SiteState::kRemoved) continue;
    step.transaction.Delete(storage::LogReaderKey(stream.log.number, folded));
    stream.readers.erase(reader);
  }
  return {};
}

// Nothing is kept for it any more, here and at the producer.
void Broker::State::EndReader(BrokerStep& step, BrokerStream& stream, BrokerReader& reader) {
  Detach(stream, reader);
  reader.hold.holds = false;
  StoreHold(step, stream, reader);
  if (const BrokerSession* producer = SessionOf(stream.producer); producer != nullptr)
    step.Say(producer->id, Ack{stream.log.stream, reader.site, reader.hold.acked, {}, true});
}

// The request that became this entry is no longer pending, and one with other keys is; who waits at
// the door hears of it.
Result<> Broker::State::AnswerWaiting(BrokerStep& step, const std::string& folded) {
  const RosterEntry& entry = sites[folded].entry;
  DIRSYNC_TRY(row, step.transaction.Get(storage::JoinKey(folded)));
  if (row) {
    DIRSYNC_TRY(join, DecodeJoin(*row));
    if (join.request.signing_key == entry.signing_key &&
        join.request.transport_key == entry.transport_key)
      step.transaction.Delete(storage::JoinKey(folded));
  }
  if (entry.state != SiteState::kActive) return {};
  for (auto waiter = door.begin(); waiter != door.end();) {
    if (waiter->second.site != folded || waiter->second.key != entry.transport_key) {
      ++waiter;
      continue;
    }
    DIRSYNC_TRY(approved, Approved(step, folded));
    step.Say(waiter->first, std::move(approved));
    waiter = door.erase(waiter);
  }
  return {};
}

}  // namespace dirsync
