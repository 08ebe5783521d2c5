#include "cli/resync_run.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "agent/core/instance.h"
#include "agent/core/reader_state.h"
#include "cli/output.h"
#include "proto/base/text.h"

namespace dirsync::cli {
namespace {

constexpr Duration kTurn = std::chrono::milliseconds(200);
constexpr Duration kAskAgain = std::chrono::seconds(20);
constexpr Duration kConnectAgain = std::chrono::seconds(3);

// "123 of 1204 entries": how far a reader says it is.
void TakeProgress(std::string_view text, ResyncOutcome& outcome) {
  const auto words = Split(text, ' ');
  if (words.size() < 3 || words[1] != "of") return;
  outcome.done = ParseNumber(words[0]).value_or(outcome.done);
  outcome.total = ParseNumber(words[2]).value_or(outcome.total);
}

class ResyncRun {
 public:
  ResyncRun(AgentControl& agent, std::vector<ResyncJob> jobs, const ResyncOptions& options)
      : agent_(agent), options_(options) {
    for (ResyncJob& job : jobs) {
      Asked asked;
      asked.outcome.total = job.entries;
      asked.outcome.job = std::move(job);
      asked_.push_back(std::move(asked));
    }
  }

  Result<std::vector<ResyncOutcome>> Run() {
    for (Asked& asked : asked_) asked.heard = Now();
    while (std::ranges::any_of(asked_, [](const Asked& a) { return !a.outcome.ended; })) {
      if (options_.interrupted && options_.interrupted())
        return Fail(ErrorCode::kInterrupted, "resync: interrupted; the readers go on by themselves",
                    "dirsync resync status");
      DIRSYNC_TRY(messages, AskAll());
      DIRSYNC_CHECK(agent_.Turn(std::move(messages), kTurn));
      TakeReplies();
      DIRSYNC_CHECK(LookAtOwn());
      GiveUp();
      ShowProgress();
    }
    std::vector<ResyncOutcome> outcomes;
    for (Asked& asked : asked_)
      if (asked.outcome.code != ErrorCode::kNotFound) outcomes.push_back(std::move(asked.outcome));
    return outcomes;
  }

 private:
  struct Asked {
    ResyncOutcome outcome;
    std::vector<Nonce> nonces;  // of every time it was asked
    Instant ask_at{};           // again then
    Instant heard{};            // last
    Instant asked_at{};         // first; zero: not yet
    std::string instance;       // own jobs: the import that reads the stream
  };

  Instant Now() { return agent_.store().world().Now(); }
  bool IsOwn(const Asked& asked) {
    return FoldName(asked.outcome.job.reader) == FoldName(agent_.store().profile().site);
  }
  static void End(Asked& asked, ErrorCode code, std::string text) {
    asked.outcome.ended = true;
    asked.outcome.code = code;
    asked.outcome.text = std::move(text);
  }

  Result<std::vector<Message>> AskAll() {
    std::vector<Message> all;
    for (Asked& asked : asked_) {
      if (asked.outcome.ended || asked.ask_at > Now()) continue;
      if (agent_.link().phase() != LinkPhase::kOpen) break;
      asked.ask_at = Now() + kAskAgain;
      auto messages = IsOwn(asked) ? AskOwn(asked) : AskOther(asked);
      if (!messages && messages.error().code == ErrorCode::kUnreachable) break;
      if (!messages) return std::unexpected(messages.error());
      if (asked.asked_at == Instant{}) asked.asked_at = Now();
      std::ranges::move(*messages, std::back_inserter(all));
    }
    return all;
  }

  Result<std::vector<Message>> AskOther(Asked& asked) {
    const ResyncJob& job = asked.outcome.job;
    DIRSYNC_TRY(messages, agent_.link().Ask(job.reader, {"resync", "take", job.stream.ToString()}));
    for (const Message& message : messages)
      if (const auto* request = std::get_if<AdminRequest>(&message))
        asked.nonces.push_back(request->nonce);
    return std::move(messages);
  }

