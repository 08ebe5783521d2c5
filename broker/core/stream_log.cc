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
  writer.Varint(state.batches);
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
  state.batches = reader.Varint();
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

bool Behind(const Position& a, const Position& b) {
  return Version{a.epoch.counter, a.sequence} < Version{b.epoch.counter, b.sequence};
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

// Drops every row, however many: a log that begins anew is rare, and what it held is of no use.
Result<> Clear(storage::Transaction& transaction, const LogState& state) {
  for (const auto table : {storage::Table::kLogIndex, storage::Table::kLog}) {
    const auto [lower, upper] = storage::StreamRange(table, state.number);
    auto cursor = transaction.Scan(lower, upper);
    std::vector<std::string> keys;
    for (; cursor->Valid(); cursor->Next()) keys.emplace_back(cursor->Key());
    DIRSYNC_CHECK(cursor->status());
    for (std::string& key : keys) transaction.Delete(std::move(key));
  }
  return {};
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
    DIRSYNC_CHECK(Clear(transaction, state));
    state.incarnation = fresh;
    state.base = {at.epoch, at.sequence - 1, publish.previous};
    state.total = state.base_total = state.batches = 0;
  }
  state.total += publish.payload->size();
  ++state.batches;
  state.tail = at;
  state.tail_time = now;
  const LogMark mark{at, publish.payload->size(), state.total, header.changes, now};
  transaction.Put(LogIndexKey(state.number, at.epoch.counter, at.sequence), EncodeMark(mark));
  transaction.Put(LogKey(state.number, at.epoch.counter, at.sequence), *publish.payload);
  transaction.Put(storage::LogStateKey(state.number), EncodeState(state));
  return answer;
}

Result<std::optional<LogMark>> StreamLog::Mark(const storage::ReadView& view, const LogState& state,
                                               const Position& position) {
  if (position.epoch.counter != 0 && position == state.base)
    return LogMark{state.base, 0, state.base_total, 0, {}};
  DIRSYNC_TRY(mark, MarkAt(view, state, position.epoch.counter, position.sequence));
  if (!mark || mark->position != position) return std::nullopt;
  return mark;
}

Result<std::optional<LogMark>> StreamLog::After(const storage::ReadView& view,
                                                const LogState& state, const Position& position) {
  const auto upper = storage::StreamRange(storage::Table::kLogIndex, state.number).second;
  auto cursor =
      view.Scan(LogIndexKey(state.number, position.epoch.counter, position.sequence + 1), upper);
  if (!cursor->Valid()) {
    DIRSYNC_CHECK(cursor->status());
    return std::nullopt;
  }
  DIRSYNC_TRY(mark, DecodeMark(cursor->Key(), cursor->Value()));
  return mark;
}

Result<std::vector<LogBatch>> StreamLog::Read(const storage::ReadView& view, const LogState& state,
                                              const Position& cursor, std::uint64_t bytes) {
  const auto refuse = [&](ErrorCode code, std::string cause) {
    return Fail(code, "read " + state.stream.ToString() + " behind " +
                          std::to_string(cursor.sequence) + ": " + std::move(cause));
  };
  if (cursor.epoch.counter == 0) return refuse(ErrorCode::kNeedsRanges, "nothing is held yet");
  if (Behind(state.tail, cursor)) return refuse(ErrorCode::kLogTruncated, "the log ends before it");
  if (cursor == state.tail) return std::vector<LogBatch>();
  DIRSYNC_TRY(mark, Mark(view, state, cursor));
  if (!mark) {
    if (Behind(cursor, state.base)) return refuse(ErrorCode::kNeedsRanges, "it is not kept");
    DIRSYNC_TRY(other, MarkAt(view, state, cursor.epoch.counter, cursor.sequence));
    const bool fork = other || (cursor.sequence == state.base.sequence &&
                                cursor.epoch.counter == state.base.epoch.counter);
    // Of an earlier epoch it no longer matters which history was right: a full copy of the new
    // one is needed all the same.
    if (fork && cursor.epoch.counter == state.tail.epoch.counter)
      return refuse(ErrorCode::kFork, "another batch has this number");
    return refuse(ErrorCode::kNeedsRanges, "its epoch ended before it in this log");
  }
  std::vector<LogBatch> batches;
  Position at = cursor;
  std::uint64_t sum = 0;
  for (;;) {
    DIRSYNC_TRY(next, After(view, state, at));
    if (!next || (!batches.empty() && sum + next->bytes > bytes)) return batches;
    DIRSYNC_TRY(batch, Find(view, state, next->position));
    if (!batch) return Fail(ErrorCode::kCorrupt, "read log: an index row without its batch");
    sum += next->bytes;
    at = next->position;
    batches.push_back(std::move(*batch));
  }
}

Result<std::optional<LogBatch>> StreamLog::Find(const storage::ReadView& view,
                                                const LogState& state, const Position& position) {
  DIRSYNC_TRY(mark, MarkAt(view, state, position.epoch.counter, position.sequence));
  if (!mark || mark->position.epoch != position.epoch) return std::nullopt;
  DIRSYNC_TRY(row, view.Get(LogKey(state.number, position.epoch.counter, position.sequence)));
  if (!row) return std::nullopt;
  return LogBatch{mark->position, std::make_shared<const std::string>(std::move(*row))};
}

Result<bool> StreamLog::Trim(storage::Transaction& transaction, LogState& state,
                             const Position& position) {
  const auto upper = storage::StreamRange(storage::Table::kLogIndex, state.number).second;
  auto cursor = transaction.Scan(
      LogIndexKey(state.number, state.base.epoch.counter, state.base.sequence + 1), upper);
  std::size_t dropped = 0;
  bool more = false;
  std::vector<LogMark> marks;
  for (; cursor->Valid(); cursor->Next()) {
    DIRSYNC_TRY(mark, DecodeMark(cursor->Key(), cursor->Value()));
    if (Behind(position, mark.position) || mark.position == state.tail) break;
    if (dropped == limits::kStepRows) {
      more = true;
      break;
    }
    ++dropped;
    marks.push_back(mark);
  }
  DIRSYNC_CHECK(cursor->status());
  cursor.reset();
  for (const LogMark& mark : marks) {
    const Position& at = mark.position;
    transaction.Delete(LogIndexKey(state.number, at.epoch.counter, at.sequence));
    transaction.Delete(LogKey(state.number, at.epoch.counter, at.sequence));
    state.base = at;
    state.base_total = mark.total;
    --state.batches;
  }
  if (dropped > 0) transaction.Put(storage::LogStateKey(state.number), EncodeState(state));
  return more;
}

}  // namespace dirsync
