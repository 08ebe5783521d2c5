// The part of Directory that finds entries.
#include "agent/directory/directory.h"
#include "agent/directory/entry_record.h"
#include "agent/directory/index_rows.h"
#include "agent/directory/suggestion.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/model/address.h"
#include "storage/key.h"

namespace dirsync {
namespace {

constexpr std::string_view kRecipients = "Recipients";
constexpr std::size_t kNamedMax = 20;  // of entries in one message

}  // namespace

Result<std::string> Directory::DnOf(const Entry& entry) const {
  DIRSYNC_TRY(dn, entries_.DnOf(basepoint_, entry));
  return dn.ToString();
}

Result<Entry> Directory::Live(const EntryId& id) const {
  DIRSYNC_TRY(entry, entries_.Get(id));
  if (entry && !entry->is_deleted()) return std::move(*entry);
  return Fail(ErrorCode::kNotFound, "find entry " + id.hex() + ": no such entry lives");
}

Result<Entry> Directory::ResolveDn(std::string_view text) const {
  DIRSYNC_TRY(dn, RebaseDn(basepoint_, {}, text));
  const bool ours = dn.IsWithin(basepoint_);
  if (!ours || dn.parts.size() == basepoint_.parts.size()) {
    return Fail(
        ErrorCode::kNotFound,
        "find " + Printable(text) + ": " + (ours ? "it is the site itself" : "not in this site"),
        "name one below " + Printable(basepoint_.ToString()));
  }
  const Rdn& last = dn.parts.back();
  DIRSYNC_TRY(parent, entries_.ContainerAt(basepoint_, dn.Parent()));
  DIRSYNC_TRY(id, entries_.FindChild(parent, last.value));
  if (id && last.type == "cn") return Live(*id);
  Suggestion suggestion(transaction_, FoldName(last.value));
  DIRSYNC_CHECK(suggestion.LookAtNames(parent));
  DIRSYNC_TRY(hint, suggestion.Hint());
  return Fail(ErrorCode::kNotFound, "find " + Printable(text) + ": there is none", hint);
}

std::unexpected<Error> Directory::Ambiguous(std::string_view name,
                                            const std::vector<EntryId>& ids) const {
  std::vector<std::string> shown;
  for (const EntryId& id : ids) {
    if (shown.size() == kNamedMax) break;
    const Result<Entry> entry = Live(id);
    const auto dn = entry ? DnOf(*entry) : Result<std::string>(std::unexpected(entry.error()));
    shown.push_back(dn ? Printable(*dn) : id.hex());
  }
  std::string names = Join(shown, ", ");
  if (ids.size() > shown.size())
    names += " and " + std::to_string(ids.size() - shown.size()) + " more";
  return Fail(ErrorCode::kInvalid, "find \"" + Printable(name) + "\": it could be " + names,
              "name it by its DN");
}

// One look-up per container: names are unique within one only.
Result<std::optional<EntryId>> Directory::FindName(std::string_view name) const {
  DIRSYNC_TRY(recipients, entries_.FindChild(EntryId{}, kRecipients));
  if (recipients) {
    DIRSYNC_TRY(first, entries_.FindChild(*recipients, name));
    if (first) return first;
  }
  std::vector<EntryId> found;
  DIRSYNC_TRY(top, entries_.FindChild(EntryId{}, name));
  if (top) found.push_back(*top);
  const auto [lower, upper] = storage::TableRange(storage::Table::kContainer);
  const auto cursor = transaction_.Scan(lower, upper);
  for (std::size_t containers = 0; cursor->Valid(); cursor->Next(), ++containers) {
    if (containers == limits::kContainers) {
      return Fail(ErrorCode::kTooLarge,
                  "find \"" + Printable(name) + "\": too many containers to look in",
                  "name it by its DN");
    }
    DIRSYNC_TRY(child, entries_.FindChild(IdAtEnd(cursor->Key()), name));
    if (child) found.push_back(*child);
  }
  DIRSYNC_CHECK(cursor->status());
  if (found.size() > 1) return Ambiguous(name, found);
  return found.empty() ? std::nullopt : std::optional<EntryId>(found.front());
}

// What to say when nothing was found; a damaged index is another error.
Error Directory::Unknown(std::string_view text) const {
  Suggestion suggestion(transaction_, FoldName(text));
  const auto look = [&]() -> Result<std::string> {
    if (const Result<Address> address = ParseAddress(text)) {
      DIRSYNC_CHECK(suggestion.LookAtAddresses(address->Folded()));
      return suggestion.Hint();
    }
    DIRSYNC_TRY(recipients, entries_.FindChild(EntryId{}, kRecipients));
    if (recipients) DIRSYNC_CHECK(suggestion.LookAtNames(*recipients));
    DIRSYNC_CHECK(suggestion.LookAtNames(EntryId{}));
    const auto [lower, upper] = storage::TableRange(storage::Table::kContainer);
    const auto cursor = transaction_.Scan(lower, upper);
    for (; cursor->Valid() && !suggestion.exhausted(); cursor->Next()) {
      const EntryId id = IdAtEnd(cursor->Key());
      if (id != recipients) DIRSYNC_CHECK(suggestion.LookAtNames(id));
    }
    DIRSYNC_CHECK(cursor->status());
    return suggestion.Hint();
  };
  Result<std::string> hint = look();
  if (!hint) return std::move(hint).error();
  return Error{ErrorCode::kNotFound, "find \"" + Printable(text) + "\": there is none",
               std::move(*hint)};
}

Result<Entry> Directory::Resolve(std::string_view text) const {
  if (text.starts_with('/')) return ResolveDn(text);
  if (const auto id = EntryId::FromHex(text)) {
    DIRSYNC_TRY(entry, entries_.Get(*id));
    if (entry && !entry->is_deleted()) return std::move(*entry);
  }
  DIRSYNC_TRY(by_address, entries_.FindAddress(text));
  if (by_address) return Live(*by_address);
  DIRSYNC_TRY(by_name, FindName(text));
  if (by_name) return Live(*by_name);
  return std::unexpected(Unknown(text));
}

Result<> Directory::List(const EntryId& container, bool subtree,
                         const std::function<bool(const Entry&)>& visit) const {
  if (!container.is_zero()) {
    DIRSYNC_TRY(entry, Live(container));
    if (entry.entry_class != EntryClass::kContainer)
      return Fail(ErrorCode::kNotFound, "list \"" + Printable(entry.name) + "\": no container");
  }
  DIRSYNC_CHECK(ListBelow(container, subtree, limits::kContainerDepth, visit));
  return {};
}

// False: the visitor wants no more.
Result<bool> Directory::ListBelow(const EntryId& container, bool subtree, std::size_t levels_left,
                                  const std::function<bool(const Entry&)>& visit) const {
  const auto [lower, upper] = storage::PrefixRange(storage::NameKey(container, {}));
  const auto cursor = transaction_.Scan(lower, upper);
  Entry entry;
  for (; cursor->Valid(); cursor->Next()) {
    DIRSYNC_TRY(id, ParseIdValue("name", cursor->Value()));
    DIRSYNC_TRY(row, transaction_.Get(storage::EntryKey(id)));
    if (!row) continue;  // the visitor took it away
    DIRSYNC_CHECK(DecodeEntryInto(id, *row, entry));
    if (entry.is_deleted()) continue;
    if (!visit(entry)) return false;
    if (!subtree || entry.entry_class != EntryClass::kContainer) continue;
    if (levels_left == 0) {
      return Fail(ErrorCode::kCorrupt, "list " + entry.id.hex() + ": nested without an end",
                  "`dirsync doctor` lists what is damaged");
    }
    DIRSYNC_TRY(more, ListBelow(entry.id, subtree, levels_left - 1, visit));
    if (!more) return false;
  }
  DIRSYNC_CHECK(cursor->status());
  return true;
}

}  // namespace dirsync
