// What a service draws from outside: time, randomness, files. The simulator has its own.
#pragma once

#include <string>
#include <string_view>

#include "agent/file/file_system.h"
#include "proto/base/id_source.h"
#include "proto/base/time.h"

namespace dirsync {

// Not thread-safe.
class World {
 public:
  virtual ~World() = default;
  // Wall clock; may go back.
  virtual Instant Now() = 0;
  // `count` bytes that cannot be guessed.
  virtual std::string Random(std::size_t count) = 0;
  virtual FileSystem& files() = 0;
  // Called between effects of a run (persist, rename, …) with its name. The real world does
  // nothing, or kills the process when DIRSYNC_KILL_AT names this point (tests).
  virtual void Effect(std::string_view name) = 0;
};

// Seeded from World::Random.
IdSource MakeIds(World& world);

// The machine's clock, random source and disk.
World& RealWorld();

}  // namespace dirsync
