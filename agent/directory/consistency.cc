#include "agent/directory/consistency.h"

#include <optional>

#include "agent/directory/container_tree.h"
#include "agent/directory/entry_record.h"
#include "agent/directory/index_rows.h"
#include "proto/base/bytes.h"
#include "proto/base/text.h"
#include "storage/key.h"

namespace dirsync {
namespace {

using storage::Table;

constexpr std::size_t kIdBytes = sizeof(EntryId::bytes);

// Bytes of a key of `table` without its text.
std::size_t KeyBytes(Table table) {
  switch (table) {
    case Table::kEntry:
    case Table::kName:
      return 1 + kIdBytes;
    case Table::kUsn:
      return 1 + 8;
    case Table::kContainer:
      return 1 + 2 * kIdBytes;
    case Table::kTombstone:
      return 1 + 8 + kIdBytes;
    default:
      return 1;
  }
}

class Check {
 public:
  Check(const storage::ReadView& view, std::size_t problems_max)
      : view_(view), containers_(view), problems_max_(problems_max) {}

  Result<std::vector<std::string>> Run() {
    DIRSYNC_CHECK(ReadCounters());
    for (Table table : {Table::kEntry, Table::kName, Table::kAddress, Table::kUsn,
                        Table::kContainer, Table::kTombstone}) {
      const auto [lower, upper] = storage::TableRange(table);
      const auto cursor = view_.Scan(lower, upper);
      for (; cursor->Valid() && !full(); cursor->Next())
        DIRSYNC_CHECK(CheckRow(table, cursor->Key(), cursor->Value()));
      DIRSYNC_CHECK(cursor->status());
    }
    return std::move(problems_);
  }

 private:
  bool full() const { return problems_.size() >= problems_max_; }
  void Report(std::string problem) {
    if (!full()) problems_.push_back(std::move(problem));
  }

  Result<> ReadCounters() {
    DIRSYNC_TRY(last, view_.Get(storage::MetaKey("usn")));
    DIRSYNC_TRY(purged, view_.Get(storage::MetaKey("purged-usn")));
    for (const auto* row : {&last, &purged})
      if (*row && (*row)->size() != 8) Report("a USN counter is damaged");
    if (last) last_usn_ = RowReader(*last).U64Big();
    if (purged && RowReader(*purged).U64Big() > last_usn_)
      Report("more USNs were purged than drawn");
    return {};
  }

  Result<> CheckRow(Table table, std::string_view key, std::string_view value) {
    const bool has_text = table == Table::kName || table == Table::kAddress;
    const std::size_t bytes = KeyBytes(table);
    if (has_text ? key.size() <= bytes : key.size() != bytes) {
      Report("key " + ToHex(key) + " has a wrong length");
      return {};
    }
    if (table == Table::kEntry) return CheckEntry(IdAtEnd(key), value);
    return CheckIndexRow(table, key, value);
  }

  // Every row that the entry needs is there and points to it.
  Result<> CheckEntry(const EntryId& id, std::string_view row) {
    if (!DecodeEntryInto(id, row, entry_)) {
      Report("entry " + id.hex() + " is damaged");
      return {};
    }
    const std::string value = IdValue(id);
    if (entry_.usn_changed > last_usn_ || entry_.usn_created > entry_.usn_changed)
      Report(Text(entry_) + ": its USNs were never drawn or are out of order");
    DIRSYNC_CHECK(Expect(storage::UsnKey(entry_.usn_changed), value, "USN"));
    if (entry_.deleted) {
      const std::string key = storage::TombstoneKey(ToMillis(*entry_.deleted), id);
      return Expect(key, {}, "tombstone");
    }
    DIRSYNC_CHECK(Expect(NameKeyOf(entry_), value, "name"));
    const auto addresses = AddressKeysOf(entry_);
    if (!addresses) Report(Text(entry_) + ": " + addresses.error().message);
    if (addresses)
      for (const std::string& key : *addresses) DIRSYNC_CHECK(Expect(key, value, "address"));
    if (entry_.entry_class == EntryClass::kContainer)
      DIRSYNC_CHECK(Expect(storage::ContainerKey(entry_.parent, id), {}, "container"));
    return CheckParent();
  }

  Result<> CheckParent() {
    DIRSYNC_TRY(live, Known(containers_.IsLive(entry_.parent)));
    if (live && !*live) Report(Text(entry_) + ": its container does not live");
    DIRSYNC_TRY(path, Known(containers_.PathOf(entry_.parent)));
    if (live && *live && !path) Report(Text(entry_) + ": its containers do not lead to the top");
    return {};
  }

  // Damage that the tree met is a problem found, not a failure of the check.
  template <class T>
  Result<std::optional<T>> Known(Result<T> result) {
    if (result) return std::optional<T>(std::move(*result));
    const ErrorCode code = result.error().code;
    if (code == ErrorCode::kCorrupt || code == ErrorCode::kNotFound) return std::nullopt;
    return std::unexpected(std::move(result).error());
  }

  Result<> Expect(const std::string& key, std::string_view value, std::string_view what) {
    DIRSYNC_TRY(row, view_.Get(key));
    if (!row) {
      Report(Text(entry_) + ": it has no " + std::string(what) + " row");
    } else if (*row != value) {
      Report(Text(entry_) + ": its " + std::string(what) + " row stands for another entry");
    }
    return {};
  }

  // The row's entry is there and needs it.
  Result<> CheckIndexRow(Table table, std::string_view key, std::string_view value) {
    const bool id_in_key = table == Table::kContainer || table == Table::kTombstone;
    if (id_in_key ? !value.empty() : value.size() != kIdBytes) {
      Report("row " + ToHex(key) + " has a damaged value");
      return {};
    }
    const EntryId id = id_in_key ? IdAtEnd(key) : *EntryId::FromBytes(value);
    DIRSYNC_TRY(row, view_.Get(storage::EntryKey(id)));
    if (!row) {
      Report("row " + ToHex(key) + " stands for entry " + id.hex() + ", which is not there");
      return {};
    }
    if (!DecodeEntryInto(id, *row, entry_)) return {};  // reported with the entry itself
    if (!IsNeeded(table, key)) Report(Text(entry_) + ": row " + ToHex(key) + " is not its own");
    return {};
  }

  bool IsNeeded(Table table, std::string_view key) const {
    switch (table) {
      case Table::kUsn:
        return key == storage::UsnKey(entry_.usn_changed);
      case Table::kTombstone:
        return entry_.deleted && key == storage::TombstoneKey(ToMillis(*entry_.deleted), entry_.id);
      case Table::kName:
        return !entry_.deleted && key == NameKeyOf(entry_);
      case Table::kContainer:
        return !entry_.deleted && entry_.entry_class == EntryClass::kContainer &&
               key == storage::ContainerKey(entry_.parent, entry_.id);
      default:
        break;
    }
    const auto addresses = AddressKeysOf(entry_);
    if (entry_.deleted || !addresses) return false;
    for (const std::string& address : *addresses)
      if (address == key) return true;
    return false;
  }

  static std::string Text(const Entry& entry) {
    return "entry " + entry.id.hex() + " \"" + Printable(entry.name, 80) + "\"";
  }

  const storage::ReadView& view_;
  ContainerTree containers_;
  std::size_t problems_max_;
  std::vector<std::string> problems_;
  Usn last_usn_ = 0;
  Entry entry_;
};

}  // namespace

Result<std::vector<std::string>> CheckConsistency(const storage::ReadView& view,
                                                  std::size_t problems_max) {
  return Check(view, problems_max).Run();
}

}  // namespace dirsync
