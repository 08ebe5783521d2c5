// The machine's clock and random source, and the points at which tests kill a process.
#pragma once

#include <string>
#include <string_view>

#include "proto/base/time.h"

namespace dirsync {

// Wall clock; may go back. Thread-safe, as all of these.
Instant MachineTime();
// `count` bytes that cannot be guessed.
std::string MachineRandom(std::size_t count);
// Dies by SIGKILL at the COUNTth point of that name if DIRSYNC_KILL_AT is "NAME:COUNT" ("*" = any
// point). Only tests set it; it can stop a process nowhere that a power cut could not.
void PassKillPoint(std::string_view name);

}  // namespace dirsync
