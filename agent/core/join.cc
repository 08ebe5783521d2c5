#include "agent/core/join.h"

#include <algorithm>

#include "proto/base/text.h"
#include "proto/model/address.h"
#include "proto/model/attribute_table.h"

namespace dirsync {
namespace {

// Whether the sending site may claim contacts with this address: in its domains, as the roster
// gives them or else the instance's settings.
bool MayClaim(const ApplyContext& context, std::string_view target) {
  const std::vector<std::string>& domains = context.input.settings.domains;
  const MailDomains* roster = context.input.domains;
  const std::string site = FoldName(context.source.site);
  const bool in_roster = roster != nullptr && roster->Has(site);
  if (domains.empty() && !in_roster) return true;
  const Result<Address> address = ParseAddress(target);
  if (!address) return false;
  if (in_roster) return roster->OwnerOf(address->domain()) == site;
  const std::string domain = ToLowerAscii(address->domain());
  return std::any_of(domains.begin(), domains.end(), [&domain](const std::string& allowed) {
    const std::string name = ToLowerAscii(allowed);
    return domain == name || domain.ends_with("." + name);
  });
}

bool MayAdopt(const ApplyContext& context, const Change& change, const Entry& fresh) {
  return fresh.entry_class == EntryClass::kCustomRecipient &&
         context.input.settings.join != JoinBy::kNone && MayClaim(context, change.target_address);
}

// Only what nobody tells: never a mailbox, a group or another stream's entry.
Result<bool> IsNobodys(const ApplyContext& context, const Entry& entry) {
  if (entry.is_deleted() || entry.is_imported()) return false;
  if (entry.entry_class != EntryClass::kCustomRecipient) return false;
  DIRSYNC_TRY(owned, context.HasOwner(entry.id));
  return !owned;
}

bool HasName(const Entry& entry, const std::string& name, const std::string& display_name) {
  if (FoldName(entry.name) == name) return true;
  if (display_name.empty()) return false;
  return FoldName(entry.attributes.First(attribute::kDisplayName)) == display_name;
}

// The one custom recipient of this name in the import container; none when there are several.
Result<std::optional<Entry>> FindByName(ApplyContext& context, const Change& change,
                                        std::string_view display_name) {
  DIRSYNC_TRY(container, context.ImportContainer());
  const std::string name = FoldName(change.name);
  const std::string shown = FoldName(display_name);
  std::optional<Entry> found;
  const auto range = storage::PrefixRange(storage::NameKey(container, {}));
  auto cursor = context.transaction.Scan(range.first, range.second);
  for (; cursor->Valid(); cursor->Next()) {
    const std::optional<EntryId> id = EntryId::FromBytes(cursor->Value());
    if (!id) return Fail(ErrorCode::kCorrupt, "read name row: its value is no id");
    DIRSYNC_TRY(entry, context.entries.Get(*id));
    if (!entry || !HasName(*entry, name, shown)) continue;
    DIRSYNC_TRY(free, IsNobodys(context, *entry));
    if (!free) continue;
    if (found) return std::nullopt;
    found = std::move(*entry);
  }
  DIRSYNC_CHECK(cursor->status());
  return found;
}

}  // namespace

Result<std::vector<EntryId>> HoldersOf(const ApplyContext& context, const Entry& entry,
                                       const EntryId& self) {
  std::vector<EntryId> holders;
  for (std::string_view name : {attribute::kTargetAddress, attribute::kProxyAddresses}) {
    const Attribute* addresses = entry.attributes.Find(name);
    if (addresses == nullptr) continue;
    for (const std::string& address : addresses->values) {
      DIRSYNC_TRY(holder, context.entries.FindAddress(address));
      if (!holder || *holder == self) continue;
      if (std::find(holders.begin(), holders.end(), *holder) == holders.end())
        holders.push_back(*holder);
    }
  }
  return holders;
}

Result<std::string> NameHolders(const ApplyContext& context, const std::vector<EntryId>& holders) {
  std::string text = "address held by ";
  for (std::size_t i = 0; i < holders.size(); ++i) {
    DIRSYNC_TRY(entry, context.entries.Get(holders[i]));
    if (i > 0) text += ", ";
    text += entry ? context.NameOf(*entry) : holders[i].hex();
  }
  return text;
}

Result<std::optional<Adoption>> FindAdoption(ApplyContext& context, const Change& change,
                                             const Entry& fresh, std::string_view display_name) {
  DIRSYNC_TRY(holders, HoldersOf(context, fresh, fresh.id));
  const bool may = MayAdopt(context, change, fresh);
  if (holders.empty()) {
    if (!may || context.input.settings.join != JoinBy::kName) return std::nullopt;
    DIRSYNC_TRY(named, FindByName(context, change, display_name));
    if (!named) return std::nullopt;
    return Adoption{std::move(*named), JoinedBy::kName};
  }
  if (holders.size() == 1 && may) {
    DIRSYNC_TRY(entry, context.entries.Get(holders.front()));
    if (!entry)
      return Fail(ErrorCode::kCorrupt, "read entry " + holders.front().hex() + ": it is not there");
    DIRSYNC_TRY(free, IsNobodys(context, *entry));
    if (free) return Adoption{std::move(*entry), JoinedBy::kAddress};
  }
  DIRSYNC_TRY(reason, NameHolders(context, holders));
  return Fail(ErrorCode::kAddressTaken, reason);
}

}  // namespace dirsync
