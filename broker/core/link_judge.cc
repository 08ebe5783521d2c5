#include "broker/core/link_judge.h"

#include <algorithm>

#include "proto/base/measure.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::size_t kNameShown = 64;
constexpr std::size_t kTextShown = 300;
constexpr std::string_view kBroker = "the broker";
constexpr std::string_view kStartAgent = "dirsync agent run";
constexpr std::string_view kStartBroker = "dirsync broker run";

struct Verdict {
  LinkState state;
  Severity severity;
  std::string reason;
  std::string command;
  std::string at;
  std::string alternative = {};
};
using Ruling = std::optional<Verdict>;

std::string Named(std::string_view name) { return Printable(name, kNameShown); }

Severity ByAge(Duration age, Duration warning, Duration critical) {
  if (age >= critical) return Severity::kCritical;
  return age >= warning ? Severity::kWarning : Severity::kNotice;
}

std::string Since(Instant time, Instant now) {
  return time == Instant{} ? "" : " for " + DurationText(now - time);
}

std::string InstanceOf(const LinkEnd& end) {
  return end.report ? ShellWord(end.report->instance) : "INSTANCE";
}

// Typed at the producer; ended by comparing sums.
std::string ResyncOf(const LinkFacts& facts) {
  return "dirsync resync run --site " + ShellWord(facts.producer.site) + " --full --to " +
         ShellWord(facts.reader.site);
}

// Starts the end that is away; where the broker does not run, the broker, since nobody is connected
// before it does.
Verdict Starting(const LinkFacts& facts, const LinkEnd& end, Verdict verdict) {
  verdict.command = facts.stopped ? kStartBroker : kStartAgent;
  verdict.at = facts.stopped ? kBroker : std::string_view(end.site);
  return verdict;
}

// What has both sides compared; an end that is away is started first.
Verdict WithResync(const LinkFacts& facts, Verdict verdict) {
  for (const LinkEnd* end : {&facts.producer, &facts.reader}) {
    if (end->online || facts.cut_off) continue;
    return Starting(facts, *end, std::move(verdict));
  }
  verdict.command = ResyncOf(facts);
  verdict.at = facts.producer.site;
  return verdict;
}

std::string ProblemText(const LinkEnd& end) {
  const ErrorInfo& info = InfoOf(end.report->problem);
  std::string text = Named(end.site) + " says " + std::string(info.text);
  if (!end.report->problem_text.empty())
    text += ": " + Printable(end.report->problem_text, kTextShown);
  return text;
}

// The end whose reported problem leads to `state`; the reader first.
const LinkEnd* EndWithProblem(const LinkFacts& facts, LinkState state) {
  for (const LinkEnd* end : {&facts.reader, &facts.producer})
    if (end->report && StateOfProblem(end->report->problem) == state) return end;
  return nullptr;
}

// Somebody wanted it so: no trouble, unless the site waits for an answer. One that was revoked
// comes back by joining again.
Verdict TurnedOut(const LinkEnd& end) {
  Verdict verdict{LinkState::kRefused, Severity::kFine,
                  Named(end.site) + " has left the organisation", "", ""};
  if (end.state == SiteState::kRevoked)
    verdict.reason = Named(end.site) + " is revoked: its messages are refused";
  if (!end.asks_to_join) return verdict;
  verdict.severity = Severity::kNotice;
  verdict.reason += "; it asks to join again";
  verdict.command = "dirsync sites pending";
  verdict.at = kBroker;
  return verdict;
}

