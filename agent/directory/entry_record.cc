#include "agent/directory/entry_record.h"

#include <algorithm>

#include "agent/directory/attribute_number.h"
#include "proto/base/bytes.h"
#include "proto/base/limits.h"

namespace dirsync {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::uint8_t kHasOrigin = 1;
constexpr std::uint8_t kIsDeleted = 2;
constexpr std::size_t kHeadBytes = 96;      // everything but names and values, as a rule
constexpr std::size_t kValueHeadBytes = 3;  // length of a value

std::size_t RoughSize(const Entry& entry) {
  std::size_t bytes = kHeadBytes + entry.name.size();
  for (const Attribute& attribute : entry.attributes) {
    bytes += kValueHeadBytes;
    for (const std::string& value : attribute.values) bytes += kValueHeadBytes + value.size();
  }
  return bytes;
}

void WriteTime(RowWriter& writer, Instant time) {
  writer.Varint(static_cast<std::uint64_t>(ToMillis(time)));
}

Instant ReadTime(RowReader& reader) {
  return FromMillis(static_cast<std::int64_t>(reader.Varint()));
}

void WriteAttribute(RowWriter& writer, const Attribute& attribute) {
  const std::uint8_t number = AttributeNumber(attribute.name);
  writer.Varint(number);
  if (number == 0) writer.Bytes(attribute.name);
  writer.Varint(attribute.values.size());
  for (const std::string& value : attribute.values) writer.Bytes(value);
}

bool ReadAttribute(RowReader& reader, Attribute& attribute) {
  const std::uint64_t number = reader.Varint();
  attribute.name = number == 0 ? reader.Bytes() : AttributeOfNumber(number);
  const std::uint64_t count = reader.Varint();
  // Each value takes a byte at least, so that a wrong count cannot claim memory.
  if (!reader.ok() || attribute.name.empty() || count == 0 || count > reader.rest().size())
    return false;
  attribute.values.resize(static_cast<std::size_t>(count));
  for (std::string& value : attribute.values) value = reader.Bytes();
  return reader.ok();
}

// Overwrites `list` in place.
bool ReadAttributes(RowReader& reader, std::vector<Attribute>& list) {
  const std::uint64_t count = reader.Varint();
  if (!reader.ok() || count > reader.rest().size()) return false;
  list.resize(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (!ReadAttribute(reader, list[i])) return false;
    if (i > 0 && !(list[i - 1].name < list[i].name)) return false;
  }
  return true;
}

bool ReadHead(RowReader& reader, Entry& entry) {
  const std::uint8_t format = reader.U8();
  const std::uint8_t entry_class = reader.U8();
  const bool known = entry_class >= static_cast<std::uint8_t>(EntryClass::kContainer) &&
                     entry_class <= static_cast<std::uint8_t>(EntryClass::kDistributionList);
  if (format != kFormat || !known) return false;
  entry.entry_class = static_cast<EntryClass>(entry_class);
  entry.parent = reader.Id<EntryId>();
  entry.name = reader.Bytes();
  entry.usn_created = reader.Varint();
  entry.usn_changed = reader.Varint();
  entry.created = ReadTime(reader);
  entry.changed = ReadTime(reader);
  const std::uint8_t flags = reader.U8();
  entry.origin.reset();
  entry.deleted.reset();
  if ((flags & kHasOrigin) != 0) {
    entry.origin.emplace();
    entry.origin->site = reader.Bytes();
    entry.origin->id = reader.Id<EntryId>();
  }
  if ((flags & kIsDeleted) != 0) entry.deleted = ReadTime(reader);
  return reader.ok() && (flags & ~(kHasOrigin | kIsDeleted)) == 0;
}

}  // namespace

std::string EncodeEntry(const Entry& entry) {
  std::string row;
  row.reserve(RoughSize(entry));
  RowWriter writer(row);
  writer.U8(kFormat);
  writer.U8(static_cast<std::uint8_t>(entry.entry_class));
  writer.Id(entry.parent);
  writer.Bytes(entry.name);
  writer.Varint(entry.usn_created);
  writer.Varint(entry.usn_changed);
  WriteTime(writer, entry.created);
  WriteTime(writer, entry.changed);
  writer.U8(static_cast<std::uint8_t>((entry.origin ? kHasOrigin : 0) |
                                      (entry.deleted ? kIsDeleted : 0)));
  if (entry.origin) {
    writer.Bytes(entry.origin->site);
    writer.Id(entry.origin->id);
  }
  if (entry.deleted) WriteTime(writer, *entry.deleted);
  writer.Varint(entry.attributes.size());
  for (const Attribute& attribute : entry.attributes) WriteAttribute(writer, attribute);
  return row;
}

Result<> DecodeEntryInto(const EntryId& id, std::string_view row, Entry& entry) {
  RowReader reader(row);
  entry.id = id;
  bool whole = ReadHead(reader, entry);
  if (whole) {
    std::vector<Attribute> list = entry.attributes.Release();
    whole = ReadAttributes(reader, list);
    if (whole) entry.attributes = Attributes(std::move(list));
  }
  if (whole && reader.at_end()) return {};
  return Fail(ErrorCode::kCorrupt, "decode entry " + id.hex() + ": its row is damaged",
              "`dirsync doctor` lists what is damaged; restore from a backup, then resync");
}

Result<Entry> DecodeEntry(const EntryId& id, std::string_view row) {
  Entry entry;
  DIRSYNC_CHECK(DecodeEntryInto(id, row, entry));
  return entry;
}

}  // namespace dirsync
