// The views that are lists: waiting, storage, sites, timeline; and errors.
#include <algorithm>
#include <array>

#include "broker/page/frame.h"
#include "proto/base/crypto.h"
#include "proto/base/measure.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::size_t kEventRows = 200;
constexpr std::size_t kReaderRows = 20;

void AddStateSection(Html& html, const PageSnapshot& snapshot, LinkState state,
                     std::string_view heading) {
  std::vector<const LinkView*> views;
  for (const LinkView* view : WorstFirst(snapshot.overview, Severity::kFine))
    if (view->state == state) views.push_back(view);
  if (views.empty()) return;
  html.Raw("<section><h2>").Text(heading).Raw("</h2>");
  AddLinkTable(html, snapshot, RowsOf(views), LinkStateMeaning(state));
  html.Raw("</section>");
}

void AddRefusals(Html& html, const BrokerStats& stats) {
  html.Raw("<section><h2>Refusals since the start</h2>");
  if (stats.refusals.empty()) {
    html.Raw("<p class=none>None.</p></section>");
    return;
  }
  html.Raw("<table class=facts><caption>By reason</caption>");
  for (const auto& [reason, count] : stats.refusals)
    html.Fact(reason).Number(count).Raw("</td></tr>");
  html.Raw("</table></section>");
}

void AddForecast(Html& html, const BrokerStats& stats) {
  html.Raw("<section class=card><h2>Log</h2><p><meter min=0 max=100 low=70 high=90 optimum=0");
  const std::uint64_t percent =
      stats.log_bytes_max == 0
          ? 0
          : stats.log_bytes / std::max<std::uint64_t>(1, stats.log_bytes_max / 100);
  html.Attribute("value", std::to_string(percent)).Raw(" aria-label=\"Log in use\">");
  html.Number(percent).Raw(" %</meter> ").Raw(BytesText(stats.log_bytes)).Raw(" of ");
  html.Raw(BytesText(stats.log_bytes_max))
      .Raw(", ")
      .Number(percent)
      .Raw(" %</p><table class=facts>");
  html.Fact("Full");
  if (stats.full_at == Instant{}) {
    html.Raw("not in sight");
  } else {
    html.When(stats.full_at, stats.now).Raw(" <span class=minor>if it grows as now</span>");
  }
  html.Raw("</td></tr>").Fact("Free on the disk").Raw(BytesText(stats.disk_free_bytes));
  html.Raw("</td></tr>").Fact("Takes changes");
  if (stats.read_only) {
    html.Raw("<b>no</b>: ").Text(stats.read_only_reason);
  } else {
    html.Raw("yes");
  }
  html.Raw("</td></tr>").Fact("A reader loses its hold");
  html.Raw("beyond ").Raw(BytesText(stats.reader_bytes_max)).Raw(" or ");
  html.Raw(DurationText(std::chrono::seconds(stats.reader_seconds_max)));
  html.Raw("</td></tr></table></section>");
}

struct Holder {
  const StreamStats* stream = nullptr;
  const ReaderStats* reader = nullptr;
};

void AddHolders(Html& html, const BrokerStats& stats) {
  std::vector<Holder> holders;
  for (const StreamStats& stream : stats.streams)
    for (const ReaderStats& reader : stream.readers)
      if (reader.lag_bytes > 0) holders.push_back({&stream, &reader});
  std::ranges::stable_sort(holders, [](const Holder& a, const Holder& b) {
    return a.reader->lag_bytes > b.reader->lag_bytes;
  });
  holders.resize(std::min(holders.size(), kReaderRows));
  html.Raw("<section><h2>Who holds it</h2>");
  if (holders.empty()) {
    html.Raw("<p class=none>Nobody is behind.</p></section>");
    return;
  }
  html.Raw(
      "<div class=scroll tabindex=0 role=region aria-label=\"Readers that hold the log\">"
      "<table class=links><caption>Furthest behind first</caption><thead><tr><th scope=col>Reader"
      "<th scope=col>Stream<th scope=col class=num>Bytes<th scope=col class=num>Batches"
      "<th scope=col>Since</tr></thead><tbody>");
  for (const Holder& holder : holders) {
    html.Raw("<tr><th scope=row>").Name(holder.reader->site).Raw("<td>");
    html.Name(holder.stream->stream.site).Raw(" <span class=minor>");
    html.Name(holder.stream->stream.instance).Raw("</span><td class=num>");
    html.Raw(BytesText(holder.reader->lag_bytes)).Raw("<td class=num data-label=Batches>");
    html.Number(holder.reader->lag_batches).Raw("<td data-label=Since>");
    html.When(holder.reader->oldest_unacked, stats.now).Raw("</tr>");
  }
  html.Raw("</tbody></table></div></section>");
}

