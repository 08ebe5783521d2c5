#include "cli/resync_plan.h"

#include <algorithm>
#include <map>

#include "agent/core/instance.h"
#include "agent/core/producer_state.h"
#include "agent/core/reader_state.h"
#include "cli/options.h"
#include "proto/base/text.h"
#include "proto/trust/membership.h"
#include "proto/trust/roster.h"

namespace dirsync::cli {
namespace {

bool Same(std::string_view a, std::string_view b) { return FoldName(a) == FoldName(b); }

// Every stream that this site tells, reads or may read, with its entries.
Result<std::map<StreamName, std::uint64_t>> KnownStreams(AgentControl& agent) {
  const storage::ReadView& view = agent.store().storage();
  std::map<StreamName, std::uint64_t> streams;
  for (const StreamName& stream : agent.link().streams()) streams.try_emplace(stream, 0);
  DIRSYNC_TRY(instances, ListInstances(view));
  for (const InstanceSettings& instance : instances) {
    if (!UsesBroker(instance.transport)) continue;
    DIRSYNC_TRY(tells, FindNumber(view, "export/" + FoldName(instance.name)));
    if (instance.exports && tells) {
      DIRSYNC_TRY(producer, LoadProducer(view, *tells));
      if (producer) streams[producer->name] = producer->rows;
    }
    DIRSYNC_TRY(reads, FindNumber(view, "import/" + FoldName(instance.name)));
    if (!instance.imports || !reads) continue;
    DIRSYNC_TRY(reader, LoadReader(view, *reads));
    if (!reader || reader->source != SourceKind::kStream) continue;
    std::uint64_t rows = 0;
    for (const auto& [entry_class, count] : reader->rows) rows += count;
    streams[reader->stream] = rows;
  }
  return streams;
}

// The site's own spelling of its name. Errors: kNotFound.
Result<std::string> ActiveSite(const std::vector<RosterEntry>& roster, const std::string& name) {
  std::vector<std::string> known;
  for (const RosterEntry& entry : roster) {
    if (entry.state != SiteState::kActive) continue;
    if (Same(entry.site, name)) return entry.site;
    known.push_back(entry.site);
  }
  return Fail(ErrorCode::kNotFound,
              "resync: no active site " + Printable(name) + DidYouMean(name, known),
              "dirsync sites list");
}

}  // namespace

Result<std::vector<ResyncJob>> PlanResync(AgentControl& agent, const std::string& site,
                                          const std::vector<std::string>& only) {
  const storage::ReadView& view = agent.store().storage();
  const std::string& me = agent.store().profile().site;
  DIRSYNC_TRY(membership, LoadMembership(view));
  if (!membership)
    return Fail(
        ErrorCode::kNotJoined, "resync: this site has joined no organisation",
        "by file: dirsync run INSTANCE --export-file FILE --full, and the file to the readers");
  DIRSYNC_TRY(roster, ListRoster(view));
  DIRSYNC_TRY(whole, ActiveSite(roster, site));
  const auto own =
      std::ranges::find_if(roster, [&](const RosterEntry& entry) { return Same(entry.site, me); });
  if (!Same(whole, me) && (own == roster.end() || !own->admin))
    return Fail(ErrorCode::kNotPermitted,
                "resync: " + Printable(me) + " may ask for itself only, and is no admin site",
                "run it at " + Printable(whole) + ", or have " + Printable(me) + " made one");
  std::vector<std::string> partners;
  for (const std::string& name : only) {
    DIRSYNC_TRY(partner, ActiveSite(roster, name));
    partners.push_back(std::move(partner));
  }
  if (only.empty())
    for (const RosterEntry& entry : roster)
      if (entry.state == SiteState::kActive && !Same(entry.site, whole))
        partners.push_back(entry.site);
  DIRSYNC_TRY(streams, KnownStreams(agent));
  std::vector<ResyncJob> jobs;
  for (const auto& [stream, entries] : streams) {
    const bool told = Same(stream.site, whole);
    const bool read = std::ranges::any_of(
        partners, [&](const std::string& partner) { return Same(partner, stream.site); });
    if (told)
      for (const std::string& partner : partners) jobs.push_back({partner, stream, entries});
    else if (read)
      jobs.push_back({whole, stream, entries});
  }
  return jobs;
}

}  // namespace dirsync::cli
