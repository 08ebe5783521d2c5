// The simulated machine of one site: a disk that forgets what was not synced, a clock and a random
// source from the seed, and a point of death. One thread; nothing here waits.
#pragma once

#include <map>
#include <memory>
#include <random>
#include <string>

#include "agent/service/world.h"

namespace dirsync::sim {

// Thrown by SimWorld::Effect: the process dies here.
struct Death {};

// Files in memory. A file is durable from its Sync on, a rename and a remove at once.
class SimDisk : public FileSystem {
 public:
  Result<std::unique_ptr<ByteSource>> Open(const std::string& path) override;
  Result<std::unique_ptr<FileOutput>> Create(const std::string& path) override;
  Result<> Rename(const std::string& from, const std::string& to) override;
  Result<> CheckPlace(const std::string&) override { return {}; }
  Result<> Remove(const std::string& path) override;
  bool Exists(const std::string& path) override;
  Result<std::vector<std::string>> ListBeginning(const std::string& path) override;

  // What the people who carry files do.
  std::map<std::string, std::string> Beginning(const std::string& prefix) const;
  void Put(const std::string& path, std::string bytes);
  // Unsynced files lose a random tail, or all.
  void Crash(std::mt19937_64& random);

 private:
  friend class SimOutput;
  struct File {
    std::string bytes;
    bool synced = false;
  };
  std::map<std::string, File> files_;
};

class SimWorld : public World {
 public:
  explicit SimWorld(std::uint64_t seed) : random_(seed) {}
  Instant Now() override { return now_; }
  std::string Random(std::size_t count) override;
  FileSystem& files() override { return disk_; }
  // Dies when the countdown reaches zero.
  void Effect(std::string_view name) override;

  SimDisk& disk() { return disk_; }
  std::mt19937_64& random() { return random_; }
  void Advance(Duration time) { now_ += time; }
  // Dies at the `effects`th effect from now; 0 = never.
  void DieAfter(std::uint64_t effects) { left_ = effects; }
  std::uint64_t effects() const { return effects_; }

 private:
  SimDisk disk_;
  std::mt19937_64 random_;
  Instant now_ = FromMillis(1'800'000'000'000);
  std::uint64_t left_ = 0;
  std::uint64_t effects_ = 0;
};

}  // namespace dirsync::sim