void AddStreams(Html& html, const BrokerStats& stats) {
  html.Raw(
      "<section><h2>Streams</h2><div class=scroll tabindex=0 role=region aria-label=\"Streams\">"
      "<table class=links><caption>The logs that this broker keeps</caption><thead><tr>"
      "<th scope=col>Stream<th scope=col>Producer<th scope=col class=num>Last batch"
      "<th scope=col>Stored<th scope=col class=num>Kept<th scope=col class=num>Batches"
      "<th scope=col class=num>Readers<th scope=col class=num>Rejected</tr></thead><tbody>");
  for (const StreamStats& stream : stats.streams) {
    std::uint64_t rejected = 0;
    for (const auto& [outcome, count] : stream.rejected) rejected += count;
    html.Raw("<tr><th scope=row>").Name(stream.stream.site).Raw(" <span class=minor>");
    html.Name(stream.stream.instance).Raw("</span><td>");
    html.Raw(stream.producer_online ? "online" : "<b>offline</b>")
        .Raw("<td class=num data-label=\"Last batch\">");
    html.Number(stream.tail.sequence)
        .Raw("<td data-label=Stored>")
        .When(stream.tail_time, stats.now);
    html.Raw("<td class=num data-label=Kept>")
        .Raw(BytesText(stream.bytes))
        .Raw("<td class=num data-label=Batches>");
    html.Number(stream.batches)
        .Raw("<td class=num data-label=Readers>")
        .Number(stream.readers.size());
    html.Raw("<td class=num data-label=Rejected>").Count(rejected).Raw("</tr>");
  }
  html.Raw("</tbody></table></div></section>");
}

void AddPending(Html& html, const BrokerStats& stats) {
  if (stats.pending.empty()) return;
  html.Raw(
      "<section><h2>Wait for approval</h2><p>Compare the fingerprint by voice before you approve."
      "</p><div class=scroll tabindex=0 role=region aria-label=\"Pending joins\"><table "
      "class=links>"
      "<caption>They asked to join</caption><thead><tr><th scope=col>Site<th scope=col>Server"
      "<th scope=col>Fingerprint<th scope=col>Signed<th scope=col>Domains<th scope=col>Asked<th "
      "scope=col>Next</tr>"
      "</thead><tbody>");
  for (const PendingJoin& join : stats.pending) {
    html.Raw("<tr><th scope=row>").Name(join.site);
    if (!join.replaces.empty())
      html.Raw(" <span class=minor>replaces ").Name(join.replaces).Raw("</span>");
    html.Raw("<td data-label=Server>").Name(join.server).Raw("<td data-label=Fingerprint><code>");
    html.Text(Fingerprint(join.signing_key)).Raw("</code><td data-label=Domains>");
    html.Text(Join(join.domains, ", "), 200)
        .Raw("<td data-label=Asked>")
        .When(join.time, stats.now)
        .Raw("<td>");
    html.Command("dirsync sites pending", "the broker").Raw("</tr>");
  }
  html.Raw("</tbody></table></div></section>");
}

std::string_view StateWord(const SiteStats& site) {
  switch (site.entry.state) {
    case SiteState::kRevoked:
      return "✕ revoked";
    case SiteState::kRemoved:
      return "– left";
    case SiteState::kActive:
      break;
  }
  return site.connected ? "✓ connected" : "○ offline";
}

}  // namespace

