// The durable log of streams: small enough that an existing distributed engine can carry it later.
// One conformance suite (tests/unit/stream_log_test) holds every implementation to this text.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "broker/core/recent_payloads.h"
#include "proto/base/error.h"
#include "proto/model/message.h"
#include "storage/key.h"
#include "storage/transaction.h"

namespace dirsync {

// Whether `a` stands before `b` in a stream, whatever their digests.
inline bool Behind(const Position& a, const Position& b) {
  return Version{a.epoch.counter, a.sequence} < Version{b.epoch.counter, b.sequence};
}

// What the log knows of one stream; survives trimming, and an empty log (B7).
struct LogState {
  storage::StreamNumber number = 0;
  StreamName stream;
  IncarnationId incarnation;
  Position tail;  // last batch appended; sequence 0 = none
  Position base;  // what precedes the oldest batch kept: a reader there needs nothing else
  std::uint64_t total = 0;       // bytes ever appended in this incarnation
  std::uint64_t base_total = 0;  // of them, those up to `base`
  std::uint64_t count = 0;       // batches ever appended in this incarnation
  std::uint64_t base_count = 0;  // of them, those up to `base`
  Version swept;                 // rows up to here are gone; those up to `base` go by Sweep
  Instant tail_time{};           // when it was appended
  auto operator<=>(const LogState&) const = default;

  std::uint64_t bytes() const { return total - base_total; }    // kept
  std::uint64_t batches() const { return count - base_count; }  // kept
};

// A batch as it is kept.
struct LogBatch {
  Position position;
  Payload payload;
};

// What the log remembers of a batch beside its bytes.
struct LogMark {
  Position position;
  std::uint64_t bytes = 0;
  std::uint64_t total = 0;  // LogState::total after it
  std::uint64_t count = 0;  // LogState::count after it
  std::uint32_t changes = 0;
  Instant time{};  // when it was appended
  auto operator<=>(const LogMark&) const = default;
};

// Over the rows kLogState, kLog and kLogIndex of a broker's store. Writes go into the caller's
// transaction, which commits; nothing may be answered before that commit is synced (B6). Errors of
// all: kCorrupt, kIo, besides those named.
class StreamLog {
 public:
  static Result<std::vector<LogState>> Open(const storage::ReadView& view);

  // Compare-and-append (B5): checks size, the header of `publish.payload` against `publish`, the
  // epoch (a lower counter is FENCED, for ever), the number, `previous`. `publish.begins_log`
  // begins a new incarnation with this batch where the log stands elsewhere: what was before is no
  // longer kept. A new epoch's START follows whatever is there. Moves `state` if kStored, and only
  // then writes. Never hashes the payload (R10).
  static Result<Published> Append(storage::Transaction& transaction, LogState& state,
                                  const Publish& publish, const IncarnationId& fresh, Instant now);

  // The mark under a reader's feet, if the log goes on from `cursor`. kNeedsRanges below the base,
  // or where an epoch ended before it; kLogTruncated above the tail; kFork: another digest there,
  // in the epoch of the tail (of an earlier one, a full copy is needed whichever was right).
  static Result<LogMark> Stand(const storage::ReadView& view, const LogState& state,
                               const Position& cursor);
  // Batches behind `cursor`, as long as they are `bytes` together (at least one, if there is one),
  // at most limits::kStepRows. Errors: as Stand. Payloads that `recent` has are not read again.
  static Result<std::vector<LogBatch>> Read(const storage::ReadView& view, const LogState& state,
                                            const Position& cursor, std::uint64_t bytes,
                                            const RecentPayloads* recent = nullptr);
  // The mark of the batch at `position`, or of the base (bytes 0); nullopt: not kept, or another
  // digest has this number.
  static Result<std::optional<LogMark>> Mark(const storage::ReadView& view, const LogState& state,
                                             const Position& position);
  // The mark of the first batch kept behind `position`; nullopt: none.
  static Result<std::optional<LogMark>> After(const storage::ReadView& view, const LogState& state,
                                              const Position& position);
  // The batch at this epoch and sequence, whatever its digest, if it is kept. The last batch can be
  // had whatever was trimmed: to a producer whose store was put back it is the proof that it told
  // more than it knows. nullopt: not there.
  static Result<std::optional<LogBatch>> Find(const storage::ReadView& view, const LogState& state,
                                              const Position& position);

  // Keeps nothing up to and with `position`, from now on; nothing happens where that is no batch
  // kept. The producer's state stays. Rows go by Sweep. Returns whether anything changed.
  static Result<bool> Trim(storage::Transaction& transaction, LogState& state,
                           const Position& position);
  // Deletes rows that are no longer kept, at most limits::kStepRows a call; whether there are more.
  static Result<bool> Sweep(storage::Transaction& transaction, LogState& state);
};

}  // namespace dirsync
