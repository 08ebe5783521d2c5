#include "agent/service/store_room.h"

#include <utility>

#include "proto/base/text.h"

namespace dirsync {

StoreRoom::StoreRoom(std::string folder, const storage::SoftMark& mark)
    : folder_(std::move(folder)), mark_(mark), reserve_(folder_ + "/reserve") {}

Result<> StoreRoom::Check() {
  DIRSYNC_TRY(space, storage::CheckDiskSpace(folder_, mark_));
  if (space.below_mark) {
    Release();
    return Fail(ErrorCode::kReadOnly,
                "adding to store " + Printable(folder_) + ": its disk has " +
                    std::to_string(space.free_bytes / limits::kMiB) + " MiB left, less than the " +
                    std::to_string(space.mark_bytes / limits::kMiB) + " MiB that stay free",
                "make room and run it again; acks, imports and single changes go on");
  }
  // Without it less can be written on a full disk, and nothing else is wrong.
  if (!reserve_.held() && space.free_bytes > space.mark_bytes + 2 * limits::kReserveBytes)
    static_cast<void>(reserve_.Create());
  return {};
}

void StoreRoom::Release() { static_cast<void>(reserve_.Release()); }

}  // namespace dirsync