Ruling Refused(const LinkFacts& facts, const LinkThresholds&) {
  for (const LinkEnd* end : {&facts.producer, &facts.reader})
    if (end->state != SiteState::kActive) return TurnedOut(*end);
  if (facts.refused == SubscribeOutcome::kFork)
    return Verdict{LinkState::kRefused, Severity::kCritical,
                   "FORK: the log holds another batch where " + Named(facts.reader.site) +
                       " stands; two histories of the stream exist",
                   "dirsync log verify " + ShellWord(facts.stream.ToString()),
                   std::string(kBroker)};
  const LinkEnd* end = EndWithProblem(facts, LinkState::kRefused);
  if (end == nullptr) return std::nullopt;
  Verdict verdict{LinkState::kRefused, Severity::kCritical, ProblemText(*end), "dirsync doctor",
                  end->site};
  const ErrorCode code = end->report->problem;
  if (code == ErrorCode::kNotPermitted || code == ErrorCode::kNotJoined)
    verdict.command = "dirsync join INVITATION";
  // A run that was rejected: once its source is put right, everything is sent again.
  if (code == ErrorCode::kRefused) return WithResync(facts, std::move(verdict));
  return verdict;
}

Ruling Diverged(const LinkFacts& facts, const LinkThresholds&) {
  const auto& report = facts.reader.report;
  if (!report || !report->diverged) return std::nullopt;
  std::string reason = "sums differ at sequence " + std::to_string(report->position.sequence);
  reason += report->sums_equal_at == Instant{}
                ? "; they were never found equal"
                : "; last equal " + DurationText(facts.now - report->sums_equal_at) + " ago";
  return WithResync(facts, {LinkState::kDiverged, Severity::kCritical, reason, "", ""});
}

// Which of the two, a person decides.
Verdict Undecided(const LinkEnd& end, std::string reason, const std::string& rows) {
  return {LinkState::kHeld,  Severity::kCritical,
          std::move(reason), "dirsync held approve " + rows,
          end.site,          "dirsync held reject " + rows};
}

Ruling Held(const LinkFacts& facts, const LinkThresholds&) {
  for (const LinkEnd* end : {&facts.reader, &facts.producer}) {
    if (!end->report) continue;
    const std::string instance = InstanceOf(*end);
    if (end->report->suspect || end->report->problem == ErrorCode::kSuspect)
      return Undecided(*end,
                       "the stream waits before a suspect run until a person at " +
                           Named(end->site) + " approves or rejects it",
                       instance);
    if (end->report->held > 0)
      return Undecided(*end,
                       CountText(end->report->held, "delete waits", "deletes wait") +
                           " for a person at " + Named(end->site),
                       "--all --instance " + instance);
  }
  return std::nullopt;
}

Ruling Quarantined(const LinkFacts& facts, const LinkThresholds&) {
  const auto& report = facts.reader.report;
  if (!report || report->quarantined == 0) return std::nullopt;
  return Verdict{LinkState::kQuarantined, Severity::kWarning,
                 CountText(report->quarantined, "change") + " could not be applied at " +
                     Named(facts.reader.site),
                 "dirsync quarantine list --instance " + InstanceOf(facts.reader),
                 facts.reader.site};
}

Ruling Resyncing(const LinkFacts& facts, const LinkThresholds&) {
  const auto& report = facts.reader.report;
  if (!report || report->full_total == 0) return std::nullopt;
  std::string reason = "a full copy is under way: " + std::to_string(report->full_done) + " of " +
                       CountText(report->full_total, "entry", "entries");
  if (facts.producer.online)
    return Verdict{LinkState::kResyncing, Severity::kNotice, reason, "", ""};
  return Starting(
      facts, facts.producer,
      {LinkState::kResyncing, Severity::kWarning,
       reason + "; it waits for " + Named(facts.producer.site) + ", which is offline", "", ""});
}

Ruling Restored(const LinkFacts& facts, const LinkThresholds&) {
  const auto& report = facts.reader.report;
  // When both sides were last found equal its reader tells; a store alone does not know.
  if (facts.stopped && !report) return std::nullopt;
  const Instant equal = report ? report->sums_equal_at : Instant{};
  for (const LinkEnd* end : {&facts.producer, &facts.reader}) {
    if (end->restored == Instant{} || equal > end->restored) continue;
    return WithResync(facts, {LinkState::kRestored, Severity::kWarning,
                              Named(end->site) + " was put back from a copy " +
                                  DurationText(facts.now - end->restored) +
                                  " ago; no delete is applied until both sides are found equal",
                              "", ""});
  }
  return std::nullopt;
}

