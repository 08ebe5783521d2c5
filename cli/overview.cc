#include "cli/overview.h"

#include <map>

#include "agent/core/review.h"
#include "agent/directory/entry_record.h"
#include "agent/service/run.h"
#include "cli/command.h"
#include "cli/duty.h"
#include "cli/instance_options.h"
#include "cli/instance_view.h"
#include "cli/json.h"
#include "cli/runner.h"
#include "proto/base/text.h"
#include "proto/trust/membership.h"

namespace dirsync::cli {
namespace {

constexpr std::uint64_t kRowsCounted = 200'000;  // beyond this, counting would take seconds
constexpr std::size_t kRunsLooked = 200;

struct EntryCounts {
  std::map<EntryClass, std::uint64_t> local, imported;
  bool all = true;  // false: there are more
};

Result<EntryCounts> CountEntries(const storage::ReadView& view) {
  EntryCounts counts;
  const auto [first, last] = storage::TableRange(storage::Table::kEntry);
  auto cursor = view.Scan(first, last);
  Entry entry;
  std::uint64_t rows = 0;
  for (; cursor->Valid(); cursor->Next()) {
    if (++rows > kRowsCounted) {
      counts.all = false;
      return counts;
    }
    auto id = EntryId::FromBytes(cursor->Key().substr(1));
    if (!id) return Fail(ErrorCode::kCorrupt, "counting entries: a key of wrong length");
    DIRSYNC_CHECK(DecodeEntryInto(*id, cursor->Value(), entry));
    if (entry.is_deleted()) continue;
    ++(entry.is_imported() ? counts.imported : counts.local)[entry.entry_class];
  }
  DIRSYNC_CHECK(cursor->status());
  return counts;
}

std::string CountsOf(const std::map<EntryClass, std::uint64_t>& counts) {
  std::vector<std::string> parts;
  auto add = [&](EntryClass entry_class, std::string_view one, std::string_view many) {
    auto found = counts.find(entry_class);
    if (found != counts.end()) parts.push_back(Counted(found->second, one, many));
  };
  add(EntryClass::kMailbox, "mailbox", "mailboxes");
  add(EntryClass::kCustomRecipient, "custom recipient", "custom recipients");
  add(EntryClass::kDistributionList, "distribution list", "distribution lists");
  add(EntryClass::kContainer, "container", "containers");
  return parts.empty() ? "none" : Join(parts, ", ");
}

std::string CountsJson(const std::map<EntryClass, std::uint64_t>& counts) {
  JsonObject object;
  for (const auto& [entry_class, count] : counts) object.Number(ClassName(entry_class), count);
  return object.Finish();
}

struct Standing {
  EntryCounts entries;
  std::vector<InstanceState> instances;
  std::map<std::string, RunReport> last_runs;  // by folded name
  std::uint64_t held = 0;
  std::uint64_t suspect = 0;
  std::uint64_t quarantined = 0;
};

Result<Standing> StandingOf(Store& store) {
  Standing standing;
  DIRSYNC_TRY(entries, CountEntries(store.storage()));
  standing.entries = std::move(entries);
  DIRSYNC_TRY(instances, AllStates(store.storage()));
  standing.instances = std::move(instances);
  for (const InstanceState& state : standing.instances)
    if (state.reader && state.reader->suspect) ++standing.suspect;
  DIRSYNC_TRY(runs, ListRuns(store, kRunsLooked));
  for (RunReport& run : runs) {
    std::string name = FoldName(run.instance);
    standing.last_runs.try_emplace(std::move(name), std::move(run));
  }
  DIRSYNC_TRY(held, ListHeld(store.storage(), 0));
  standing.held = held.size();
  DIRSYNC_TRY(quarantined, ListQuarantine(store.storage(), 0));
  standing.quarantined = quarantined.size();
  return standing;
}

// What the store alone suggests. `joined`: the broker may carry instances, by an agent.
std::string NextCommand(const Standing& standing, bool joined) {
  if (standing.suspect + standing.held > 0) return "dirsync held list";
  if (standing.quarantined > 0) return "dirsync quarantine list";
  const auto& local = standing.entries.local;
  if (!local.contains(EntryClass::kMailbox) && standing.entries.all)
    return "dirsync mailbox add NAME, or dirsync load FILE.ldif";
  if (standing.instances.empty())
    return joined ? "dirsync instance set INSTANCE1 --export"
                  : "dirsync instance set INSTANCE1 --export --export-file SYNC1";
  std::string names;
  for (const InstanceState& state : standing.instances) {
    if (!MissingSettings(state.settings, false).empty()) continue;
    if (!state.producer && !state.reader) return "dirsync run " + Quoted(state.settings.name);
    names += " " + Quoted(state.settings.name);
  }
  return names.empty() ? "dirsync agent run" : "dirsync run" + names;
}

const RunReport* LastRun(const Standing& standing, const std::string& name) {
  auto found = standing.last_runs.find(FoldName(name));
  return found == standing.last_runs.end() ? nullptr : &found->second;
}

void PrintJson(Context& context, const Store& store, const Standing& standing,
               const std::string& next) {
  std::vector<std::string> instances;
  for (const InstanceState& state : standing.instances) {
    JsonObject object;
    object.Text("name", state.settings.name)
        .Bool("export", state.settings.exports)
        .Bool("import", state.settings.imports);
    if (const RunReport* run = LastRun(standing, state.settings.name))
      object.Raw("last_run", ReportJson(*run));
    instances.push_back(object.Finish());
  }
  context.out() << JsonObject()
                       .Text("store", store.path())
                       .Text("site", store.profile().basepoint().ToString())
                       .Text("server", store.profile().server)
                       .Raw("local", CountsJson(standing.entries.local))
                       .Raw("imported", CountsJson(standing.entries.imported))
                       .Bool("counted_all", standing.entries.all)
                       .Raw("instances", "[" + Join(instances, ",") + "]")
                       .Number("held", standing.held)
                       .Number("suspect", standing.suspect)
                       .Number("quarantined", standing.quarantined)
                       .Text("next", next)
                       .Finish()
                << '\n';
}

// The links as an agent in a session sees them; nullopt: none answers.
Result<std::optional<DutyView>> LinksHere(Context& context) {
  const Serving* serving = context.console().serving;
  if (serving == nullptr || !serving->agent) return std::nullopt;
  DIRSYNC_TRY(view, LookAround(context));
  return std::move(view);
}

// What to do next, in every form of the answer: about the worst link, while an agent knows.
Result<std::string> NextOf(Store& store, const Standing& standing,
                           const std::optional<DutyView>& links) {
  if (links) {
    const LinkOverview& worst = links->overview;
    if (worst.command.empty()) return "dirsync status";
    return NextText(worst.command, worst.alternative, worst.at, links->here);
  }
  DIRSYNC_TRY(membership, LoadMembership(store.storage()));
  return NextCommand(standing, membership.has_value());
}

}  // namespace

Result<int> PrintOverview(Context& context) {
  if (auto path = context.StorePath(); !path) {
    if (context.json()) return std::unexpected(path.error());
    context.out() << "dirsync keeps the address books of the sites of an organisation in step.\n"
                     "No store is named yet.\n";
    context.Next("dirsync init --store DIR --organization O --site S --server V");
    context.Note("`dirsync help` lists the commands; DIRSYNC_STORE names a store for all of them");
    return 0;
  }
  if (context.AtBroker()) return FindCommand("status")->run(context, Arguments());
  DIRSYNC_TRY(store, context.OpenStore());
  DIRSYNC_TRY(standing, StandingOf(*store));
  DIRSYNC_TRY(links, LinksHere(context));
  DIRSYNC_TRY(next, NextOf(*store, standing, links));
  if (context.json()) {
    PrintJson(context, *store, standing, next);
    return 0;
  }
  const bool colours = context.out_colours();
  context.out() << Coloured(Printable(store->profile().basepoint().ToString()), Colour::kBold,
                            colours)
                << " on server " << Printable(store->profile().server) << ", store "
                << Printable(context.ShortPath(store->path())) << '\n';
  const std::string more = standing.entries.all ? "" : " among the first 200,000";
  context.out() << "  of this site    " << CountsOf(standing.entries.local) << more << '\n'
                << "  of other sites  " << CountsOf(standing.entries.imported) << more << '\n';
  if (standing.suspect > 0)
    context.out() << Coloured("  stopped         ", Colour::kRed, colours)
                  << Counted(standing.suspect, "suspect run") << '\n';
  if (standing.held > 0)
    context.out() << Coloured("  held            ", Colour::kYellow, colours)
                  << Counted(standing.held, "delete") << '\n';
  if (standing.quarantined > 0)
    context.out() << Coloured("  quarantine      ", Colour::kYellow, colours)
                  << Counted(standing.quarantined, "change") << '\n';
  Table table(context.out(), {"INSTANCE", "DOES", "LAST RUN", "DID"}, context.width(), colours);
  for (const InstanceState& state : standing.instances) {
    const RunReport* run = LastRun(standing, state.settings.name);
    std::string did;
    if (run != nullptr) did = run->nothing_to_do ? "nothing" : CountsText(run->counts);
    if (run != nullptr && run->problem) did += ", " + std::string(InfoOf(run->problem->code).text);
    table.Add({state.settings.name, DirectionText(context, state.settings),
               run == nullptr ? "never" : FormatTime(run->time), did});
  }
  table.Finish();
  if (links) {
    context.out() << Printable(links->overview.sentence, 600) << '\n';
    PrintLinks(context, *links);
  }
  context.Next(next);
  return 0;
}

}  // namespace dirsync::cli
