#include "broker/core/stream_log.h"

#include "proto/base/bytes.h"
#include "proto/base/crypto.h"
#include "proto/base/limits.h"
#include "proto/codec/batch_codec.h"

namespace dirsync {
namespace {

using storage::LogIndexKey;
using storage::LogKey;

constexpr std::uint8_t kFormat = 1;

void Write(RowWriter& writer, const Position& position) {
  writer.Varint(position.epoch.counter);
  writer.Id(position.epoch.id);
  writer.Varint(position.sequence);
  writer.Id(position.digest);
}

Position ReadPosition(RowReader& reader) {
  Position position;
  position.epoch.counter = reader.Varint();
  position.epoch.id = reader.Id<EpochId>();
  position.sequence = reader.Varint();
  position.digest = reader.Id<Digest>();
  return position;
}

std::string EncodeState(const LogState& state) {
  std::string row;
  RowWriter writer(row);
  writer.U8(kFormat);
  writer.Bytes(state.stream.organization);
  writer.Bytes(state.stream.site);
  writer.Bytes(state.stream.instance);
  writer.Id(state.incarnation);
  Write(writer, state.tail);
  Write(writer, state.base);
  writer.Varint(state.total);
  writer.Varint(state.base_total);
  writer.Varint(state.count);
  writer.Varint(state.base_count);
  writer.Varint(state.swept.epoch_counter);
  writer.Varint(state.swept.sequence);
  writer.Varint(static_cast<std::uint64_t>(ToMillis(state.tail_time)));
  return row;
}

Result<LogState> DecodeState(std::string_view key, std::string_view row) {
  RowReader number(key.substr(1));
  RowReader reader(row);
  LogState state;
  state.number = number.U32Big();
  const std::uint8_t format = reader.U8();
  state.stream.organization = std::string(reader.Bytes());
  state.stream.site = std::string(reader.Bytes());
  state.stream.instance = std::string(reader.Bytes());
  state.incarnation = reader.Id<IncarnationId>();
  state.tail = ReadPosition(reader);
  state.base = ReadPosition(reader);
  state.total = reader.Varint();
  state.base_total = reader.Varint();
  state.count = reader.Varint();
  state.base_count = reader.Varint();
  state.swept.epoch_counter = reader.Varint();
  state.swept.sequence = reader.Varint();
  state.tail_time = FromMillis(static_cast<std::int64_t>(reader.Varint()));
  if (format != kFormat || !reader.ok() || !reader.at_end() || !number.ok())
    return Fail(ErrorCode::kCorrupt, "read log: broken state row");
  return state;
}

std::string EncodeMark(const LogMark& mark) {
  std::string row;
  RowWriter writer(row);
  writer.U8(kFormat);
  writer.Id(mark.position.epoch.id);
  writer.Id(mark.position.digest);
  writer.Varint(mark.bytes);
  writer.Varint(mark.total);
  writer.Varint(mark.count);
  writer.Varint(mark.changes);
  writer.Varint(static_cast<std::uint64_t>(ToMillis(mark.time)));
  return row;
}

Result<LogMark> DecodeMark(std::string_view key, std::string_view row) {
  RowReader place(key.substr(5));
  RowReader reader(row);
  LogMark mark;
  mark.position.epoch.counter = place.U64Big();
  mark.position.sequence = place.U64Big();
  const std::uint8_t format = reader.U8();
  mark.position.epoch.id = reader.Id<EpochId>();
  mark.position.digest = reader.Id<Digest>();
  mark.bytes = reader.Varint();
  mark.total = reader.Varint();
  mark.count = reader.Varint();
  mark.changes = static_cast<std::uint32_t>(reader.Varint());
  mark.time = FromMillis(static_cast<std::int64_t>(reader.Varint()));
  if (format != kFormat || !reader.ok() || !reader.at_end() || !place.ok())
    return Fail(ErrorCode::kCorrupt, "read log: broken index row");
  return mark;
}

// Whatever its digest.
Result<std::optional<LogMark>> MarkAt(const storage::ReadView& view, const LogState& state,
                                      std::uint64_t epoch_counter, Sequence sequence) {
  const std::string key = LogIndexKey(state.number, epoch_counter, sequence);
  DIRSYNC_TRY(row, view.Get(key));
  if (!row) return std::nullopt;
  DIRSYNC_TRY(mark, DecodeMark(key, *row));
  return mark;
}

// Where the batch would stand: what its header says must be what the publisher says.
PublishOutcome CheckBatch(const Publish& publish, BatchHeader& header) {
  if (!publish.payload) return PublishOutcome::kVersion;
  if (publish.payload->size() > limits::kBatchBytes) return PublishOutcome::kTooLarge;
  auto peeked = PeekBatch(*publish.payload);
  if (!peeked)
    return peeked.error().code == ErrorCode::kTooLarge ? PublishOutcome::kTooLarge
                                                       : PublishOutcome::kVersion;
  header = *peeked;
  const bool same = header.epoch == publish.position.epoch &&
                    header.sequence == publish.position.sequence &&
                    header.previous == publish.previous && header.kind != BatchKind::kRange &&
                    header.stream_digest == DigestOf(publish.stream.ToString()) &&
                    !publish.position.digest.is_zero();
  return same ? PublishOutcome::kStored : PublishOutcome::kUnauthorized;
}

struct Verdict {
  PublishOutcome outcome = PublishOutcome::kStored;
  Sequence expected = 0;
  bool begins = false;  // the log begins anew with this batch
};

Result<Verdict> JudgeKnown(const storage::ReadView& view, const LogState& state,
                           const Position& at) {
  DIRSYNC_TRY(mark, MarkAt(view, state, at.epoch.counter, at.sequence));
  if (mark && mark->position.digest != at.digest) return Verdict{PublishOutcome::kConflict};
  // What was trimmed was acked by all: it can only be the same once more.
  if (!mark && at.sequence == state.base.sequence && at.epoch == state.base.epoch &&
      at.digest != state.base.digest)
    return Verdict{PublishOutcome::kConflict};
  return Verdict{PublishOutcome::kDuplicate};
}

// Compare: what appending `publish` would be.
Result<Verdict> Judge(const storage::ReadView& view, const LogState& state,
                      const Publish& publish) {
  const Position& at = publish.position;
  const Position& tail = state.tail;
  const bool begins = publish.begins_log;
  if (tail.epoch.counter == 0) {
    if (at.sequence == 1 || begins) return Verdict{PublishOutcome::kStored, 0, true};
    return Verdict{PublishOutcome::kGap, 1};
  }
  if (at.epoch.counter < tail.epoch.counter) return Verdict{PublishOutcome::kFenced};
  if (at.epoch.counter > tail.epoch.counter) {
    if (at.sequence == 1) return Verdict{};
    return begins ? Verdict{PublishOutcome::kStored, 0, true} : Verdict{PublishOutcome::kGap, 1};
  }
  if (at.epoch.id != tail.epoch.id) return Verdict{PublishOutcome::kConflict};
  if (at.sequence <= tail.sequence) return JudgeKnown(view, state, at);
  if (at.sequence == tail.sequence + 1) {
    if (publish.previous == tail.digest) return Verdict{};
    return Verdict{PublishOutcome::kConflict};
  }
  if (begins) return Verdict{PublishOutcome::kStored, 0, true};
  return Verdict{PublishOutcome::kGap, tail.sequence + 1};
}

}  // namespace

Result<std::vector<LogState>> StreamLog::Open(const storage::ReadView& view) {
  std::vector<LogState> states;
  const auto [lower, upper] = storage::TableRange(storage::Table::kLogState);
  auto cursor = view.Scan(lower, upper);
  for (; cursor->Valid(); cursor->Next()) {
    DIRSYNC_TRY(state, DecodeState(cursor->Key(), cursor->Value()));
    states.push_back(std::move(state));
  }
  DIRSYNC_CHECK(cursor->status());
  return states;
}

Result<Published> StreamLog::Append(storage::Transaction& transaction, LogState& state,
                                    const Publish& publish, const IncarnationId& fresh,
                                    Instant now) {
  Published answer{publish.stream, publish.position, PublishOutcome::kStored, 0, 0};
  BatchHeader header;
  answer.outcome = CheckBatch(publish, header);
  if (answer.outcome != PublishOutcome::kStored) return answer;
  DIRSYNC_TRY(verdict, Judge(transaction, state, publish));
  answer.outcome = verdict.outcome;
  answer.expected = verdict.expected;
  if (verdict.outcome != PublishOutcome::kStored) return answer;
  const Position& at = publish.position;
  if (verdict.begins) {
    // Ahead of everything here, so that what was kept is behind the base now.
    state.incarnation = fresh;
    state.base = {at.epoch, at.sequence - 1, publish.previous};
    state.total = state.base_total = state.count = state.base_count = 0;
  }
  state.total += publish.payload->size();
  ++state.count;
  state.tail = at;
  state.tail_time = now;
  const LogMark mark{at, publish.payload->size(), state.total, state.count, header.changes, now};
  transaction.Put(LogIndexKey(state.number, at.epoch.counter, at.sequence), EncodeMark(mark));
  transaction.Put(LogKey(state.number, at.epoch.counter, at.sequence), *publish.payload);
  transaction.Put(storage::LogStateKey(state.number), EncodeState(state));
  return answer;
}

Result<std::optional<LogMark>> StreamLog::Mark(const storage::ReadView& view, const LogState& state,
                                               const Position& position) {
  if (position.epoch.counter == 0) return std::nullopt;
  if (position == state.base)
    return LogMark{state.base, 0, state.base_total, state.base_count, 0, {}};
  if (!Behind(state.base, position)) return std::nullopt;
  DIRSYNC_TRY(mark, MarkAt(view, state, position.epoch.counter, position.sequence));
  if (!mark || mark->position != position) return std::nullopt;
  return mark;
}

Result<std::optional<LogMark>> StreamLog::After(const storage::ReadView& view,
                                                const LogState& state, const Position& position) {
  const Position& from = Behind(position, state.base) ? state.base : position;
  const auto upper = storage::StreamRange(storage::Table::kLogIndex, state.number).second;
  auto cursor = view.Scan(LogIndexKey(state.number, from.epoch.counter, from.sequence + 1), upper);
  if (!cursor->Valid()) {
    DIRSYNC_CHECK(cursor->status());
    return std::nullopt;
  }
  DIRSYNC_TRY(mark, DecodeMark(cursor->Key(), cursor->Value()));
  return mark;
}

Result<LogMark> StreamLog::Stand(const storage::ReadView& view, const LogState& state,
                                 const Position& cursor) {
  const auto refuse = [&](ErrorCode code, std::string cause) {
    return Fail(code, "read " + state.stream.ToString() + " behind " +
                          std::to_string(cursor.sequence) + ": " + std::move(cause));
  };
  if (cursor.epoch.counter == 0) return refuse(ErrorCode::kNeedsRanges, "nothing is held yet");
  if (Behind(state.tail, cursor)) return refuse(ErrorCode::kLogTruncated, "the log ends before it");
  // Known without a look at the rows, which may not be in `view` yet.
  if (cursor == state.tail) return LogMark{cursor, 0, state.total, state.count, 0, state.tail_time};
  DIRSYNC_TRY(mark, Mark(view, state, cursor));
  if (mark) return *mark;
  if (Behind(cursor, state.base)) return refuse(ErrorCode::kNeedsRanges, "it is not kept");
  DIRSYNC_TRY(other, MarkAt(view, state, cursor.epoch.counter, cursor.sequence));
  const bool taken = other || (cursor.sequence == state.base.sequence &&
                               cursor.epoch.counter == state.base.epoch.counter);
  if (taken && cursor.epoch.counter == state.tail.epoch.counter)
    return refuse(ErrorCode::kFork, "another batch has this number");
  return refuse(ErrorCode::kNeedsRanges, "its epoch ended before it in this log");
}

Result<std::vector<LogBatch>> StreamLog::Read(const storage::ReadView& view, const LogState& state,
                                              const Position& cursor, std::uint64_t bytes,
                                              const RecentPayloads* recent) {
  DIRSYNC_CHECK(Stand(view, state, cursor));
  std::vector<LogBatch> batches;
  if (cursor == state.tail) return batches;
  const auto upper = storage::StreamRange(storage::Table::kLogIndex, state.number).second;
  auto rows =
      view.Scan(LogIndexKey(state.number, cursor.epoch.counter, cursor.sequence + 1), upper);
  std::uint64_t sum = 0;
  for (; rows->Valid() && batches.size() < limits::kStepRows; rows->Next()) {
    DIRSYNC_TRY(mark, DecodeMark(rows->Key(), rows->Value()));
    if (!batches.empty() && sum + mark.bytes > bytes) return batches;
    sum += mark.bytes;
    Payload payload = recent != nullptr ? recent->Get(state.number, mark.position) : nullptr;
    if (!payload) {
      const Position& at = mark.position;
      DIRSYNC_TRY(row, view.Get(LogKey(state.number, at.epoch.counter, at.sequence)));
      if (!row) return Fail(ErrorCode::kCorrupt, "read log: an index row without its batch");
      payload = std::make_shared<const std::string>(std::move(*row));
    }
    batches.push_back({mark.position, std::move(payload)});
  }
  DIRSYNC_CHECK(rows->status());
  return batches;
}

Result<std::optional<LogBatch>> StreamLog::Find(const storage::ReadView& view,
                                                const LogState& state, const Position& position) {
  const bool last = position.epoch == state.tail.epoch && position.sequence == state.tail.sequence;
  if (!last && !Behind(state.base, position)) return std::nullopt;
  DIRSYNC_TRY(mark, MarkAt(view, state, position.epoch.counter, position.sequence));
  if (!mark || mark->position.epoch != position.epoch) return std::nullopt;
  DIRSYNC_TRY(row, view.Get(LogKey(state.number, position.epoch.counter, position.sequence)));
  if (!row) return std::nullopt;
  return LogBatch{mark->position, std::make_shared<const std::string>(std::move(*row))};
}

Result<bool> StreamLog::Trim(storage::Transaction& transaction, LogState& state,
                             const Position& position) {
  if (!Behind(state.base, position)) return false;
  DIRSYNC_TRY(mark, Mark(transaction, state, position));
  if (!mark) return false;
  state.base = mark->position;
  state.base_total = mark->total;
  state.base_count = mark->count;
  transaction.Put(storage::LogStateKey(state.number), EncodeState(state));
  return true;
}

Result<bool> StreamLog::Sweep(storage::Transaction& transaction, LogState& state) {
  const auto version = [](const Position& at) { return Version{at.epoch.counter, at.sequence}; };
  // The last batch stays whatever was trimmed.
  const bool all = state.base == state.tail && state.tail.sequence > 0;
  Version end = version(state.base);
  if (all) --end.sequence;
  if (state.swept >= end) return false;
  const auto upper = storage::StreamRange(storage::Table::kLogIndex, state.number).second;
  auto cursor = transaction.Scan(
      LogIndexKey(state.number, state.swept.epoch_counter, state.swept.sequence + 1), upper);
  std::vector<Version> gone;
  bool more = false;
  for (; cursor->Valid(); cursor->Next()) {
    DIRSYNC_TRY(mark, DecodeMark(cursor->Key(), cursor->Value()));
    if (version(mark.position) > end) break;
    more = gone.size() == limits::kStepRows / 2;
    if (more) break;
    gone.push_back(version(mark.position));
  }
  DIRSYNC_CHECK(cursor->status());
  cursor.reset();
  for (const Version& at : gone) {
    transaction.Delete(LogIndexKey(state.number, at.epoch_counter, at.sequence));
    transaction.Delete(LogKey(state.number, at.epoch_counter, at.sequence));
  }
  state.swept = more ? gone.back() : end;
  transaction.Put(storage::LogStateKey(state.number), EncodeState(state));
  return more;
}

}  // namespace dirsync
