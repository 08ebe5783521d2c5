#include "agent/core/told.h"

#include <algorithm>
#include <utility>

#include "agent/directory/attribute_number.h"
#include "proto/base/bytes.h"
#include "proto/base/crypto.h"
#include "proto/base/limits.h"

namespace dirsync {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::size_t kStampAt = 1;  // version and time stand behind the format byte
constexpr std::uint64_t kNamed = 0;  // in place of an attribute's number: its name follows

void AppendStamp(const Version& version, Instant time, std::string& out) {
  RowWriter writer(out);
  writer.U64Big(version.epoch_counter);
  writer.U64Big(version.sequence);
  writer.U64Big(static_cast<std::uint64_t>(ToMillis(time)));
}

void AppendAttribute(const AttributeHash& attribute, RowWriter& writer) {
  const std::uint8_t number = AttributeNumber(attribute.name);
  writer.Varint(number);
  if (number == kNamed) writer.Bytes(attribute.name);
  writer.U64Big(attribute.hash);
}

// False: no such number.
bool TakeAttribute(RowReader& reader, AttributeHash& attribute) {
  const std::uint64_t number = reader.Varint();
  const std::string_view name = number == kNamed ? reader.Bytes() : AttributeOfNumber(number);
  attribute.name.assign(name);
  attribute.hash = reader.U64Big();
  return !name.empty() && name.size() <= limits::kAttributeNameBytes;
}

bool TakeAttributes(RowReader& reader, std::vector<AttributeHash>& attributes) {
  const std::uint64_t count = reader.Varint();
  if (count > limits::kAttributesPerEntry) return false;
  attributes.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (!TakeAttribute(reader, attributes[i])) return false;
    if (i > 0 && attributes[i].name <= attributes[i - 1].name) return false;
  }
  return true;
}

bool IsClass(EntryClass entry_class) {
  return entry_class >= EntryClass::kContainer && entry_class <= EntryClass::kDistributionList;
}

std::uint64_t HashTarget(const HashKey& key, std::string_view target) {
  return target.empty() ? 0 : ShortHash(key, target);
}

std::unexpected<Error> NotAState(const Change& change, std::string_view cause) {
  return Fail(ErrorCode::kInvalid, "take change of entry " + change.id.hex() + " (" +
                                       std::string(ChangeKindName(change.kind)) +
                                       "): " + std::string(cause));
}

void SetHash(std::vector<AttributeHash>& attributes, const std::string& name, std::uint64_t hash) {
  const auto at = std::lower_bound(
      attributes.begin(), attributes.end(), name,
      [](const AttributeHash& held, const std::string& wanted) { return held.name < wanted; });
  if (at != attributes.end() && at->name == name) {
    at->hash = hash;
  } else {
    attributes.insert(at, {name, hash});
  }
}

void EraseHash(std::vector<AttributeHash>& attributes, const std::string& name) {
  std::erase_if(attributes, [&name](const AttributeHash& held) { return held.name == name; });
}

// What `after` sets and what only `before` had, side by side by name.
std::vector<AttributeChange> ChangedAttributes(const ToldState& before, const ToldState& after,
                                               const Change& whole) {
  std::vector<AttributeChange> changes;
  auto held = before.attributes.begin();
  auto value = whole.attributes.begin();
  const auto clear_below = [&](std::string_view name, bool all) {
    for (; held != before.attributes.end() && (all || held->name < name); ++held)
      changes.push_back({held->name, AttributeOperation::kSet, {}});
  };
  for (const AttributeHash& now : after.attributes) {
    clear_below(now.name, false);
    while (value->name != now.name) ++value;
    const bool was_held = held != before.attributes.end() && held->name == now.name;
    if (!was_held || held->hash != now.hash)
      changes.push_back({now.name, AttributeOperation::kSet, value->values});
    if (was_held) ++held;
  }
  clear_below({}, true);
  return changes;
}

}  // namespace

std::string EncodeTold(const ToldRow& row) {
  std::string out;
  out.reserve(80 + row.name.size() + row.state.attributes.size() * 10);
  RowWriter writer(out);
  writer.U8(kFormat);
  AppendStamp(row.version, row.time, out);
  writer.U8(static_cast<std::uint8_t>(row.state.entry_class));
  writer.Id(row.state.parent);
  if (row.state.parent.is_zero()) writer.Id(row.container);
  writer.Bytes(row.name);
  writer.U64Big(row.state.name_hash);
  writer.U64Big(row.state.target_hash);
  writer.Varint(row.state.attributes.size());
  for (const AttributeHash& attribute : row.state.attributes) AppendAttribute(attribute, writer);
  return out;
}

