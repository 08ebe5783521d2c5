#include "agent/core/landing.h"

#include <utility>

#include "agent/core/entry_content.h"
#include "agent/core/free_name.h"
#include "agent/core/join.h"
#include "agent/directory/directory.h"
#include "proto/base/text.h"
#include "proto/model/attribute_table.h"

namespace dirsync {
namespace {

std::string_view ToldDisplayName(const Change& change) {
  for (const AttributeChange& attribute : change.attributes)
    if (attribute.name == attribute::kDisplayName && !attribute.values.empty())
      return attribute.values.front();
  return {};
}

// What an entry must have before it can stand anywhere. Errors: kNoTarget, kBadValue.
Result<> CheckContent(const Entry& entry) {
  const bool recipient = entry.entry_class == EntryClass::kCustomRecipient ||
                         entry.entry_class == EntryClass::kDistributionList;
  if (recipient && entry.attributes.First(attribute::kTargetAddress).empty())
    return Fail(ErrorCode::kNoTarget, "no address of the link's type was told");
  if (Result<> name = CheckName("name", entry.name); !name)
    return Fail(ErrorCode::kBadValue, name.error().message);
  if (Result<> values = CheckAttributes(entry.attributes); !values)
    return Fail(ErrorCode::kBadValue, values.error().message);
  return {};
}

// The roster gives each mail domain to one site: nobody else may claim an address there, be it to
// take its mail or to keep the one whose it is out. Errors: kForeignDomain.
Result<> CheckDomains(const ApplyContext& context, const Entry& entry) {
  const MailDomains* domains = context.input.domains;
  if (domains == nullptr || domains->empty()) return {};
  const std::string site = FoldName(context.source.site);
  for (std::string_view name : {attribute::kTargetAddress, attribute::kProxyAddresses}) {
    const Attribute* addresses = entry.attributes.Find(name);
    if (addresses == nullptr) continue;
    for (const std::string& value : addresses->values) {
      const std::size_t at = value.rfind('@');
      if (at == std::string::npos) continue;
      const std::string_view owner = domains->OwnerOf(std::string_view(value).substr(at + 1));
      if (!owner.empty() && owner != site)
        return Fail(ErrorCode::kForeignDomain, Printable(value) + " is in a domain of " +
                                                   Printable(owner) + ", not of " +
                                                   Printable(context.source.site));
    }
  }
  return {};
}

// What the entry store refuses, in the words of the quarantine.
Error AsRefusal(Error error) {
  switch (error.code) {
    case ErrorCode::kNotFound:
      error.code = ErrorCode::kNoParent;
      break;
    case ErrorCode::kExists:
      error.code = ErrorCode::kAddressTaken;
      break;
    case ErrorCode::kInvalid:
    case ErrorCode::kTooLarge:
    case ErrorCode::kNotEmpty:
      error.code = ErrorCode::kBadValue;
      break;
    default:
      break;
  }
  return error;
}

// A group's target address is in no index: only a look-up shows who else has it.
Result<bool> IsGroupTargetTaken(const ApplyContext& context, const Entry& entry) {
  if (entry.entry_class != EntryClass::kDistributionList) return false;
  DIRSYNC_TRY(holder,
              context.entries.FindAddress(entry.attributes.First(attribute::kTargetAddress)));
  return holder && *holder != entry.id;
}

// Puts `next` in the place of `current`, under a name that is free. `name` and `parent` are those
// told; a suffix that it has already stays.
Result<Landing> Replace(ApplyContext& context, const Entry& current, Entry next,
                        const EntryId& parent, std::string_view name, Landing landing) {
  if (current.parent != parent || !IsNameFor(current.name, name, current.id)) {
    DIRSYNC_TRY(free, FreeName(context, parent, name, current.id));
    next.name = std::move(free);
    next.parent = parent;
  }
  landing.local = current.id;
  landing.renamed = next.name != name;
  DIRSYNC_CHECK(CheckContent(next));
  DIRSYNC_CHECK(CheckDomains(context, next));
  if (SameContent(current, next)) {
    landing.effect = LandingEffect::kUnchanged;
    return landing;
  }
  DIRSYNC_TRY(group_taken, IsGroupTargetTaken(context, next));
  Result<> updated = group_taken ? Fail(ErrorCode::kExists, "") : context.entries.Update(next);
  if (updated) return landing;
  if (updated.error().code == ErrorCode::kExists) {
    DIRSYNC_TRY(holders, HoldersOf(context, next, next.id));
    if (!holders.empty()) {
      DIRSYNC_TRY(reason, NameHolders(context, holders));
      return Fail(ErrorCode::kAddressTaken, reason);
    }
  }
  return std::unexpected(AsRefusal(std::move(updated).error()));
}

// The entry as it would stand here if it were new.
Entry Fresh(const ApplyContext& context, const Change& change, const EntryId& local,
            const EntryId& parent) {
  Entry fresh;
  fresh.id = local;
  fresh.entry_class = LocalClassOf(change.entry_class);
  fresh.parent = parent;
  fresh.name = change.name;
  fresh.origin = context.OriginOf(change.id);
  WriteWhole(context, change, nullptr, fresh);
  return fresh;
}

Result<Landing> Merge(ApplyContext& context, const Change& change, const Entry& current,
                      const EntryId& parent, const MirrorRow* row, JoinedBy joined) {
  Entry next = current;
  next.entry_class = LocalClassOf(change.entry_class);
  next.origin = context.OriginOf(change.id);
  WriteWhole(context, change, row, next);
  const bool moved = current.parent != parent || !IsNameFor(current.name, change.name, current.id);
  Landing landing;
  landing.joined = joined;
  landing.effect = moved ? LandingEffect::kRenamed : LandingEffect::kModified;
  return Replace(context, current, std::move(next), parent, change.name, landing);
}

Result<Landing> Adopt(ApplyContext& context, const Change& change, const Adoption& adoption,
                      const EntryId& parent) {
  DIRSYNC_TRY(landing, Merge(context, change, adoption.entry, parent, nullptr, adoption.by));
  landing.effect = LandingEffect::kAdopted;
  context.transaction.Put(storage::AliasKey(LocalIdOf(context.source.site, change.id)),
                          std::string(landing.local.view()));
  context.any_alias = true;
  return landing;
}

// The way of every entry that met something of its own name, address or id.
Result<Landing> JoinOrCreate(ApplyContext& context, const Change& change, Entry fresh,
                             const MirrorRow* row) {
  DIRSYNC_TRY(current, context.entries.Get(fresh.id));
  if (current && !current->is_deleted()) {
    if (current->origin != fresh.origin) {
      return Fail(ErrorCode::kAddressTaken,
                  "id " + fresh.id.hex() + " held by " + context.NameOf(*current));
    }
    const JoinedBy joined = row == nullptr ? JoinedBy::kIdentity : row->joined;
    return Merge(context, change, *current, fresh.parent, row, joined);
  }
  DIRSYNC_TRY(adoption, FindAdoption(context, change, fresh, ToldDisplayName(change)));
  if (adoption) return Adopt(context, change, *adoption, fresh.parent);
  DIRSYNC_TRY(name, FreeName(context, fresh.parent, change.name, fresh.id));
  fresh.name = std::move(name);
  Landing landing;
  landing.local = fresh.id;
  landing.renamed = fresh.name != change.name;
  if (Result<> inserted = context.entries.Insert(fresh); !inserted)
    return std::unexpected(AsRefusal(std::move(inserted).error()));
  return landing;
}

}  // namespace

bool IsRefusal(ErrorCode code) {
  return code == ErrorCode::kAddressTaken || code == ErrorCode::kNoTarget ||
         code == ErrorCode::kUnknownChange || code == ErrorCode::kNoParent ||
         code == ErrorCode::kBadValue || code == ErrorCode::kForeignDomain;
}

Result<std::optional<Entry>> HeldEntry(const ApplyContext& context, const EntryId& id,
                                       const MirrorRow& row) {
  if (row.local.is_zero()) return std::nullopt;
  DIRSYNC_TRY(entry, context.entries.Get(row.local));
  if (!entry || entry->is_deleted() || entry->origin != context.OriginOf(id)) return std::nullopt;
  return std::move(entry);
}

Result<Landing> LandWhole(ApplyContext& context, const Change& change, const MirrorRow* row,
                          const Entry* stood) {
  EntryId local;
  if (row != nullptr && !row->local.is_zero()) {
    local = row->local;
    DIRSYNC_TRY(current, HeldEntry(context, change.id, *row));
    if (current) {
      DIRSYNC_TRY(parent, context.ParentFor(change.parent));
      const Entry& held = stood == nullptr ? *current : *stood;
      return Merge(context, change, held, parent, row, row->joined);
    }
  } else {
    DIRSYNC_TRY(found, context.LocalIdFor(change.id));
    local = found;
  }
  DIRSYNC_TRY(parent, context.ParentFor(change.parent));
  Entry fresh = Fresh(context, change, local, parent);
  DIRSYNC_CHECK(CheckContent(fresh));
  DIRSYNC_CHECK(CheckDomains(context, fresh));
  DIRSYNC_TRY(group_taken, IsGroupTargetTaken(context, fresh));
  // Most new entries meet nothing: the store finds that out while it writes, without a look-up
  // made twice. Only a join by name must look first.
  if (!group_taken && context.input.settings.join != JoinBy::kName) {
    Result<> inserted = context.entries.Insert(fresh);
    if (inserted) return Landing{local};
    if (inserted.error().code != ErrorCode::kExists)
      return std::unexpected(AsRefusal(std::move(inserted).error()));
  }
  return JoinOrCreate(context, change, std::move(fresh), row);
}

Result<Landing> LandPart(ApplyContext& context, const Change& change, const MirrorRow& row,
                         const Entry& current) {
  Entry next = current;
  next.entry_class = LocalClassOf(change.entry_class);
  WritePart(context, change, row, next);
  Landing landing;
  landing.joined = row.joined;
  landing.effect = LandingEffect::kModified;
  if (change.kind != ChangeKind::kRename) {
    // Only for its text: name and place stay as they are.
    DIRSYNC_TRY(modified,
                Replace(context, current, std::move(next), current.parent, current.name, landing));
    modified.renamed = row.renamed;
    return modified;
  }
  landing.effect = LandingEffect::kRenamed;
  DIRSYNC_TRY(parent, context.ParentFor(change.parent));
  return Replace(context, current, std::move(next), parent, change.name, landing);
}

}  // namespace dirsync