  Result<std::vector<Message>> AskOwn(Asked& asked) {
    DIRSYNC_TRY(instance, ImportOf(asked.outcome.job.stream));
    if (!instance) {
      End(asked, ErrorCode::kNotFound, "this site does not read it");
      return std::vector<Message>{};
    }
    // Asked for once: it goes on by itself until it is done.
    if (asked.asked_at != Instant{}) return std::vector<Message>{};
    asked.instance = *instance;
    return agent_.link().TakeFull(*instance);
  }

  Result<std::optional<std::string>> ImportOf(const StreamName& stream) {
    const storage::ReadView& view = agent_.store().storage();
    DIRSYNC_TRY(instances, ListInstances(view));
    for (const InstanceSettings& instance : instances) {
      DIRSYNC_TRY(number, FindNumber(view, "import/" + FoldName(instance.name)));
      if (!instance.imports || !number) continue;
      DIRSYNC_TRY(reader, LoadReader(view, *number));
      if (reader && reader->source == SourceKind::kStream && reader->stream == stream)
        return instance.name;
    }
    return std::nullopt;
  }

  void TakeReplies() {
    for (Asked& asked : asked_)
      for (const Nonce& nonce : asked.nonces)
        if (const auto reply = agent_.link().TakeReply(nonce); reply && !asked.outcome.ended)
          TakeReply(*reply, asked);
  }

  void TakeReply(const AdminReply& reply, Asked& asked) {
    if (reply.done && reply.code == ErrorCode::kUnreachable) {
      asked.ask_at = Now() + kConnectAgain;
      asked.outcome.text = reply.text;
      return;
    }
    asked.heard = Now();
    asked.ask_at = Now() + kAskAgain;
    TakeProgress(reply.text, asked.outcome);
    if (reply.done) End(asked, reply.code, reply.text);
  }

  // Own copies are looked at, not asked.
  Result<> LookAtOwn() {
    const AgentReport report = agent_.link().Report();
    for (Asked& asked : asked_) {
      if (asked.outcome.ended || asked.instance.empty()) continue;
      for (const InstanceReport& row : report.instances) {
        if (row.exports || FoldName(row.instance) != FoldName(asked.instance)) continue;
        if (row.full_done != asked.outcome.done) asked.heard = Now();
        asked.outcome.done = row.full_done;
        asked.outcome.total = std::max(row.full_total, asked.outcome.total);
        if (row.full_total > 0) continue;
        if (row.problem != ErrorCode::kAlreadyApplied) {
          End(asked, row.problem, row.problem_text);
        } else if (row.diverged) {
          End(asked, ErrorCode::kEpochChanged, "sums differ");
        } else if (row.sums_equal_at >= asked.asked_at) {
          End(asked, ErrorCode::kAlreadyApplied, agent_.link().EqualText(asked.instance));
        }
      }
    }
    return {};
  }

  void GiveUp() {
    for (Asked& asked : asked_)
      if (!asked.outcome.ended && asked.heard + options_.patience < Now())
        End(asked, ErrorCode::kUnreachable,
            asked.outcome.text.empty() ? "it said nothing" : asked.outcome.text);
  }

  void ShowProgress() {
    if (!options_.progress) return;
    Progress progress{"resync", 0, 0};
    for (const Asked& asked : asked_) {
      progress.done += asked.outcome.ended ? asked.outcome.total : asked.outcome.done;
      progress.total += asked.outcome.total;
    }
    options_.progress(progress);
  }

  AgentControl& agent_;
  const ResyncOptions& options_;
  std::vector<Asked> asked_;
};

}  // namespace

Result<std::vector<ResyncOutcome>> RunResync(AgentControl& agent, std::vector<ResyncJob> jobs,
                                             const ResyncOptions& options) {
  return ResyncRun(agent, std::move(jobs), options).Run();
}

}  // namespace dirsync::cli
