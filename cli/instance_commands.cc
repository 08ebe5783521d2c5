// instance: named sets of settings.
#include "agent/service/file_outbox.h"
#include "agent/service/run.h"
#include "cli/command.h"
#include "cli/instance_options.h"
#include "cli/instance_view.h"
#include "cli/json.h"
#include "cli/runner.h"
#include "proto/base/text.h"
#include "proto/model/dn.h"

namespace dirsync::cli {
namespace {

// Containers that are named but not there yet are no error: they may come later.
void NoteMissingContainers(Context& context, Store& store, const InstanceSettings& settings) {
  storage::Transaction transaction(store.storage());
  EntryStore entries(transaction, context.world().Now());
  const Dn basepoint = store.profile().basepoint();
  std::vector<std::string> names;
  if (settings.exports) names = settings.containers;
  if (settings.imports) names.push_back(settings.import_container);
  for (const std::string& name : names) {
    auto dn = ContainerDn(basepoint, name);
    if (!dn) {
      context.Warn(dn.error().message);
      continue;
    }
    if (dn->Folded() == basepoint.Folded()) continue;
    if (auto found = entries.ContainerAt(basepoint, *dn); !found)
      context.Warn(found.error().message);
  }
}

// The next import takes the key of its file for the sender's.
Result<> ForgetKey(storage::Transaction& transaction, const std::string& name) {
  DIRSYNC_TRY(state, StateOf(transaction, [&] {
                InstanceSettings settings;
                settings.name = name;
                return settings;
              }()));
  if (!state.reader) return {};
  state.reader->signer = PublicKey{};
  StoreReader(transaction, *state.reader);
  return {};
}

Result<int> Set(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(store, context.OpenStore());
  const std::string& name = arguments.words().front();
  auto stored = LoadInstance(store->storage(), name);
  const bool fresh = !stored;
  if (fresh && stored.error().code != ErrorCode::kNotFound) return std::unexpected(stored.error());
  InstanceSettings settings;
  if (fresh) {
    DIRSYNC_CHECK(CheckName("instance", name));
    settings.name = name;
  } else {
    settings = *stored;
  }
  const InstanceSettings before = settings;
  DIRSYNC_CHECK(ApplyInstanceOptions(context, arguments, settings));
  if (!settings.exports && !settings.imports)
    return Fail(ErrorCode::kUsage, "instance set " + Printable(name) + ": no direction",
                "dirsync instance set " + Quoted(name) +
                    " --export --export-file F (or --import --import-file F)");
  DIRSYNC_CHECK(context.Change(*store, [&](storage::Transaction& transaction) -> Result<> {
    if (settings.export_file != before.export_file)
      DIRSYNC_CHECK(CheckExportPlace(transaction, settings));
    StoreInstance(transaction, settings);
    if (arguments.Has("--forget-key")) return ForgetKey(transaction, settings.name);
    return {};
  }));
  if (!context.json()) {
    context.out() << (context.dry_run() ? "would have " : "")
                  << (fresh                ? "made instance "
                      : settings == before ? "left as it was: instance "
                                           : "changed instance ")
                  << Printable(settings.name) << ": " << Printable(DirectionText(context, settings))
                  << '\n';
  } else {
    context.out() << InstanceJsonFields(settings, "") << '\n';
  }
  if (arguments.Has("--forget-key"))
    context.Note("the next import trusts the key of its file, and says which that is");
  DIRSYNC_CHECK(TellMissing(context, *store, settings, false));
  NoteMissingContainers(context, *store, settings);
  DIRSYNC_TRY(by_broker, IsCarriedByBroker(store->storage(), settings));
  if (MissingSettings(settings, false).empty() && fresh && !by_broker && !context.dry_run())
    context.Next("dirsync run " + Quoted(settings.name));
  return 0;
}

std::vector<OptionSpec> SetOptions() {
  std::vector<OptionSpec> options = InstanceOptionSpecs();
  options.push_back(
      {"--forget-key", "", "import: trust the key of the next file (compare fingerprints first)"});
  return options;
}

Result<int> Show(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(store, context.OpenStore());
  DIRSYNC_TRY(settings, LoadInstance(store->storage(), arguments.words().front()));
  DIRSYNC_CHECK(PrintInstance(context, *store, settings));
  return 0;
}

std::string PositionText(const InstanceState& state) {
  std::string text;
  if (state.reader) text = "read " + Grouped(state.reader->cursor.sequence);
  if (state.producer)
    text += (text.empty() ? "told " : ", told ") + Grouped(state.producer->sequence);
  return text.empty() ? "not yet run" : text;
}

Result<int> List(Context& context, const Arguments&) {
  DIRSYNC_TRY(store, context.OpenStore());
  DIRSYNC_TRY(states, AllStates(store->storage()));
  if (context.json()) {
    std::vector<std::string> items;
    for (const InstanceState& state : states)
      items.push_back(InstanceJsonFields(state.settings, ""));
    context.out() << JsonArray(items) << '\n';
    return 0;
  }
  Table table(context.out(), {"INSTANCE", "DIRECTION", "FILES", "POSITION"}, context.width(),
              context.out_colours());
  for (const InstanceState& state : states)
    table.Add({state.settings.name, std::string(DirectionName(state.settings)),
               DirectionText(context, state.settings), PositionText(state)});
  table.Finish();
  if (table.rows() == 0) {
    context.Note("no instances yet");
    context.Next("dirsync instance set INSTANCE1 --export --export-file SYNC1");
  }
  return 0;
}

Result<int> Delete(Context& context, const Arguments& arguments) {
  const std::string contacts = arguments.Value("--contacts").value_or("");
  if (!contacts.empty() && contacts != "keep" && contacts != "delete")
    return Fail(ErrorCode::kUsage, "--contacts " + Printable(contacts) + " is not possible",
                "--contacts keep or --contacts delete");
  DIRSYNC_TRY(store, context.OpenStore());
  DIRSYNC_TRY(settings, LoadInstance(store->storage(), arguments.words().front()));
  if (!context.dry_run() &&
      !context.Confirmed("delete instance " + settings.name + " and what it remembers?"))
    return std::unexpected(context.NotConfirmed("deleting instance " + Printable(settings.name)));
  DIRSYNC_TRY(counts, DeleteInstance(*store, settings.name, contacts, context.dry_run()));
  if (context.json()) {
    context.out() << JsonObject()
                         .Text("instance", settings.name)
                         .Number("kept", contacts == "keep" ? counts.unchanged : 0)
                         .Number("deleted", counts.deleted)
                         .Number("held", counts.held)
                         .Finish()
                  << '\n';
    return 0;
  }
  context.out() << (context.dry_run() ? "would have deleted instance " : "deleted instance ")
                << Printable(settings.name);
  if (contacts == "keep" && counts.unchanged > 0) {
    context.out() << ": " << Counted(counts.unchanged, "entry", "entries")
                  << " of it now this site's own";
  } else if (counts != ApplyCounts{}) {
    context.out() << ": " << CountsText(counts);
  }
  context.out() << '\n';
  return 0;
}

}  // namespace

CommandGroup InstanceCommands() {
  return {
      "Instances",
      {
          {.path = "instance set",
           .arguments = "NAME",
           .words_min = 1,
           .words_max = 1,
           .help = "make an instance, or change what is given",
           .examples = {"dirsync instance set INSTANCE1 --export --export-file SYNC1",
                        "dirsync instance set INSTANCE2 --import --import-file SYNC1",
                        "dirsync instance set INSTANCE1 --container Recipients --container Other "
                        "--attributes Display-Name,Title"},
           .options = SetOptions(),
           .run = Set},
          {.path = "instance show",
           .arguments = "NAME",
           .words_min = 1,
           .words_max = 1,
           .help = "settings and position",
           .examples = {"dirsync instance show INSTANCE1"},
           .run = Show,
           .changes = false},
          {.path = "instance list",
           .help = "all instances",
           .examples = {"dirsync instance list"},
           .run = List,
           .changes = false},
          {.path = "instance delete",
           .arguments = "NAME",
           .words_min = 1,
           .words_max = 1,
           .help = "delete an instance and what it remembers",
           .examples = {"dirsync instance delete INSTANCE2 --contacts keep"},
           .options = {{"--contacts", "keep|delete",
                        "what becomes of the entries that it imported"}},
           .run = Delete},
      }};
}

}  // namespace dirsync::cli
