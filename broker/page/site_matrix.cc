#include "broker/page/site_matrix.h"

#include <algorithm>
#include <map>

#include "proto/base/measure.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

// The worst link of each pair: two sites may have several streams.
struct Cell {
  const LinkView* worst = nullptr;
  std::uint64_t links = 0;
};

class Grid {
 public:
  explicit Grid(const PageSnapshot& snapshot) {
    for (const SiteStats& site : snapshot.stats->sites)
      if (site.entry.state == SiteState::kActive) Add(site.entry.site);
    for (const LinkView& view : snapshot.overview.links) {
      const std::size_t row = Add(view.stream.site);
      const std::size_t column = Add(view.reader);
      Cell& cell = cells_[{row, column}];
      ++cell.links;
      if (cell.worst == nullptr || view.severity > cell.worst->severity ||
          (view.severity == cell.worst->severity && view.state > cell.worst->state))
        cell.worst = &view;
    }
  }
  const std::vector<std::string>& sites() const { return sites_; }
  const Cell* At(std::size_t row, std::size_t column) const {
    const auto found = cells_.find({row, column});
    return found == cells_.end() ? nullptr : &found->second;
  }

 private:
  std::size_t Add(const std::string& site) {
    const auto [found, added] = numbers_.try_emplace(FoldName(site), sites_.size());
    if (added) sites_.push_back(site);
    return found->second;
  }
  std::vector<std::string> sites_;
  std::map<std::string, std::size_t> numbers_;
  std::map<std::pair<std::size_t, std::size_t>, Cell> cells_;
};

void AddHead(Html& html, const Grid& grid, std::string_view style, std::size_t bytes_max) {
  html.Raw(
          "<div class=scroll tabindex=0 role=region aria-label=\"Site matrix\"><table id=matrix "
          "class=")
      .Raw(style)
      .Raw("><caption>Rows tell, columns read</caption><thead><tr><td>");
  for (const std::string& site : grid.sites()) html.Raw("<th scope=col>").Name(site, bytes_max);
  html.Raw("</tr></thead><tbody>");
}

void AddRowHead(Html& html, const std::string& site, std::size_t bytes_max) {
  html.Raw("<th scope=row><a").Attribute("href", SiteUrl(site)).Raw(">");
  html.Name(site, bytes_max).Raw("</a>");
}

void AddWords(Html& html, const Cell& cell, Instant now) {
  const LinkView& view = *cell.worst;
  html.Raw("<td><a").Attribute("href", LinkUrl(view)).Attribute("title", view.reason).Raw(">");
  AddState(html, view);
  html.Raw("<span class=minor>").When(view.canary, now);
  if (view.batches_waiting > 0)
    html.Raw(" · ").Raw(CountText(view.batches_waiting, "batch", "batches"));
  if (view.deletes_waiting > 0)
    html.Raw(" · <b>").Raw(CountText(view.deletes_waiting, "delete")).Raw("</b>");
  if (cell.links > 1) html.Raw(" · worst of ").Number(cell.links);
  html.Raw("</span></a>");
}

void AddSign(Html& html, const Cell& cell) {
  const LinkView& view = *cell.worst;
  if (view.severity == Severity::kFine) {
    html.Raw("<td>✓");
    return;
  }
  html.Raw("<td class=v").Number(static_cast<std::uint64_t>(view.severity)).Raw("><a");
  html.Attribute("href", LinkUrl(view))
      .Attribute("title", Printable(view.stream.site, 40) + " to " + Printable(view.reader, 40) +
                              ": " + std::string(LinkStateName(view.state)) + ", " + view.reason)
      .Raw("><span aria-hidden=true>")
      .Raw(LinkStateSign(view.state))
      .Raw("</span><span class=hidden>")
      .Raw(LinkStateName(view.state))
      .Raw("</span></a>");
}

}  // namespace

void AddMatrix(Html& html, const PageSnapshot& snapshot) {
  const Grid grid(snapshot);
  const std::size_t count = grid.sites().size();
  if (snapshot.overview.links.empty()) {
    html.Raw("<p class=none>No site reads another one yet.</p>");
    return;
  }
  const bool wordy = count <= kWordySites;
  const std::size_t bytes_max = wordy ? 32 : 16;
  AddHead(html, grid, wordy ? "wordy" : "dense", bytes_max);
  for (std::size_t row = 0; row < count; ++row) {
    html.Raw("<tr>");
    AddRowHead(html, grid.sites()[row], bytes_max);
    for (std::size_t column = 0; column < count; ++column) {
      const Cell* cell = grid.At(row, column);
      if (cell == nullptr) {
        html.Raw(row == column ? "<td class=self>·" : "<td class=none>–");
      } else if (wordy) {
        AddWords(html, *cell, snapshot.stats->now);
      } else {
        AddSign(html, *cell);
      }
    }
  }
  html.Raw("</tbody></table></div>");
}

}  // namespace dirsync
