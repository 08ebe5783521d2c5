// Batches kept until acked, and the digests that acks are checked by.
#include "agent/core/producer_state.h"
#include "proto/base/limits.h"

namespace dirsync {

void AppendOutbox(storage::Transaction& transaction, ProducerState& state,
                  std::string_view stored) {
  transaction.Put(storage::OutboxKey(state.number, state.sequence), std::string(stored));
  transaction.Put(storage::DigestKey(state.number, state.epoch.counter, state.sequence),
                  std::string(state.digest.view()));
  if (state.sequence > limits::kDigestsKept) {
    const Sequence old = state.sequence - limits::kDigestsKept;
    transaction.Delete(storage::DigestKey(state.number, state.epoch.counter, old));
  }
  state.outbox_bytes += stored.size();
}

Result<std::optional<std::string>> ReadOutbox(const storage::ReadView& view,
                                              storage::StreamNumber number, Sequence sequence) {
  return view.Get(storage::OutboxKey(number, sequence));
}

}  // namespace dirsync
