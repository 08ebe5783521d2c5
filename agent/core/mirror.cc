#include "agent/core/mirror.h"

#include "agent/directory/attribute_number.h"
#include "proto/base/bytes.h"
#include "proto/base/crypto.h"

namespace dirsync {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint8_t kKeepingOut = 2;  // with names that are kept out behind all the rest
constexpr std::uint8_t kRenamedFlag = 1;
constexpr std::uint8_t kAbsentFlag = 2;
constexpr std::uint64_t kNamed = 0;  // in place of an attribute's number: its name follows
// Above any entry's attributes, below what a damaged count could ask memory for.
constexpr std::uint64_t kAttributesMax = 65536;

std::unexpected<Error> Corrupt(std::string_view cause) {
  return Fail(ErrorCode::kCorrupt, "read mirror row: " + std::string(cause));
}

void PutName(RowWriter& writer, std::string_view name) {
  const std::uint8_t number = AttributeNumber(name);
  writer.Varint(number);
  if (number == kNamed) writer.Bytes(name);
}

std::string_view TakeName(RowReader& reader) {
  const std::uint64_t number = reader.Varint();
  return number == kNamed ? reader.Bytes() : AttributeOfNumber(number);
}

bool IsClass(std::uint8_t v) { return v >= 1 && v <= 4; }

}  // namespace

std::string EncodeMirror(const MirrorRow& row) {
  std::string out;
  out.reserve(80 + row.told.attributes.size() * 10);
  RowWriter writer(out);
  writer.U8(row.kept_out.empty() ? kVersion : kKeepingOut);
  writer.U8(static_cast<std::uint8_t>(row.status));
  writer.U8(static_cast<std::uint8_t>(row.joined));
  writer.U8(
      static_cast<std::uint8_t>((row.renamed ? kRenamedFlag : 0) | (row.absent ? kAbsentFlag : 0)));
  writer.U8(static_cast<std::uint8_t>(row.told.entry_class));
  writer.Id(row.local);
  writer.Id(row.told.parent);
  writer.U64Big(row.told.name_hash);
  writer.U64Big(row.told.target_hash);
  writer.Varint(row.version.epoch_counter);
  writer.Varint(row.version.sequence);
  writer.Varint(static_cast<std::uint64_t>(ToMillis(row.time)));
  writer.Varint(row.told.attributes.size());
  for (const AttributeHash& attribute : row.told.attributes) {
    PutName(writer, attribute.name);
    writer.U64Big(attribute.hash);
  }
  writer.Varint(row.stale.size());
  for (const std::string& name : row.stale) writer.Bytes(name);
  if (row.kept_out.empty()) return out;
  writer.Varint(row.kept_out.size());
  for (const std::string& name : row.kept_out) PutName(writer, name);
  return out;
}

Result<MirrorRow> DecodeMirror(std::string_view value) {
  MirrorRow row;
  DIRSYNC_CHECK(DecodeMirrorInto(value, row));
  return row;
}

Result<> DecodeMirrorInto(std::string_view value, MirrorRow& row) {
  RowReader reader(value);
  const std::uint8_t version = reader.U8();
  if (version != kVersion && version != kKeepingOut) return Corrupt("unknown version");
  const std::uint8_t status = reader.U8();
  const std::uint8_t joined = reader.U8();
  const std::uint8_t flags = reader.U8();
  const std::uint8_t entry_class = reader.U8();
  row.local = reader.Id<EntryId>();
  row.told.parent = reader.Id<EntryId>();
  row.told.name_hash = reader.U64Big();
  row.told.target_hash = reader.U64Big();
  row.version.epoch_counter = reader.Varint();
  row.version.sequence = reader.Varint();
  row.time = FromMillis(static_cast<std::int64_t>(reader.Varint()));
  const std::uint64_t count = reader.Varint();
  if (!reader.ok() || count > kAttributesMax) return Corrupt("cut short");
  if (status < 1 || status > 4 || joined < 1 || joined > 4 || flags > 3 || !IsClass(entry_class))
    return Corrupt("a field out of range");
  row.status = static_cast<MirrorStatus>(status);
  row.joined = static_cast<JoinedBy>(joined);
  row.renamed = (flags & kRenamedFlag) != 0;
  row.absent = (flags & kAbsentFlag) != 0;
  row.told.entry_class = static_cast<EntryClass>(entry_class);
  // Strings that are there already keep their memory: this runs once per row of a full copy.
  std::size_t held = 0;
  for (; held < count && reader.ok(); ++held) {
    if (held == row.told.attributes.size()) row.told.attributes.emplace_back();
    AttributeHash& attribute = row.told.attributes[held];
    attribute.name.assign(TakeName(reader));
    attribute.hash = reader.U64Big();
    if (attribute.name.empty()) return Corrupt("an attribute without name");
  }
  row.told.attributes.resize(held);
  row.stale.clear();
  const std::uint64_t stale = reader.Varint();
  for (std::uint64_t i = 0; i < stale && reader.ok(); ++i) row.stale.emplace_back(reader.Bytes());
  row.kept_out.clear();
  const std::uint64_t kept_out = version == kKeepingOut ? reader.Varint() : 0;
  for (std::uint64_t i = 0; i < kept_out && reader.ok(); ++i)
    row.kept_out.emplace_back(TakeName(reader));
  if (!reader.ok() || !reader.at_end()) return Corrupt("cut short or too long");
  return {};
}

EntryId LocalIdOf(std::string_view origin_site, const EntryId& id) {
  std::string bytes;
  bytes.reserve(8 + origin_site.size() + id.bytes.size());
  RowWriter writer(bytes);
  writer.Bytes(origin_site);
  writer.Id(id);
  return DerivedId(bytes);
}

}  // namespace dirsync
