#include "cli/old_spelling.h"

#include <algorithm>

#include "cli/options.h"
#include "proto/base/text.h"
#include "proto/model/attribute_table.h"
#include "proto/model/dn.h"

namespace dirsync::cli {
namespace {

struct FlagInfo {
  std::string_view name;
  std::string_view slot;
  bool takes_value = false;
  std::string_view replaced = {};  // what to do instead, for flags without effect
};

constexpr std::string_view kNoAccounts =
    "no accounts are made or deleted here; take them from `dirsync run --json` to your own tool";
constexpr std::string_view kNoFullImport =
    "a full file replaces what its stream told: ask the sender for `dirsync run INSTANCE --full`";

constexpr FlagInfo kFlags[] = {
    {"?", "HELP"},
    {"BASEPOINT", "BASEPOINT", true},
    {"BOTH", "TYPE"},
    {"CONTAINER", "CONTAINER", true},
    {"DISPLAY", "DISPLAY"},
    {"DSA", "DSA", true},
    {"EXPFILE", "EXPFILE", true},
    {"EXPFULL", "EXPFULL"},
    {"EXPLIST", "EXPLIST", true},
    {"EXPORT", "TYPE"},
    {"HELP", "HELP"},
    {"HOMESERVER", "HOMESERVER", true},
    {"IMPFILE", "IMPFILE", true},
    {"IMPFULL", "IMPFULL", false, kNoFullImport},
    {"IMPORT", "TYPE"},
    {"KEY", "KEY", true},
    {"MVAPPEND", "MVAPPEND"},
    {"NOEXPFULL", "EXPFULL"},
    {"NOIMPFULL", "IMPFULL", false, kNoFullImport},
    {"NOMVAPPEND", "MVAPPEND"},
    {"NONTCREATE", "NTCREATE", false, kNoAccounts},
    {"NONTDELETE", "NTDELETE", false, kNoAccounts},
    {"NOPROGRESS", "PROGRESS"},
    {"NOSUBS", "SUBS"},
    {"NTCREATE", "NTCREATE", false, kNoAccounts},
    {"NTDELETE", "NTDELETE", false, kNoAccounts},
    {"OBJCLASS", "OBJCLASS", true},
    {"PROGRESS", "PROGRESS"},
    {"SERVER", "SERVER", true},
    {"SET", "SET"},
    {"SUBS", "SUBS"},
    {"USN", "USN", true},
};

std::string Slashed(std::string_view name) { return "/" + std::string(name); }

Result<const FlagInfo*> FindFlag(std::string_view name) {
  const std::string upper = ToUpperAscii(name);
  std::vector<const FlagInfo*> found;
  for (const FlagInfo& flag : kFlags) {
    if (flag.name == upper) return &flag;
    if (!upper.empty() && flag.name.starts_with(upper)) found.push_back(&flag);
  }
  if (found.size() == 1) return found.front();
  std::vector<std::string> names;
  for (const FlagInfo* flag : found) names.push_back(Slashed(flag->name));
  if (found.size() > 1)
    return Fail(ErrorCode::kUsage,
                "flag " + Slashed(Printable(upper)) + " is ambiguous: " + Join(names, ", "),
                "type more of its letters");
  for (const FlagInfo& flag : kFlags) names.emplace_back(flag.name);
  std::vector<std::string> near = Nearest(upper, names);
  for (std::string& name_near : near) name_near = Slashed(name_near);
  return Fail(ErrorCode::kUsage,
              "unknown flag " + Slashed(Printable(upper)) +
                  (near.empty() ? "" : "; did you mean " + Join(near, " or ") + "?"),
              "`dirsync /HELP` lists the flags");
}

std::string_view Unquoted(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
    return text.substr(1, text.size() - 2);
  return text;
}

// `text`: the flag without its '/' or '-'.
Result<> TakeFlag(std::string_view text, OldFlags& flags, std::vector<std::string>& notes) {
  const std::size_t end = text.find_first_of("=:");
  DIRSYNC_TRY(info, FindFlag(TrimBlanks(text.substr(0, end))));
  const bool has_value = end != std::string_view::npos;
  OldFlag flag{std::string(info->name), ""};
  if (has_value) flag.value = Unquoted(TrimBlanks(text.substr(end + 1)));
  if (info->takes_value && !has_value)
    return Fail(ErrorCode::kUsage,
                "flag " + Slashed(info->name) + " needs a value: " + Slashed(info->name) + "=…");
  if (!info->takes_value && has_value)
    return Fail(ErrorCode::kUsage, "flag " + Slashed(info->name) + " takes no value");
  if (!info->replaced.empty())
    notes.push_back(Slashed(info->name) + " has no effect: " + std::string(info->replaced));
  auto [place, added] = flags.emplace(info->slot, flag);
  if (!added && place->second != flag)
    return Fail(ErrorCode::kUsage,
                place->second.name == flag.name ? "flag " + Slashed(flag.name) + " is given twice"
                                                : "flags " + Slashed(place->second.name) + " and " +
                                                      Slashed(flag.name) + " contradict each other",
                info->slot == "TYPE" ? "for both directions give /BOTH" : "give one of them");
  return {};
}

Result<> CheckSite(const OldCommand& command, const SiteProfile& profile, Dn& basepoint) {
  const std::string here =
      "this store is server " + profile.server + " of " + profile.basepoint().ToString();
  if (auto dsa = command.Value("DSA"); dsa && FoldName(*dsa) != FoldName(profile.server))
    return Fail(ErrorCode::kConfiguration, "/DSA names server " + Printable(*dsa) + ", but " + here,
                "set DIRSYNC_STORE, or give --store, to the store of " + Printable(*dsa));
  basepoint = profile.basepoint();
  auto text = command.Value("BASEPOINT");
  if (!text || text->empty()) return {};
  DIRSYNC_TRY(given, ParseDn(*text));
  if (given.IsWithin(basepoint)) {
    basepoint = given;
  } else if (!basepoint.IsWithin(given)) {
    return Fail(ErrorCode::kConfiguration, "/BASEPOINT names " + Printable(*text) + ", but " + here,
                "set DIRSYNC_STORE, or give --store, to the store of that site");
  }
  return {};
}

Result<> MergeContainer(const OldCommand& command, const SiteProfile& profile, const Dn& basepoint,
                        InstanceSettings& settings) {
  auto text = command.Value("CONTAINER");
  if (!text) {
    if (basepoint.Folded() == profile.basepoint().Folded()) return {};
    text = "";
  }
  Dn dn = basepoint;
  if (!text->empty()) {
    DIRSYNC_TRY(named, ContainerDn(basepoint, *text));
    dn = named;
  }
  // Below the site's own basepoint the text is kept as typed.
  const std::string container =
      basepoint.Folded() == profile.basepoint().Folded() ? *text : dn.ToString();
  if (settings.exports || !settings.imports) settings.containers = {container};
  if (settings.imports) settings.import_container = container;
  return {};
}

Result<> MergeExportList(const std::string& text, InstanceSettings& settings,
                         std::vector<std::string>& notes) {
  settings.attributes.clear();
  for (const std::string& name : SplitList(text)) {
    if (name == "*") {
      settings.attributes = {"*"};
      return {};
    }
    DIRSYNC_TRY(canonical, CanonicalAttribute(name));
    if (canonical == attribute::kCommonName || canonical == attribute::kObjClass) continue;
    if (!FindAttribute(canonical)->exported) {
      notes.push_back(canonical + " in /EXPLIST is never told: it means something here only");
      continue;
    }
    if (std::ranges::find(settings.attributes, canonical) == settings.attributes.end())
      settings.attributes.push_back(canonical);
  }
  return {};
}

Result<> MergeImport(const OldCommand& command, InstanceSettings& settings) {
  if (auto name = command.Value("OBJCLASS")) {
    if (EqualsIgnoreCase(*name, "Remote") || EqualsIgnoreCase(*name, "Remote-Address")) {
      settings.import_class = EntryClass::kCustomRecipient;
    } else if (EqualsIgnoreCase(*name, "Mailbox")) {
      settings.import_class = EntryClass::kMailbox;
    } else {
      return Fail(ErrorCode::kUsage, "/OBJCLASS=" + Printable(*name) + ": no such class",
                  "/OBJCLASS=Remote or /OBJCLASS=Mailbox");
    }
  }
  if (auto server = command.Value("HOMESERVER")) settings.home_server = *server;
  if (auto append = command.Switch("MVAPPEND")) settings.mv_append = *append;
  return {};
}

}  // namespace

bool LooksOld(std::string_view word) {
  if (word.size() < 2 || (word[0] != '/' && word[0] != '-')) return false;
  const char c = word[1];
  return c == '?' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

std::optional<bool> OldCommand::Switch(std::string_view slot) const {
  auto found = flags.find(slot);
  if (found == flags.end()) return std::nullopt;
  return found->second.name == slot;
}

std::optional<std::string> OldCommand::Value(std::string_view slot) const {
  auto found = flags.find(slot);
  if (found == flags.end()) return std::nullopt;
  return found->second.value;
}

Result<OldCommand> ParseOldSpelling(std::span<const std::string> words) {
  OldCommand command;
  for (const std::string& word : words) {
    if (LooksOld(word)) {
      DIRSYNC_CHECK(TakeFlag(std::string_view(word).substr(1), command.flags, command.notes));
      continue;
    }
    if (command.instance)
      return Fail(
          ErrorCode::kUsage,
          "two instances are named: " + Printable(*command.instance) + " and " + Printable(word),
          "name one; a name with blanks is quoted: \"" + Printable(*command.instance) + " " +
              Printable(word) + "\"");
    command.instance = std::string(TrimBlanks(Unquoted(word)));
    DIRSYNC_CHECK(CheckName("instance", *command.instance));
  }
  if (command.instance && command.Has("KEY"))
    return Fail(ErrorCode::kUsage,
                "both instance " + Printable(*command.instance) + " and /KEY are given",
                "give one of them");
  return command;
}

Result<OldFlags> ParseKeyFile(std::string_view text) {
  OldFlags flags;
  std::size_t number = 0;
  for (std::string_view line : Split(text, '\n')) {
    ++number;
    if (line.ends_with('\r')) line.remove_suffix(1);
    line = TrimBlanks(line);
    if (line.empty() || line.front() == '#') continue;
    std::vector<std::string> notes;
    auto taken = TakeFlag(line, flags, notes);
    if (!taken)
      return Fail(ErrorCode::kUsage,
                  "line " + std::to_string(number) + ": " + taken.error().message,
                  taken.error().hint);
  }
  for (std::string_view slot : {"SET", "KEY", "DISPLAY", "HELP"})
    if (flags.contains(slot))
      return Fail(ErrorCode::kUsage, Slashed(slot) + " belongs on the command line",
                  "take it out of the file");
  return flags;
}

std::string FormatKeyFile(const OldFlags& flags) {
  std::string text = "# settings of dirsync, used by /KEY=\n";
  for (const auto& [slot, flag] : flags) {
    const auto* info = std::ranges::find(kFlags, flag.name, &FlagInfo::name);
    text += flag.name + (info->takes_value ? "=" + flag.value : "") + "\n";
  }
  return text;
}

Result<> MergeOldFlags(const OldCommand& command, const SiteProfile& profile, bool fresh,
                       InstanceSettings& settings, std::vector<std::string>& notes) {
  if (auto type = command.flags.find("TYPE"); type != command.flags.end()) {
    settings.exports = type->second.name != "IMPORT";
    settings.imports = type->second.name != "EXPORT";
  }
  Dn basepoint;
  DIRSYNC_CHECK(CheckSite(command, profile, basepoint));
  DIRSYNC_CHECK(MergeContainer(command, profile, basepoint, settings));
  if (auto server = command.Value("SERVER")) settings.server = *server;
  if (auto file = command.Value("EXPFILE")) settings.export_file = *file;
  if (auto file = command.Value("IMPFILE")) settings.import_file = *file;
  if (auto subs = command.Switch("SUBS")) settings.subs = *subs;
  if (auto list = command.Value("EXPLIST")) {
    DIRSYNC_CHECK(MergeExportList(*list, settings, notes));
  } else if (fresh) {
    settings.attributes.clear();
  }
  return MergeImport(command, settings);
}

}  // namespace dirsync::cli
