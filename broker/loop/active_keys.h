// Which keys may connect, as the handler of handshakes asks it.
#pragma once

#include <mutex>
#include <set>
#include <utility>

#include "proto/base/ids.h"

namespace dirsync {

// Set by the loop, asked by the thread of handshakes. Thread-safe.
class ActiveKeys {
 public:
  void Set(std::set<TransportKey> keys) {
    const std::lock_guard lock(mutex_);
    keys_ = std::move(keys);
  }
  bool Has(const TransportKey& key) const {
    const std::lock_guard lock(mutex_);
    return keys_.contains(key);
  }

 private:
  mutable std::mutex mutex_;
  std::set<TransportKey> keys_;
};

}  // namespace dirsync
