// An agent's process that notes, where its parent can see it, when each commit was durable.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

namespace dirsync::bench {

// Nanoseconds of a clock that all processes of the machine share.
std::int64_t Nanoseconds();

// In a file that both processes map.
struct Stamps {
  static constexpr std::uint64_t kKept = 1 << 16;
  std::atomic<std::uint64_t> commits;     // of the store, since it was opened
  std::atomic<std::uint64_t> imported;    // changes and entries taken from other sites
  std::atomic<std::int64_t> imported_at;  // when the last of them were durable
  std::atomic<std::int64_t> at[kKept];    // when commit number i was, modulo kKept
};

// Maps `path`, made if it is not there. Ends the process when it cannot.
Stamps& MapStamps(const std::string& path);

// `dirsync agent run` over `store`, to its end; exit status.
int RunTimedAgent(const std::string& store, const std::string& stamps);

}  // namespace dirsync::bench
