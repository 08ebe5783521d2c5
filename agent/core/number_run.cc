// A run becomes numbered batches.
#include <utility>

#include "agent/core/capture.h"
#include "agent/core/told.h"
#include "proto/base/text.h"
#include "proto/codec/batch_codec.h"

namespace dirsync {
namespace {

// End of the batch that begins at `first`.
std::size_t EndOfBatch(const std::vector<Change>& changes, std::size_t first) {
  std::size_t bytes = 0;
  std::size_t end = first;
  while (end < changes.size() && end - first < limits::kChangesPerBatch &&
         bytes < limits::kBatchTargetBytes)
    bytes += PayloadBytes(changes[end++]);
  return end;
}

// Makes, one after the other, the batches of one run.
class Numbering {
 public:
  Numbering(storage::Transaction& transaction, const RunTotals& totals, ProducerState& state,
            const SigningKey& key, Instant now)
      : transaction_(transaction), totals_(totals), state_(state), key_(key), now_(now) {}

  // Of START and of changes whose effects are counted.
  Result<> Write(BatchKind kind, std::vector<Change> changes) {
    NumberedBatch made;
    made.batch = Head(kind);
    made.batch.changes = std::move(changes);
    DIRSYNC_TRY(stored, EncodeBatch(made.batch, key_));
    if (state_.outbox_bytes + stored.size() > limits::kOutboxBytes) return OutboxFull();
    made.digest = DigestOf(stored);
    state_.sequence = made.batch.sequence;
    state_.digest = made.digest;
    AppendOutbox(transaction_, state_, stored);
    made.stored = std::move(stored);
    batches_.push_back(std::move(made));
    return {};
  }

  // The told row of a change in the batch that comes next.
  void Take(const EntryId& id, ToldEffect effect) {
    if (effect.before) {
      if (effect.row.empty() || *effect.before != effect.rank)
        transaction_.Delete(storage::ToldKey(state_.number, *effect.before, id));
      state_.sum.Subtract(effect.sum_before);
      --state_.rows;
    }
    if (effect.row.empty()) return;
    StampTold({state_.epoch.counter, state_.sequence + 1}, now_, effect.row);
    transaction_.Put(storage::ToldKey(state_.number, effect.rank, id), std::move(effect.row));
    state_.sum.Add(effect.sum);
    ++state_.rows;
  }

  std::vector<NumberedBatch> Finish() { return std::move(batches_); }

 private:
  Batch Head(BatchKind kind) const {
    Batch batch;
    batch.stream = state_.name;
    batch.epoch = state_.epoch;
    batch.sequence = state_.sequence + 1;
    batch.previous = state_.digest;
    batch.kind = kind;
    batch.time = now_;
    batch.terms = state_.terms;
    batch.run = totals_;
    batch.sum_after = state_.sum;
    batch.rows_after = state_.rows;
    if (kind == BatchKind::kStart) batch.previous_epoch = state_.previous_epoch;
    return batch;
  }

  std::unexpected<Error> OutboxFull() const {
    std::string late;
    const Result<std::vector<ReaderAck>> acks = ListAcks(transaction_, state_.number);
    for (const ReaderAck& ack : acks ? *acks : std::vector<ReaderAck>{}) {
      if (ack.position.epoch == state_.epoch && ack.position.sequence > state_.trimmed) continue;
      late += (late.empty() ? "" : ", ") + Printable(ack.site);
    }
    if (late.empty()) late = acks && !acks->empty() ? "a required site" : "every reader";
    return Fail(ErrorCode::kTooLarge,
                "run " + Printable(state_.name.instance) +
                    ": batches that no reader has acked take " +
                    std::to_string(limits::kOutboxBytes / limits::kMiB) + " MiB",
                "not acked by: " + late +
                    "; bring their files back, or `dirsync ack` if they read "
                    "without answering");
  }

  storage::Transaction& transaction_;
  const RunTotals& totals_;
  ProducerState& state_;
  const SigningKey& key_;
  Instant now_;
  std::vector<NumberedBatch> batches_;
};

}  // namespace

std::size_t PayloadBytes(const Change& change) {
  std::size_t bytes = 56 + change.name.size() + change.dn.size() + change.target_address.size();
  for (const AttributeChange& attribute : change.attributes) {
    bytes += 8 + attribute.name.size();
    for (const std::string& value : attribute.values) bytes += 3 + value.size();
  }
  return bytes;
}

Result<std::vector<NumberedBatch>> NumberRun(storage::Transaction& transaction, CapturedRun run,
                                             ProducerState& state, const SigningKey& key,
                                             Instant now) {
  if (run.changes.size() != run.effects.size())
    return Fail(ErrorCode::kInternal, "number run: changes without what they do to the told table");
  // START says the sum of all told rows: it waits until the first scan has them all.
  if (state.compare && state.compare->first_scan) return std::vector<NumberedBatch>{};
  Numbering numbering(transaction, run.totals, state, key, now);
  if (state.sequence == 0) DIRSYNC_CHECK(numbering.Write(BatchKind::kStart, {}));
  for (std::size_t first = 0; first < run.changes.size();) {
    const std::size_t end = EndOfBatch(run.changes, first);
    std::vector<Change> changes;
    changes.reserve(end - first);
    for (; first < end; ++first) {
      numbering.Take(run.changes[first].id, std::move(run.effects[first]));
      changes.push_back(std::move(run.changes[first]));
    }
    DIRSYNC_CHECK(numbering.Write(BatchKind::kChanges, std::move(changes)));
  }
  return numbering.Finish();
}

Result<std::vector<NumberedBatch>> NumberCanary(storage::Transaction& transaction,
                                                ProducerState& state, const SigningKey& key,
                                                Instant now) {
  if (state.sequence == 0 || state.compare) return std::vector<NumberedBatch>{};
  const RunTotals none;
  Numbering numbering(transaction, none, state, key, now);
  DIRSYNC_CHECK(numbering.Write(BatchKind::kCanary, {}));
  return numbering.Finish();
}

}  // namespace dirsync
