#include "agent/core/entry_content.h"

#include <algorithm>

#include "proto/base/limits.h"
#include "proto/model/attribute_table.h"

namespace dirsync {
namespace {

// At most `bytes_max` bytes of `text`, no character cut in two.
std::string_view CutText(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

bool StartsWith(std::string_view text, std::size_t at, std::string_view with) {
  return text.substr(at, with.size()) == with;
}

void WriteDisplayName(const ApplyContext& context, const Change& change, std::string_view told,
                      Entry& entry) {
  const std::string& format = context.input.settings.display_name_format;
  if (change.entry_class == EntryClass::kContainer || format.empty()) return;
  entry.attributes.Set(attribute::kDisplayName,
                       {FormatDisplayName(format, told.empty() ? change.name : told, change.name,
                                          context.source.site, context.source.organization)});
}

void WriteStamp(const ApplyContext& context, const Change& change, Entry& entry) {
  if (!change.target_address.empty() && change.entry_class != EntryClass::kContainer)
    entry.attributes.Set(attribute::kTargetAddress, {change.target_address});
  entry.attributes.Set(attribute::kImportedFrom, {context.source.imported_from});
}

// Where the change's attributes come in order onto an empty list, nothing is searched.
void WriteAttributes(const Change& change, Entry& entry) {
  for (const AttributeChange& attribute : change.attributes) {
    if (!IsToldAttribute(attribute.name)) continue;
    const bool last =
        entry.attributes.empty() || std::prev(entry.attributes.end())->name < attribute.name;
    if (!last) {
      entry.attributes.Set(attribute.name, attribute.values);
    } else if (!attribute.values.empty()) {
      entry.attributes.Append({attribute.name, attribute.values});
    }
  }
}

}  // namespace

EntryClass LocalClassOf(EntryClass told) {
  return told == EntryClass::kMailbox ? EntryClass::kCustomRecipient : told;
}

bool IsToldAttribute(std::string_view name) {
  if (name == attribute::kTargetAddress) return false;
  const AttributeInfo* info = FindAttribute(name);
  return info == nullptr || info->exported;
}

std::string FormatDisplayName(std::string_view format, std::string_view told, std::string_view name,
                              std::string_view site, std::string_view organization) {
  constexpr std::string_view kSite = "%{site}";
  constexpr std::string_view kOrganization = "%{organization}";
  if (format.empty()) return std::string(told);
  std::string out;
  for (std::size_t at = 0; at < format.size();) {
    if (StartsWith(format, at, "%d")) {
      out += told;
      at += 2;
    } else if (StartsWith(format, at, "%m")) {
      out += name;
      at += 2;
    } else if (StartsWith(format, at, "%%")) {
      out += '%';
      at += 2;
    } else if (StartsWith(format, at, kSite)) {
      out += site;
      at += kSite.size();
    } else if (StartsWith(format, at, kOrganization)) {
      out += organization;
      at += kOrganization.size();
    } else {
      out += format[at++];
    }
  }
  return std::string(CutText(out, limits::kValueBytes));
}

bool NeedsWholeToRename(std::string_view format) {
  return format.find("%m") != std::string_view::npos && format.find("%d") != std::string_view::npos;
}

std::string SuffixedName(std::string_view name, const EntryId& id, std::size_t digits) {
  const std::string hex = id.hex();
  const std::string_view cut = CutText(name, limits::kNameBytes - digits - 1);
  return std::string(cut) + "-" + hex.substr(0, digits);
}

bool IsNameFor(std::string_view held, std::string_view name, const EntryId& id) {
  if (held == name) return true;
  return std::any_of(std::begin(kSuffixDigits), std::end(kSuffixDigits),
                     [&](std::size_t digits) { return held == SuffixedName(name, id, digits); });
}

void WriteWhole(const ApplyContext& context, const Change& whole, const MirrorRow* row,
                Entry& entry) {
  if (row != nullptr) {
    for (const AttributeHash& told : row->told.attributes)
      if (IsToldAttribute(told.name)) entry.attributes.Erase(told.name);
    for (const std::string& name : row->stale)
      if (IsToldAttribute(name)) entry.attributes.Erase(name);
  }
  WriteAttributes(whole, entry);
  std::string_view display_name;
  for (const AttributeChange& attribute : whole.attributes)
    if (attribute.name == attribute::kDisplayName && !attribute.values.empty())
      display_name = attribute.values.front();
  WriteDisplayName(context, whole, display_name, entry);
  WriteStamp(context, whole, entry);
}

void WritePart(const ApplyContext& context, const Change& part, Entry& entry) {
  WriteAttributes(part, entry);
  const std::string& format = context.input.settings.display_name_format;
  const auto told = std::find_if(
      part.attributes.begin(), part.attributes.end(),
      [](const AttributeChange& attribute) { return attribute.name == attribute::kDisplayName; });
  const bool renamed = part.kind == ChangeKind::kRename;
  if (told != part.attributes.end()) {
    const std::string value = told->values.empty() ? std::string() : told->values.front();
    WriteDisplayName(context, part, value, entry);
  } else if (renamed && format.find("%d") == std::string::npos) {
    WriteDisplayName(context, part, {}, entry);
  }
  WriteStamp(context, part, entry);
}

}  // namespace dirsync
