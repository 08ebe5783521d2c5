// STREAMS and ROSTER: what all may know, after WELCOME and whenever it changes.
#include <utility>

#include "broker/core/broker_state.h"
#include "proto/base/text.h"
#include "proto/trust/roster.h"

namespace dirsync {

std::uint64_t WeightOf(const StreamName& stream) {
  constexpr std::uint64_t kFixed = 160;  // position, incarnation, tags
  return stream.organization.size() + stream.site.size() + stream.instance.size() + kFixed;
}

void Broker::State::SayStreams(BrokerStep& step, const BrokerSession& session) const {
  Streams message;
  std::uint64_t weight = 0;
  for (const auto& [name, stream] : streams) {
    if (stream.producer == session.site || !IsActive(stream.producer)) continue;
    const bool online = sites.at(stream.producer).session != 0;
    message.logs.push_back({name, stream.log.incarnation, stream.log.tail, online});
    weight += WeightOf(name);
    if (weight < limits::kPartBytes) continue;
    step.Say(session.id, std::exchange(message, {}));
    weight = 0;
  }
  step.Say(session.id, std::move(message));
}

Result<> Broker::State::SayRoster(BrokerStep& step, SessionId session) const {
  DIRSYNC_TRY(entries, ListSignedRoster(step.transaction));
  for (RosterNews& message : RosterMessages(std::move(entries)))
    step.Say(session, std::move(message));
  return {};
}

void Broker::State::NewsOf(const std::string& folded_site) {
  for (const auto& [name, stream] : streams)
    if (stream.producer == folded_site) news.insert(name);
}

// However often something changed in the steps before, each session hears of it once.
void Broker::State::Announce(std::vector<Outgoing>& out) {
  for (Outgoing& message : later) out.push_back(std::move(message));
  later.clear();
  if (news.empty()) return;
  std::vector<std::pair<const std::string*, Streams::Log>> logs;
  for (const StreamName& name : news) {
    const BrokerStream& stream = streams.at(name);
    if (!IsActive(stream.producer)) continue;
    const bool online = sites.at(stream.producer).session != 0;
    logs.push_back({&stream.producer, {name, stream.log.incarnation, stream.log.tail, online}});
  }
  news.clear();
  for (const auto& [id, session] : sessions) {
    if (session.site.empty()) continue;
    Streams message;
    std::uint64_t weight = 0;
    for (const auto& [producer, log] : logs) {
      if (*producer == session.site) continue;
      message.logs.push_back(log);
      weight += WeightOf(log.stream);
      if (weight < limits::kPartBytes) continue;
      out.push_back({id, std::exchange(message, {}), false});
      weight = 0;
    }
    if (!message.logs.empty()) out.push_back({id, std::move(message), false});
  }
}

}  // namespace dirsync
