#include "agent/core/mirror_place.h"

namespace dirsync {
namespace {

constexpr std::size_t kHead = 1 + sizeof(storage::StreamNumber);  // prefix byte and stream number
constexpr std::size_t kIdBytes = sizeof(EntryId::bytes);

std::unexpected<Error> Corrupt() {
  return Fail(ErrorCode::kCorrupt, "read key of a stream's row: not of its length");
}

}  // namespace

Result<MirrorPlace> PlaceOf(std::string_view mirror_key) {
  if (mirror_key.size() != kHead + 1 + kIdBytes) return Corrupt();
  return MirrorPlace{static_cast<storage::Rank>(mirror_key[kHead]),
                     *EntryId::FromBytes(mirror_key.substr(kHead + 1))};
}

Result<EntryId> IdOfKey(std::string_view key) {
  if (key.size() != kHead + kIdBytes) return Corrupt();
  return *EntryId::FromBytes(key.substr(kHead));
}

}  // namespace dirsync
