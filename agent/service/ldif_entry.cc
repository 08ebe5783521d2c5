#include "agent/service/ldif_entry.h"

#include <algorithm>

#include "proto/base/text.h"
#include "proto/model/address.h"
#include "proto/model/attribute_table.h"

namespace dirsync {
namespace {

EntryClass ClassOf(const LdifRecord& record) {
  for (const auto& [name, value] : record.values) {
    if (!EqualsIgnoreCase(name, "objectClass")) continue;
    for (const char* group : {"groupOfNames", "groupOfUniqueNames", "group"})
      if (EqualsIgnoreCase(value, group)) return EntryClass::kDistributionList;
    for (const char* container : {"organizationalUnit", "container"})
      if (EqualsIgnoreCase(value, container)) return EntryClass::kContainer;
    if (EqualsIgnoreCase(value, "contact")) return EntryClass::kCustomRecipient;
  }
  return EntryClass::kMailbox;
}

std::string_view ClassObject(EntryClass entry_class) {
  switch (entry_class) {
    case EntryClass::kContainer:
      return "container";
    case EntryClass::kCustomRecipient:
      return "contact";
    case EntryClass::kDistributionList:
      return "groupOfNames";
    case EntryClass::kMailbox:
      break;
  }
  return "inetOrgPerson";
}

Result<EntryId> ParseId(std::string_view text) {
  std::string digits;
  for (char c : text)
    if (c != '-') digits.push_back(c);
  auto id = EntryId::FromHex(digits);
  if (!id)
    return Fail(ErrorCode::kInvalid, "reading EntryId " + Printable(text) + ": no 32 digits");
  return *id;
}

// Values as they come, one slot an attribute: kept in order of arrival until all are there.
class ValueCollector {
 public:
  ValueCollector() { attributes_.reserve(kAttributesAsARule); }
  std::vector<std::string>* Find(std::string_view name) {
    for (Attribute& attribute : attributes_)
      if (attribute.name == name) return &attribute.values;
    return nullptr;
  }
  void Add(std::string_view name, std::string value) {
    std::vector<std::string>* values = Find(name);
    if (values == nullptr)
      values = &attributes_.emplace_back(Attribute{std::string(name), {}}).values;
    values->push_back(std::move(value));
  }
  // Each attribute is moved once: what is sorted are their addresses.
  Attributes Take() {
    std::vector<Attribute*> order;
    order.reserve(attributes_.size());
    for (Attribute& attribute : attributes_) order.push_back(&attribute);
    std::ranges::sort(order, {}, [](const Attribute* a) -> const std::string& { return a->name; });
    std::vector<Attribute> sorted;
    sorted.reserve(order.size() + kConstructed);
    for (Attribute* attribute : order) sorted.push_back(std::move(*attribute));
    return Attributes(std::move(sorted));
  }

 private:
  static constexpr std::size_t kAttributesAsARule = 24;
  static constexpr std::size_t kConstructed = 4;  // come to them in Directory::Add

