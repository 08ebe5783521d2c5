// Greeting, what WELCOME says of this site, the roster.
#include <algorithm>

#include "agent/link/link_state.h"
#include "agent/service/capture_run.h"
#include "agent/service/run.h"
#include "proto/base/text.h"
#include "proto/codec/roster_codec.h"
#include "proto/trust/roster.h"
#include "storage/key.h"

namespace dirsync {
namespace {

std::string NonceKey() { return storage::MetaKey("session"); }

}  // namespace

Result<> Link::State::Greet() {
  Forget();
  DIRSYNC_CHECK(Refresh());
  DIRSYNC_TRY(loaded, LoadMailDomains(store.storage()));
  domains = std::move(loaded);
  DIRSYNC_CHECK(FindLeft());
  if (!membership)
    return Fail(ErrorCode::kNotJoined, "greet the broker: this site has joined no organisation",
                "dirsync join INVITE");
  Hello hello;
  hello.organization = membership->organization;
  hello.site = store.profile().site;
  hello.program = settings.program;
  DIRSYNC_TRY(nonce, store.storage().Get(NonceKey()));
  if (nonce) hello.nonce = Nonce::FromBytes(*nonce).value_or(Nonce{});
  for (auto& [name, link] : exports) {
    DIRSYNC_TRY(state, LoadExport(store, link.settings, true));
    link.state = std::move(state);
    if (link.state.sequence > 0)
      hello.produced.push_back({link.state.name, link.state.position(), link.state.trimmed + 1});
  }
  hello.greeting = ++greeting;
  greet_again = false;
  greet_now = false;
  greeted_at = Now();
  Say(std::move(hello));
  return {};
}

Result<> Link::State::TakeWelcome(const Welcome& welcome) {
  if (phase != LinkPhase::kGreeting || welcome.greeting != greeting) return {};
  phase = LinkPhase::kOpen;
  reason = {ErrorCode::kAlreadyApplied, "", ""};
  window_bytes = std::min<std::uint64_t>(welcome.window_bytes, limits::kPublishWindow);
  heartbeat = std::chrono::seconds(std::max(1U, welcome.heartbeat_seconds));
  Say(Credit{settings.credit_bytes});
  if (welcome.restored)
    Tell("restored", "",
         "this site's store was put back from a copy, or took the place of a lost one: its streams "
         "begin anew");
  for (auto& [name, link] : exports) {
    DIRSYNC_TRY(state, LoadExport(store, link.settings, true));
    link.state = std::move(state);
    const auto log = std::ranges::find_if(
        welcome.produced, [&](const Welcome::Log& row) { return row.stream == link.state.name; });
    const Welcome::Log* found = log == welcome.produced.end() ? nullptr : &*log;
    // A store that has told nothing yet may stand in the place of one that had.
    if (welcome.restored && (link.state.sequence > 0 || found != nullptr))
      DIRSYNC_CHECK(NewEpoch(link, found != nullptr ? found->tail.epoch.counter : 0,
                             "the log holds what another life of this store has told"));
    DIRSYNC_CHECK(CompareLog(link, found));
  }
  // Behind the new epochs: who dies between the two hears once more that the store was put back.
  DIRSYNC_CHECK(store.Write([&](storage::Transaction& transaction) -> Result<> {
    transaction.Put(NonceKey(), std::string(welcome.nonce.view()));
    return {};
  }));
  DIRSYNC_CHECK(CaptureExports());
  for (auto& [name, link] : exports) DIRSYNC_CHECK(PublishWaiting(link));
  for (const Message& message : std::exchange(deferred, {})) DIRSYNC_CHECK(Dispatch(message));
  return {};
}

Result<> Link::State::TakeRosterNews(const RosterNews& news) {
  if (!membership) return {};
  for (const SignedRosterEntry& signed_entry : news.entries) {
    if (const auto said = PeekRosterEntry(signed_entry.bytes); said && !roster_compared)
      roster_said[FoldName(said->site)] = said->serial;
    auto changed = store.Write([&](storage::Transaction& transaction) {
      return TakeRosterEntry(transaction, membership->organization_key, signed_entry);
    });
    if (!changed) {
      // An old entry is nothing new; anything else is the broker's to explain.
      if (IsStorageError(changed.error().code)) return std::unexpected(changed.error());
      // Of two that have one serial the broker hears the other one, so that both ends say so.
      if (changed.error().code == ErrorCode::kConflict && !roster_compared)
        if (const auto said = PeekRosterEntry(signed_entry.bytes))
          roster_said.erase(FoldName(said->site));
      if (changed.error().code != ErrorCode::kOldEpoch)
        Tell("roster-refused", "", changed.error().message, changed.error().code);
      continue;
    }
    if (!*changed) continue;
    DIRSYNC_TRY(loaded, LoadMailDomains(store.storage()));
    domains = std::move(loaded);
    DIRSYNC_TRY(entry, PeekRosterEntry(signed_entry.bytes));
    Tell("roster", "",
         Printable(entry.site) + " is " +
             (entry.state == SiteState::kActive    ? "active"
              : entry.state == SiteState::kRevoked ? "revoked"
                                                   : "removed"));
    if (entry.state == SiteState::kActive) continue;
    for (auto& [name, link] : exports) DIRSYNC_CHECK(LoseHold(link, FoldName(entry.site)));
    if (entry.state == SiteState::kRemoved) DIRSYNC_CHECK(DropRemoved(entry));
  }
  return {};
}

// A broker whose store was put back from a copy no longer knows who was approved or revoked since.
// The first STREAMS says that it has said all that it knows.
Result<> Link::State::BringRosterBack() {
  const auto said = std::exchange(roster_said, {});
  if (std::exchange(roster_compared, true) || said.empty() || !membership) return {};
  DIRSYNC_TRY(held, ListSignedRoster(store.storage()));
  std::vector<SignedRosterEntry> lost;
  for (SignedRosterEntry& signed_entry : held) {
    DIRSYNC_TRY(entry, PeekRosterEntry(signed_entry.bytes));
    if (entry.organization != membership->organization) continue;
    const auto known = said.find(FoldName(entry.site));
    if (known == said.end() || known->second < entry.serial)
      lost.push_back(std::move(signed_entry));
  }
  if (lost.empty()) return {};
  // What somebody gave up comes before whoever has it now.
  std::ranges::stable_partition(lost, [](const SignedRosterEntry& entry) {
    return PeekRosterEntry(entry.bytes)->state != SiteState::kActive;
  });
  Tell("roster-back", "",
       "the broker has lost " + std::to_string(lost.size()) +
           " entries of the roster, as one put back from a copy has: it hears them again");
  for (RosterNews& message : RosterMessages(std::move(lost))) Say(std::move(message));
  return {};
}

// A site that left: its imports end here, through plan and gate.
Result<> Link::State::DropRemoved(const RosterEntry& entry) {
  DIRSYNC_CHECK(Refresh());
  for (auto& [name, link] : imports)
    if (FoldName(link.stream.site) == FoldName(entry.site)) link.left = entry.contacts;
  return DropLeft();
}

// What the gate keeps here is tried again once the settings are others, and after each start.
Result<> Link::State::DropLeft() {
  std::vector<InstanceSettings> leaving;
  for (auto& [name, link] : imports) {
    if (!link.left || link.kept_as == link.settings) continue;
    link.kept_as = link.settings;
    leaving.push_back(link.settings);
  }
  for (const InstanceSettings& import : leaving) {
    const ImportLink& link = imports.at(FoldName(import.name));
    const std::string site = Printable(link.stream.site);
    const std::string contacts = link.left == ContactsAfter::kDelete ? "delete" : "keep";
    auto counts = EndImport(store, import.name, contacts);
    if (counts) {
      std::string text = site;
      text.append(" left; its contacts: ").append(contacts).append(", ");
      Tell("site-removed", import.name,
           text.append(std::to_string(counts->deleted)).append(" deleted"));
    } else if (counts.error().code == ErrorCode::kRefused) {
      Tell("held", import.name,
           site + " left, and the gate keeps its contacts: " + counts.error().message + "; " +
               "dirsync instance set " + Printable(import.name) +
               " --max-deletes 100% lets them go",
           counts.error().code);
    } else if (IsStorageError(counts.error().code)) {
      return std::unexpected(counts.error());
    } else {
      Tell("held", import.name, site + " left, and its contacts stay: " + counts.error().message,
           counts.error().code);
    }
  }
  return leaving.empty() ? Result<>() : Refresh();
}

// Those that left while nobody was connected here, or whose contacts the gate kept.
Result<> Link::State::FindLeft() {
  for (auto& [name, link] : imports) {
    DIRSYNC_TRY(site, FindSite(store.storage(), link.stream.site));
    link.left.reset();
    if (site && site->state == SiteState::kRemoved) link.left = site->contacts;
  }
  return DropLeft();
}

}  // namespace dirsync
