// The durable log of streams: small enough that an existing distributed engine can carry it later.
// One conformance suite (tests/unit/stream_log_test) holds every implementation to this text.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "proto/base/error.h"
#include "proto/model/message.h"
#include "storage/key.h"
#include "storage/transaction.h"

namespace dirsync {

// What the log knows of one stream; survives trimming, and an empty log (B7).
struct LogState {
  storage::StreamNumber number = 0;
  StreamName stream;
  IncarnationId incarnation;
  Position tail;  // last batch appended; sequence 0 = none
  Position base;  // what precedes the oldest batch kept: a reader there needs nothing else
  std::uint64_t total = 0;       // bytes ever appended in this incarnation
  std::uint64_t base_total = 0;  // of them, those up to `base`: kept are total - base_total
  std::uint64_t batches = 0;     // kept
  Instant tail_time{};           // when it was appended
  auto operator<=>(const LogState&) const = default;
};

struct LogBatch {
  Position position;
  Payload payload;
};

// What the log remembers of a batch beside its bytes.
struct LogMark {
  Position position;
  std::uint64_t bytes = 0;
  std::uint64_t total = 0;  // LogState::total after it
  std::uint32_t changes = 0;
  Instant time{};  // when it was appended
};

// Over the rows kLogState, kLog and kLogIndex of a broker's store. Writes go into the caller's
// transaction, which commits; nothing may be answered before that commit is synced (B6).
class StreamLog {
 public:
  // Errors: kCorrupt, kIo.
  static Result<std::vector<LogState>> Open(const storage::ReadView& view);

  // Compare-and-append (B5): checks size, the header of `publish.payload` against `publish`, the
  // epoch (a lower counter is FENCED, for ever), the number, `previous`. `publish.begins_log`
  // begins a new incarnation with this batch where the log stands elsewhere. A new epoch's START
  // follows whatever is there. Moves `state`. Never hashes the payload (R10).
  static Result<Published> Append(storage::Transaction& transaction, LogState& state,
                                  const Publish& publish, const IncarnationId& fresh, Instant now);

  // Batches behind `cursor`, as long as they are `bytes` together (at least one, if there is one).
  // kNeedsRanges below the base; kLogTruncated above the tail; kFork: another digest there.
  static Result<std::vector<LogBatch>> Read(const storage::ReadView& view, const LogState& state,
                                            const Position& cursor, std::uint64_t bytes);
  // The mark of the batch at `position`, or of the base (bytes 0); nullopt: not kept, or another
  // digest has this number.
  static Result<std::optional<LogMark>> Mark(const storage::ReadView& view, const LogState& state,
                                             const Position& position);
  // The mark of the first batch behind `position`; nullopt: none kept.
  static Result<std::optional<LogMark>> After(const storage::ReadView& view, const LogState& state,
                                              const Position& position);
  // One batch; nullopt: not kept.
  static Result<std::optional<LogBatch>> Find(const storage::ReadView& view, const LogState& state,
                                              const Position& position);

  // Drops batches up to and with `position` (at most limits::kStepRows a call; whether there is
  // more). The producer's state stays, and so does the last batch: to a producer whose store was
  // put back it is the proof that it told more than it knows.
  static Result<bool> Trim(storage::Transaction& transaction, LogState& state,
                           const Position& position);
};

}  // namespace dirsync
