// What a link holds in memory between calls. Internal to agent/link: each file there is one subject
// of it. Everything here can be lost: the store and the next WELCOME bring it back.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/core/apply.h"
#include "agent/core/instance.h"
#include "agent/core/policy_meter.h"
#include "agent/core/producer_state.h"
#include "agent/core/reader_state.h"
#include "agent/core/site_policy.h"
#include "agent/link/link.h"
#include "agent/service/bulk_steps.h"
#include "proto/model/mail_domains.h"
#include "proto/trust/membership.h"
#include "storage/storage_error.h"

namespace dirsync {

// A stream of this site.
struct ExportLink {
  InstanceSettings settings;
  ProducerState state;  // as stored
  // Next to be published; 0: the broker has not said where its log stands.
  Sequence next = 0;
  bool begins_log = false;  // that publish may begin the log
  // Published and not answered: sequence and bytes. After a refusal the rest of them is waited
  // for, then `rewind` is the next.
  std::deque<std::pair<Sequence, std::uint64_t>> awaiting;
  std::uint64_t in_flight = 0;
  std::optional<Sequence> rewind;
  Instant retry_at{};
  std::optional<Error> stalled;
  std::optional<Error> refused;  // why nothing new is captured; what is told is published
  std::optional<Error> full;     // why the broker took nothing when it was last asked
  std::set<std::string>
      readers;  // registered at the broker, folded; without those that take ranges
  std::set<std::string> without_hold;  // those, and who is no active site any more
  Instant told_at{};                   // of the last batch
  std::uint64_t captured = 0;
};

// A full copy that is being taken by ranges.
struct CopyJob {
  ReaderState reader;
  ApplyInput input;
  std::unique_ptr<FullApply> apply;      // once the first range has come
  storage::Transaction* step = nullptr;  // that `apply` writes into; null: another one is due
  Position at;                           // of the last range
  bool rollback = false;
  std::uint64_t request = 0;  // that is waited for; 0 = none under way
  std::uint8_t rank = 0;      // asked for behind this entry
  EntryId after;
  // Came, and is applied once what follows it has been asked for: its producer makes the next one
  // meanwhile.
  std::optional<Batch> pending;
  Instant ask_at{};  // ask again then
  Duration wait{};   // from one time to the next
  std::uint64_t done = 0;
  std::uint64_t total = 0;
};

// A stream that this site reads.
struct ImportLink {
  InstanceSettings settings;
  storage::StreamNumber number = 0;
  StreamName stream;
  bool subscribed = false;  // deliveries are taken
  Instant ask_at{};         // subscribe (again) then; 0 = not
  Position acked;           // said since the connection stands
  bool wants = false;       // something is asked for whole
  Instant wants_at{};       // ask again then
  std::unique_ptr<CopyJob> copy;
  bool copy_wanted = false;
  Instant copied_at{};           // end of the last one
  bool copy_by_person = false;   // somebody who is no part of the stream's site asked for it
  bool copy_asked_here = false;  // by name: what it does is wanted
  std::optional<Error> stalled;
  Epoch stalled_in;  // of the log then
  // Stopped by one of these limits, and what was said of it: once they are others, it goes on.
  std::optional<SiteLimits> over;
  std::string over_told;
  bool diverged = false;
  std::uint64_t applied = 0;
  Instant sums_equal_at{};
  std::uint64_t equal_rows = 0;  // that its source had told then
  Instant canary_at{};
  std::optional<ContactsAfter> left;        // the site was removed: what becomes of its contacts
  std::optional<InstanceSettings> kept_as;  // settings under which the gate kept them
  // Who asked for the copy, and hears of it.
  std::deque<AdminReply> askers;
};

// Asked of another site's agent.
struct Question {
  Nonce nonce;
  std::optional<AdminReply> reply;  // the newest that was not taken
};

struct Link::State {
  State(Store& the_store, LinkSettings the_settings)
      : store(the_store), settings(std::move(the_settings)) {}

  // link.cc
  Result<> Refresh();
  Result<> LookAround();
  Result<> Dispatch(const Message& message);
  bool WaitsForWelcome(const Message& message);
  void Forget();
  void Say(Message message);
  void Tell(std::string kind, const std::string& instance, std::string text,
            ErrorCode code = ErrorCode::kAlreadyApplied);
  Instant Now() const { return store.world().Now(); }
  Result<std::vector<Message>> Take(Result<> done);

  // link_session.cc
  Result<> Greet();
  Result<> TakeWelcome(const Welcome& welcome);
  Result<> TakeRosterNews(const RosterNews& news);
  Result<> BringRosterBack();
  Result<> DropRemoved(const RosterEntry& entry);
  Result<> DropLeft();
  Result<> FindLeft();

  // link_producer.cc
  ExportLink* ExportOf(const StreamName& stream);
  Result<> CaptureExports();
  Result<> PublishWaiting(ExportLink& link);
  Result<> CompareLog(ExportLink& link, const Welcome::Log* log);
  Result<> TakePublished(const Published& answer);
  Result<> TakeReaderAck(const Ack& ack);
  static std::vector<std::string> RequiredOf(const ExportLink& link);
  Result<> LoseHold(ExportLink& link, const std::string& reader);
  Result<bool> MakeRoom(ExportLink& link, bool full);
  Result<> TakeOwnBatch(const Deliver& deliver);
  Result<> NewEpoch(ExportLink& link, std::uint64_t above, const std::string& why);
  Result<> SayCanary(ExportLink& link);
  Result<> ServeRange(const GetRange& request);

