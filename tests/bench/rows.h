// The rows of the network's table. Each prints its own.
#pragma once

#include <cstdint>
#include <string>

#include "tests/bench/network_world.h"

namespace dirsync::bench {

// One change, from the return of the directory's commit until committed at the other site.
void ChangeRow(const Programs& programs, int changes);
// The first load: `entries` from one site to the other, and what the processes needed of memory.
void LoadRow(const Programs& programs, std::uint64_t entries);
// `changes` of one site to four others.
void FanOutRow(const Programs& programs, std::uint64_t changes);
// Durable batches of 64 KiB to one and to four readers.
void LogRows(const Programs& programs, std::uint64_t batches);
// Many sites on one broker: back after a restart, memory when idle and under `seconds` of load.
void SitesRows(const Programs& programs, int sites, int seconds);

}  // namespace dirsync::bench
