// What happened, for those on duty; and refusals, of which each is counted and some are told.
#include "broker/core/broker_state.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr Duration kTellAgain = std::chrono::minutes(10);
constexpr Duration kHour = std::chrono::hours(1);
constexpr std::size_t kToldKept = 256;  // different warnings of one site in an hour

}  // namespace

void Broker::State::Event(BrokerStep& step, std::string kind, std::string site, std::string stream,
                          const std::string& text) {
  BrokerEvent event{next_event++,    step.now,          std::move(kind),
                    std::move(site), std::move(stream), Printable(text, 1024)};
  step.transaction.Put(storage::EventKey(event.number), EncodeEvent(event));
  events.push_front(std::move(event));
  while (events.size() > limits::kEvents) {
    step.transaction.Delete(storage::EventKey(events.back().number));
    events.pop_back();
  }
}

// An event that a site caused: however it goes on, it cannot push everything else out.
void Broker::State::Note(BrokerStep& step, const std::string& folded_site, std::string kind,
                         std::string stream, const std::string& text) {
  const auto site = sites.find(folded_site);
  EventBudget& budget = budgets[site == sites.end() ? "" : folded_site];
  if (budget.hour == Instant{} || budget.hour + kHour <= step.now) {
    budget.hour = step.now;
    budget.spent = 0;
  }
  if (++budget.spent > limits::kEventsPerHour) {
    ++refusals["EVENTS"];
    return;
  }
  Event(step, std::move(kind), site == sites.end() ? "" : site->second.entry.site,
        std::move(stream), text);
}

// One that comes again as long as its cause is there.
void Broker::State::Warn(BrokerStep& step, const std::string& folded_site, std::string kind,
                         std::string stream, const std::string& text) {
  EventBudget& budget = budgets[sites.contains(folded_site) ? folded_site : ""];
  std::string what = kind;
  what += ' ';
  what += stream;
  // A refusal of one kind hides none of another: a gap is no conflict.
  if (kind == "refused") what += text.substr(0, text.find(':'));
  const auto told = budget.told.find(what);
  if (told != budget.told.end() && told->second + kTellAgain > step.now) return;
  if (told == budget.told.end() && budget.told.size() >= kToldKept)
    std::erase_if(budget.told,
                  [&](const auto& entry) { return entry.second + kTellAgain <= step.now; });
  if (budget.told.size() >= kToldKept && !budget.told.contains(what)) return;
  budget.told[what] = step.now;
  Note(step, folded_site, std::move(kind), std::move(stream), text);
}

// Counted, told, and the session ends.
void Broker::State::Refuse(BrokerStep& step, SessionId session, const std::string& folded_site,
                           ErrorCode code, const std::string& text) {
  ++refusals[std::string(InfoOf(code).text)];
  Warn(step, folded_site, "refused", "", std::string(InfoOf(code).text) + ": " + text);
  End(step, session, code, text);
}

// Counted and told; the session goes on.
void Broker::State::CountRefused(BrokerStep& step, const BrokerSession& session,
                                 const std::string& reason, const StreamName& stream,
                                 const std::string& text) {
  ++refusals[reason];
  Warn(step, session.site, "refused", stream.ToString(), reason + ": " + text);
}

}  // namespace dirsync
