// The streams that this site reads: subscribed, verified, judged, applied, acked.
#include <algorithm>
#include <utility>

#include "agent/core/review.h"
#include "agent/core/wanted.h"
#include "agent/link/link_state.h"
#include "proto/base/text.h"
#include "proto/codec/batch_codec.h"
#include "proto/trust/roster.h"

namespace dirsync {
namespace {

constexpr Duration kAskAgain = std::chrono::seconds(10);
constexpr Duration kStalledAgain = std::chrono::minutes(5);
constexpr Duration kRateAgainLeast = std::chrono::seconds(1);
constexpr Duration kRateAgainMost = std::chrono::hours(2);
constexpr Duration kWantAgain = std::chrono::seconds(30);
constexpr Duration kCopyAgain = std::chrono::hours(1);

}  // namespace

ImportLink* Link::State::ImportOf(const StreamName& stream) {
  for (auto& [name, link] : imports)
    if (link.stream == stream) return &link;
  return nullptr;
}

bool Link::State::IsWanted(const StreamName& stream) const {
  return std::ranges::any_of(settings.subscribe, [&](const std::string& pattern) {
    return pattern == "*" || FoldName(pattern) == FoldName(stream.site) ||
           FoldName(pattern) == FoldName(stream.site + "/" + stream.instance);
  });
}

Result<> Link::State::TakeStreams(const Streams& message) {
  DIRSYNC_CHECK(BringRosterBack());
  DIRSYNC_CHECK(Refresh());
  for (const Streams::Log& log : message.logs) {
    streams[log.stream] = log;
    ImportLink* link = ImportOf(log.stream);
    if (link == nullptr) {
      const bool mine = FoldName(log.stream.site) == FoldName(store.profile().site);
      if (mine || !membership || log.stream.organization != membership->organization ||
          !IsWanted(log.stream))
        continue;
      DIRSYNC_CHECK(MakeImport(log.stream));
      link = ImportOf(log.stream);
      if (link == nullptr) continue;
    }
    // A new epoch ends a fork: which history was right no longer matters.
    const bool begun = link->stalled && link->stalled->code == ErrorCode::kFork &&
                       log.tail.epoch != link->stalled_in;
    if (begun) link->stalled.reset();
    if (!link->subscribed && (link->ask_at == Instant{} || begun) && !link->copy && !link->stalled)
      DIRSYNC_CHECK(SubscribeTo(*link));
    if (log.producer_online && link->copy && link->copy->request == 0) AskRange(*link);
  }
  return {};
}

// A stream that nobody here reads yet, and that the settings ask for: it gets an import, with the
// key that the roster names for its site.
Result<> Link::State::MakeImport(const StreamName& stream) {
  DIRSYNC_TRY(site, FindSite(store.storage(), stream.site));
  if (!site || site->state != SiteState::kActive) return {};
  // One that is there and paused, or reads by file only, is somebody's decision.
  DIRSYNC_TRY(other, FindImport(store.storage(), stream));
  if (other) return {};
  const auto of_site = std::ranges::count_if(imports, [&](const auto& row) {
    return FoldName(row.second.stream.site) == FoldName(stream.site);
  });
  if (static_cast<std::size_t>(of_site) >= limits::kStreamsPerSite) return {};
  DIRSYNC_TRY(instances, ListInstances(store.storage()));
  std::set<std::string> names;
  for (const InstanceSettings& instance : instances) names.insert(FoldName(instance.name));
  InstanceSettings made;
  made.name = stream.site + "." + stream.instance;
  for (int n = 2; names.contains(FoldName(made.name)); ++n)
    made.name = stream.site + "." + stream.instance + "." + std::to_string(n);
  made.imports = true;
  made.transport = Transport::kBoth;  // a carried file may come while the broker is away
  DIRSYNC_CHECK(store.Write([&](storage::Transaction& transaction) -> Result<> {
    StoreInstance(transaction, made);
    DIRSYNC_TRY(number, NumberOf(transaction, "import/" + FoldName(made.name)));
    ReaderState reader;
    reader.number = number;
    reader.source = SourceKind::kStream;
    reader.stream = stream;
    reader.signer = site->signing_key;
    StoreReader(transaction, reader);
    return {};
  }));
  Tell("new-import", made.name, "reads " + stream.ToString());
  return Refresh();
}

Result<> Link::State::SubscribeTo(ImportLink& link) {
  link.ask_at = Now() + kAskAgain;
  DIRSYNC_TRY(reader, LoadReader(store.storage(), link.number));
  if (!reader) return {};
  // The roster knows the site's key now; a new one comes only with a higher serial (R7).
  DIRSYNC_TRY(site, FindSite(store.storage(), link.stream.site));
  // By this site's own roster: a broker that was put back from a copy may know less.
  if (site && site->state != SiteState::kActive) return {};
  if (site && reader->signer != site->signing_key) {
    reader->signer = site->signing_key;
    DIRSYNC_CHECK(store.Write([&](storage::Transaction& transaction) -> Result<> {
      StoreReader(transaction, *reader);
      return {};
    }));
    Tell("key", link.settings.name,
         link.stream.site + " signs with " + Fingerprint(site->signing_key) +
             " from now on, by the roster");
  }
  if (link.copy_wanted || reader->full) {
    link.copy_wanted = true;
    return StartCopy(link);
  }
  Say(Subscribe{link.stream, reader->cursor, {}});
  return {};
}

Result<> Link::State::TakeSubscribed(const Subscribed& answer) {
  ImportLink* link = ImportOf(answer.stream);
  if (link == nullptr) return {};
  link->subscribed = false;
  switch (answer.outcome) {
    case SubscribeOutcome::kGoesOn:
      link->subscribed = !link->copy;
      link->ask_at = {};
      link->stalled.reset();
      return GoOn(*link);
    case SubscribeOutcome::kNeedsRanges:
      Tell("needs-ranges", link->settings.name,
           "what follows the cursor is no longer in the log: a full copy is fetched",
           ErrorCode::kNeedsRanges);
      link->copy_wanted = true;
      return StartCopy(*link);
    case SubscribeOutcome::kTruncated:
      Tell("log-truncated", link->settings.name,
           "the broker's log of " + answer.stream.ToString() + " ends before what is held here",
           ErrorCode::kLogTruncated);
      SayPosition(*link);
      link->ask_at = Now() + kAskAgain;
      return {};
    case SubscribeOutcome::kFork:
      DIRSYNC_CHECK(HoldDeletes(*link));
      Stall(*link, answer.tail,
            {ErrorCode::kFork,
             "the log of " + answer.stream.ToString() + " is another history than what is held",
             "dirsync resync run --site " + Printable(answer.stream.site) + " --full"});
      return {};
    case SubscribeOutcome::kNotFound:
      link->ask_at = Now() + kAskAgain;
      return {};
  }
  return {};
}

// A fork was seen: a delete may be one of the other history (R5).
Result<> Link::State::HoldDeletes(const ImportLink& link) {
  DIRSYNC_TRY(reader, LoadReader(store.storage(), link.number));
  if (!reader || reader->hold_all_deletes) return {};
  reader->hold_all_deletes = true;
  return store.Write([&](storage::Transaction& transaction) -> Result<> {
    StoreReader(transaction, *reader);
    return {};
  });
}

void Link::State::Stall(ImportLink& link, const Position& at, const Error& error) {
  link.subscribed = false;
  if (const auto log = streams.find(link.stream); log != streams.end())
    link.stalled_in = log->second.tail.epoch;
  link.ask_at = Now() + kStalledAgain;
  const bool news = !link.stalled || link.stalled->message != error.message;
  link.stalled = error;
  AnswerAskers(link, true, error.code, error.message);
  // Each time: the producer may not have been there to hear it.
  if (error.code == ErrorCode::kFork) SayPosition(link);
  if (!news) return;
  Say(Nack{link.stream, at, error.code, error.message.substr(0, 1024)});
  Tell(error.code == ErrorCode::kSuspect ? "suspect" : "stopped", link.settings.name, error.message,
       error.code);
}

// The log is another history than what is held here, or ends before it: the producer hears, signed,
// what this site has read. If it is of another life of the producer's store (R18), a new epoch ends
// that; if it only was not refilled yet, nothing follows.
void Link::State::SayPosition(const ImportLink& link) {
  auto reader = LoadReader(store.storage(), link.number);
  if (!reader || !*reader) return;
  const Position& at = (*reader)->cursor;
  (void)Ask(link.stream.site, {"position", link.stream.ToString(), at.epoch.ToString(),
                               std::to_string(at.sequence), at.digest.hex()});
}

Result<> Link::State::TakeDeliver(const Deliver& deliver) {
  if (!deliver.payload) return {};
  if (deliver.stream.site == store.profile().site) return TakeOwnBatch(deliver);
  Say(Credit{deliver.payload->size()});
  ImportLink* link = ImportOf(deliver.stream);
  if (link == nullptr || !link->subscribed || link->copy) return {};
  return ApplyDelivered(*link, deliver);
}

Result<> Link::State::ApplyDelivered(ImportLink& link, const Deliver& deliver) {
  DIRSYNC_TRY(reader, LoadReader(store.storage(), link.number));
  if (!reader) return {};
  if (DigestOf(*deliver.payload) != deliver.position.digest) {
    Stall(link, deliver.position,
          {ErrorCode::kDamaged, "a batch of " + link.stream.ToString() + " was altered on its way",
           "see the broker's disk; it is asked for again"});
    link.ask_at = Now() + kAskAgain;
    link.stalled.reset();
    return {};
  }
  auto batch = DecodeBatch(*deliver.payload, reader->signer);
  if (!batch) {
    Stall(link, deliver.position, batch.error());
    return {};
  }
  std::optional<Position> start;
  if (batch->kind == BatchKind::kStart) start = batch->previous_epoch;
  const Position at{batch->epoch, batch->sequence, deliver.position.digest};
  DIRSYNC_TRY(follows, Judge(store.storage(), *reader, at, batch->previous, start));
  switch (follows) {
    case Follows::kNext:
    case Follows::kNewEpoch:
      return ApplyNext(link, *reader, *batch, deliver.position.digest);
    case Follows::kRepeat:
    case Follows::kOldEpoch:
      return AckCursor(link, false);
    case Follows::kGap:
      link.subscribed = false;
      return SubscribeTo(link);
    case Follows::kFork:
      DIRSYNC_CHECK(HoldDeletes(link));
      Stall(link, at,
            {ErrorCode::kFork,
             "batch " + std::to_string(at.sequence) + " of " + link.stream.ToString() +
                 " differs from what was told before: two histories of one stream",
             "dirsync resync run --site " + Printable(link.stream.site) + " --full"});
      return {};
    case Follows::kEpochChanged:
      Tell("needs-ranges", link.settings.name,
           link.stream.site + " began epoch " + std::to_string(at.epoch.counter) +
               " elsewhere than where this site stands: a full copy is fetched",
           ErrorCode::kEpochChanged);
      link.copy_wanted = true;
      return StartCopy(link);
  }
  return {};
}

// One commit: entries, mirror rows, cursor (B9); the ack comes behind it.
Result<> Link::State::ApplyNext(ImportLink& link, ReaderState& reader, const Batch& batch,
                                const Digest& digest) {
  const ApplyInput input{store.profile(), link.settings, Now(), {}, &domains};
  storage::Transaction transaction(store.storage());
  auto counts = ApplyBatch(transaction, input, batch, digest, reader);
  if (!counts) {
    const Error& error = counts.error();
    if (IsStorageError(error.code)) return std::unexpected(error);
    if (error.code == ErrorCode::kEpochChanged) {
      link.copy_wanted = true;
      return StartCopy(link);
    }
    if (error.code == ErrorCode::kOverLimit) {
      StallOver(link, {batch.epoch, batch.sequence, digest}, error);
      return {};
    }
    if (error.code == ErrorCode::kSuspect) {
      // That it waits for a person is kept.
      transaction.Rollback();
      StoreReader(transaction, reader);
      DIRSYNC_CHECK(store.Commit(transaction));
    }
    Stall(link, {batch.epoch, batch.sequence, digest}, error);
    return {};
  }
  StoreReader(transaction, reader);
  DIRSYNC_CHECK(store.Commit(transaction));
  link.canary_at = batch.time;
  link.applied += batch.changes.size();
  const bool equal = reader.sum == batch.sum_after;
  if (equal) link.sums_equal_at = Now();
  if (equal) link.equal_rows = batch.rows_after;
  link.diverged = counts->diverged;
  EndOver(link);
  if (!counts->warning.empty())
    Tell("nearly-full", link.settings.name, counts->warning, ErrorCode::kOverLimit);
  if (counts->held > 0)
    Tell("held", link.settings.name, std::to_string(counts->held) + " deletes held",
         ErrorCode::kRefused);
  if (counts->quarantined > 0)
    Tell("quarantined", link.settings.name,
         std::to_string(counts->quarantined) + " changes in quarantine", ErrorCode::kAddressTaken);
  if (!batch.changes.empty())
    Tell("imported", link.settings.name,
         std::to_string(batch.changes.size()) + " changes of " + link.stream.ToString() + " " +
             std::to_string(batch.sequence));
  link.wants = link.wants || counts->wanted > 0;
  if (equal && !link.askers.empty())
    AnswerAskers(link, true, ErrorCode::kAlreadyApplied, EqualText(link));
  if (counts->diverged && link.copied_at + kCopyAgain <= Now()) {
    Tell("diverged", link.settings.name,
         "sums differ at " + std::to_string(batch.sequence) + ": a full copy is fetched",
         ErrorCode::kEpochChanged);
    link.copy_wanted = true;
    return StartCopy(link);
  }
  return AckCursor(link, false);
}

// What is durable here, if it has moved since it was said last, with what is asked for whole.
Result<> Link::State::AckCursor(ImportLink& link, bool again) {
  DIRSYNC_TRY(reader, LoadReader(store.storage(), link.number));
  if (!reader || reader->cursor.epoch.counter == 0) return {};
  const Instant now = Now();
  DIRSYNC_TRY(wanted, IsAnyWanted(store.storage(), link.number));
  const bool ask = wanted && (!link.wants || link.wants_at <= now);
  link.wants = wanted;
  if (!again && !ask && link.acked == reader->cursor) return {};
  Ack ack{link.stream, "", reader->cursor, {}, false};
  if (ask) {
    DIRSYNC_TRY(ids, WantedIds(store.storage(), link.number));
    ack.wants = std::move(ids);
    link.wants_at = now + kWantAgain;
  }
  link.acked = reader->cursor;
  Say(std::move(ack));
  return {};
}

// A limit of its site here: nothing of the batch or range is applied, and it comes again, when the
// rate says, or now and then, or once a person has changed the limits. It is told once.
void Link::State::StallOver(ImportLink& link, const Position& at, const Error& error) {
  Error told = error;
  told.message += "; " + error.hint;
  auto limits = LimitsOf(store.storage(), link.stream.site);
  if (limits) link.over = *limits;
  if (std::exchange(link.over_told, told.message) == told.message) {
    // No news, so no NACK that would end the deliveries.
    link.stalled = told;
    Say(Unsubscribe{link.stream, false});
  }
  Stall(link, at, told);
  if (error.again != Instant{})
    link.ask_at = std::clamp(error.again, Now() + kRateAgainLeast, Now() + kRateAgainMost);
}

void Link::State::EndOver(ImportLink& link) {
  link.over.reset();
  link.over_told.clear();
}

// The broker sends what follows the cursor; but where a person here takes other attributes of the
// site than before, what stands here follows first.
Result<> Link::State::GoOn(ImportLink& link) {
  DIRSYNC_TRY(reader, LoadReader(store.storage(), link.number));
  DIRSYNC_TRY(due, reader ? IsCopyDue(store.storage(), *reader) : Result<bool>(false));
  if (!due || link.copy) return AckCursor(link, true);
  Tell("policy", link.settings.name,
       "other attributes of " + Printable(link.stream.site) + " are taken: a full copy is fetched");
  link.copy_wanted = true;
  link.copy_by_person = true;
  return StartCopy(link);
}

// After every commit: `sites policy` may have been one of them.
Result<> Link::State::LookAtPolicies() {
  DIRSYNC_TRY(now, ListPolicies(store.storage()));
  if (now == policies) return {};
  policies = std::move(now);
  for (auto& [name, link] : imports) DIRSYNC_CHECK(LookAtLimits(link));
  return {};
}

Result<> Link::State::LookAtLimits(ImportLink& link) {
  if (link.subscribed) return GoOn(link);
  if (!link.over) return {};
  DIRSYNC_TRY(limits, LimitsOf(store.storage(), link.stream.site));
  if (limits == *link.over) return {};
  EndOver(link);
  link.stalled.reset();
  link.ask_at = Now();
  return LookAgain(link);
}

// What waits for time to pass, or for a person.
Result<> Link::State::LookAgain(ImportLink& link) {
  const Instant now = Now();
  const bool person = link.stalled && link.stalled->code == ErrorCode::kSuspect;
  if (!person && (link.copy || link.copy_wanted)) {
    if (!link.copy) return link.ask_at > now ? Result<>() : StartCopy(link);
    if (link.copy->ask_at <= now) AskRangeAgain(link);
    return {};
  }
  if (link.stalled) {
    if (!person && link.ask_at > now) return {};
    if (!person) return SubscribeTo(link);
    DIRSYNC_TRY(reader, LoadReader(store.storage(), link.number));
    if (reader && reader->suspect && reader->approved_run != reader->suspect->run) return {};
    link.stalled.reset();
    return SubscribeTo(link);
  }
  if (!link.subscribed && link.ask_at <= now) return SubscribeTo(link);
  return AckCursor(link, false);
}

}  // namespace dirsync