std::string WaitingPage(const PageSnapshot& snapshot) {
  Html html;
  html.Raw("<h1>Waiting for a person</h1>");
  const std::size_t before = html.size();
  AddStateSection(html, snapshot, LinkState::kHeld, "Held");
  AddStateSection(html, snapshot, LinkState::kQuarantined, "Quarantined");
  AddStateSection(html, snapshot, LinkState::kDiverged, "Diverged");
  AddStateSection(html, snapshot, LinkState::kRefused, "Refused");
  if (html.size() == before) html.Raw("<p class=none>Nothing waits for a person.</p>");
  AddRefusals(html, *snapshot.stats);
  return Framed(snapshot, "/waiting", "Waiting", html.Take());
}

std::string StoragePage(const PageSnapshot& snapshot) {
  Html html;
  html.Raw("<h1>Storage</h1>");
  AddForecast(html, *snapshot.stats);
  AddHolders(html, *snapshot.stats);
  AddStreams(html, *snapshot.stats);
  return Framed(snapshot, "/storage", "Storage", html.Take());
}

std::string SitesPage(const PageSnapshot& snapshot) {
  const BrokerStats& stats = *snapshot.stats;
  Html html;
  html.Raw("<h1>Sites and keys</h1>");
  AddPending(html, stats);
  html.Raw(
      "<section><h2>Roster</h2><div class=scroll tabindex=0 role=region aria-label=\"Roster\">"
      "<table class=links><caption>Signed by the organisation</caption><thead><tr>"
      "<th scope=col>Site<th scope=col>Session<th scope=col>Last heard<th scope=col>Server"
      "<th scope=col>Fingerprint<th scope=col>Domains<th scope=col>Program"
      "<th scope=col class=num>Store</tr></thead><tbody>");
  for (const SiteStats& site : stats.sites) {
    html.Raw("<tr><th scope=row><a").Attribute("href", SiteUrl(site.entry.site)).Raw(">");
    html.Name(site.entry.site).Raw("</a>");
    if (site.entry.admin) html.Raw(" <span class=minor>admin</span>");
    html.Raw("<td>")
        .Raw(StateWord(site))
        .Raw("<td data-label=\"Last heard\">")
        .When(site.last_heard, stats.now);
    html.Raw("<td data-label=Server>")
        .Name(site.entry.server)
        .Raw("<td data-label=Fingerprint><code>");
    html.Text(Fingerprint(site.entry.signing_key)).Raw("</code><td data-label=Signed>");
    html.When(site.entry.time, stats.now).Raw("<td data-label=Domains>");
    html.Text(Join(site.entry.domains, ", "), 200).Raw("<td data-label=Program>");
    html.Text(site.program, 80).Raw("<td class=num data-label=Store>");
    if (site.report) html.Raw(BytesText(site.report->store_bytes));
    html.Raw("</tr>");
  }
  html.Raw("</tbody></table></div></section>");
  return Framed(snapshot, "/sites", "Sites", html.Take());
}

std::string TimelinePage(const PageSnapshot& snapshot) {
  const BrokerStats& stats = *snapshot.stats;
  std::vector<const BrokerEvent*> events;
  for (const BrokerEvent& event : stats.events)
    if (events.size() < kEventRows) events.push_back(&event);
  Html html;
  html.Raw("<h1>Timeline</h1><section>");
  AddEvents(html, stats, events, "Restores, resyncs, approvals and refusals, newest first");
  html.Raw("</section>");
  return Framed(snapshot, "/timeline", "Timeline", html.Take());
}

std::string ErrorPage(const PageSnapshot& snapshot, std::string_view title, std::string_view text) {
  Html html;
  html.Raw("<h1>").Text(title).Raw("</h1><p>").Text(text).Raw("</p><p><a href=/>Overview</a></p>");
  return Framed(snapshot, "", title, html.Take());
}

}  // namespace dirsync