  std::vector<Attribute> attributes_;
};

// The original's attribute without options: "userCertificate;binary" -> "userCertificate".
std::string_view BaseName(std::string_view name) { return name.substr(0, name.find(';')); }

Result<> TakeValue(LdifEntry& result, ValueCollector& values, const std::string& written,
                   const std::string& value, IgnoredAttributes& ignored) {
  std::string_view name = BaseName(written);
  if (EqualsIgnoreCase(name, "objectClass") || EqualsIgnoreCase(name, "cn")) return {};
  if (EqualsIgnoreCase(name, "entryUUID") || EqualsIgnoreCase(name, "dirsyncId")) {
    DIRSYNC_TRY(id, ParseId(value));
    result.entry.id = id;
    return {};
  }
  if (EqualsIgnoreCase(name, "member") || EqualsIgnoreCase(name, "uniqueMember")) {
    result.members.push_back(value);
    return {};
  }
  const AttributeInfo* info = FindAttribute(name);
  if (info == nullptr || value.empty()) {
    ++ignored[std::string(name)];
    return {};
  }
  std::string_view canonical = info->name;
  std::string extension;
  if (canonical.ends_with('-')) {
    // One row stands for all X-… names.
    DIRSYNC_TRY(spelling, CanonicalAttribute(name));
    extension = std::move(spelling);
    canonical = extension;
  }
  if (!info->multi_valued && values.Find(canonical) != nullptr) {
    ++ignored[std::string(canonical) + " (further values)"];
    return {};
  }
  values.Add(canonical, value);
  return {};
}

}  // namespace

Result<Dn> DnOfLdap(const SiteProfile& profile, std::string_view text) {
  DIRSYNC_TRY(parts, ParseLdapDn(text));
  std::reverse(parts.begin(), parts.end());  // outermost first
  Dn dn = profile.basepoint();
  bool outer = true;  // the site's own parts and dc= stand outside all containers
  for (const LdapRdn& part : parts) {
    if (outer &&
        (EqualsIgnoreCase(part.type, "dc") ||
         (EqualsIgnoreCase(part.type, "o") &&
          FoldName(part.value) == FoldName(profile.organization)) ||
         (EqualsIgnoreCase(part.type, "ou") && FoldName(part.value) == FoldName(profile.site))))
      continue;
    outer = false;
    DIRSYNC_CHECK(CheckName("name", part.value));
    dn.parts.push_back({"cn", part.value});
  }
  return dn;
}

Result<LdifEntry> ToEntry(const SiteProfile& profile, const LdifRecord& record,
                          IgnoredAttributes& ignored) {
  DIRSYNC_TRY(dn, DnOfLdap(profile, record.dn));
  std::size_t base = profile.basepoint().parts.size();
  if (dn.parts.size() == base)
    return Fail(ErrorCode::kInvalid, "reading " + Printable(record.dn) + ": it is the site itself");
  LdifEntry result;
  result.entry.entry_class = ClassOf(record);
  result.entry.name = dn.parts.back().value;
  bool top = dn.parts.size() == base + 1;
  if (!top) {
    result.entry.container = dn.Parent().ToString();
  } else if (result.entry.entry_class == EntryClass::kContainer) {
    result.entry.container.clear();
  }
  ValueCollector values;
  for (const auto& [name, value] : record.values)
    DIRSYNC_CHECK(TakeValue(result, values, name, value, ignored));
  const std::vector<std::string>* mail = values.Find("Mail");
  const std::vector<std::string>* proxies = values.Find(attribute::kProxyAddresses);
  if (mail != nullptr && (proxies == nullptr || PrimaryAddress(*proxies, "SMTP").empty()))
    values.Add(attribute::kProxyAddresses, "SMTP:" + mail->front());
  result.entry.attributes = values.Take();
  return result;
}

std::string LdapDnOf(const Dn& dn) {
  std::vector<LdapRdn> parts;
  for (auto part = dn.parts.rbegin(); part != dn.parts.rend(); ++part)
    parts.push_back({part->type, part->value});
  return FormatLdapDn(parts);
}

void AppendLdifEntry(std::string& out, const Entry& entry, const Dn& dn) {
  AppendLdifLine(out, "dn", LdapDnOf(dn));
  AppendLdifLine(out, "objectClass", ClassObject(entry.entry_class));
  AppendLdifLine(out, "cn", entry.name);
  AppendLdifLine(out, "entryUUID", entry.id.hex());
  for (const Attribute& attribute : entry.attributes) {
    const AttributeInfo* info = FindAttribute(attribute.name);
    std::string_view name =
        info != nullptr && !info->ldap_name.empty() ? info->ldap_name : attribute.name;
    for (const std::string& value : attribute.values) AppendLdifLine(out, name, value);
  }
  out += "\n";
}

}  // namespace dirsync
