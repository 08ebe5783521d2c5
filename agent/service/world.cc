#include "agent/service/world.h"

#include "agent/service/posix_files.h"
#include "proto/daemon/machine.h"

namespace dirsync {
namespace {

class MachineWorld : public World {
 public:
  Instant Now() override { return MachineTime(); }
  std::string Random(std::size_t count) override { return MachineRandom(count); }
  FileSystem& files() override { return files_; }
  void Effect(std::string_view name) override { PassKillPoint(name); }

 private:
  PosixFiles files_;
};

}  // namespace

IdSource MakeIds(World& world) { return IdSource(*Digest::FromBytes(world.Random(32))); }

World& RealWorld() {
  static MachineWorld world;
  return world;
}

}  // namespace dirsync
