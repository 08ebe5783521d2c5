#include "agent/directory/site_profile.h"

#include "proto/base/bytes.h"
#include "proto/base/limits.h"

namespace dirsync {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kTemplatesMax = 256;

}  // namespace

Dn SiteProfile::basepoint() const { return Dn{{{"o", organization}, {"ou", site}}}; }

std::string SiteProfile::Encode() const {
  std::string row;
  RowWriter writer(row);
  writer.U8(kFormat);
  writer.Bytes(organization);
  writer.Bytes(site);
  writer.Bytes(server);
  writer.Varint(templates.size());
  for (const AddressTemplate& address : templates) writer.Bytes(address.text());
  return row;
}

Result<SiteProfile> SiteProfile::Decode(std::string_view row) {
  const auto corrupt = [](std::string_view cause) {
    return Fail(ErrorCode::kCorrupt, "decode site row: " + std::string(cause));
  };
  RowReader reader(row);
  const std::uint8_t format = reader.U8();
  if (reader.ok() && format != kFormat) return corrupt("unknown format");
  SiteProfile profile;
  profile.organization = reader.Bytes();
  profile.site = reader.Bytes();
  profile.server = reader.Bytes();
  const std::uint64_t count = reader.Varint();
  if (!reader.ok()) return corrupt("truncated");
  if (count > kTemplatesMax) return corrupt("too many address templates");
  for (std::uint64_t i = 0; i < count && reader.ok(); ++i) {
    const std::string_view text = reader.Bytes();
    if (!reader.ok()) break;
    auto address = AddressTemplate::Parse(text);
    if (!address) return corrupt(address.error().message);
    profile.templates.push_back(std::move(*address));
  }
  if (!reader.ok()) return corrupt("truncated");
  if (!reader.at_end()) return corrupt("bytes behind the end");
  return profile;
}

}  // namespace dirsync
