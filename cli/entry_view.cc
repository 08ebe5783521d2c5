#include "cli/entry_view.h"

#include "agent/core/instance.h"
#include "agent/core/reader_state.h"
#include "cli/json.h"
#include "proto/base/base64.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/model/attribute_table.h"

namespace dirsync::cli {
namespace {

constexpr std::size_t kValueShown = 4096;  // bytes of a value that people see
constexpr std::size_t kLabelWidth = 22;

bool IsBinary(std::string_view name) {
  const AttributeInfo* info = FindAttribute(name);
  return info != nullptr && info->kind == ValueKind::kBinary;
}

bool IsReference(std::string_view name) {
  const AttributeInfo* info = FindAttribute(name);
  return info != nullptr && info->kind == ValueKind::kReference;
}

Result<std::optional<MirrorRow>> FindMirror(const storage::ReadView& view,
                                            storage::StreamNumber number, const Entry& entry) {
  const bool container = entry.entry_class == EntryClass::kContainer;
  const int first = container ? 1 : storage::kRecipientRank;
  const int last = container ? static_cast<int>(limits::kContainerDepth) : first;
  for (int rank = first; rank <= last; ++rank) {
    DIRSYNC_TRY(value, view.Get(storage::MirrorKey(number, static_cast<storage::Rank>(rank),
                                                   entry.origin->id)));
    if (!value) continue;
    DIRSYNC_TRY(row, DecodeMirror(*value));
    if (row.local == entry.id) return row;
  }
  return std::nullopt;
}

std::string_view JoinedText(JoinedBy joined) {
  switch (joined) {
    case JoinedBy::kCreated:
      return "created";
    case JoinedBy::kIdentity:
      return "known by identity";
    case JoinedBy::kAddress:
      return "adopted by address";
    case JoinedBy::kName:
      return "adopted by name";
  }
  return "created";
}

std::string_view StatusText(MirrorStatus status) {
  switch (status) {
    case MirrorStatus::kApplied:
      return "in step";
    case MirrorStatus::kQuarantined:
      return "in quarantine";
    case MirrorStatus::kHeld:
      return "delete held";
    case MirrorStatus::kKept:
      return "kept after a rejected delete";
  }
  return "in step";
}

void PrintLine(Context& context, std::string_view label, std::string_view value) {
  std::string text = "  " + std::string(label);
  text.append(text.size() < kLabelWidth ? kLabelWidth - text.size() : 1, ' ');
  context.out() << text << ' ' << Printable(value, kValueShown) << '\n';
}

std::string ShownValue(const Directory& directory, std::string_view name,
                       const std::string& value) {
  if (IsBinary(name))
    return Counted(value.size(), "byte") + ": " + EncodeBase64(value).substr(0, 60) +
           (value.size() > 45 ? "…" : "");
  if (!IsReference(name)) return value;
  auto reference = Reference::Parse(value);
  if (!reference) return value;
  const bool local = reference->site == directory.profile().site;
  auto entry =
      directory.Resolve((local ? reference->id : LocalIdOf(reference->site, reference->id)).hex());
  if (!entry) return value + " (unknown here)";
  auto dn = directory.DnOf(*entry);
  return dn ? *dn : value;
}

}  // namespace

Result<std::optional<Descent>> DescentOf(const storage::ReadView& view, const Entry& entry) {
  if (!entry.origin) return std::nullopt;
  DIRSYNC_TRY(instances, ListInstances(view));
  for (const InstanceSettings& instance : instances) {
    DIRSYNC_TRY(number, FindNumber(view, "import/" + FoldName(instance.name)));
    if (!number) continue;
    DIRSYNC_TRY(row, FindMirror(view, *number, entry));
    if (row) return Descent{instance.name, *row};
  }
  return std::nullopt;
}

std::string EntryJson(const Entry& entry, const std::string& dn,
                      const std::optional<Descent>& descent) {
  JsonObject attributes;
  for (const Attribute& a : entry.attributes) {
    std::string values = "[";
    for (const std::string& value : a.values) {
      if (values.size() > 1) values += ',';
      values += JsonValue(value, IsBinary(a.name));
    }
    attributes.Raw(a.name, values + "]");
  }
  JsonObject object;
  object.Text("dn", dn)
      .Text("id", entry.id.hex())
      .Text("class", ClassName(entry.entry_class))
      .Number("usn_created", entry.usn_created)
      .Number("usn_changed", entry.usn_changed)
      .Text("created", FormatTime(entry.created))
      .Text("changed", FormatTime(entry.changed))
      .Text("origin", entry.origin ? entry.origin->ToString() : "")
      .Raw("attributes", attributes.Finish());
  if (descent)
    object.Text("instance", descent->instance)
        .Text("joined", JoinedText(descent->row.joined))
        .Text("told", FormatTime(descent->row.time))
        .Text("status", StatusText(descent->row.status))
        .Bool("renamed", descent->row.renamed);
  return object.Finish();
}

void PrintEntry(Context& context, const Directory& directory, const Entry& entry,
                const std::string& dn, const std::optional<Descent>& descent) {
  context.out() << Coloured(Printable(dn, kValueShown), Colour::kBold, context.out_colours())
                << '\n';
  PrintLine(context, "class", ClassName(entry.entry_class));
  PrintLine(context, "id", entry.id.hex());
  PrintLine(context, "created",
            FormatTime(entry.created) + ", USN " + std::to_string(entry.usn_created));
  PrintLine(context, "changed",
            FormatTime(entry.changed) + ", USN " + std::to_string(entry.usn_changed));
  if (entry.origin) {
    std::string by = entry.origin->ToString();
    if (descent) {
      by += " by " + descent->instance + ", " + std::string(JoinedText(descent->row.joined));
      if (descent->row.renamed) by += " under another name";
      if (descent->row.status != MirrorStatus::kApplied)
        by += ", " + std::string(StatusText(descent->row.status));
    }
    PrintLine(context, "origin", by);
  }
  for (const Attribute& a : entry.attributes)
    for (const std::string& value : a.values)
      PrintLine(context, a.name, ShownValue(directory, a.name, value));
}

std::string ShownAddress(const Entry& entry) {
  const std::string_view target = entry.attributes.First(attribute::kTargetAddress);
  if (!target.empty()) return std::string(target);
  return std::string(entry.attributes.First(attribute::kProxyAddresses));
}

Result<std::string> ChangedLine(const Context& context, const Directory& directory,
                                std::string_view verb, const Entry& entry) {
  DIRSYNC_TRY(dn, directory.DnOf(entry));
  if (context.json()) return EntryJson(entry, dn, std::nullopt) + "\n";
  const std::string address = ShownAddress(entry);
  return (context.dry_run() ? "would have " : "") + std::string(verb) + " " +
         Printable(dn, kValueShown) + (address.empty() ? "" : " (" + Printable(address) + ")") +
         "\n";
}

}  // namespace dirsync::cli
