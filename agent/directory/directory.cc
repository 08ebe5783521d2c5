#include "agent/directory/directory.h"

#include <algorithm>
#include <set>

#include "proto/base/text.h"
#include "proto/model/address.h"
#include "proto/model/attribute_table.h"

namespace dirsync {
namespace {

constexpr unsigned kAttemptsMax = 10000;

std::string ConstructedDisplayName(const Entry& entry) {
  const std::string_view given = entry.attributes.First(attribute::kGivenName);
  const std::string_view surname = entry.attributes.First(attribute::kSurname);
  if (given.empty() && surname.empty()) return entry.name;
  if (given.empty() || surname.empty()) return std::string(given.empty() ? surname : given);
  return std::string(given) + " " + std::string(surname);
}

bool GetsAddresses(const Entry& entry) {
  return entry.entry_class == EntryClass::kMailbox ||
         entry.entry_class == EntryClass::kDistributionList;
}

std::vector<std::string> ValuesOf(const Entry& entry, std::string_view name) {
  const Attribute* held = entry.attributes.Find(name);
  return held == nullptr ? std::vector<std::string>() : held->values;
}

ValueKind KindOf(std::string_view name) {
  const AttributeInfo* info = FindAttribute(name);
  return info == nullptr ? ValueKind::kText : info->kind;
}

void RemoveValues(const Attribute& gone, Attributes& attributes) {
  const Attribute* held = attributes.Find(gone.name);
  if (held == nullptr) return;
  const ValueKind kind = KindOf(gone.name);
  std::set<std::string> forms;
  for (const std::string& value : gone.values) forms.insert(ComparisonForm(kind, value));
  std::vector<std::string> values = held->values;
  std::erase_if(values, [&](const std::string& value) {
    return forms.contains(ComparisonForm(kind, value));
  });
  attributes.Set(gone.name, std::move(values));
}

void AddValues(const Attribute& more, Attributes& attributes) {
  const Attribute* held = attributes.Find(more.name);
  std::vector<std::string> values = held == nullptr ? std::vector<std::string>() : held->values;
  values.insert(values.end(), more.values.begin(), more.values.end());
  attributes.Set(more.name, std::move(values));
}

Result<> ApplyValues(const EntryEdit& edit, Attributes& attributes) {
  for (const auto* list : {&edit.set, &edit.remove_values, &edit.add_values})
    for (const Attribute& attribute : *list) DIRSYNC_CHECK(CheckAttributeName(attribute.name));
  for (const Attribute& attribute : edit.set) attributes.Set(attribute.name, attribute.values);
  for (const Attribute& attribute : edit.remove_values) RemoveValues(attribute, attributes);
  for (const Attribute& attribute : edit.add_values) AddValues(attribute, attributes);
  return {};
}

}  // namespace

Directory::Directory(storage::Transaction& transaction, const SiteProfile& profile, IdSource& ids,
                     Instant now)
    : transaction_(transaction),
      profile_(profile),
      ids_(ids),
      now_(now),
      entries_(transaction, now),
      basepoint_(profile.basepoint()) {}

// Where an entry of ours may stand: an imported container goes when its site drops it.
Result<EntryId> Directory::OurContainer(const std::string& text) {
  if (container_id_ && container_text_ == text) return *container_id_;
  DIRSYNC_TRY(dn, ContainerDn(basepoint_, text));
  DIRSYNC_TRY(id, entries_.ContainerAt(basepoint_, dn));
  DIRSYNC_TRY(container, entries_.Get(id));
  if (container && container->is_imported())
    return Fail(ErrorCode::kNotOurs,
                "put an entry into " + Printable(dn.ToString()) + ": it belongs to " +
                    Printable(container->origin->site),
                "take a container of this site, e.g. --container Recipients");
  container_text_ = text;
  container_id_ = id;
  return id;
}

// Checks the attributes and fills in what every entry of the class has.
Result<> Directory::Complete(Entry& entry) const {
  TidyAttributes(entry.attributes);
  DIRSYNC_CHECK(CheckAttributes(entry.attributes));
  Attributes& attributes = entry.attributes;
  if (entry.entry_class == EntryClass::kCustomRecipient &&
      attributes.Find(attribute::kTargetAddress) == nullptr) {
    return Fail(ErrorCode::kNoTarget,
                "check custom recipient \"" + Printable(entry.name) + "\": no Target-Address",
                "give it one, e.g. SMTP:m11@site2.example");
  }
  if (entry.entry_class == EntryClass::kContainer) return {};
  if (attributes.Find(attribute::kDisplayName) == nullptr)
    attributes.Set(attribute::kDisplayName, {ConstructedDisplayName(entry)});
  if (entry.entry_class != EntryClass::kMailbox) return {};
  if (attributes.Find(attribute::kSurname) == nullptr)
    attributes.Set(attribute::kSurname, {entry.name});
  if (attributes.Find(attribute::kHomeServer) == nullptr && !profile_.server.empty())
    attributes.Set(attribute::kHomeServer, {profile_.server});
  return {};
}

Result<std::string> Directory::UniqueAddress(const AddressTemplate& form,
                                             const Entry& entry) const {
  for (unsigned attempt = 0; attempt <= kAttemptsMax; ++attempt) {
    std::string address = form.Generate(entry, attempt);
    if (address.empty()) continue;
    DIRSYNC_TRY(holder, entries_.FindAddress(address));
    if (!holder || *holder == entry.id) return address;
  }
  return Fail(ErrorCode::kExists,
              "generate " + form.type() + " address of \"" + Printable(entry.name) +
                  "\": " + std::to_string(kAttemptsMax) + " tries, all taken",
              "give it an address with --address " + form.type() + ":…");
}

// First with addresses that are as a rule free: Insert looks each of them up anyway. Only when one
// is taken they are tried one by one.
Result<> Directory::InsertWithAddresses(Entry& entry) {
  const std::vector<std::string> given = ValuesOf(entry, attribute::kProxyAddresses);
  std::vector<const AddressTemplate*> missing;
  std::vector<std::string> held = given;
  if (GetsAddresses(entry)) {
    for (const AddressTemplate& form : profile_.templates) {
      if (!PrimaryAddress(held, form.type()).empty()) continue;
      missing.push_back(&form);
      held.push_back(form.Generate(entry, 0));
    }
  }
  if (missing.empty()) return entries_.Insert(entry);
  if (std::find(held.begin(), held.end(), std::string()) == held.end()) {
    entry.attributes.Set(attribute::kProxyAddresses, held);
    auto inserted = entries_.Insert(entry);
    if (inserted || inserted.error().code != ErrorCode::kExists) return inserted;
  }
  held = given;
  for (const AddressTemplate* form : missing) {
    DIRSYNC_TRY(address, UniqueAddress(*form, entry));
    held.push_back(std::move(address));
  }
  entry.attributes.Set(attribute::kProxyAddresses, std::move(held));
  return entries_.Insert(entry);
}

Result<Entry> Directory::Add(NewEntry fresh) {
  DIRSYNC_CHECK(CheckName("name", fresh.name));
  DIRSYNC_TRY(parent, OurContainer(fresh.container));
  Entry entry;
  entry.entry_class = fresh.entry_class;
  entry.parent = parent;
  entry.name = std::move(fresh.name);
  entry.attributes = std::move(fresh.attributes);
  DIRSYNC_CHECK(Complete(entry));
  entry.id = fresh.id ? *fresh.id : ids_.NextEntryId(now_);
  DIRSYNC_CHECK(InsertWithAddresses(entry));
  return entry;
}

// The entry as it is now, if it is ours to change.
Result<Entry> Directory::Ours(std::string_view operation, const Entry& entry) const {
  DIRSYNC_TRY(now, Live(entry.id));
  if (!now.is_imported()) return std::move(now);
  DIRSYNC_TRY(dn, DnOf(now));
  return Fail(ErrorCode::kNotOurs,
              std::string(operation) + " " + Printable(dn) + ": it belongs to " +
                  Printable(now.origin->site),
              "change it at " + Printable(now.origin->site) + "; the next import brings it here");
}

Result<Entry> Directory::Edit(const Entry& entry, const EntryEdit& edit) {
  DIRSYNC_TRY(old, Ours("change", entry));
  Entry fresh = old;
  if (edit.name) {
    DIRSYNC_CHECK(CheckName("name", *edit.name));
    fresh.name = *edit.name;
  }
  if (edit.container) {
    DIRSYNC_TRY(parent, OurContainer(*edit.container));
    fresh.parent = parent;
  }
  DIRSYNC_CHECK(ApplyValues(edit, fresh.attributes));
  DIRSYNC_CHECK(Complete(fresh));
  const bool same =
      fresh.name == old.name && fresh.parent == old.parent && fresh.attributes == old.attributes;
  if (same) return std::move(old);
  DIRSYNC_CHECK(entries_.Update(fresh));
  if (old.entry_class == EntryClass::kContainer) container_id_.reset();
  return fresh;
}

Result<> Directory::Delete(const Entry& entry) {
  DIRSYNC_TRY(old, Ours("delete", entry));
  DIRSYNC_CHECK(entries_.Bury(old.id));
  if (old.entry_class == EntryClass::kContainer) container_id_.reset();
  return {};
}

}  // namespace dirsync
