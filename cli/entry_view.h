// Entries as people and programs see them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "agent/core/mirror.h"
#include "agent/directory/directory.h"
#include "agent/service/store.h"
#include "cli/context.h"

namespace dirsync::cli {

// How an imported entry came to be here.
struct Descent {
  std::string instance;
  MirrorRow row;
};
// By the import instance whose mirror row leads here; nullopt: local, or its instance is gone.
Result<std::optional<Descent>> DescentOf(const storage::ReadView& view, const Entry& entry);

// {"dn","id","class","usn_created","usn_changed","origin","attributes"}; origin "" = local.
std::string EntryJson(const Entry& entry, const std::string& dn,
                      const std::optional<Descent>& descent);
// All of it, one value a line.
void PrintEntry(Context& context, const Directory& directory, const Entry& entry,
                const std::string& dn, const std::optional<Descent>& descent);
// Address that the address book shows: the target, else the first primary one.
std::string ShownAddress(const Entry& entry);

// "added /o=…" or, with --json, the entry; a line. To be printed once the change is committed.
Result<std::string> ChangedLine(const Context& context, const Directory& directory,
                                std::string_view verb, const Entry& entry);

}  // namespace dirsync::cli
