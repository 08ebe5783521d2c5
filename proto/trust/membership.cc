#include "proto/trust/membership.h"

#include "proto/base/bytes.h"
#include "storage/key.h"

namespace dirsync {
namespace {

constexpr std::uint8_t kFormat = 1;

std::string MembershipKey() { return storage::MetaKey("membership"); }

}  // namespace

Result<std::optional<Membership>> LoadMembership(const storage::ReadView& view) {
  DIRSYNC_TRY(row, view.Get(MembershipKey()));
  if (!row) return std::nullopt;
  RowReader reader(*row);
  Membership membership;
  const std::uint8_t format = reader.U8();
  membership.organization = std::string(reader.Bytes());
  membership.organization_key = reader.Id<PublicKey>();
  membership.broker_address = std::string(reader.Bytes());
  membership.broker_key = reader.Id<TransportKey>();
  if (format != kFormat || !reader.ok() || !reader.at_end())
    return Fail(ErrorCode::kCorrupt, "read membership: broken row");
  return membership;
}

void StoreMembership(storage::Transaction& transaction, const Membership& membership) {
  std::string row;
  RowWriter writer(row);
  writer.U8(kFormat);
  writer.Bytes(membership.organization);
  writer.Id(membership.organization_key);
  writer.Bytes(membership.broker_address);
  writer.Id(membership.broker_key);
  transaction.Put(MembershipKey(), std::move(row));
}

}  // namespace dirsync
