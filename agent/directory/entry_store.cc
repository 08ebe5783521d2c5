#include "agent/directory/entry_store.h"

#include <algorithm>
#include <iterator>

#include "agent/directory/entry_record.h"
#include "agent/directory/index_rows.h"
#include "agent/directory/suggestion.h"
#include "proto/base/bytes.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/model/address.h"
#include "proto/model/attribute_table.h"
#include "storage/key.h"

namespace dirsync {
namespace {

using storage::ContainerKey;
using storage::EntryKey;
using storage::MetaKey;
using storage::TombstoneKey;
using storage::UsnKey;

constexpr std::string_view kUsnMeta = "usn";
constexpr std::string_view kPurgedMeta = "purged-usn";

// Name and address rows that an entry's change adds and removes.
struct IndexChange {
  std::vector<std::string> put;
  std::vector<std::string> drop;
};

bool SameAddresses(const Entry& a, const Entry& b) {
  if (a.entry_class != b.entry_class) return false;
  for (std::string_view name : {attribute::kProxyAddresses, attribute::kTargetAddress}) {
    const Attribute* of_a = a.attributes.Find(name);
    const Attribute* of_b = b.attributes.Find(name);
    if ((of_a == nullptr) != (of_b == nullptr)) return false;
    if (of_a != nullptr && of_a->values != of_b->values) return false;
  }
  return true;
}

// Either may be null: no rows.
Result<IndexChange> ChangeOfRows(const Entry* old, const Entry* fresh) {
  std::vector<std::string> before;
  std::vector<std::string> after;
  if (old == nullptr || fresh == nullptr || !SameAddresses(*old, *fresh)) {
    if (old != nullptr) {
      DIRSYNC_TRY(keys, AddressKeysOf(*old));
      before = std::move(keys);
    }
    if (fresh != nullptr) {
      DIRSYNC_TRY(keys, AddressKeysOf(*fresh));
      after = std::move(keys);
    }
  }
  const bool both = old != nullptr && fresh != nullptr;
  const bool same_name = both && old->parent == fresh->parent && old->name == fresh->name;
  // Keys of the name table sort behind those of the address table: both lists stay ascending.
  if (old != nullptr && !same_name) before.push_back(NameKeyOf(*old));
  if (fresh != nullptr && !same_name) after.push_back(NameKeyOf(*fresh));
  if (old == nullptr) return IndexChange{std::move(after), {}};
  IndexChange change;
  std::set_difference(after.begin(), after.end(), before.begin(), before.end(),
                      std::back_inserter(change.put));
  std::set_difference(before.begin(), before.end(), after.begin(), after.end(),
                      std::back_inserter(change.drop));
  return change;
}

// Cause why storage cannot hold `attribute`; empty if it can.
std::string_view Fault(const Attribute& attribute, std::size_t& bytes) {
  if (attribute.name.size() > limits::kAttributeNameBytes) return "attribute name too long";
  if (attribute.values.size() > limits::kValuesPerAttribute) return "too many values";
  for (const std::string& value : attribute.values) {
    if (value.size() > limits::kValueBytes) return "value too long";
    bytes += value.size();
  }
  return bytes > limits::kEntryBytes ? "all values together are too long" : std::string_view();
}

Result<> CheckSize(const Entry& entry) {
  const auto refuse = [&entry](ErrorCode code, std::string_view cause) {
    return Fail(code, "store \"" + Printable(entry.name, 80) + "\": " + std::string(cause));
  };
  if (entry.id.is_zero()) return refuse(ErrorCode::kInvalid, "its id is zero");
  if (TrimBlanks(entry.name).empty()) return refuse(ErrorCode::kInvalid, "its name is empty");
  if (entry.name.size() > limits::kNameBytes) return refuse(ErrorCode::kTooLarge, "name too long");
  if (entry.origin && entry.origin->site.size() > limits::kNameBytes)
    return refuse(ErrorCode::kTooLarge, "name of the origin site too long");
  if (entry.attributes.size() > limits::kAttributesPerEntry)
    return refuse(ErrorCode::kTooLarge, "too many attributes");
  std::size_t bytes = 0;
  std::string_view before;
  for (const Attribute& attribute : entry.attributes) {
    if (attribute.values.empty() || attribute.name <= before)
      return refuse(ErrorCode::kInvalid, "attributes without values or out of order");
    before = attribute.name;
    if (const std::string_view fault = Fault(attribute, bytes); !fault.empty())
      return refuse(ErrorCode::kTooLarge, attribute.name + ": " + std::string(fault));
  }
  return {};
}

bool IsContainer(const Entry& entry) { return entry.entry_class == EntryClass::kContainer; }

std::unexpected<Error> NoLiveEntry(std::string_view operation, const EntryId& id) {
  return Fail(ErrorCode::kNotFound,
              std::string(operation) + " entry " + id.hex() + ": no such entry lives");
}

}  // namespace

EntryStore::EntryStore(storage::Transaction& transaction, Instant now)
    : transaction_(transaction), now_(now), containers_(transaction) {}

Result<std::optional<Entry>> EntryStore::Get(const EntryId& id) const {
  DIRSYNC_TRY(row, transaction_.Get(EntryKey(id)));
  if (!row) return std::nullopt;
  DIRSYNC_TRY(entry, DecodeEntry(id, *row));
  return std::optional<Entry>(std::move(entry));
}

Result<std::optional<EntryId>> EntryStore::FindRow(const std::string& key,
                                                   std::string_view what) const {
  DIRSYNC_TRY(row, transaction_.Get(key));
  if (!row) return std::nullopt;
  DIRSYNC_TRY(id, ParseIdValue(what, *row));
  return std::optional<EntryId>(id);
}

Result<std::optional<EntryId>> EntryStore::FindChild(const EntryId& parent,
                                                     std::string_view name) const {
  return FindRow(storage::NameKey(parent, FoldName(name)), "name");
}

Result<std::optional<EntryId>> EntryStore::FindAddress(std::string_view address) const {
  const Result<Address> parsed = ParseAddress(address);
  if (!parsed) return std::nullopt;
  return FindRow(storage::AddressKey(parsed->Folded()), "address");
}

Result<bool> EntryStore::HasChildren(const EntryId& container) const {
  const auto [lower, upper] = storage::PrefixRange(storage::NameKey(container, {}));
  const auto cursor = transaction_.Scan(lower, upper);
  const bool found = cursor->Valid();
  DIRSYNC_CHECK(cursor->status());
  return found;
}

std::string EntryStore::PathText(const Entry& entry) const {
  const Result<Dn> dn = DnOf(Dn{}, entry);
  return dn ? Printable(dn->ToString()) : entry.id.hex();
}

Result<> EntryStore::CheckFree(const Entry& entry, const std::string& key,
                               std::string_view what) const {
  DIRSYNC_TRY(holder, FindRow(key, what));
  if (!holder || *holder == entry.id) return {};
  DIRSYNC_TRY(other, Get(*holder));
  const std::string taken =
      what == "name" ? "its name" : Printable(std::string_view(key).substr(1));
  return Fail(ErrorCode::kExists, "store " + PathText(entry) + ": " + taken + " is taken by " +
                                      (other ? PathText(*other) : holder->hex()));
}

// The parent lives, and the nesting stays within its bound.
Result<> EntryStore::CheckPlace(const Entry& entry) const {
  DIRSYNC_TRY(live, containers_.IsLive(entry.parent));
  if (!live) {
    return Fail(ErrorCode::kNotFound, "store \"" + Printable(entry.name) + "\": its container " +
                                          entry.parent.hex() + " does not live here");
  }
  if (!IsContainer(entry)) return {};
  DIRSYNC_TRY(depth, containers_.DepthOf(entry.parent));
  DIRSYNC_TRY(height, containers_.HeightOf(entry.id));
  if (depth + height <= limits::kContainerDepth) return {};
  return Fail(ErrorCode::kTooLarge, "store " + PathText(entry) +
                                        ": containers nested deeper than " +
                                        std::to_string(limits::kContainerDepth));
}

Result<> EntryStore::CheckMove(const Entry& old, const Entry& entry) const {
  if (IsContainer(old) && !IsContainer(entry)) {
    DIRSYNC_TRY(full, HasChildren(entry.id));
    if (full)
      return Fail(ErrorCode::kNotEmpty, "change class of " + PathText(old) + ": it has entries");
  }
  if (old.parent == entry.parent && old.entry_class == entry.entry_class) return {};
  if (IsContainer(old)) {
    DIRSYNC_TRY(inside, containers_.IsWithin(entry.parent, entry.id));
    if (inside)
      return Fail(ErrorCode::kInvalid, "move " + PathText(old) + ": the target is below itself");
  }
  return CheckPlace(entry);
}

// Everything is checked before the first row is written, so that an error leaves nothing behind.
Result<> EntryStore::Replace(const Entry* old, Entry& entry) {
  DIRSYNC_CHECK(CheckSize(entry));
  DIRSYNC_CHECK(old == nullptr ? CheckPlace(entry) : CheckMove(*old, entry));
  DIRSYNC_TRY(change, ChangeOfRows(old, &entry));
  for (const std::string& key : change.put) {
    const bool is_name = key.front() == static_cast<char>(storage::Table::kName);
    DIRSYNC_CHECK(CheckFree(entry, key, is_name ? "name" : "address"));
  }
  DIRSYNC_TRY(usn, DrawUsn());
  if (old != nullptr) transaction_.Delete(UsnKey(old->usn_changed));
  for (const std::string& key : change.drop) transaction_.Delete(key);
  for (std::string& key : change.put) transaction_.Put(std::move(key), IdValue(entry.id));
  const bool was_container = old != nullptr && IsContainer(*old);
  const bool moved = old == nullptr || old->parent != entry.parent;
  if (was_container && (moved || !IsContainer(entry)))
    transaction_.Delete(ContainerKey(old->parent, entry.id));
  if (IsContainer(entry) && (moved || !was_container))
    transaction_.Put(ContainerKey(entry.parent, entry.id), {});
  if (was_container || IsContainer(entry)) containers_.Forget(entry.id);
  entry.usn_created = old == nullptr ? usn : old->usn_created;
  entry.usn_changed = usn;
  entry.created = old == nullptr ? now_ : old->created;
  entry.changed = now_;
  entry.deleted.reset();
  PutEntry(entry);
  return {};
}

void EntryStore::PutEntry(const Entry& entry) {
  transaction_.Put(UsnKey(entry.usn_changed), IdValue(entry.id));
  transaction_.Put(EntryKey(entry.id), EncodeEntry(entry));
}

Result<> EntryStore::Insert(Entry& entry) {
  DIRSYNC_TRY(old, Get(entry.id));
  if (old && !old->is_deleted()) {
    return Fail(ErrorCode::kExists, "store \"" + Printable(entry.name) + "\": its id " +
                                        entry.id.hex() + " is in use by " + PathText(*old));
  }
  DIRSYNC_CHECK(Replace(nullptr, entry));
  if (!old) return {};
  transaction_.Delete(UsnKey(old->usn_changed));
  transaction_.Delete(TombstoneKey(ToMillis(*old->deleted), entry.id));
  containers_.Forget(entry.id);
  return {};
}

Result<> EntryStore::Update(Entry& entry) {
  DIRSYNC_TRY(old, Get(entry.id));
  if (!old || old->is_deleted()) return NoLiveEntry("change", entry.id);
  return Replace(&*old, entry);
}

Result<> EntryStore::Bury(const EntryId& id) {
  DIRSYNC_TRY(entry, Get(id));
  if (!entry || entry->is_deleted()) return NoLiveEntry("delete", id);
  if (IsContainer(*entry)) {
    DIRSYNC_TRY(full, HasChildren(id));
    if (full) {
      return Fail(ErrorCode::kNotEmpty, "delete " + PathText(*entry) + ": it has entries",
                  "delete or move its entries first");
    }
  }
  DIRSYNC_TRY(change, ChangeOfRows(&*entry, nullptr));
  DIRSYNC_TRY(usn, DrawUsn());
  for (const std::string& key : change.drop) transaction_.Delete(key);
  if (IsContainer(*entry)) {
    transaction_.Delete(ContainerKey(entry->parent, id));
    containers_.Forget(id);
  }
  transaction_.Delete(UsnKey(entry->usn_changed));
  entry->usn_changed = usn;
  entry->deleted = now_;
  transaction_.Put(TombstoneKey(ToMillis(now_), id), {});
  PutEntry(*entry);
  return {};
}

Result<std::size_t> EntryStore::Purge(Instant until) {
  DIRSYNC_TRY(purged_before, MaxPurgedUsn());
  Usn purged = purged_before;
  const std::string lower = storage::TableRange(storage::Table::kTombstone).first;
  const auto cursor = transaction_.Scan(lower, TombstoneKey(ToMillis(until), EntryId{}));
  std::size_t rows = 0;
  for (; cursor->Valid() && rows < limits::kStepRows; cursor->Next(), ++rows) {
    const EntryId id = IdAtEnd(cursor->Key());
    DIRSYNC_TRY(entry, Get(id));
    // A row that belongs to no tombstone any more must not cost a live entry.
    if (entry && entry->deleted && TombstoneKey(ToMillis(*entry->deleted), id) == cursor->Key()) {
      purged = std::max(purged, entry->usn_changed);
      transaction_.Delete(UsnKey(entry->usn_changed));
      transaction_.Delete(EntryKey(id));
      containers_.Forget(id);
    }
    transaction_.Delete(std::string(cursor->Key()));
  }
  DIRSYNC_CHECK(cursor->status());
  if (purged != purged_before) {
    std::string value;
    RowWriter(value).U64Big(purged);
    transaction_.Put(MetaKey(kPurgedMeta), std::move(value));
  }
  return rows;
}

Result<Usn> EntryStore::ReadUsn(std::string_view meta) const {
  DIRSYNC_TRY(row, transaction_.Get(MetaKey(meta)));
  if (!row) return Usn{0};
  RowReader reader(*row);
  const Usn usn = reader.U64Big();
  if (reader.ok() && reader.at_end()) return usn;
  return Fail(ErrorCode::kCorrupt, "read meta row " + std::string(meta) + ": it is no USN",
              "restore from a backup, then resync");
}

Result<Usn> EntryStore::MaxPurgedUsn() const { return ReadUsn(kPurgedMeta); }
Result<Usn> EntryStore::LastUsn() const { return ReadUsn(kUsnMeta); }

// Read each time: another store on this transaction may have drawn one meanwhile, and a USN that
// is given twice hides a change from every capture.
Result<Usn> EntryStore::DrawUsn() {
  DIRSYNC_TRY(last, LastUsn());
  std::string value;
  RowWriter(value).U64Big(last + 1);
  transaction_.Put(MetaKey(kUsnMeta), std::move(value));
  return last + 1;
}

Result<Dn> EntryStore::DnOf(const Dn& basepoint, const Entry& entry) const {
  DIRSYNC_TRY(names, containers_.PathOf(entry.parent));
  Dn dn = basepoint;
  dn.parts.reserve(dn.parts.size() + names.size() + 1);
  for (std::string& name : names) dn.parts.push_back({"cn", std::move(name)});
  dn.parts.push_back({"cn", entry.name});
  return dn;
}

Result<EntryId> EntryStore::ContainerAt(const Dn& basepoint, const Dn& dn) const {
  const auto missing = [&dn](std::string hint) {
    return Fail(ErrorCode::kNotFound,
                "find container " + Printable(dn.ToString()) + ": there is none", std::move(hint));
  };
  if (!dn.IsWithin(basepoint)) return missing("name one below " + Printable(basepoint.ToString()));
  EntryId at{};
  for (std::size_t i = basepoint.parts.size(); i < dn.parts.size(); ++i) {
    const Rdn& part = dn.parts[i];
    DIRSYNC_TRY(found, FindChild(at, part.value));
    DIRSYNC_TRY(live, found ? containers_.IsLive(*found) : Result<bool>(false));
    if (!live || !EqualsIgnoreCase(part.type, "cn")) {
      Suggestion suggestion(transaction_, FoldName(part.value));
      DIRSYNC_CHECK(suggestion.LookAtNames(at));
      DIRSYNC_TRY(hint, suggestion.Hint());
      return missing(std::move(hint));
    }
    at = *found;
  }
  return at;
}

Result<bool> EntryStore::IsWithin(const EntryId& container, const EntryId& ancestor) const {
  return containers_.IsWithin(container, ancestor);
}

}  // namespace dirsync
