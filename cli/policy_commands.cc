// sites policy: what is taken here from each sending site.
#include <algorithm>

#include "agent/core/site_policy.h"
#include "agent/core/site_usage.h"
#include "cli/command.h"
#include "cli/instance_view.h"
#include "proto/base/json_text.h"
#include "proto/base/text.h"
#include "proto/model/attribute_table.h"
#include "proto/model/dn.h"
#include "proto/trust/membership.h"

namespace dirsync::cli {
namespace {

constexpr std::string_view kObjects = "--max-objects";
constexpr std::string_view kChanges = "--max-changes-per-hour";
constexpr std::string_view kAttributes = "--attributes";
constexpr std::string_view kReset = "--reset";

// A site, or "*", with what goes for it and what it has.
struct Row {
  std::string site;
  SitePolicy own;  // empty() without a row
  SiteLimits limits;
  std::uint64_t objects = 0;
  std::uint64_t changes = 0;
  bool read = false;      // some stream of it is
  bool copy_due = false;  // what is here has other attributes than are taken now
};

// Streams of the site (or of any, for "*") whose entries here have other attributes than are taken
// now.
Result<std::vector<InstanceState>> StreamsInArrears(const storage::ReadView& view,
                                                    std::string_view site) {
  DIRSYNC_TRY(states, AllStates(view));
  std::vector<InstanceState> due;
  for (InstanceState& state : states) {
    const bool of_site = state.reader && (site == kEverySite ||
                                          FoldName(state.reader->stream.site) == FoldName(site));
    if (!of_site) continue;
    DIRSYNC_TRY(is_due, IsCopyDue(view, *state.reader));
    if (is_due) due.push_back(std::move(state));
  }
  return due;
}

Result<Row> RowOf(const storage::ReadView& view, std::string site, Instant now) {
  Row row;
  DIRSYNC_TRY(own, LoadPolicy(view, site));
  if (own) row.own = std::move(*own);
  DIRSYNC_TRY(limits, LimitsOf(view, site));
  row.limits = limits;
  DIRSYNC_TRY(usage, LoadUsage(view, site, now));
  row.changes = ChangesOfHour(usage, now);
  DIRSYNC_TRY(sites, ObjectsBySite(view));
  if (const auto found = sites.find(FoldName(site)); found != sites.end()) {
    site = found->second.site;
    row.objects = found->second.objects;
    row.read = true;
  }
  DIRSYNC_TRY(due, StreamsInArrears(view, site));
  row.copy_due = !due.empty() && site != kEverySite;
  row.site = std::move(site);
  return row;
}

// "*", then every site that is read or has a row.
Result<std::vector<Row>> AllRows(const storage::ReadView& view, Instant now) {
  std::map<std::string, std::string> names;  // by folded name, which puts "*" in front of letters
  names.emplace(kEverySite, kEverySite);
  DIRSYNC_TRY(policies, ListPolicies(view));
  for (const SitePolicy& policy : policies) names.emplace(FoldName(policy.site), policy.site);
  DIRSYNC_TRY(sites, ObjectsBySite(view));
  for (const auto& [folded, site] : sites) names.emplace(folded, site.site);
  std::vector<Row> rows;
  for (auto& [folded, name] : names) {
    DIRSYNC_TRY(row, RowOf(view, std::move(name), now));
    rows.push_back(std::move(row));
  }
  return rows;
}

std::string LimitJson(std::uint64_t limit) {
  return limit == kUnlimited ? "null" : std::to_string(limit);
}

std::string RowJson(const Row& row) {
  std::vector<std::string> own;
  if (row.own.max_objects) own.emplace_back("max_objects");
  if (row.own.max_changes_per_hour) own.emplace_back("max_changes_per_hour");
  if (row.own.attributes) own.emplace_back("attributes");
  return JsonObject()
      .Text("site", row.site)
      .Number("objects", row.objects)
      .Raw("max_objects", LimitJson(row.limits.max_objects))
      .Number("changes_of_hour", row.changes)
      .Raw("max_changes_per_hour", LimitJson(row.limits.max_changes_per_hour))
      .Texts("attributes", row.limits.attributes)
      .Bool("copy_due", row.copy_due)
      .Texts("own", own)
      .Finish();
}

// "300 of 5,000"; "5,000 (*)" for what is not the site's own.
std::string ShareText(const Row& row, std::uint64_t used, std::uint64_t limit, bool own) {
  std::string text = limit == kUnlimited ? "unlimited" : Grouped(limit);
  if (row.site != kEverySite) text = Grouped(used) + " of " + text;
  return own || row.site == kEverySite ? text : text + " (*)";
}

std::string AttributesText(const Row& row) {
  const AttributeList& list = row.limits.attributes;
  std::string text = TakesAll(list) ? "all" : list.empty() ? "none" : Join(list, ",");
  if (!row.own.attributes && row.site != kEverySite) text += " (*)";
  return row.copy_due ? text + ", full copy due" : text;
}

void PrintRows(Context& context, const std::vector<Row>& rows) {
  Table table(context.out(), {"SITE", "OBJECTS", "CHANGES AN HOUR", "ATTRIBUTES"}, context.width(),
              context.out_colours());
  for (const Row& row : rows)
    table.Add({row.site,
               ShareText(row, row.objects, row.limits.max_objects, row.own.max_objects.has_value()),
               ShareText(row, row.changes, row.limits.max_changes_per_hour,
                         row.own.max_changes_per_hour.has_value()),
               AttributesText(row)});
  table.Finish();
}

// Sets what was given: a number, "unlimited", or "default", which is the one of "*".
Result<> TakeLimit(const Arguments& arguments, std::string_view option,
                   std::optional<std::uint64_t>& limit) {
  const auto given = arguments.Value(option);
  if (!given) return {};
  if (*given == "default") {
    limit.reset();
    return {};
  }
  const auto number = *given == "unlimited" ? std::optional(kUnlimited) : ParseNumber(*given);
  const bool fits = number && (*number <= limits::kSiteLimitMost || *given == "unlimited");
  if (!fits)
    return Fail(
        ErrorCode::kUsage,
        "sites policy: " + std::string(option) + " " + Printable(*given) + " is not possible",
        "a number up to " + std::to_string(limits::kSiteLimitMost) + ", unlimited, or default");
  limit = number;
  return {};
}

// "all", "default", or names, each of which must be one that can be told.
Result<> TakeAttributes(const Arguments& arguments, std::optional<AttributeList>& list) {
  const auto given = arguments.Value(kAttributes);
  if (!given) return {};
  list.reset();
  if (*given == "default") return {};
  list.emplace();
  if (*given == "all" || *given == "*") {
    list = {"*"};
    return {};
  }
  for (const std::string& name : SplitList(*given)) {
    DIRSYNC_TRY(canonical, CanonicalAttribute(name));
    const bool told = FindAttribute(canonical)->exported || canonical == attribute::kTargetAddress;
    const bool named = canonical == attribute::kCommonName || canonical == attribute::kObjClass;
    if (!told && !named)
      return Fail(ErrorCode::kInvalid, "sites policy: attribute " + canonical + " is never told",
                  "dirsync help sites policy");
    // Those that every record brings need no place in the list.
    const bool always = named || canonical == attribute::kTargetAddress || IsAlwaysTaken(canonical);
    if (!always) list->push_back(std::move(canonical));
  }
  std::ranges::sort(*list);
  const auto [first, last] = std::ranges::unique(*list);
  list->erase(first, last);
  return {};
}

Result<> CheckSite(const Store& store, const std::string& site) {
  if (site == kEverySite) return {};
  DIRSYNC_CHECK(CheckName("site", site));
  if (FoldName(site) != FoldName(store.profile().site)) return {};
  return Fail(ErrorCode::kInvalid,
              "sites policy " + Printable(site) + ": this site takes nothing from itself",
              "name a site that sends: dirsync sites policy");
}

void PrintArrears(Context& context, const InstanceState& state, bool joined) {
  const StreamName& stream = state.reader->stream;
  const std::string what =
      "entries of " + stream.ToString() + " that are here follow with a full copy";
  if (joined && UsesBroker(state.settings.transport)) {
    context.Note(what + ", which the agent fetches by itself: dirsync resync status");
  } else {
    context.Note(what + "; at " + Printable(stream.site) + ": dirsync run " +
                 Quoted(stream.instance) + " --full");
  }
}

void PrintNotes(Context& context, const Row& row) {
  const std::string site = Printable(row.site);
  if (row.site == kEverySite) return;
  if (!row.read) context.Note("nothing of " + site + " is read here yet");
  if (row.objects > row.limits.max_objects)
    context.Note(site + " has " + Counted(row.objects, "object") +
                 " here already: they stay, change and go as before; no more come");
}

bool SetsValue(const Arguments& arguments) {
  return arguments.Has(kObjects) || arguments.Has(kChanges) || arguments.Has(kAttributes);
}

// What came of a change.
struct Changed {
  Row row;
  std::vector<InstanceState> due;
  bool joined = false;
};

Result<int> Change(Context& context, const Arguments& arguments) {
  if (arguments.words().empty())
    return Fail(ErrorCode::kUsage, "sites policy: which site?",
                "name one, or '*' for every site without a value of its own");
  if (arguments.Has(kReset) && SetsValue(arguments))
    return Fail(ErrorCode::kUsage, "sites policy: --reset drops all values: give no other",
                "dirsync help sites policy");
  DIRSYNC_TRY(store, context.OpenStore());
  const std::string& site = arguments.words().front();
  DIRSYNC_CHECK(CheckSite(*store, site));
  const auto write = [&](storage::Transaction& transaction) -> Result<Changed> {
    DIRSYNC_TRY(before, LoadPolicy(transaction, site));
    SitePolicy policy = before && !arguments.Has(kReset) ? *before : SitePolicy{site, {}, {}, {}};
    DIRSYNC_CHECK(TakeLimit(arguments, kObjects, policy.max_objects));
    DIRSYNC_CHECK(TakeLimit(arguments, kChanges, policy.max_changes_per_hour));
    DIRSYNC_CHECK(TakeAttributes(arguments, policy.attributes));
    StorePolicy(transaction, policy);
    DIRSYNC_TRY(row, RowOf(transaction, site, context.world().Now()));
    DIRSYNC_TRY(due, StreamsInArrears(transaction, site));
    DIRSYNC_TRY(membership, LoadMembership(transaction));
    return Changed{std::move(row), std::move(due), membership.has_value()};
  };
  DIRSYNC_TRY(changed, context.Change(*store, write));
  const Row& row = changed.row;
  if (context.json()) {
    context.out() << RowJson(row) << '\n';
  } else {
    PrintRows(context, {row});
  }
  PrintNotes(context, row);
  const bool other_list = arguments.Has(kAttributes) || arguments.Has(kReset);
  for (const InstanceState& state : changed.due)
    if (other_list) PrintArrears(context, state, changed.joined);
  return 0;
}

Result<int> Policy(Context& context, const Arguments& arguments) {
  if (SetsValue(arguments) || arguments.Has(kReset)) return Change(context, arguments);
  DIRSYNC_TRY(store, context.OpenStore());
  const Instant now = context.world().Now();
  std::vector<Row> rows;
  if (arguments.words().empty()) {
    DIRSYNC_TRY(all, AllRows(store->storage(), now));
    rows = std::move(all);
  } else {
    DIRSYNC_CHECK(CheckSite(*store, arguments.words().front()));
    DIRSYNC_TRY(row, RowOf(store->storage(), arguments.words().front(), now));
    rows.push_back(std::move(row));
  }
  if (!context.json()) {
    PrintRows(context, rows);
    return 0;
  }
  std::vector<std::string> items;
  for (const Row& row : rows) items.push_back(RowJson(row));
  context.out() << JsonArray(items) << '\n';
  return 0;
}

}  // namespace

CommandGroup PolicyCommands() {
  return {"What is taken from other sites (--store names this site's store)",
          {{.path = "sites policy",
            .arguments = "[SITE]",
            .words_max = 1,
            .help = "what each site may have, change and tell here; * is for all others",
            .examples = {"dirsync sites policy", "dirsync sites policy Site1 --max-objects 5000",
                         "dirsync sites policy Site1 --max-changes-per-hour 2000",
                         "dirsync sites policy '*' --max-objects 20000",
                         "dirsync sites policy Site1 --attributes Display-Name,Telephone-Office",
                         "dirsync sites policy Site1 --attributes all --max-objects default",
                         "dirsync sites policy Site1 --reset"},
            .options = {{kObjects, "N", "most objects of it here; unlimited; default (that of *)"},
                        {kChanges, "N", "most changes of it here in an hour; likewise"},
                        {kAttributes, "NAME,…",
                         "taken from it, besides names and addresses; all; default"},
                        {kReset, "", "drop all values of this site"}},
            .run = Policy}}};
}

}  // namespace dirsync::cli
