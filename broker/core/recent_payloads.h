// Batches that were published a moment ago: their readers get these very bytes, and the store is
// not asked once per reader. Internal to broker/core.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <tuple>

#include "proto/base/limits.h"
#include "proto/model/message.h"
#include "storage/key.h"

namespace dirsync {

// Bounded by bytes: the oldest go first. Says nothing of what is durable: who asks has seen the
// batch's index row. A (stream, epoch, sequence) is never stored with two contents.
class RecentPayloads {
 public:
  explicit RecentPayloads(std::uint64_t bytes_max = limits::kRecentBytes) : bytes_max_(bytes_max) {}
  void Put(storage::StreamNumber stream, const Position& position, Payload payload);
  // Null: not here.
  Payload Get(storage::StreamNumber stream, const Position& position) const;
  std::uint64_t bytes() const { return bytes_; }

 private:
  using Key = std::tuple<storage::StreamNumber, std::uint64_t, Sequence>;
  std::map<Key, Payload> payloads_;
  std::deque<Key> order_;  // oldest first
  std::uint64_t bytes_ = 0;
  std::uint64_t bytes_max_;
};

}  // namespace dirsync
