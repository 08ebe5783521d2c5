#include "broker/loop/disk_guard.h"

namespace dirsync {

DiskGuard::DiskGuard(std::string folder, const storage::SoftMark& mark)
    : folder_(std::move(folder)), mark_(mark), reserve_(folder_ + "/reserve") {}

Result<DiskGuard::Verdict> DiskGuard::Check() {
  DIRSYNC_TRY(space, storage::CheckDiskSpace(folder_, mark_));
  const std::uint64_t wanted = space.mark_bytes + 2 * limits::kReserveBytes;
  if (space.below_mark) {
    Release();
  } else if (!reserve_.held() && space.free_bytes > wanted) {
    // Without it less can be written on a full disk, and nothing else is wrong.
    static_cast<void>(reserve_.Create());
  }
  return Verdict{space.free_bytes, space.below_mark};
}

void DiskGuard::Release() { static_cast<void>(reserve_.Release()); }

}  // namespace dirsync
