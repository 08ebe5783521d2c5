#include "agent/core/foreign_entry.h"

#include <algorithm>

#include "agent/core/entry_content.h"
#include "agent/directory/directory.h"
#include "proto/base/text.h"
#include "proto/model/address.h"
#include "proto/model/attribute_table.h"

namespace dirsync {
namespace {

constexpr unsigned kAddressAttempts = 1000;

// What an entry has by its place, class and history; files carry it all the same.
constexpr std::string_view kNotWritten[] = {
    "Common-Name",   "Imported-From", "Obj-Class",   "Obj-Container",
    "Obj-Dist-Name", "USN-Changed",   "USN-Created",
};

bool IsWritten(std::string_view name) {
  return std::find(std::begin(kNotWritten), std::end(kNotWritten), name) == std::end(kNotWritten);
}

bool IsMultiValued(std::string_view name) {
  const AttributeInfo* info = FindAttribute(name);
  return info != nullptr && info->multi_valued;
}

void AppendMissing(const std::vector<std::string>& added, std::vector<std::string>& values) {
  for (const std::string& value : added)
    if (std::find(values.begin(), values.end(), value) == values.end()) values.push_back(value);
}

// Values of the attribute after the change.
std::vector<std::string> ValuesAfter(const AttributeChange& change, const Attribute* held,
                                     bool append) {
  std::vector<std::string> values;
  if (held != nullptr) values = held->values;
  switch (change.operation) {
    case AttributeOperation::kSet:
      if (!append || change.values.empty()) return change.values;
      AppendMissing(change.values, values);
      break;
    case AttributeOperation::kAdd:
      AppendMissing(change.values, values);
      break;
    case AttributeOperation::kRemove:
      std::erase_if(values, [&change](const std::string& value) {
        return std::find(change.values.begin(), change.values.end(), value) != change.values.end();
      });
      break;
  }
  return values;
}

std::string WithoutBlanks(std::string_view text) {
  std::string out(text);
  std::erase(out, ' ');
  return out;
}

// "PROFS:%m" for this entry; empty when nothing but the type is left.
std::string GenerateTarget(std::string_view format, const Entry& entry) {
  std::string out;
  for (std::size_t at = 0; at < format.size(); ++at) {
    if (format[at] != '%' || at + 1 == format.size()) {
      out += format[at];
      continue;
    }
    switch (format[++at]) {
      case 'm':
        out += WithoutBlanks(entry.name);
        break;
      case 'g':
        out += WithoutBlanks(entry.attributes.First(attribute::kGivenName));
        break;
      case 's':
        out += WithoutBlanks(entry.attributes.First(attribute::kSurname));
        break;
      case 'd':
        out += WithoutBlanks(entry.attributes.First(attribute::kDisplayName));
        break;
      default:
        out += format[at];
    }
  }
  return ParseAddress(out) ? out : std::string();
}

void WriteDisplayName(const ApplyContext& context, const ForeignChange& change, bool fresh,
                      Entry& entry) {
  const bool told =
      std::any_of(change.attributes.begin(), change.attributes.end(),
                  [](const AttributeChange& of) { return of.name == attribute::kDisplayName; });
  if (!told && !fresh) return;
  std::string name(entry.attributes.First(attribute::kDisplayName));
  if (name.empty()) {
    name = std::string(entry.attributes.First(attribute::kGivenName)) + " " +
           std::string(entry.attributes.First(attribute::kSurname));
    name = TrimBlanks(name);
  }
  if (name.empty()) name = entry.name;
  entry.attributes.Set(
      attribute::kDisplayName,
      {FormatDisplayName(context.input.settings.display_name_format, name, entry.name,
                         context.source.site, context.input.profile.organization)});
}

Result<> WriteTarget(const ApplyContext& context, Entry& entry) {
  if (!entry.attributes.First(attribute::kTargetAddress).empty()) return {};
  std::string target = GenerateTarget(context.input.settings.target, entry);
  if (target.empty()) {
    return Fail(ErrorCode::kNoTarget,
                "import \"" + Printable(entry.name, 80) + "\": it has no Target-Address",
                "name a format: `dirsync instance set INSTANCE --target \"PROFS:%m\"`");
  }
  entry.attributes.Set(attribute::kTargetAddress, {std::move(target)});
  return {};
}

// One address of each type that this site gives its mailboxes.
Result<> WriteAddresses(const ApplyContext& context, Entry& entry) {
  std::vector<std::string> addresses;
  if (const Attribute* held = entry.attributes.Find(attribute::kProxyAddresses))
    addresses = held->values;
  for (const AddressTemplate& form : context.input.profile.templates) {
    if (!PrimaryAddress(addresses, form.type()).empty()) continue;
    for (unsigned attempt = 0; attempt < kAddressAttempts; ++attempt) {
      std::string address = form.Generate(entry, attempt);
      if (address.empty()) continue;
      DIRSYNC_TRY(holder, context.entries.FindAddress(address));
      if (holder && *holder != entry.id) continue;
      addresses.push_back(std::move(address));
      break;
    }
  }
  entry.attributes.Set(attribute::kProxyAddresses, std::move(addresses));
  return {};
}

void WriteHomeServer(const ApplyContext& context, Entry& entry) {
  if (!entry.attributes.First(attribute::kHomeServer).empty()) return;
  const std::string& wanted = context.input.settings.home_server;
  const std::string& server = wanted.empty() ? context.input.profile.server : wanted;
  if (!server.empty()) entry.attributes.Set(attribute::kHomeServer, {server});
}

}  // namespace

Result<EntryClass> ForeignClass(const InstanceSettings& settings, const ForeignChange& change,
                                const Entry* current) {
  std::optional<EntryClass> asked;
  if (!change.entry_class.empty()) {
    asked = ParseClass(change.entry_class);
    if (!asked || *asked == EntryClass::kContainer) {
      return Fail(ErrorCode::kInvalid, "import " + Printable(change.dn, 80) + ": class \"" +
                                           Printable(change.entry_class, 40) +
                                           "\" cannot come from a foreign file");
    }
  } else {
    asked = current == nullptr ? settings.import_class : current->entry_class;
  }
  if (*asked == EntryClass::kMailbox && settings.import_class != EntryClass::kMailbox)
    return EntryClass::kCustomRecipient;
  return *asked;
}

Result<> WriteForeign(const ApplyContext& context, const ForeignChange& change, bool fresh,
                      Entry& entry) {
  const bool append = change.kind == ChangeKind::kModify && context.input.settings.mv_append;
  for (const AttributeChange& attribute : change.attributes) {
    if (!IsWritten(attribute.name)) continue;
    entry.attributes.Set(attribute.name,
                         ValuesAfter(attribute, entry.attributes.Find(attribute.name),
                                     append && IsMultiValued(attribute.name)));
  }
  WriteDisplayName(context, change, fresh, entry);
  entry.attributes.Set(attribute::kImportedFrom, {context.source.imported_from});
  if (entry.entry_class == EntryClass::kCustomRecipient) DIRSYNC_CHECK(WriteTarget(context, entry));
  if (entry.entry_class == EntryClass::kMailbox) {
    WriteHomeServer(context, entry);
    DIRSYNC_CHECK(WriteAddresses(context, entry));
  }
  DIRSYNC_CHECK(CheckName("name", entry.name));
  if (Result<> values = CheckAttributes(entry.attributes); !values)
    return Fail(ErrorCode::kInvalid, values.error().message, values.error().hint);
  return {};
}

}  // namespace dirsync
