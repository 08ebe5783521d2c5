// Greetings: versions, who speaks, copies and restored stores (R18), how things stand here.
#include <algorithm>
#include <chrono>

#include "broker/core/broker_state.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::size_t kProgramBytes = 128;
// An agent that was refused greets again within a minute.
constexpr std::chrono::minutes kOriginalComesBack{3};

std::string VersionsText(const Hello& hello) {
  return "this broker speaks protocol " + std::to_string(kProtocolMin) + " to " +
         std::to_string(kProtocolMax) + ", the agent " + std::to_string(hello.version_min) +
         " to " + std::to_string(hello.version_max);
}

}  // namespace

Result<> Broker::State::TakeHello(BrokerStep& step, BrokerSession& session, const Hello& hello) {
  const std::string folded = site_of[session.key];
  BrokerSite& site = sites[folded];
  const SessionId id = session.id;
  if (hello.version_min > kProtocolMax || hello.version_max < kProtocolMin) {
    Refuse(step, id, folded, ErrorCode::kUnknownVersion, VersionsText(hello));
    return {};
  }
  if (FoldName(hello.site) != folded || hello.organization != site.entry.organization) {
    Refuse(step, id, folded, ErrorCode::kNotPermitted,
           "the key is that of " + Printable(site.entry.site) + ", not of " +
               Printable(hello.organization) + "/" + Printable(hello.site));
    return {};
  }
  BrokerSession* other = SessionOf(folded);
  if (other != nullptr && other->id == id) other = nullptr;
  Nonce fresh = ids.NextNonce();
  DIRSYNC_TRY(shown, JudgeNonce(step, folded, hello.nonce, other != nullptr, fresh));
  if (shown == Shown::kCopied) {
    RefuseCopy(step, site, id, other, hello);
    return {};
  }
  if (other != nullptr)
    End(step, other->id, ErrorCode::kFenced, "a newer session of this site took its place");
  const bool restored = shown == Shown::kStale;
  if (restored)
    Warn(step, folded, "restored", "",
         "the store of " + Printable(site.entry.site) +
             " was put back from a copy, or is new: its streams begin a new epoch");
  // What it read before, if it greets once more, it asks for again.
  const auto reads = session.reads;
  for (const auto& [number, stream] : reads)
    if (const auto reader = stream->readers.find(folded); reader != stream->readers.end())
      Detach(*stream, reader->second);
  session.site = folded;
  session.credit = 0;
  session.confirmed = false;
  session.fetches.clear();
  site.session = id;
  site.since = step.now;
  site.program = Printable(hello.program, kProgramBytes);
  ++site.sessions;
  SayWelcome(step, id, hello, fresh, restored);
  DIRSYNC_CHECK(SayRoster(step, id));
  SayStreams(step, session);
  NewsOf(folded);
  return {};
}

// Both end once, so that the people of both hear of it. The store itself shows the current nonce
// and is let in again; the copy is not, whoever greets first.
void Broker::State::RefuseCopy(BrokerStep& step, const BrokerSite& site, SessionId id,
                               const BrokerSession* other, const Hello& hello) {
  std::string text = "the store of " + Printable(site.entry.site) + " runs twice: as \"" +
                     site.program + "\" and as \"" + Printable(hello.program, kProgramBytes) + "\"";
  ++refusals[std::string(InfoOf(ErrorCode::kCloned).text)];
  if (other != nullptr) {
    Warn(step, FoldName(hello.site), "cloned", "", text);
    End(step, other->id, ErrorCode::kCloned, text);
  } else {
    text = "this store of " + Printable(site.entry.site) +
           " is a copy of one that went on without it: stop it, or put it back by dirsync backup "
           "and dirsync restore";
  }
  End(step, id, ErrorCode::kCloned, text);
}

