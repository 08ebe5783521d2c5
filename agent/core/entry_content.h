// What an imported entry is made of: the told values, as they stand here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/core/apply_context.h"
#include "agent/core/mirror.h"
#include "proto/model/change.h"

namespace dirsync {

// Mailboxes and custom recipients of a source stand here as custom recipients.
EntryClass LocalClassOf(EntryClass told);

// Whether the source decides on this attribute here: target address, stamp and what is never told
// are ours to write.
bool IsToldAttribute(std::string_view name);

// %d told display name, %m name, %{site}, %{organization}, %%; anything else stands for itself.
// An empty format is "%d". Cut to whole characters within the size of a value.
std::string FormatDisplayName(std::string_view format, std::string_view told, std::string_view name,
                              std::string_view site, std::string_view organization);
// Whether the name enters into display names besides the told one, which is not stored here: then a
// rename needs the entry whole.
bool NeedsWholeToRename(std::string_view format);

// `name` with "-" and the first `digits` hex digits of the id, cut before it where too long.
std::string SuffixedName(std::string_view name, const EntryId& id, std::size_t digits);
// Digits that suffixes are tried with, in order.
inline constexpr std::size_t kSuffixDigits[] = {6, 8, 12, 32};
// Whether `held` is `name`, or it with one of the suffixes.
bool IsNameFor(std::string_view held, std::string_view name, const EntryId& id);

// Puts the change's attributes, target address, display name and stamp into `entry`. Those told
// before, as its row knows, that a whole change no longer has are cleared. What this site does not
// take stays as it stood before the source told it, and what came of it before is cleared.
void WriteWhole(const ApplyContext& context, const Change& whole, const MirrorRow* row,
                Entry& entry);
// The same for a kModify or kRename, whose attributes are all kSet.
void WritePart(const ApplyContext& context, const Change& part, const MirrorRow& row, Entry& entry);

// Whether the entry of the row has the attribute as it was told: it was, and is not kept out.
bool HoldsTold(const MirrorRow& row, std::string_view attribute);
// Whether the names that an applied row keeps out are those that this site does not take now.
bool KeepsOutRight(const ApplyContext& context, const MirrorRow& row);
// Names to keep in the row once `change` has landed and told `told`; `before`: those of the row.
std::vector<std::string> KeptOutAfter(const ApplyContext& context, const Change& change,
                                      const ToldState& told,
                                      const std::vector<std::string>& before);

}  // namespace dirsync
