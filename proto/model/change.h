// What one stream tells of one entry.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/ids.h"
#include "proto/model/entry.h"

namespace dirsync {

enum class ChangeKind : std::uint8_t {
  kAdd = 1,     // the whole entry; an upsert at the reader
  kModify = 2,  // only what differs
  kRename = 3,  // new parent or name, and what differs
  kDelete = 4,  // gone, or out of scope
};
std::string_view ChangeKindName(ChangeKind kind);  // "add" …

enum class AttributeOperation : std::uint8_t {
  kSet = 1,     // these values replace all; no values = clear
  kAdd = 2,     // these values besides those held
  kRemove = 3,  // these values no longer
};

// What a change says of one attribute.
struct AttributeChange {
  std::string name;
  AttributeOperation operation = AttributeOperation::kSet;
  std::vector<std::string> values;
  auto operator<=>(const AttributeChange&) const = default;
};

struct Change {
  ChangeKind kind = ChangeKind::kAdd;
  // A kind that this version does not know: its number; then `kind` means nothing and the change
  // is quarantined as UNKNOWN_CHANGE. 0 = known.
  std::uint32_t unknown_kind = 0;
  EntryId id;  // the producer's
  EntryClass entry_class = EntryClass::kMailbox;
  EntryId parent;    // the producer's id of a told container; zero = top of the stream's scope
  std::string name;  // RDN value; in kDelete and kModify as last told
  std::string dn;    // producer's full DN, for people and old readers; not compared
  // Source's primary address of the link's type, "TYPE:address"; empty for containers and deletes.
  std::string target_address;
  std::vector<AttributeChange> attributes;  // ascending by name; kAdd: all kSet
  bool wanted = false;  // sent whole because a reader asked (WANT); applied as an upsert
  std::string old_dn;  // kRename: full DN before, for old readers; empty if not known; not compared
  auto operator<=>(const Change&) const = default;
};

// One attribute of the told state: its 8-byte hash under the epoch's key, values taken as a set.
struct AttributeHash {
  std::string name;
  std::uint64_t hash = 0;
  auto operator<=>(const AttributeHash&) const = default;
};
std::uint64_t HashValues(const HashKey& key, std::string_view name,
                         const std::vector<std::string>& values);

// What producer and reader both remember of a told entry; equal rows have equal sums (R24).
struct ToldState {
  EntryClass entry_class = EntryClass::kMailbox;
  EntryId parent;
  std::uint64_t name_hash = 0;            // of the RDN value under the epoch's key
  std::uint64_t target_hash = 0;          // of the target address
  std::vector<AttributeHash> attributes;  // ascending by name
  auto operator<=>(const ToldState&) const = default;
};
RowSum SumOf(const HashKey& key, const EntryId& id, const ToldState& state);

}  // namespace dirsync
