// group: distribution lists and their members.
#include "cli/command.h"
#include "cli/entry_commands.h"
#include "cli/entry_options.h"
#include "cli/entry_view.h"
#include "cli/json.h"
#include "proto/base/text.h"
#include "proto/model/attribute_table.h"

namespace dirsync::cli {
namespace {

constexpr EntryClass kGroup = EntryClass::kDistributionList;

Result<Attribute> MembersNamed(const Directory& directory, const std::vector<std::string>& names) {
  Attribute members{std::string(attribute::kMember), {}};
  for (const std::string& name : names) {
    DIRSYNC_TRY(reference, ReferenceOf(directory, name));
    members.values.push_back(reference.ToString());
  }
  return members;
}

struct Member {
  std::string dn;  // empty: not known here
  std::string display_name;
};
Member MemberOf(const Directory& directory, const std::string& value) {
  auto reference = Reference::Parse(value);
  if (!reference) return {};
  const bool local = reference->site == directory.profile().site;
  auto entry =
      directory.Resolve((local ? reference->id : LocalIdOf(reference->site, reference->id)).hex());
  if (!entry) return {};
  auto dn = directory.DnOf(*entry);
  return {dn ? *dn : "", std::string(entry->attributes.First(attribute::kDisplayName))};
}

Result<int> ListMembers(Context& context, const std::string& name) {
  DIRSYNC_TRY(store, context.OpenStore());
  return WithDirectory(context, *store, [&](Directory& directory) -> Result<int> {
    DIRSYNC_TRY(group, directory.Resolve(name));
    if (group.entry_class != kGroup)
      return Fail(ErrorCode::kUsage,
                  Printable(name) + " is a " + std::string(ClassName(group.entry_class)) +
                      ", not a distribution list",
                  "dirsync show " + Quoted(name));
    std::vector<std::string> items;
    Table table(context.out(), {"MEMBER", "DISPLAY NAME"}, context.width(), context.out_colours());
    if (const Attribute* members = group.attributes.Find(attribute::kMember)) {
      for (const std::string& value : members->values) {
        const Member member = MemberOf(directory, value);
        if (context.json()) {
          items.push_back(JsonObject()
                              .Text("reference", value)
                              .Text("dn", member.dn)
                              .Text("display_name", member.display_name)
                              .Finish());
        } else {
          table.Add({member.dn.empty() ? value : member.dn,
                     member.dn.empty() ? "(unknown here yet)" : member.display_name});
        }
      }
    }
    if (context.json()) context.out() << JsonArray(items) << '\n';
    table.Finish();
    if (!context.json() && table.rows() == 0) context.Note("no members");
    return 0;
  });
}

Result<int> Members(Context& context, const Arguments& arguments) {
  const std::string& name = arguments.words().front();
  if (!arguments.Has("--add") && !arguments.Has("--remove")) return ListMembers(context, name);
  return EditEntry(context, kGroup, name, "changed",
                   [&](const Directory& directory, const Entry&) -> Result<EntryEdit> {
                     EntryEdit edit;
                     if (arguments.Has("--add")) {
                       DIRSYNC_TRY(added, MembersNamed(directory, arguments.Values("--add")));
                       edit.add_values.push_back(std::move(added));
                     }
                     if (arguments.Has("--remove")) {
                       DIRSYNC_TRY(removed, MembersNamed(directory, arguments.Values("--remove")));
                       edit.remove_values.push_back(std::move(removed));
                     }
                     return edit;
                   });
}

std::vector<OptionSpec> AddOptions() {
  std::vector<OptionSpec> options = EntryOptionSpecs(true);
  options.insert(options.begin(), {"--member", "WHO", "name, DN, address or SITE/ID", true});
  return options;
}

}  // namespace

CommandGroup GroupCommands() {
  return {"Distribution lists",
          {
              {.path = "group add",
               .arguments = "NAME",
               .words_min = 1,
               .words_max = 1,
               .help = "a new distribution list",
               .examples = {"dirsync group add Board --member Mailbox11 --member Mailbox12"},
               .options = AddOptions(),
               .run = AddEntry<kGroup>},
              {.path = "group members",
               .arguments = "NAME",
               .words_min = 1,
               .words_max = 1,
               .help = "show the members, or add and remove some",
               .examples = {"dirsync group members Board",
                            "dirsync group members Board --add Mailbox13 --remove Mailbox11"},
               .options = {{"--add", "WHO", "name, DN, address or SITE/ID", true},
                           {"--remove", "WHO", "likewise", true}},
               .run = Members},
              {.path = "group delete",
               .arguments = "NAME…",
               .words_min = 1,
               .words_max = kManyWords,
               .help = "delete distribution lists",
               .examples = {"dirsync group delete Board"},
               .run = DeleteEntries<kGroup>},
          }};
}

}  // namespace dirsync::cli