// Whether the nonce shown is one that the site may have: that of the last WELCOME, or the one that
// it is known to have stored before (a WELCOME may be lost), or of one behind all that this broker
// knows. `fresh`, numbered here, is what it is given now; not so if it is a copy of a store that
// lives, `beside` its session. Which of the two goes on must not
// depend on who greets first when both were ended: the copy waits, and once the store itself has
// come back, for good. If it does not, its session was that of a machine that is no more.
Result<Broker::State::Shown> Broker::State::JudgeNonce(BrokerStep& step, const std::string& folded,
                                                       const Nonce& nonce, bool beside,
                                                       Nonce& fresh) {
  DIRSYNC_TRY(row, step.transaction.Get(storage::SessionKey(folded)));
  SessionNonces nonces;
  if (row) {
    DIRSYNC_TRY(stored, DecodeNonces(*row));
    nonces = stored;
  }
  const bool shown = !nonce.is_zero() && nonce == nonces.given;
  if (shown) nonces.confirmed = nonces.given;
  const bool known = !nonces.confirmed.is_zero();
  const bool ahead = known && !beside && CountOf(nonce) > CountOf(nonces.given);
  if (ahead) {
    nonces.confirmed = nonce;
    Warn(step, folded, "broker-behind", "",
         "this broker's store was put back from a copy: " + folded + " has heard of a later one");
  }
  fresh = Counted(fresh, std::max(CountOf(nonce), CountOf(nonces.given)) + 1);
  const bool current = !known || nonce == nonces.confirmed;
  const bool refused =
      !nonce.is_zero() && nonce == nonces.refused &&
      (nonces.refused_at == Instant{} || step.now < nonces.refused_at + kOriginalComesBack);
  const bool copied = !current && (beside || refused);
  if (copied) {
    if (!refused) nonces.refused_at = step.now;
    nonces.refused = nonce;
  } else {
    if (current) nonces.refused_at = {};
    if (!current) nonces.refused = {};
    nonces.given = fresh;
    // A store that was put back must not go on as it was: nothing it shows from now on is current
    // but what it is given here.
    if (!current) nonces.confirmed = fresh;
  }
  step.transaction.Put(storage::SessionKey(folded), EncodeNonces(nonces));
  if (copied) return Shown::kCopied;
  return current ? Shown::kCurrent : Shown::kStale;
}

// What a session does shows that it has stored what WELCOME gave.
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

// Readers that find no room in WELCOME are told as ACKs behind it.
void Broker::State::SayWelcome(BrokerStep& step, SessionId id, const Hello& hello,
                               const Nonce& nonce, bool restored) const {
  const std::string folded = FoldName(hello.site);
  Welcome welcome;
  welcome.greeting = hello.greeting;
  welcome.version = kProtocolMax;
  welcome.nonce = nonce;
  welcome.restored = restored;
  welcome.message_bytes_max = limits::kMessageBytes;
  welcome.window_bytes = settings.window_bytes;
  welcome.heartbeat_seconds = settings.heartbeat_seconds;
  std::vector<Ack> others;
  std::uint64_t weight = 0;
  for (const auto& [name, stream] : streams) {
    if (stream.producer != folded) continue;
    Welcome::Log log{name, stream.log.incarnation, stream.log.tail, 0, {}};
    if (stream.log.batches() > 0) log.first = stream.log.base.sequence + 1;
    for (const auto& [reader_site, reader] : stream.readers) {
      // A store of an earlier version may say that one that left still holds.
      const bool needs_ranges = !reader.hold.holds || !IsActive(reader_site);
      weight += reader.site.size() + 96;
      if (weight < limits::kPartBytes) {
        log.readers.push_back({reader.site, reader.hold.acked, needs_ranges});
      } else {
        others.push_back({name, reader.site, reader.hold.acked, {}, needs_ranges});
      }
    }
    welcome.produced.push_back(std::move(log));
  }
  step.Say(id, std::move(welcome));
  for (Ack& ack : others) step.Say(id, std::move(ack));
}

}  // namespace dirsync
