// What readers have acked, and what may be dropped for it.
#include <algorithm>

#include "agent/core/producer_state.h"
#include "proto/base/bytes.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kTrimRows = 64 * limits::kStepRows;

std::string EncodeAck(const ReaderAck& ack) {
  std::string row;
  RowWriter writer(row);
  writer.U8(kFormat);
  writer.Bytes(ack.site);
  writer.Varint(ack.position.epoch.counter);
  writer.Id(ack.position.epoch.id);
  writer.Varint(ack.position.sequence);
  writer.Id(ack.position.digest);
  return row;
}

Result<ReaderAck> DecodeAck(std::string_view row) {
  RowReader reader(row);
  const std::uint8_t format = reader.U8();
  ReaderAck ack;
  ack.site = reader.Bytes();
  ack.position.epoch.counter = reader.Varint();
  ack.position.epoch.id = reader.Id<EpochId>();
  ack.position.sequence = reader.Varint();
  ack.position.digest = reader.Id<Digest>();
  if (format == kFormat && reader.ok() && reader.at_end()) return ack;
  return Fail(ErrorCode::kCorrupt, "read ack of a reader: damaged or of an unknown format");
}

// The digest of our batch `sequence`; nullopt: too old to be known.
Result<std::optional<Digest>> OwnDigest(const storage::ReadView& view, const ProducerState& state,
                                        Sequence sequence) {
  if (sequence == state.sequence) return state.digest;
  DIRSYNC_TRY(row, view.Get(storage::DigestKey(state.number, state.epoch.counter, sequence)));
  if (!row) return std::nullopt;
  const std::optional<Digest> digest = Digest::FromBytes(*row);
  if (!digest) return Fail(ErrorCode::kCorrupt, "read digest of a batch: damaged row");
  return digest;
}

}  // namespace

Result<AckOutcome> JudgePosition(const storage::ReadView& view, const ProducerState& state,
                                 const Position& position) {
  if (position.epoch.counter < state.epoch.counter) return AckOutcome::kOtherEpoch;
  if (position.epoch.counter > state.epoch.counter) return AckOutcome::kAhead;
  if (position.epoch.id != state.epoch.id) return AckOutcome::kFork;
  if (position.sequence > state.sequence) return AckOutcome::kAhead;
  if (position.sequence == 0) return AckOutcome::kOld;
  DIRSYNC_TRY(digest, OwnDigest(view, state, position.sequence));
  if (digest && *digest != position.digest) return AckOutcome::kFork;
  return AckOutcome::kTaken;
}

Result<> TrimOutbox(storage::Transaction& transaction, ProducerState& state, Sequence upto) {
  if (upto <= state.trimmed) return {};
  const Sequence last = std::min<Sequence>(upto, state.trimmed + kTrimRows);
  const auto cursor = transaction.Scan(storage::OutboxKey(state.number, state.trimmed + 1),
                                       storage::OutboxKey(state.number, last + 1));
  std::uint64_t bytes = 0;
  for (; cursor->Valid(); cursor->Next()) {
    bytes += cursor->Value().size();
    transaction.Delete(std::string(cursor->Key()));
  }
  DIRSYNC_CHECK(cursor->status());
  state.outbox_bytes -= std::min(bytes, state.outbox_bytes);
  state.trimmed = last;
  return {};
}

Result<AckOutcome> TakeAck(storage::Transaction& transaction, ProducerState& state,
                           std::string_view reader_site, const Position& position,
                           const std::vector<std::string>& required) {
  DIRSYNC_TRY(verdict, JudgePosition(transaction, state, position));
  if (verdict != AckOutcome::kTaken) return verdict;
  const std::string key = storage::AckKey(state.number, FoldName(reader_site));
  DIRSYNC_TRY(row, transaction.Get(key));
  AckOutcome outcome = AckOutcome::kTaken;
  if (row) {
    DIRSYNC_TRY(held, DecodeAck(*row));
    const bool same_epoch = held.position.epoch == position.epoch;
    if (same_epoch && held.position.sequence >= position.sequence) outcome = AckOutcome::kOld;
  }
  if (outcome == AckOutcome::kTaken)
    transaction.Put(key, EncodeAck({std::string(reader_site), position}));
  // Even an old ack: who must ack may have changed since, and trimming may not have come to its
  // end.
  DIRSYNC_TRY(acked, AckedSequence(transaction, state, required));
  DIRSYNC_CHECK(TrimOutbox(transaction, state, acked));
  return outcome;
}

Result<std::vector<ReaderAck>> ListAcks(const storage::ReadView& view,
                                        storage::StreamNumber number) {
  const auto [lower, upper] = storage::StreamRange(storage::Table::kAck, number);
  std::vector<ReaderAck> acks;
  const auto cursor = view.Scan(lower, upper);
  for (; cursor->Valid(); cursor->Next()) {
    DIRSYNC_TRY(ack, DecodeAck(cursor->Value()));
    acks.push_back(std::move(ack));
  }
  DIRSYNC_CHECK(cursor->status());
  return acks;
}

Result<Sequence> AckedSequence(const storage::ReadView& view, const ProducerState& state,
                               const std::vector<std::string>& required) {
  if (required.empty()) {
    DIRSYNC_TRY(acks, ListAcks(view, state.number));
    Sequence highest = 0;
    for (const ReaderAck& ack : acks)
      if (ack.position.epoch == state.epoch) highest = std::max(highest, ack.position.sequence);
    return highest;
  }
  Sequence lowest = state.sequence;
  for (const std::string& site : required) {
    DIRSYNC_TRY(row, view.Get(storage::AckKey(state.number, FoldName(site))));
    if (!row) return Sequence{0};
    DIRSYNC_TRY(ack, DecodeAck(*row));
    if (ack.position.epoch != state.epoch) return Sequence{0};
    lowest = std::min(lowest, ack.position.sequence);
  }
  return lowest;
}

}  // namespace dirsync