  // link_reader.cc
  ImportLink* ImportOf(const StreamName& stream);
  bool IsWanted(const StreamName& stream) const;
  Result<> TakeStreams(const Streams& streams);
  Result<> MakeImport(const StreamName& stream);
  Result<> SubscribeTo(ImportLink& link);
  Result<> TakeSubscribed(const Subscribed& answer);
  Result<> TakeDeliver(const Deliver& deliver);
  Result<> ApplyDelivered(ImportLink& link, const Deliver& deliver);
  Result<> ApplyNext(ImportLink& link, ReaderState& reader, const Batch& batch,
                     const Digest& digest);
  Result<> AckCursor(ImportLink& link, bool again);
  Result<> HoldDeletes(const ImportLink& link);
  void Stall(ImportLink& link, const Position& at, const Error& error);
  void SayPosition(const ImportLink& link);
  Result<> LookAgain(ImportLink& link);
  void StallOver(ImportLink& link, const Position& at, const Error& error);
  static void EndOver(ImportLink& link);
  Result<> GoOn(ImportLink& link);
  Result<> LookAtPolicies();
  Result<> LookAtLimits(ImportLink& link);

  // link_copy.cc
  Result<> StartCopy(ImportLink& link);
  void AskRange(ImportLink& link);
  void AskRangeAgain(ImportLink& link);
  Result<> TakeRange(const dirsync::Range& range);
  Result<> ApplyPending(ImportLink& link);
  Result<> ApplyRange(ImportLink& link, const Batch& range);
  Result<> TakeEntries(ImportLink& link, const Batch& range);
  Result<bool> JudgeStep(ImportLink& link, PolicyMeter& meter);
  Result<> StopCopy(ImportLink& link, const Error& error);
  Result<> EndCopy(ImportLink& link, const Batch& range);
  void DropCopy(ImportLink& link, Duration wait);
  Result<storage::Transaction*> StepFor(ImportLink& link);
  Result<> SettleCopies();
  bool IsCopying() const;
  bool HasOpenStep() const { return steps && steps->is_open(); }

  // link_report.cc
  Result<> ReportPaused(const InstanceSettings& instance, AgentReport& report) const;
  std::string EqualText(const ImportLink& link) const;

  // link_request.cc
  Result<> TakeRequest(const AdminRequest& request);
  void RefuseRequest(const AdminRequest& request, const Error& why);
  Result<> TakeOrder(const AdminRequest& request);
  bool MayBeginEpoch(const std::string& signer);
  Result<> RunRequest(const AdminRequest& request, const RosterEntry& signer);
  Result<> TakePosition(const AdminRequest& request, const AdminReply& reply);
  Result<> Ask(const std::string& target, std::vector<std::string> words);
  void Answer(AdminReply reply, bool done, ErrorCode code, std::string text);
  void AnswerAskers(ImportLink& link, bool done, ErrorCode code, const std::string& text);

  Store& store;
  LinkSettings settings;
  LinkPhase phase = LinkPhase::kOffline;
  Error reason{ErrorCode::kAlreadyApplied, "", ""};
  std::map<std::string, ExportLink> exports;  // by folded instance name
  std::map<std::string, ImportLink> imports;
  std::optional<BulkSteps> steps;              // while a copy is being taken
  storage::StreamNumber step_number = 0;       // whose ranges the open step holds
  Instant step_at{};                           // when it was opened
  std::uint64_t looked_at = 0;                 // commits of the store that LookAround has seen
  std::vector<InstanceSettings> paused;        // left alone, and yet reported
  std::map<StreamName, Streams::Log> streams;  // announced since the connection stands
  std::optional<Membership> membership;
  std::map<std::string, std::uint64_t> roster_said;  // folded site -> serial, since WELCOME
  bool roster_compared = false;                      // since WELCOME
  MailDomains domains;                               // of the roster
  std::vector<SitePolicy> policies;                  // as they were last looked at
  std::uint64_t window_bytes = 0;
  Duration heartbeat = std::chrono::seconds(limits::kHeartbeatSeconds);
  Instant said_at{};
  Instant reported_at{};
  Instant greeted_at{};
  std::uint32_t greeting = 0;     // which HELLO was the last; its WELCOME says so
  std::vector<Message> deferred;  // asked of us while we greet: answered once we may speak
  bool greet_again = false;       // something was found that only WELCOME can clear up
  bool greet_now = false;  // an export was made or resumed: where its log stands, WELCOME says
  std::uint64_t next_request = 1;
  std::vector<Message> out;
  std::vector<LinkEvent> events;
  std::deque<Question> questions;  // oldest first
  // By what other sites said to have read, in the last hour; by folded name of the site.
  std::map<std::string, std::deque<Instant>> epochs_begun;
  Instant started{};
};

}  // namespace dirsync
