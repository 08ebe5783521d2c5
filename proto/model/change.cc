#include "proto/model/change.h"

#include <algorithm>
#include <array>

#include "proto/base/bytes.h"
#include "proto/base/crypto.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/model/attribute_table.h"

namespace dirsync {
namespace {

// Odd, so that multiplying loses nothing: a primary address weighs otherwise than a further one.
constexpr std::uint64_t kPrimaryFactor = 0x9E3779B97F4A7C15;

constexpr std::size_t kHashHeadBytes = 16;  // number of values, sum of their hashes

std::string_view TypeOf(std::string_view address) { return address.substr(0, address.find(':')); }

// Whether no value before `index` is an address of the same type.
bool IsPrimary(const std::vector<std::string>& values, std::size_t index) {
  const std::string_view type = TypeOf(values[index]);
  for (std::size_t i = 0; i < index; ++i)
    if (EqualsIgnoreCase(TypeOf(values[i]), type)) return false;
  return true;
}

std::uint64_t SumOfAddresses(const HashKey& key, const std::vector<std::string>& values) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint64_t hash = ShortHash(key, values[i]);
    sum += IsPrimary(values, i) ? hash * kPrimaryFactor : hash;
  }
  return sum;
}

void PutLittleEndian(std::uint64_t v, char* out) {
  for (int i = 0; i < 8; ++i, v >>= 8) out[i] = static_cast<char>(v & 0xFF);
}

}  // namespace

std::string_view ChangeKindName(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kAdd:
      return "add";
    case ChangeKind::kModify:
      return "modify";
    case ChangeKind::kRename:
      return "rename";
    case ChangeKind::kDelete:
      return "delete";
  }
  return "unknown";
}

std::uint64_t HashValues(const HashKey& key, std::string_view name,
                         const std::vector<std::string>& values) {
  std::uint64_t sum = 0;
  if (name == attribute::kProxyAddresses) {
    sum = SumOfAddresses(key, values);
  } else {
    for (const std::string& value : values) sum += ShortHash(key, value);
  }
  std::array<char, kHashHeadBytes + limits::kAttributeNameBytes> row;
  PutLittleEndian(values.size(), row.data());
  PutLittleEndian(sum, row.data() + 8);
  if (name.size() <= limits::kAttributeNameBytes) {
    std::copy(name.begin(), name.end(), row.begin() + kHashHeadBytes);
    return ShortHash(key, {row.data(), kHashHeadBytes + name.size()});
  }
  // No valid name is that long; it must not read beyond the row all the same.
  std::string long_row(row.data(), kHashHeadBytes);
  long_row += name;
  return ShortHash(key, long_row);
}

RowSum SumOf(const HashKey& key, const EntryId& id, const ToldState& state) {
  std::string row;
  row.reserve(64 + state.attributes.size() * 32);
  RowWriter writer(row);
  writer.Id(id);
  writer.U8(static_cast<std::uint8_t>(state.entry_class));
  writer.Id(state.parent);
  writer.U64Big(state.name_hash);
  writer.U64Big(state.target_hash);
  writer.Varint(state.attributes.size());
  for (const AttributeHash& attribute : state.attributes) {
    writer.Bytes(attribute.name);
    writer.U64Big(attribute.hash);
  }
  return LongHash(key, row);
}

}  // namespace dirsync
