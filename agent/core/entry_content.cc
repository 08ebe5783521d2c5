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

// What the source tells of a display name, as far as this site takes it.
std::string_view ToldDisplayName(const ApplyContext& context, const Change& change) {
  if (!context.Takes(attribute::kDisplayName)) return {};
  for (const AttributeChange& attribute : change.attributes)
    if (attribute.name == attribute::kDisplayName && !attribute.values.empty())
      return attribute.values.front();
  return {};
}

// Where the change's attributes come in order onto an empty list, nothing is searched.
void WriteAttributes(const ApplyContext& context, const Change& change, Entry& entry) {
  for (const AttributeChange& attribute : change.attributes) {
    if (!IsToldAttribute(attribute.name) || !context.Takes(attribute.name)) continue;
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
      if (IsToldAttribute(told.name) && !std::ranges::binary_search(row->kept_out, told.name))
        entry.attributes.Erase(told.name);
    for (const std::string& name : row->stale)
      if (IsToldAttribute(name)) entry.attributes.Erase(name);
  }
  WriteAttributes(context, whole, entry);
  WriteDisplayName(context, whole, ToldDisplayName(context, whole), entry);
  WriteStamp(context, whole, entry);
}

void WritePart(const ApplyContext& context, const Change& part, const MirrorRow& row,
               Entry& entry) {
  for (const AttributeChange& attribute : part.attributes)
    if (!context.Takes(attribute.name) && HoldsTold(row, attribute.name))
      entry.attributes.Erase(attribute.name);
  WriteAttributes(context, part, entry);
  const std::string& format = context.input.settings.display_name_format;
  const bool taken = context.Takes(attribute::kDisplayName);
  const bool told = std::ranges::any_of(part.attributes, [](const AttributeChange& attribute) {
    return attribute.name == attribute::kDisplayName;
  });
  const bool renamed = part.kind == ChangeKind::kRename;
  if (told && taken) {
    WriteDisplayName(context, part, ToldDisplayName(context, part), entry);
  } else if (renamed && (!taken || format.find("%d") == std::string::npos)) {
    WriteDisplayName(context, part, {}, entry);
  }
  WriteStamp(context, part, entry);
}

bool HoldsTold(const MirrorRow& row, std::string_view attribute) {
  if (!IsToldAttribute(attribute)) return false;
  const auto told =
      std::ranges::lower_bound(row.told.attributes, attribute, {}, &AttributeHash::name);
  if (told == row.told.attributes.end() || told->name != attribute) return false;
  return !std::ranges::binary_search(row.kept_out, attribute);
}

bool KeepsOutRight(const ApplyContext& context, const MirrorRow& row) {
  if (row.kept_out.empty() && TakesAll(context.taken)) return true;
  auto kept = row.kept_out.begin();
  for (const AttributeHash& told : row.told.attributes) {
    const bool keeps = kept != row.kept_out.end() && *kept == told.name;
    const bool should = IsToldAttribute(told.name) && !context.Takes(told.name);
    if (keeps != should) return false;
    if (keeps) ++kept;
  }
  return true;
}

std::vector<std::string> KeptOutAfter(const ApplyContext& context, const Change& change,
                                      const ToldState& told,
                                      const std::vector<std::string>& before) {
  if (before.empty() && TakesAll(context.taken)) return {};
  const bool whole = change.kind == ChangeKind::kAdd || change.wanted;
  std::vector<std::string> names;
  for (const AttributeHash& of : told.attributes) {
    if (!IsToldAttribute(of.name)) continue;
    const bool named = whole || std::ranges::any_of(change.attributes, [&](const auto& attribute) {
                         return attribute.name == of.name;
                       });
    const bool kept = named ? !context.Takes(of.name) : std::ranges::binary_search(before, of.name);
    if (kept) names.push_back(of.name);
  }
  return names;
}

}  // namespace dirsync
