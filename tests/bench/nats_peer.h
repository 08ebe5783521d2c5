// NATS JetStream under the same load, where its server and its library are installed. It answers
// before anything is synced.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace dirsync::bench {

// Messages of `bytes` per second, delivered to and acked by each of `readers`; nullopt: not
// installed.
std::optional<double> RunNats(const std::string& folder, std::uint64_t messages, std::size_t bytes,
                              int readers, int window);

}  // namespace dirsync::bench
