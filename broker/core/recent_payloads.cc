#include "broker/core/recent_payloads.h"

namespace dirsync {

void RecentPayloads::Put(storage::StreamNumber stream, const Position& position, Payload payload) {
  if (!payload || payload->size() > bytes_max_) return;
  const Key key{stream, position.epoch.counter, position.sequence};
  const std::uint64_t size = payload->size();
  if (!payloads_.emplace(key, std::move(payload)).second) return;
  order_.push_back(key);
  bytes_ += size;
  while (bytes_ > bytes_max_) {
    const auto oldest = payloads_.find(order_.front());
    bytes_ -= oldest->second->size();
    payloads_.erase(oldest);
    order_.pop_front();
  }
}

Payload RecentPayloads::Get(storage::StreamNumber stream, const Position& position) const {
  const auto found = payloads_.find({stream, position.epoch.counter, position.sequence});
  return found == payloads_.end() ? nullptr : found->second;
}

}  // namespace dirsync