Ruling NeedsRanges(const LinkFacts& facts, const LinkThresholds&) {
  const bool needed = facts.needs_ranges || facts.refused == SubscribeOutcome::kNeedsRanges ||
                      EndWithProblem(facts, LinkState::kNeedsRanges) != nullptr;
  if (!needed) return std::nullopt;
  const std::string reason =
      "the log no longer holds what " + Named(facts.reader.site) + " needs; a full copy ";
  if (facts.producer.online && facts.reader.online)
    return Verdict{LinkState::kNeedsRanges, Severity::kNotice, reason + "begins by itself", "", ""};
  const LinkEnd& missing = facts.reader.online ? facts.producer : facts.reader;
  return Starting(
      facts, missing,
      {LinkState::kNeedsRanges, Severity::kWarning,
       reason + "begins when " + Named(facts.stopped ? kBroker : std::string_view(missing.site)) +
           (facts.stopped ? " runs" : " is back"),
       "", ""});
}

Ruling Offline(const LinkFacts& facts, const LinkThresholds& thresholds) {
  if (facts.stopped)
    return Starting(facts, facts.reader,
                    {LinkState::kOffline, Severity::kCritical, "the broker does not run", "", ""});
  for (const LinkEnd* end : {&facts.reader, &facts.producer}) {
    if (end->online) continue;
    const Duration age = facts.now - end->heard;
    Verdict verdict{LinkState::kOffline, Severity::kWarning, "", std::string(kStartAgent),
                    end->site};
    if (end->heard != Instant{})
      verdict.severity = ByAge(age, thresholds.offline_warning, thresholds.offline_critical);
    if (facts.cut_off) {
      verdict.reason = Named(end->site) + " has no session with the broker";
      if (!facts.cut_off->empty()) verdict.reason += ": " + Printable(*facts.cut_off, kTextShown);
      verdict.command = kStartBroker;
      verdict.at = kBroker;
    } else {
      verdict.reason = Named(end->site) + " is offline" + Since(end->heard, facts.now);
    }
    return verdict;
  }
  return std::nullopt;
}

Ruling Paused(const LinkFacts& facts, const LinkThresholds&) {
  for (const LinkEnd* end : {&facts.producer, &facts.reader})
    if (end->report && end->report->paused)
      return Verdict{LinkState::kPaused, Severity::kNotice,
                     "paused by a person at " + Named(end->site),
                     "dirsync resume " + InstanceOf(*end), end->site};
  return std::nullopt;
}

Ruling CatchingUp(const LinkFacts& facts, const LinkThresholds& thresholds) {
  if (const LinkEnd* end = EndWithProblem(facts, LinkState::kCatchingUp)) {
    Verdict verdict{LinkState::kCatchingUp, Severity::kWarning, ProblemText(*end), "dirsync doctor",
                    end->site};
    if (end->report->problem == ErrorCode::kQuota) {
      verdict.command = "dirsync broker readers";
      verdict.at = kBroker;
    }
    if (end->report->problem == ErrorCode::kOverLimit)
      verdict.command = "dirsync sites policy " + ShellWord(facts.producer.site);
    return verdict;
  }
  if (facts.refused == SubscribeOutcome::kTruncated)
    return Verdict{LinkState::kCatchingUp, Severity::kWarning,
                   "the broker's log went back behind the reader; its producer refills it",
                   "dirsync broker streams", std::string(kBroker)};
  const bool waits = facts.lag_batches > 0;
  const Instant last = waits ? facts.oldest_unacked : facts.canary;
  const Duration age = last == Instant{} ? Duration(0) : Duration(facts.now - last);
  if (!waits && age < std::min(thresholds.late_warning, thresholds.late_critical))
    return std::nullopt;
  Verdict verdict{LinkState::kCatchingUp,
                  ByAge(age, thresholds.late_warning, thresholds.late_critical), "", "", ""};
  if (waits) {
    verdict.reason = CountText(facts.lag_batches, "batch waits", "batches wait");
    if (last != Instant{}) verdict.reason += ", the oldest" + Since(last, facts.now);
  } else {
    verdict.reason = "nothing was told" + Since(last, facts.now) + ", not even a canary";
  }
  if (verdict.severity >= Severity::kWarning) {
    verdict.command = "dirsync doctor";
    verdict.at = waits ? facts.reader.site : facts.producer.site;
  }
  return verdict;
}

}  // namespace

