// Sessions: who is connected, what each of them reads, and how one ends.
#include <algorithm>

#include "broker/core/broker_state.h"

namespace dirsync {
namespace {

constexpr std::uint32_t kRetrySoon = 1;
constexpr std::uint32_t kRetryLate = 30;  // somebody has to do something first

}  // namespace

BrokerSession* Broker::State::SessionOf(const std::string& folded_site) {
  const auto site = sites.find(folded_site);
  if (site == sites.end() || site->second.session == 0) return nullptr;
  const auto session = sessions.find(site->second.session);
  return session == sessions.end() ? nullptr : &session->second;
}

BrokerStream* Broker::State::StreamOf(const StreamName& name) {
  const auto stream = streams.find(name);
  return stream == streams.end() ? nullptr : &stream->second;
}

bool Broker::State::IsActive(const std::string& folded_site) const {
  const auto site = sites.find(folded_site);
  return site != sites.end() && site->second.entry.state == SiteState::kActive;
}

void Broker::State::End(BrokerStep& step, SessionId session, ErrorCode code, std::string text) {
  const bool wait = code == ErrorCode::kCloned || code == ErrorCode::kNotPermitted ||
                    code == ErrorCode::kFenced || code == ErrorCode::kUnknownVersion;
  step.Say(session, Bye{code, std::move(text), wait ? kRetryLate : kRetrySoon}, true);
  Forget(session);
}

void Broker::State::Forget(SessionId session) {
  door.erase(session);
  for (std::set<SessionId>* set : {&ready, &loaded, &held_up, &fetching}) set->erase(session);
  const auto found = sessions.find(session);
  if (found == sessions.end()) return;
  const auto reads = found->second.reads;
  for (const auto& [number, stream] : reads)
    if (const auto reader = stream->readers.find(found->second.site);
        reader != stream->readers.end())
      Detach(*stream, reader->second);
  const auto site = sites.find(found->second.site);
  if (site != sites.end() && site->second.session == session) {
    site->second.session = 0;
    for (auto& [name, stream] : streams)
      if (const auto reader = stream.readers.find(site->first); reader != stream.readers.end())
        reader->second.range_request.reset();
    NewsOf(site->first);
    FailRanges(site->first);
  }
  sessions.erase(found);
}

void Broker::State::EndSilent(BrokerStep& step) {
  std::vector<SessionId> silent;
  for (const auto& [id, session] : sessions)
    if (session.heard + std::chrono::seconds(settings.silence_seconds) < step.now)
      silent.push_back(id);
  for (const SessionId id : silent)
    End(step, id, ErrorCode::kUnreachable, "nothing was heard of the agent for too long");
}

void Broker::State::Attach(BrokerStream& stream, BrokerReader& reader, BrokerSession& session) {
  reader.session = session.id;
  session.reads[stream.log.number] = &stream;
  if (reader.sent == stream.log.tail) {
    session.waiting.erase(stream.log.number);
    return;
  }
  session.waiting.insert(stream.log.number);
  if (session.credit > 0) ready.insert(session.id);
}

void Broker::State::Detach(BrokerStream& stream, BrokerReader& reader) {
  const auto session = sessions.find(reader.session);
  reader.session = 0;
  if (session == sessions.end()) return;
  session->second.reads.erase(stream.log.number);
  session->second.waiting.erase(stream.log.number);
  if (session->second.waiting.empty()) ready.erase(session->first);
}

void Broker::State::Wake(BrokerStream& stream) {
  for (auto& [site, reader] : stream.readers) {
    const auto session = sessions.find(reader.session);
    if (session == sessions.end()) continue;
    session->second.waiting.insert(stream.log.number);
    if (session->second.credit > 0) ready.insert(session->first);
  }
}

void Broker::State::AddCredit(BrokerSession& session, std::uint64_t bytes) {
  const auto most = static_cast<std::int64_t>(settings.credit_bytes_max);
  const auto more = static_cast<std::int64_t>(std::min(bytes, settings.credit_bytes_max));
  session.credit = std::min(session.credit + more, most);
  if (session.credit > 0 && !session.waiting.empty()) ready.insert(session.id);
}

}  // namespace dirsync
