#include "cli/old_run.h"

#include <optional>

#include "agent/service/file_outbox.h"
#include "cli/instance_options.h"
#include "cli/instance_view.h"
#include "cli/old_spelling.h"
#include "cli/runner.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

namespace dirsync::cli {
namespace {

void PrintOldHelp(Context& context) {
  context.out() <<
      R"(Examples
  dirsync INSTANCE1 /SET /EXPORT /EXPFILE=SYNC1 /CONTAINER=Recipients /EXPLIST=Display-Name
  dirsync /EXPFULL INSTANCE1
  dirsync INSTANCE1

Usage
  dirsync [INSTANCE] [/FLAG[=VALUE]]…   / or -, = or :, any case, as many letters as are needed

  /SET                  store the settings given and do nothing else
  /EXPORT /IMPORT /BOTH direction; both = import, then export
  /DSA=SERVER           must be the server of this store
  /BASEPOINT=DN         must be this site
  /CONTAINER=C          container to export, or to import into
  /SUBS /NOSUBS         with the containers below
  /SERVER=S             only entries with this home server
  /EXPFILE=F /IMPFILE=F the sync file
  /EXPLIST=A,B          attributes to tell; none given to a new instance = names only
  /EXPFULL /NOEXPFULL   export everything, this once
  /OBJCLASS=CLASS       class of records from foreign systems: Remote or Mailbox
  /HOMESERVER=S         home server of imported mailboxes without one
  /MVAPPEND /NOMVAPPEND modifies of foreign files append values
  /PROGRESS /NOPROGRESS show how far the run is
  /USN=0                compare everything with what was told, this once
  /KEY=FILE             settings from a file of lines name=value
  /DISPLAY              settings and position
  /HELP /?              this text

A flag without /SET holds for this run only. `dirsync help` shows the commands of today.
)";
}

Result<std::string> ReadKeyFile(Context& context, const std::string& path) {
  DIRSYNC_TRY(source, context.world().files().Open(path));
  if (source->size() > limits::kMiB)
    return Fail(ErrorCode::kTooLarge, "reading " + Printable(path) + ": larger than 1 MiB");
  std::string text;
  DIRSYNC_CHECK(source->Read(0, source->size(), text));
  return text;
}

Result<> WriteKeyFile(Context& context, const std::string& path, const OldFlags& flags) {
  return context.WriteFile(path,
                           [&](FileOutput& file) { return file.Append(FormatKeyFile(flags)); });
}

// Flags of a /KEY file stand below those of the command line.
Result<> TakeKeyFile(Context& context, OldCommand& command) {
  auto key = command.Value("KEY");
  if (!key) return {};
  const std::string path = context.WholePath(*key);
  if (command.Has("SET") && !context.world().files().Exists(path)) return {};
  DIRSYNC_TRY(text, ReadKeyFile(context, path));
  auto stored = ParseKeyFile(text);
  if (!stored)
    return Fail(stored.error().code,
                Printable(context.ShortPath(path)) + ", " + stored.error().message,
                stored.error().hint);
  for (auto& [slot, flag] : *stored) command.flags.emplace(slot, flag);
  return {};
}

Result<> CheckUsn(const OldCommand& command) {
  auto usn = command.Value("USN");
  if (!usn || ParseNumber(*usn) == std::uint64_t{0}) return {};
  return Fail(ErrorCode::kUsage, "/USN=" + Printable(*usn) + " is refused: only 0 is possible",
              "marks are kept with what was told and cannot be set; /USN=0 compares everything");
}

// File names become whole, so that a run from another folder finds the same file.
void MakeWhole(const Context& context, InstanceSettings& settings) {
  settings.export_file = context.WholePath(settings.export_file);
  settings.import_file = context.WholePath(settings.import_file);
}

Result<int> StoreSettings(Context& context, Store& store, const OldCommand& command,
                          const InstanceSettings& settings, bool fresh) {
  if (command.Switch("EXPFULL") == true)
    context.Note("/EXPFULL is for one run and is not stored: give it when you run " +
                 settings.name);
  if (command.Has("USN"))
    context.Note("/USN=0 is for one run and is not stored: give it when you run " + settings.name);
  DIRSYNC_CHECK(context.Change(store, [&](storage::Transaction& transaction) -> Result<> {
    DIRSYNC_CHECK(CheckExportPlace(transaction, settings));
    StoreInstance(transaction, settings);
    return {};
  }));
  if (context.json()) {
    context.out() << InstanceJsonFields(settings, "") << '\n';
  } else {
    context.out() << (context.dry_run() ? "would have " : "")
                  << (fresh ? "made instance " : "set instance ") << Printable(settings.name)
                  << ": " << Printable(DirectionText(context, settings)) << '\n';
  }
  DIRSYNC_CHECK(TellMissing(context, store, settings, true));
  return 0;
}

// The command that would make the instance, as it was typed.
std::string SetCommand(const OldCommand& command) {
  std::string text = "dirsync \"" + *command.instance + "\" /SET";
  for (const auto& [slot, flag] : command.flags)
    text += " /" + flag.name + (flag.value.empty() ? "" : "=" + flag.value);
  if (!command.Has("TYPE")) text += " /EXPORT (or /IMPORT) …";
  return text;
}

// What the words ask for, once flags are merged into settings.
struct OldRequest {
  OldCommand command;
  std::optional<InstanceSettings> stored;  // nullopt: none of that name
  InstanceSettings settings;
};

Result<OldRequest> Prepare(Context& context, Store& store, OldCommand command) {
  OldRequest request;
  if (command.instance) {
    auto stored = LoadInstance(store.storage(), *command.instance);
    if (stored) {
      request.stored = *stored;
      request.settings = *stored;
    } else if (stored.error().code != ErrorCode::kNotFound) {
      return std::unexpected(stored.error());
    } else {
      request.settings.name = *command.instance;
    }
  }
  std::vector<std::string> notes = command.notes;
  DIRSYNC_CHECK(MergeOldFlags(command, store.profile(), !request.stored, request.settings, notes));
  MakeWhole(context, request.settings);
  for (const std::string& note : notes) context.Note(note);
  request.command = std::move(command);
  return request;
}

Result<int> UnknownInstance(Context& context, Store& store, const OldRequest& request) {
  const std::string& name = *request.command.instance;
  if (context.can_ask()) {
    if (context.Ask("instance " + name + " does not exist; create it?"))
      return StoreSettings(context, store, request.command, request.settings, true);
    return std::unexpected(context.NotConfirmed("making instance " + Printable(name)));
  }
  auto missing = LoadInstance(store.storage(), name);
  return Fail(ErrorCode::kNotFound,
              missing ? "instance " + Printable(name) + " is not there" : missing.error().message,
              "to create it: " + Printable(SetCommand(request.command), 2048));
}

Result<int> Carry(Context& context, Store& store, const OldRequest& request) {
  const OldCommand& command = request.command;
  if (command.Has("SET")) {
    if (auto key = command.Value("KEY")) {
      OldFlags flags = command.flags;
      for (std::string_view slot : {"SET", "KEY", "EXPFULL", "USN"})
        if (auto found = flags.find(slot); found != flags.end()) flags.erase(found);
      if (!context.dry_run()) DIRSYNC_CHECK(WriteKeyFile(context, context.WholePath(*key), flags));
      context.out() << "wrote settings to " << Printable(*key) << '\n';
      return 0;
    }
    return StoreSettings(context, store, command, request.settings, !request.stored);
  }
  if (command.instance && !request.stored) return UnknownInstance(context, store, request);
  if (command.Has("DISPLAY")) {
    if (command.instance) {
      DIRSYNC_CHECK(PrintInstance(context, store, request.settings));
      return 0;
    }
    for (const auto& [name, value] : DescribeInstance(context, request.settings))
      context.out() << "  " << name << ": " << Printable(value) << '\n';
    return 0;
  }
  RunChoice choice{.settings = request.settings,
                   .stored = request.stored.has_value(),
                   .full = command.Switch("EXPFULL") == true,
                   .reset_mark = command.Has("USN"),
                   .progress = command.Switch("PROGRESS"),
                   .old_spelling = true};
  if (request.stored)
    choice.scope_overridden = ScopeDiffers(store, *request.stored, request.settings);
  return RunInstance(context, store, choice);
}

}  // namespace

Result<int> RunOldSpelling(Context& context, std::span<const std::string> words) {
  DIRSYNC_TRY(command, ParseOldSpelling(words));
  if (command.Has("HELP")) {
    PrintOldHelp(context);
    return 0;
  }
  if (command.Has("SET") && !command.instance && !command.Has("KEY"))
    return Fail(ErrorCode::kUsage, "/SET without an instance: there is nothing to store into",
                "dirsync INSTANCE1 /SET …, or /KEY=FILE /SET …");
  DIRSYNC_CHECK(TakeKeyFile(context, command));
  DIRSYNC_CHECK(CheckUsn(command));
  DIRSYNC_TRY(store, context.OpenStore());
  DIRSYNC_TRY(request, Prepare(context, *store, std::move(command)));
  return Carry(context, *store, request);
}

}  // namespace dirsync::cli
