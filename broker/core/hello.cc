// Greetings: versions, who speaks, copies and restored stores (R18), what is said first.
#include <algorithm>

#include "broker/core/broker_state.h"
#include "proto/base/text.h"
#include "proto/trust/roster.h"

namespace dirsync {
namespace {

constexpr std::size_t kStreamsPerMessage = 1024;

}  // namespace

Result<> Broker::State::TakeHello(BrokerStep& step, BrokerSession& session, const Hello& hello) {
  const std::string folded = site_of[session.key];
  BrokerSite& site = sites[folded];
  const SessionId id = session.id;
  if (hello.version_min > kProtocolMax || hello.version_max < kProtocolMin) {
    Refuse(step, id, folded, ErrorCode::kUnknownVersion,
           "this broker speaks protocol " + std::to_string(kProtocolMin) + " to " +
               std::to_string(kProtocolMax) + ", the agent " + std::to_string(hello.version_min) +
               " to " + std::to_string(hello.version_max));
    return {};
  }
  if (FoldName(hello.site) != folded || hello.organization != site.entry.organization) {
    Refuse(step, id, folded, ErrorCode::kNotPermitted,
           "the key is that of " + Printable(site.entry.site) + ", not of " +
               Printable(hello.organization) + "/" + Printable(hello.site));
    return {};
  }
  DIRSYNC_TRY(row, step.transaction.Get(storage::SessionKey(folded)));
  SessionNonces nonces;
  if (row) {
    DIRSYNC_TRY(stored, DecodeNonces(*row));
    nonces = stored;
  }
  // Current: what a session went on with last, or what was given since and may not have arrived.
  const bool known = !nonces.confirmed.is_zero();
  const bool current = !known || hello.nonce == nonces.confirmed || hello.nonce == nonces.given;
  if (BrokerSession* other = SessionOf(folded); other != nullptr && other->id != id) {
    if (!current) {
      const std::string text = "the store of " + Printable(site.entry.site) + " runs twice: as \"" +
                               Printable(site.program) + "\" and as \"" + Printable(hello.program) +
                               "\"";
      ++refusals[std::string(InfoOf(ErrorCode::kCloned).text)];
      Event(step, "cloned", site.entry.site, "", text);
      End(step, other->id, ErrorCode::kCloned, text);
      End(step, id, ErrorCode::kCloned, text);
      return {};
    }
    End(step, other->id, ErrorCode::kFenced, "a newer session of this site took its place");
  }
  nonces.given = ids.NextNonce();
  // A store that was put back must not go on as it was: nothing it shows from now on is current
  // but what it is given here.
  if (!current) nonces.confirmed = nonces.given;
  step.transaction.Put(storage::SessionKey(folded), EncodeNonces(nonces));
  const bool restored = known && !current;
  if (restored)
    Event(step, "restored", site.entry.site, "",
          "the store of " + Printable(site.entry.site) +
              " was put back from a copy: its streams begin a new epoch");
  session.site = folded;
  session.credit = 0;
  session.confirmed = false;
  site.session = id;
  site.since = step.now;
  site.program = hello.program;
  ++site.sessions;
  Welcome welcome = MakeWelcome(site.entry.site);
  welcome.nonce = nonces.given;
  welcome.restored = restored;
  step.Say(id, std::move(welcome));
  DIRSYNC_CHECK(SayRoster(step, id));
  SayStreamsToAll(step);
  return {};
}

// The first thing that a session does shows that it has stored what WELCOME gave.
Result<> Broker::State::Confirm(BrokerStep& step, BrokerSession& session) {
  if (session.confirmed || session.site.empty()) return {};
  session.confirmed = true;
  DIRSYNC_TRY(row, step.transaction.Get(storage::SessionKey(session.site)));
  if (!row) return {};
  DIRSYNC_TRY(nonces, DecodeNonces(*row));
  nonces.confirmed = nonces.given;
  step.transaction.Put(storage::SessionKey(session.site), EncodeNonces(nonces));
  return {};
}

Welcome Broker::State::MakeWelcome(const std::string& site) const {
  Welcome welcome;
  welcome.message_bytes_max = limits::kMessageBytes;
  welcome.window_bytes = settings.window_bytes;
  welcome.heartbeat_seconds = settings.heartbeat_seconds;
  for (const auto& [name, stream] : streams) {
    if (FoldName(name.site) != FoldName(site)) continue;
    Welcome::Log log{name, stream.log.incarnation, stream.log.tail, 0, {}};
    if (stream.log.batches > 0) log.first = stream.log.base.sequence + 1;
    for (const auto& [folded, reader] : stream.readers)
      log.readers.push_back({reader.site, reader.hold.acked, !reader.hold.holds});
    welcome.produced.push_back(std::move(log));
  }
  return welcome;
}

void Broker::State::SayStreams(BrokerStep& step, SessionId session) const {
  const auto found = sessions.find(session);
  if (found == sessions.end()) return;
  Streams message;
  for (const auto& [name, stream] : streams) {
    const std::string producer = FoldName(name.site);
    if (producer == found->second.site) continue;
    const auto site = sites.find(producer);
    if (site == sites.end() || site->second.entry.state != SiteState::kActive) continue;
    message.logs.push_back(
        {name, stream.log.incarnation, stream.log.tail, site->second.session != 0});
    if (message.logs.size() < kStreamsPerMessage) continue;
    step.Say(session, std::exchange(message, {}));
  }
  step.Say(session, std::move(message));
}

void Broker::State::SayStreamsToAll(BrokerStep& step) const {
  for (const auto& [id, session] : sessions)
    if (!session.site.empty()) SayStreams(step, id);
}

Result<> Broker::State::SayRoster(BrokerStep& step, SessionId session) const {
  DIRSYNC_TRY(entries, ListSignedRoster(step.transaction));
  RosterNews news;
  for (SignedRosterEntry& entry : entries) {
    news.entries.push_back(std::move(entry));
    if (news.entries.size() < limits::kRosterPerMessage) continue;
    step.Say(session, std::exchange(news, {}));
  }
  step.Say(session, std::move(news));
  return {};
}

}  // namespace dirsync
