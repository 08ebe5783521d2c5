// Command lines of the 1990s tool: `/EXPFULL INSTANCE1`, `-set:`, unambiguous prefixes. Pure: words
// in, settings out. What they do: old_run.h.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/instance.h"
#include "agent/directory/site_profile.h"
#include "proto/base/error.h"

namespace dirsync::cli {

// '/' or a single '-' and then a letter or '?'.
bool LooksOld(std::string_view word);

// A flag as given: its whole name in capitals and its value (empty without one).
struct OldFlag {
  std::string name;
  std::string value;
  auto operator<=>(const OldFlag&) const = default;
};

// Flags by what they set: "EXPORT", "IMPORT" and "BOTH" under "TYPE", "NOSUBS" under "SUBS".
using OldFlags = std::map<std::string, OldFlag, std::less<>>;

struct OldCommand {
  std::optional<std::string> instance;
  OldFlags flags;
  std::vector<std::string> notes;  // what replaces the flags that have no effect here

  bool Has(std::string_view slot) const { return flags.contains(slot); }
  // "X" given, or "NOX" given, or neither.
  std::optional<bool> Switch(std::string_view slot) const;
  std::optional<std::string> Value(std::string_view slot) const;
};

// Errors, all kUsage: unknown or ambiguous flag (with the candidates), missing or unwanted value,
// flags that contradict, two instances, an instance and /KEY.
Result<OldCommand> ParseOldSpelling(std::span<const std::string> words);

// Lines "name=value" or "name" of a /KEY file; blank lines and "#…" are skipped. Errors: kUsage
// with the line, for the same reasons.
Result<OldFlags> ParseKeyFile(std::string_view text);
std::string FormatKeyFile(const OldFlags& flags);

// Writes the flags into `settings`. `fresh`: the instance is new, so that an absent /EXPLIST means
// names only. /DSA and /BASEPOINT must name this site. Errors: kConfiguration, kUsage, kInvalid.
// Appends to `notes` what a person should know.
Result<> MergeOldFlags(const OldCommand& command, const SiteProfile& profile, bool fresh,
                       InstanceSettings& settings, std::vector<std::string>& notes);

}  // namespace dirsync::cli
