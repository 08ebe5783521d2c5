// The streams of this site: captured, published, proved, answered for.
#include <algorithm>

#include "agent/core/full_copy.h"
#include "agent/core/scope.h"
#include "agent/link/link_state.h"
#include "agent/service/capture_run.h"
#include "proto/base/text.h"
#include "proto/codec/batch_codec.h"
#include "proto/trust/roster.h"

namespace dirsync {
ExportLink* Link::State::ExportOf(const StreamName& stream) {
  for (auto& [name, link] : exports)
    if (link.state.name == stream) return &link;
  return nullptr;
}

// What the producer's own rules refuse is told, and the other streams go on.
Result<> Link::State::CaptureExports() {
  for (auto& [name, link] : exports) {
    DIRSYNC_TRY(state, LoadExport(store, link.settings, true));
    link.state = std::move(state);
    std::uint64_t changes = 0;
    CaptureOptions options;
    options.visit = [&](const Change&) { ++changes; };
    auto told = CaptureAll(store, link.settings, options, link.state);
    if (!told && told.error().code == ErrorCode::kTooLarge) {
      DIRSYNC_TRY(room, MakeRoom(link, true));
      if (room) told = CaptureAll(store, link.settings, options, link.state);
    }
    if (!told) {
      if (IsStorageError(told.error().code)) return std::unexpected(told.error());
      const bool news = !link.refused || link.refused->message != told.error().message;
      if (news) Tell("export-refused", name, told.error().message, told.error().code);
      link.refused = told.error();
      continue;
    }
    link.refused.reset();
    link.captured += changes;
    if (*told) link.told_at = Now();
  }
  return {};
}

// Where the broker's log stands against this store (B3, R18).
Result<> Link::State::CompareLog(ExportLink& link, const Welcome::Log* log) {
  link.stalled.reset();
  link.readers.clear();
  link.without_hold.clear();
  const ProducerState& state = link.state;
  const Sequence first = state.trimmed + 1;
  if (log != nullptr) {
    // First who there is: nobody's batch goes because another one has it.
    std::vector<ReaderPosition> readers = log->readers;
    for (ReaderPosition& reader : readers) {
      DIRSYNC_TRY(site, FindSite(store.storage(), reader.site));
      const bool gone = site && site->state != SiteState::kActive;
      reader.needs_ranges = reader.needs_ranges || gone;
      if (!reader.needs_ranges) link.readers.insert(FoldName(reader.site));
    }
    for (const ReaderPosition& reader : readers)
      DIRSYNC_CHECK(
          TakeReaderAck({state.name, reader.site, reader.position, {}, reader.needs_ranges}));
  }
  if (log == nullptr || log->tail.epoch.counter < state.epoch.counter) {
    link.next = first;
    link.begins_log = first > 1 || log == nullptr;
    return {};
  }
  const Position& tail = log->tail;
  DIRSYNC_TRY(judged, JudgePosition(store.storage(), state, tail));
  if (judged == AckOutcome::kAhead || judged == AckOutcome::kFork) {
    // Nobody has heard of this stream from this store: a server that was replaced told it, with a
    // key that is gone. A new epoch costs nothing here, and needs no proof.
    const bool replaced = !state.seen && tail.epoch.id != state.epoch.id &&
                          tail.epoch.counter <= state.epoch.counter + limits::kEpochsAhead;
    if (replaced) {
      DIRSYNC_CHECK(NewEpoch(link, tail.epoch.counter, "the log is of a server before this one"));
      link.next = 1;
      link.begins_log = false;
      return {};
    }
    // It shows what this store does not know: a batch with this site's signature proves it.
    link.next = 0;
    Say(Fetch{state.name, tail});
    return {};
  }
  link.next = std::max(tail.sequence + 1, first);
  link.begins_log = tail.sequence + 1 < first;
  return {};
}

// A batch of our own that the log has and this store has not: only another life of this store can
// have signed it.
Result<> Link::State::TakeOwnBatch(const Deliver& deliver) {
  ExportLink* link = ExportOf(deliver.stream);
  if (link == nullptr || !deliver.payload) return {};
  auto batch = DecodeBatch(*deliver.payload, store.key().public_key());
  if (!batch || batch->stream != link->state.name) {
    link->stalled = Error{
        ErrorCode::kConflict,
        "the broker's log of " + link->state.name.ToString() + " holds what this site never signed",
        "see the operations page: the broker's log is not this site's"};
    Tell("conflict", link->settings.name, link->stalled->message, ErrorCode::kConflict);
    return {};
  }
  const bool known = batch->epoch == link->state.epoch && batch->sequence <= link->state.sequence &&
                     DigestOf(*deliver.payload) == deliver.position.digest;
  if (known) {
    DIRSYNC_TRY(own, ReadOutbox(store.storage(), link->state.number, batch->sequence));
    if (own && DigestOf(*own) == deliver.position.digest) return {};
  }
  DIRSYNC_CHECK(NewEpoch(*link, batch->epoch.counter,
                         "the broker holds batch " + std::to_string(batch->sequence) +
                             " of this site, which this store does not know"));
  link->next = 1;
  link->begins_log = false;
  DIRSYNC_CHECK(CaptureExports());
  return PublishWaiting(*link);
}

Result<> Link::State::NewEpoch(ExportLink& link, std::uint64_t above, const std::string& why) {
  IdSource ids = MakeIds(store.world());
  ProducerState after = link.state;
  DIRSYNC_CHECK(store.Write([&](storage::Transaction& transaction) -> Result<> {
    after.epoch.counter = std::max(after.epoch.counter, above);
    DIRSYNC_CHECK(BeginEpoch(transaction, after, ids));
    StoreProducer(transaction, after);
    return {};
  }));
  link.state = std::move(after);
  link.awaiting.clear();
  link.in_flight = 0;
  link.rewind.reset();
  Tell("new-epoch", link.settings.name,
       link.state.name.ToString() + " begins epoch " + std::to_string(link.state.epoch.counter) +
           ": " + why);
  return {};
}

Result<> Link::State::PublishWaiting(ExportLink& link) {
  ProducerState& state = link.state;
  const bool ready = phase == LinkPhase::kOpen && link.next > 0 && !link.stalled && !link.rewind &&
                     link.retry_at <= Now();
  if (!ready || link.next > state.sequence) return {};
  if (!state.seen) {
    // From now on a reader may know this stream: changes are told, not just compared.
    state.seen = true;
    DIRSYNC_CHECK(store.Write([&](storage::Transaction& transaction) -> Result<> {
      StoreProducer(transaction, state);
      return {};
    }));
  }
  while (link.next <= state.sequence && link.in_flight < window_bytes) {
    if (link.next <= state.trimmed) {
      link.next = state.trimmed + 1;
      link.begins_log = true;
      continue;
    }
    DIRSYNC_TRY(stored, ReadOutbox(store.storage(), state.number, link.next));
    if (!stored)
      return Fail(ErrorCode::kCorrupt, "publish " + state.name.ToString() + ": batch " +
                                           std::to_string(link.next) + " is missing in the outbox");
    DIRSYNC_TRY(header, PeekBatch(*stored));
    Publish publish;
    publish.stream = state.name;
    publish.position = {state.epoch, link.next, DigestOf(*stored)};
    publish.previous = header.previous;
    publish.begins_log = std::exchange(link.begins_log, false);
    link.awaiting.emplace_back(link.next, stored->size());
    link.in_flight += stored->size();
    publish.payload = std::make_shared<const std::string>(std::move(*stored));
    Say(std::move(publish));
    ++link.next;
  }
  return {};
}

Result<> Link::State::TakePublished(const Published& answer) {
  ExportLink* link = ExportOf(answer.stream);
  if (link == nullptr || link->awaiting.empty() ||
      link->awaiting.front().first != answer.position.sequence ||
      answer.position.epoch != link->state.epoch)
    return {};
  link->in_flight -= link->awaiting.front().second;
  link->awaiting.pop_front();
  const Sequence at = answer.position.sequence;
  switch (answer.outcome) {
    case PublishOutcome::kStored:
    case PublishOutcome::kDuplicate:
      link->full.reset();
      break;
    case PublishOutcome::kGap:
      if (!link->rewind) {
        link->rewind = answer.expected;
        link->begins_log = answer.expected <= link->state.trimmed;
      }
      break;
    case PublishOutcome::kQuota:
    case PublishOutcome::kReadOnly:
      if (!link->rewind) link->rewind = at;
      link->retry_at = Now() + std::chrono::seconds(std::max(1U, answer.retry_seconds));
      link->full = Error{
          answer.outcome == PublishOutcome::kQuota ? ErrorCode::kQuota : ErrorCode::kReadOnly,
          "the broker takes nothing now: " + std::string(PublishOutcomeName(answer.outcome)), ""};
      Tell("publish-refused", link->settings.name, link->full->message, link->full->code);
      break;
    case PublishOutcome::kConflict:
      // Either this store was put back, or the log is not ours: greet again, and compare.
      link->rewind = at;
      link->next = 0;
      greet_again = true;
      Tell("conflict", link->settings.name,
           "the broker holds another batch " + std::to_string(at) + " or one before it",
           ErrorCode::kConflict);
      break;
    default:
      link->stalled = Error{ErrorCode::kFenced,
                            "the broker refuses batch " + std::to_string(at) + " of " +
                                link->state.name.ToString() + ": " +
                                std::string(PublishOutcomeName(answer.outcome)),
                            ""};
      Tell("publish-refused", link->settings.name, link->stalled->message, ErrorCode::kFenced);
  }
  if (link->rewind && link->awaiting.empty()) {
    if (link->next > 0) link->next = *link->rewind;
    link->rewind.reset();
  }
  return PublishWaiting(*link);
}

// Not synced: an ack that is lost comes again.
Result<> Link::State::TakeReaderAck(const Ack& ack) {
  ExportLink* link = ExportOf(ack.stream);
  if (link == nullptr || ack.reader.empty()) return {};
  const std::string reader = FoldName(ack.reader);
  if (ack.needs_ranges) return LoseHold(*link, reader);
  link->readers.insert(reader);
  link->without_hold.erase(reader);
  storage::Transaction transaction(store.storage());
  DIRSYNC_TRY(state, LoadProducer(transaction, link->state.number));
  if (!state) return {};
  DIRSYNC_TRY(outcome, TakeAck(transaction, *state, ack.reader, ack.position, RequiredOf(*link)));
  // Nobody signed this ack: it proves nothing of this store.
  if (outcome == AckOutcome::kFork)
    Tell("fork", link->settings.name,
         Printable(ack.reader) + " acked another history of " + ack.stream.ToString(),
         ErrorCode::kFork);
  TakeWants(transaction, *state, ack.wants);
  if (*state != link->state || !ack.wants.empty()) StoreProducer(transaction, *state);
  link->state = std::move(*state);
  if (transaction.rows() > 0) DIRSYNC_CHECK(store.storage().Commit(transaction.Take()));
  if (ack.wants.empty() || phase != LinkPhase::kOpen) return {};
  DIRSYNC_CHECK(CaptureExports());
  return PublishWaiting(*link);
}

// Who must have a batch before it leaves the outbox.
std::vector<std::string> Link::State::RequiredOf(const ExportLink& link) {
  if (link.settings.readers.empty()) return {link.readers.begin(), link.readers.end()};
  std::vector<std::string> required;
  for (const std::string& site : link.settings.readers)
    if (!link.without_hold.contains(FoldName(site))) required.push_back(site);
  return required;
}

// It takes ranges when it comes back: nothing is kept for it (R21).
Result<> Link::State::LoseHold(ExportLink& link, const std::string& reader) {
  link.readers.erase(reader);
  link.without_hold.insert(reader);
  const auto room = MakeRoom(link, false);
  return room ? Result<>() : std::unexpected(room.error());
}

// Drops from the outbox what all that must have it have; once it is `full` and nobody must, also
// what the broker's log has. Whether something went.
Result<bool> Link::State::MakeRoom(ExportLink& link, bool full) {
  const std::vector<std::string> required = RequiredOf(link);
  if (required.empty() && !full) return false;
  storage::Transaction transaction(store.storage());
  DIRSYNC_TRY(state, LoadProducer(transaction, link.state.number));
  if (!state) return false;
  Sequence upto = 0;
  if (!required.empty()) {
    DIRSYNC_TRY(acked, AckedSequence(transaction, *state, required));
    upto = acked;
  } else if (link.next > 0 && !link.rewind) {
    upto = (link.awaiting.empty() ? link.next : link.awaiting.front().first) - 1;
  }
  const Sequence before = state->trimmed;
  DIRSYNC_CHECK(TrimOutbox(transaction, *state, upto));
  if (state->trimmed == before) return false;
  StoreProducer(transaction, *state);
  link.state = std::move(*state);
  DIRSYNC_CHECK(store.storage().Commit(transaction.Take()));
  return true;
}

Result<> Link::State::SayCanary(ExportLink& link) {
  const Instant now = Now();
  if (link.told_at == Instant{}) link.told_at = now;
  if (link.next == 0 || link.stalled || link.refused || link.told_at + settings.canary_every > now)
    return {};
  DIRSYNC_TRY(state, LoadExport(store, link.settings, true));
  link.state = std::move(state);
  link.told_at = now;
  ProducerState after = link.state;
  const auto said = store.Write([&](storage::Transaction& transaction) -> Result<> {
    DIRSYNC_TRY(batches, NumberCanary(transaction, after, store.key(), now));
    if (!batches.empty()) StoreProducer(transaction, after);
    return {};
  });
  // A full outbox takes none: the next capture says so.
  if (!said && !IsStorageError(said.error().code)) return {};
  if (!said) return std::unexpected(said.error());
  link.state = std::move(after);
  return {};
}

// A part of the told state as it stands now (R1, R2). Whatever fails is said to who asked.
Result<> Link::State::ServeRange(const GetRange& request) {
  dirsync::Range answer{request.stream, request.reader, request.request, ErrorCode::kNotFound, "",
                        nullptr};
  ExportLink* link = ExportOf(request.stream);
  if (link == nullptr) {
    answer.text = "this site does not tell that stream";
    Say(std::move(answer));
    return {};
  }
  DIRSYNC_CHECK(CaptureExports());
  const auto make = [&]() -> Result<std::string> {
    ProducerState& state = link->state;
    storage::Transaction view(store.storage());
    EntryStore entries(view, Now());
    DIRSYNC_TRY(scope, Scope::Make(entries, store.profile(), link->settings));
    FullCopy copy(store.storage(), entries, scope, state);
    Batch range;
    range.stream = state.name;
    range.epoch = state.epoch;
    range.sequence = state.sequence;
    range.previous = state.digest;
    range.kind = BatchKind::kRange;
    range.time = Now();
    range.terms = state.terms;
    range.sum_after = state.sum;
    range.rows_after = state.rows;
    range.range = {request.rank, request.after, request.rank, request.after, false};
    if (request.rank > 0) copy.SeekAfter(request.rank, request.after);
    const std::uint64_t most = std::min<std::uint64_t>(request.bytes, limits::kRangeBytes);
    std::uint64_t bytes = 0;
    Change change;
    while (bytes < most && range.changes.size() < limits::kChangesPerBatch) {
      DIRSYNC_TRY(another, copy.Next(change));
      range.range.end = !another;
      if (!another) break;
      range.range.rank_last = copy.rank();
      range.range.last = change.id;
      bytes += PayloadBytes(change);
      range.changes.push_back(std::move(change));
    }
    return EncodeBatch(range, store.key());
  };
  auto stored = make();
  if (!stored) {
    if (IsStorageError(stored.error().code)) return std::unexpected(stored.error());
    answer.code = stored.error().code;
    answer.text = stored.error().message;
  } else {
    answer.code = ErrorCode::kAlreadyApplied;
    answer.payload = std::make_shared<const std::string>(std::move(*stored));
  }
  Say(std::move(answer));
  return PublishWaiting(*link);
}

}  // namespace dirsync