Result<> DecodeToldInto(std::string_view value, ToldRow& row) {
  RowReader reader(value);
  const std::uint8_t format = reader.U8();
  row.version.epoch_counter = reader.U64Big();
  row.version.sequence = reader.U64Big();
  row.time = FromMillis(static_cast<std::int64_t>(reader.U64Big()));
  row.state.entry_class = static_cast<EntryClass>(reader.U8());
  row.state.parent = reader.Id<EntryId>();
  row.container = row.state.parent.is_zero() ? reader.Id<EntryId>() : row.state.parent;
  row.name.assign(reader.Bytes());
  row.state.name_hash = reader.U64Big();
  row.state.target_hash = reader.U64Big();
  const bool whole = TakeAttributes(reader, row.state.attributes);
  if (format == kFormat && whole && reader.ok() && reader.at_end() &&
      IsClass(row.state.entry_class))
    return {};
  return Fail(ErrorCode::kCorrupt, "read told row: damaged or of an unknown format");
}

Result<ToldRow> DecodeTold(std::string_view value) {
  ToldRow row;
  DIRSYNC_CHECK(DecodeToldInto(value, row));
  return row;
}

void StampTold(const Version& version, Instant time, std::string& value) {
  std::string stamp;
  AppendStamp(version, time, stamp);
  value.replace(kStampAt, stamp.size(), stamp);
}

void StateInto(const HashKey& key, const Change& whole, ToldState& state) {
  state.entry_class = whole.entry_class;
  state.parent = whole.parent;
  state.name_hash = ShortHash(key, whole.name);
  state.target_hash = HashTarget(key, whole.target_address);
  std::size_t used = 0;
  for (const AttributeChange& attribute : whole.attributes) {
    if (attribute.values.empty()) continue;
    if (used == state.attributes.size()) state.attributes.emplace_back();
    AttributeHash& hash = state.attributes[used++];
    hash.name = attribute.name;
    hash.hash = HashValues(key, attribute.name, attribute.values);
  }
  state.attributes.resize(used);
}

ToldState StateOf(const HashKey& key, const Change& whole) {
  ToldState state;
  state.attributes.reserve(whole.attributes.size());
  StateInto(key, whole, state);
  return state;
}

bool IsStateOf(const HashKey& key, const Change& whole, const ToldState& state) {
  if (whole.entry_class != state.entry_class || whole.parent != state.parent) return false;
  if (ShortHash(key, whole.name) != state.name_hash) return false;
  if (HashTarget(key, whole.target_address) != state.target_hash) return false;
  std::size_t used = 0;
  for (const AttributeChange& attribute : whole.attributes) {
    if (attribute.values.empty()) continue;
    if (used == state.attributes.size()) return false;
    const AttributeHash& held = state.attributes[used++];
    if (held.name != attribute.name) return false;
    if (held.hash != HashValues(key, attribute.name, attribute.values)) return false;
  }
  return used == state.attributes.size();
}

std::optional<Change> Difference(const ToldState& before, const ToldState& after,
                                 const Change& whole) {
  if (before == after) return std::nullopt;
  if (before.entry_class != after.entry_class) return whole;
  const bool moved = before.parent != after.parent || before.name_hash != after.name_hash;
  Change change;
  change.kind = moved ? ChangeKind::kRename : ChangeKind::kModify;
  change.id = whole.id;
  change.entry_class = whole.entry_class;
  change.parent = whole.parent;
  change.name = whole.name;
  change.dn = whole.dn;
  change.target_address = whole.target_address;
  change.attributes = ChangedAttributes(before, after, whole);
  return change;
}

Result<ToldState> StateAfter(const HashKey& key, const ToldState& before, const Change& change) {
  if (change.unknown_kind != 0) return NotAState(change, "of a kind this version does not know");
  if (change.kind == ChangeKind::kDelete) return NotAState(change, "a delete leaves no state");
  for (const AttributeChange& attribute : change.attributes)
    if (attribute.operation != AttributeOperation::kSet)
      return NotAState(change, attribute.name + ": single values, without the whole list");
  if (change.kind == ChangeKind::kAdd) return StateOf(key, change);
  ToldState after = before;
  after.entry_class = change.entry_class;
  if (change.kind == ChangeKind::kRename) {
    after.parent = change.parent;
    after.name_hash = ShortHash(key, change.name);
  }
  if (!change.target_address.empty()) after.target_hash = HashTarget(key, change.target_address);
  for (const AttributeChange& attribute : change.attributes) {
    if (attribute.values.empty()) {
      EraseHash(after.attributes, attribute.name);
    } else {
      SetHash(after.attributes, attribute.name, HashValues(key, attribute.name, attribute.values));
    }
  }
  return after;
}

}  // namespace dirsync