std::string ShellWord(std::string_view word) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_./:,@%+=").find(c) != std::string_view::npos ||
           static_cast<unsigned char>(c) >= 0x80;
  };
  if (!word.empty() && std::ranges::all_of(word, plain)) return Named(word);
  std::string quoted = "'";
  for (char c : word) quoted += c == '\'' ? "'\\''" : std::string(1, c);
  return Named(quoted + "'");
}

std::optional<LinkState> StateOfProblem(ErrorCode code) {
  switch (code) {
    case ErrorCode::kAlreadyApplied:
      return std::nullopt;
    case ErrorCode::kSuspect:
      return LinkState::kHeld;
    case ErrorCode::kEpochChanged:
    case ErrorCode::kNeedsRanges:
      return LinkState::kNeedsRanges;
    case ErrorCode::kUnreachable:
      return LinkState::kOffline;
    case ErrorCode::kGap:
    case ErrorCode::kLogTruncated:
    case ErrorCode::kOverLimit:
      return LinkState::kCatchingUp;
    default:
      break;
  }
  // What may pass by itself, or when a disk has room again.
  constexpr int kTemporary = 5;
  return InfoOf(code).exit_status == kTemporary ? LinkState::kCatchingUp : LinkState::kRefused;
}

LinkView JudgeLink(const LinkFacts& facts, const LinkThresholds& thresholds) {
  using Rule = Ruling (*)(const LinkFacts&, const LinkThresholds&);
  // In the order of precedence (LinkState), worst first.
  static constexpr Rule kRules[] = {Refused,  Diverged,    Held,    Quarantined, Resyncing,
                                    Restored, NeedsRanges, Offline, Paused,      CatchingUp};
  Ruling ruling;
  for (const Rule rule : kRules)
    if (!ruling) ruling = rule(facts, thresholds);
  if (!ruling)
    ruling = Verdict{LinkState::kInSync, Severity::kFine, "everything told is applied", "", ""};
  if (ruling->state > LinkState::kOffline && !facts.reader.online && !facts.stopped &&
      facts.reader.heard != Instant{})
    ruling->reason +=
        "; " + Named(facts.reader.site) + " is offline" + Since(facts.reader.heard, facts.now);

  LinkView view;
  view.stream = facts.stream;
  view.reader = facts.reader.site;
  view.state = ruling->state;
  view.severity = ruling->severity;
  view.reason = std::move(ruling->reason);
  view.command = std::move(ruling->command);
  view.at = std::move(ruling->at);
  view.alternative = std::move(ruling->alternative);
  view.canary = facts.canary;
  view.batches_waiting = facts.lag_batches;
  view.bytes_waiting = facts.lag_bytes;
  if (const auto& report = facts.reader.report) {
    view.instance = report->instance;
    view.deletes_waiting = report->held;
    view.quarantined = report->quarantined;
    view.full_done = report->full_done;
    view.full_total = report->full_total;
  }
  if (facts.producer.report) view.deletes_waiting += facts.producer.report->held;
  return view;
}

}  // namespace dirsync
