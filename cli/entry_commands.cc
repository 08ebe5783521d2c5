// mailbox, recipient, container: entries that people add and change by hand.
#include "cli/entry_commands.h"

#include <algorithm>

#include "cli/command.h"
#include "cli/entry_options.h"
#include "cli/entry_view.h"
#include "proto/base/text.h"
#include "proto/model/attribute_table.h"

namespace dirsync::cli {
namespace {

constexpr EntryClass kMailbox = EntryClass::kMailbox;
constexpr EntryClass kRecipient = EntryClass::kCustomRecipient;
constexpr EntryClass kContainer = EntryClass::kContainer;

Result<int> DeleteOne(Context& context, Store& store, EntryClass entry_class,
                      const std::string& name) {
  return ChangeDirectory(context, store, [&](Directory& directory) -> Result<std::string> {
    DIRSYNC_TRY(entry, ResolveClass(directory, entry_class, name));
    DIRSYNC_TRY(line, ChangedLine(context, directory, "deleted", entry));
    DIRSYNC_CHECK(directory.Delete(entry));
    return line;
  });
}

std::vector<OptionSpec> RecipientOptions(bool add) {
  std::vector<OptionSpec> options = EntryOptionSpecs(add);
  options.insert(options.begin(), {"--target", "TYPE:A", "where mail for it goes"});
  return options;
}

Result<int> AddRecipient(Context& context, const Arguments& arguments) {
  if (!arguments.Has("--target"))
    return Fail(ErrorCode::kUsage,
                "recipient add " + Printable(arguments.words().front()) + ": --target is missing",
                "--target TYPE:ADDRESS says where mail for it goes, SMTP:jane@example.org");
  return AddEntry<kRecipient>(context, arguments);
}

Result<int> AddContainer(Context& context, const Arguments& arguments) {
  NewEntry fresh;
  fresh.entry_class = kContainer;
  fresh.name = arguments.words().front();
  // At the top of the site unless another container is named.
  fresh.container = arguments.Value("--container").value_or("");
  return AddFresh(context, std::move(fresh), arguments);
}

}  // namespace

Result<Entry> ResolveClass(const Directory& directory, EntryClass entry_class,
                           const std::string& name) {
  DIRSYNC_TRY(entry, directory.Resolve(name));
  if (entry.origin)
    return Fail(
        ErrorCode::kNotOurs,
        "changing " + Printable(entry.name) + ": it belongs to " + Printable(entry.origin->site),
        "change it there; the next import brings it here");
  if (entry.entry_class == entry_class) return entry;
  return Fail(ErrorCode::kUsage,
              Printable(name) + " is a " + std::string(ClassName(entry.entry_class)) + ", not a " +
                  std::string(ClassName(entry_class)),
              "dirsync show " + Quoted(name));
}

Result<int> AddFresh(Context& context, NewEntry fresh, const Arguments& arguments) {
  DIRSYNC_TRY(store, context.OpenStore());
  return ChangeDirectory(context, *store, [&](Directory& directory) -> Result<std::string> {
    if (fresh.container.empty() && fresh.entry_class == kContainer)
      fresh.container = store->profile().basepoint().ToString();
    DIRSYNC_TRY(attributes, NewAttributes(directory, arguments));
    fresh.attributes = std::move(attributes);
    for (const std::string& member : arguments.Values("--member")) {
      DIRSYNC_TRY(reference, ReferenceOf(directory, member));
      std::vector<std::string> members;
      if (const Attribute* held = fresh.attributes.Find(attribute::kMember)) members = held->values;
      members.push_back(reference.ToString());
      fresh.attributes.Set(attribute::kMember, std::move(members));
    }
    DIRSYNC_TRY(entry, directory.Add(std::move(fresh)));
    return ChangedLine(context, directory, "added", entry);
  });
}

template <EntryClass kClass>
Result<int> AddEntry(Context& context, const Arguments& arguments) {
  NewEntry fresh;
  fresh.entry_class = kClass;
  fresh.name = arguments.words().front();
  if (auto container = arguments.Value("--container")) fresh.container = *container;
  return AddFresh(context, std::move(fresh), arguments);
}

Result<int> EditEntry(Context& context, EntryClass entry_class, const std::string& name,
                      std::string_view verb, const MakeEdit& make) {
  DIRSYNC_TRY(store, context.OpenStore());
  return ChangeDirectory(context, *store, [&](Directory& directory) -> Result<std::string> {
    DIRSYNC_TRY(entry, ResolveClass(directory, entry_class, name));
    DIRSYNC_TRY(edit, make(directory, entry));
    DIRSYNC_TRY(changed, directory.Edit(entry, edit));
    return ChangedLine(context, directory, verb, changed);
  });
}

template <EntryClass kClass>
Result<int> SetEntry(Context& context, const Arguments& arguments) {
  return EditEntry(context, kClass, arguments.words()[0], "changed",
                   [&](const Directory& directory, const Entry& entry) {
                     return EditOf(directory, arguments, entry);
                   });
}

template <EntryClass kClass>
Result<int> RenameEntry(Context& context, const Arguments& arguments) {
  return EditEntry(context, kClass, arguments.words()[0], "renamed to",
                   [&](const Directory&, const Entry&) -> Result<EntryEdit> {
                     EntryEdit edit;
                     edit.name = arguments.words()[1];
                     return edit;
                   });
}

template <EntryClass kClass>
Result<int> MoveEntry(Context& context, const Arguments& arguments) {
  return EditEntry(context, kClass, arguments.words()[0], "moved to",
                   [&](const Directory&, const Entry&) -> Result<EntryEdit> {
                     EntryEdit edit;
                     edit.container = arguments.words()[1];
                     return edit;
                   });
}

template <EntryClass kClass>
Result<int> DeleteEntries(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(store, context.OpenStore());
  int status = 0;
  for (const std::string& name : arguments.words()) {
    auto result = DeleteOne(context, *store, kClass, name);
    if (!result) context.PrintError(result.error());
    if (status == 0) status = result ? *result : result.error().exit_status();
  }
  return status;
}

template Result<int> AddEntry<EntryClass::kDistributionList>(Context&, const Arguments&);
template Result<int> DeleteEntries<EntryClass::kDistributionList>(Context&, const Arguments&);

namespace {

void AddMailboxCommands(std::vector<CommandSpec>& commands) {
  commands.push_back(
      {.path = "mailbox add",
       .arguments = "NAME",
       .words_min = 1,
       .words_max = 1,
       .help = "a new mailbox, with generated addresses",
       .examples = {"dirsync mailbox add Mailbox11",
                    "dirsync mailbox add Mailbox14 --given-name Mail --surname Fourteen",
                    "dirsync mailbox add jane --address SMTP:jane@example.org "
                    "--attribute Title=Engineer --container Recipients/cn=Board"},
       .options = EntryOptionSpecs(true),
       .run = AddEntry<kMailbox>});
  commands.push_back(
      {.path = "mailbox set",
       .arguments = "NAME",
       .words_min = 1,
       .words_max = 1,
       .help = "change values of a mailbox",
       .examples = {"dirsync mailbox set Mailbox12 --display-name \"Mailbox Twelve\"",
                    "dirsync mailbox set Mailbox12 --attribute Telephone-Office="},
       .options = EntryOptionSpecs(false),
       .run = SetEntry<kMailbox>});
  commands.push_back({.path = "mailbox rename",
                      .arguments = "NAME NEW-NAME",
                      .words_min = 2,
                      .words_max = 2,
                      .help = "another name; everything else stays",
                      .examples = {"dirsync mailbox rename Mailbox13 Mailbox30"},
                      .run = RenameEntry<kMailbox>});
  commands.push_back({.path = "mailbox move",
                      .arguments = "NAME CONTAINER",
                      .words_min = 2,
                      .words_max = 2,
                      .help = "to another container",
                      .examples = {"dirsync mailbox move Mailbox13 Recipients/cn=Board"},
                      .run = MoveEntry<kMailbox>});
  commands.push_back({.path = "mailbox delete",
                      .arguments = "NAME…",
                      .words_min = 1,
                      .words_max = kManyWords,
                      .help = "delete mailboxes",
                      .examples = {"dirsync mailbox delete Mailbox11"},
                      .run = DeleteEntries<kMailbox>});
}

void AddRecipientCommands(std::vector<CommandSpec>& commands) {
  commands.push_back({.path = "recipient add",
                      .arguments = "NAME",
                      .words_min = 1,
                      .words_max = 1,
                      .help = "a custom recipient: someone whose mailbox is elsewhere",
                      .examples = {"dirsync recipient add jane --target SMTP:jane@example.org"},
                      .options = RecipientOptions(true),
                      .run = AddRecipient});
  commands.push_back({.path = "recipient set",
                      .arguments = "NAME",
                      .words_min = 1,
                      .words_max = 1,
                      .help = "change values of a custom recipient",
                      .examples = {"dirsync recipient set jane --target SMTP:jane@example.com"},
                      .options = RecipientOptions(false),
                      .run = SetEntry<kRecipient>});
  commands.push_back({.path = "recipient delete",
                      .arguments = "NAME…",
                      .words_min = 1,
                      .words_max = kManyWords,
                      .help = "delete custom recipients of this site",
                      .examples = {"dirsync recipient delete jane"},
                      .run = DeleteEntries<kRecipient>});
}

void AddContainerCommands(std::vector<CommandSpec>& commands) {
  commands.push_back(
      {.path = "container add",
       .arguments = "NAME",
       .words_min = 1,
       .words_max = 1,
       .help = "a new container",
       .examples = {"dirsync container add Other",
                    "dirsync container add Board --container Recipients"},
       .options = {{"--container", "C", "the container it goes into (default: the site)"}},
       .run = AddContainer});
  commands.push_back({.path = "container rename",
                      .arguments = "NAME NEW-NAME",
                      .words_min = 2,
                      .words_max = 2,
                      .help = "another name; what is in it stays",
                      .examples = {"dirsync container rename Board Directors"},
                      .run = RenameEntry<kContainer>});
  commands.push_back({.path = "container move",
                      .arguments = "NAME CONTAINER",
                      .words_min = 2,
                      .words_max = 2,
                      .help = "into another container, with what is in it",
                      .examples = {"dirsync container move Board Other"},
                      .run = MoveEntry<kContainer>});
  commands.push_back({.path = "container delete",
                      .arguments = "NAME…",
                      .words_min = 1,
                      .words_max = kManyWords,
                      .help = "delete empty containers",
                      .examples = {"dirsync container delete Other"},
                      .run = DeleteEntries<kContainer>});
}

}  // namespace

CommandGroup EntryCommands() {
  CommandGroup group{"People and containers", {}};
  AddMailboxCommands(group.commands);
  AddRecipientCommands(group.commands);
  AddContainerCommands(group.commands);
  return group;
}

}  // namespace dirsync::cli
