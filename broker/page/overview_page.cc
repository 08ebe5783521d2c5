#include <algorithm>
#include <array>
#include <map>

#include "broker/page/frame.h"
#include "broker/page/site_matrix.h"
#include "proto/base/measure.h"

namespace dirsync {
namespace {

constexpr std::size_t kAttentionRows = 8;

void AddTiles(Html& html, const PageSnapshot& snapshot) {
  const BrokerStats& stats = *snapshot.stats;
  std::uint64_t deletes = 0;
  std::uint64_t batches = 0;
  for (const LinkView& view : snapshot.overview.links) {
    deletes += view.deletes_waiting;
    batches += view.batches_waiting;
  }
  const auto connected = std::ranges::count_if(stats.sites, &SiteStats::connected);
  const auto active = std::ranges::count_if(
      stats.sites, [](const SiteStats& site) { return site.entry.state == SiteState::kActive; });
  html.Raw("<section class=tiles aria-label=\"In numbers\"><dl><div><dt>Sites connected<dd>")
      .Number(static_cast<std::uint64_t>(connected))
      .Raw(" <span class=of>of ")
      .Number(static_cast<std::uint64_t>(active))
      .Raw("</span></div><div><dt>Batches on their way<dd>")
      .Number(batches)
      .Raw("</div><div><dt>Deletes waiting<dd>")
      .Number(deletes)
      .Raw("</div><div><dt>Log<dd>")
      .Raw(BytesText(stats.log_bytes))
      .Raw(" <span class=of>of ")
      .Raw(BytesText(stats.log_bytes_max))
      .Raw("</span></div><div><dt>Started<dd>")
      .When(stats.started, stats.now)
      .Raw("</div></dl></section>");
}

// Every state that occurs, with its sign, meaning and count.
void AddLegend(Html& html, const LinkOverview& overview) {
  std::array<std::uint64_t, static_cast<std::size_t>(kLastLinkState) + 1> counts{};
  for (const LinkView& view : overview.links) ++counts[static_cast<std::size_t>(view.state)];
  html.Raw("<ul class=legend aria-label=\"Links by state\">");
  for (std::size_t i = counts.size() - 1; i > 0; --i) {
    if (counts[i] == 0) continue;
    const auto state = static_cast<LinkState>(i);
    html.Raw("<li").Attribute("title", LinkStateMeaning(state)).Raw("><span aria-hidden=true>");
    html.Raw(LinkStateSign(state)).Raw("</span> ").Raw(LinkStateName(state)).Raw(" <b>");
    html.Number(counts[i]).Raw("</b>");
  }
  html.Raw("</ul>");
}

}  // namespace

std::string OverviewPage(const PageSnapshot& snapshot) {
  Html html;
  html.Raw("<h1 class=hidden>Overview</h1>");
  AddTiles(html, snapshot);
  const bool wordy = snapshot.stats->sites.size() <= kWordySites;
  html.Raw(wordy ? "<div class=wide>" : "<div>");
  const std::vector<const LinkView*> worst = WorstFirst(snapshot.overview, Severity::kWarning);
  if (!worst.empty()) {
    std::vector<LinkRow> rows = Grouped(worst);
    if (worst.size() <= kAttentionRows) rows = RowsOf(worst);
    const std::size_t all = rows.size();
    rows.resize(std::min(all, kAttentionRows));
    html.Raw("<section><h2>Needs attention</h2>");
    AddLinkTable(html, snapshot, rows,
                 CountText(worst.size(), "link") + ", the worst first" +
                     (all > rows.size() ? "; further ones: see Waiting and the matrix" : ""));
    html.Raw("</section>");
  }
  html.Raw("<section><h2>Every site with every other</h2>");
  AddLegend(html, snapshot.overview);
  AddMatrix(html, snapshot);
  html.Raw("</section></div>");
  return Framed(snapshot, "/", "Overview", html.Take());
}

}  // namespace dirsync
