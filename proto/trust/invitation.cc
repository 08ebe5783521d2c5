#include "proto/trust/invitation.h"

#include "proto/base/base64url.h"
#include "proto/base/bytes.h"
#include "proto/base/crypto.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::string_view kPrefix = "dirsync-invite-";
constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kChecksumBytes = 4;
constexpr std::size_t kTextMost = 4096;

std::string Checksum(std::string_view bytes) {
  return std::string(DigestOf(bytes).view().substr(0, kChecksumBytes));
}

}  // namespace

std::string Invitation::ToString() const {
  std::string bytes;
  RowWriter writer(bytes);
  writer.U8(kFormat);
  writer.Bytes(door_address);
  writer.Bytes(broker_address);
  writer.Id(broker_key);
  writer.Bytes(organization);
  writer.Id(organization_key);
  writer.Bytes(token);
  writer.U64Big(static_cast<std::uint64_t>(ToMillis(until)));
  return std::string(kPrefix) + ToBase64Url(bytes + Checksum(bytes));
}

Result<Invitation> Invitation::Parse(std::string_view given) {
  const auto refuse = [](const std::string& cause) {
    return Fail(ErrorCode::kInvalid, "read invitation: " + cause,
                "copy it whole, as `dirsync broker invite` printed it");
  };
  if (given.size() > kTextMost) return refuse("it is too long");
  // Mail and chat break lines.
  std::string text(given);
  std::erase_if(text, [](char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; });
  if (!text.starts_with(kPrefix)) return refuse("it does not begin with " + std::string(kPrefix));
  const auto decoded = FromBase64Url(std::string_view(text).substr(kPrefix.size()));
  if (!decoded || decoded->size() <= kChecksumBytes) return refuse("a character does not belong");
  const std::string_view bytes =
      std::string_view(*decoded).substr(0, decoded->size() - kChecksumBytes);
  if (Checksum(bytes) != decoded->substr(bytes.size())) return refuse("a part of it was lost");
  RowReader reader(bytes);
  Invitation invitation;
  const std::uint8_t format = reader.U8();
  invitation.door_address = std::string(reader.Bytes());
  invitation.broker_address = std::string(reader.Bytes());
  invitation.broker_key = reader.Id<TransportKey>();
  invitation.organization = std::string(reader.Bytes());
  invitation.organization_key = reader.Id<PublicKey>();
  invitation.token = std::string(reader.Bytes());
  invitation.until = FromMillis(static_cast<std::int64_t>(reader.U64Big()));
  if (format != kFormat || !reader.ok() || !reader.at_end())
    return refuse("it is of another version of dirsync");
  return invitation;
}

}  // namespace dirsync
