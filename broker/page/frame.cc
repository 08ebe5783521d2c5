#include "broker/page/frame.h"

#include <algorithm>
#include <map>

#include "proto/base/measure.h"

namespace dirsync {
namespace {

// Names within their bound (limits.h) fit; longer ones lead to a list instead.
constexpr std::size_t kAddressBytes = 2048;

struct View {
  std::string_view path, name;
};
constexpr View kViews[] = {{"/", "Overview"},
                           {"/waiting", "Waiting"},
                           {"/storage", "Storage"},
                           {"/sites", "Sites"},
                           {"/timeline", "Timeline"}};

std::string SeverityClass(Severity severity) {
  return "v" + std::to_string(static_cast<int>(severity));
}

// How many things stand behind an entry of the navigation.
std::uint64_t CountOf(const PageSnapshot& snapshot, std::string_view path) {
  if (path == "/sites") return snapshot.stats->pending.size();
  if (path != "/waiting") return 0;
  return static_cast<std::uint64_t>(
      std::ranges::count_if(snapshot.overview.links, [](const LinkView& view) {
        return view.state >= LinkState::kQuarantined && view.severity >= Severity::kWarning;
      }));
}

void AddNavigation(Html& html, const PageSnapshot& snapshot, std::string_view path) {
  html.Raw("<nav aria-label=Views><ul>");
  for (const View& view : kViews) {
    html.Raw("<li><a").Attribute("href", view.path);
    if (view.path == path) html.Raw(" aria-current=page");
    html.Raw(">").Raw(view.name);
    if (const std::uint64_t count = CountOf(snapshot, view.path); count > 0)
      html.Raw(" <span class=count>").Number(count).Raw("</span>");
    html.Raw("</a>");
  }
  html.Raw("</ul></nav>");
}

void AddVerdict(Html& html, const LinkOverview& overview) {
  static constexpr std::string_view kSigns[] = {"✓", "i", "!", "!!"};
  const auto severity = static_cast<std::size_t>(overview.severity);
  html.Raw("<section id=verdict class=\"verdict ")
      .Raw(SeverityClass(overview.severity))
      .Raw("\" role=status aria-label=\"The worst thing now\"><span class=sign aria-hidden=true>")
      .Raw(kSigns[severity])
      .Raw("</span><div><p class=sentence><span class=hidden>")
      .Raw(SeverityName(overview.severity))
      .Raw(": </span>")
      .Text(overview.sentence, 600)
      .Raw("</p>")
      .Command(overview.command, overview.at, overview.alternative)
      .Raw("</div></section>");
}

}  // namespace

std::string_view LinkStateSign(LinkState state) {
  static constexpr std::string_view kSigns[] = {"?", "✓", "▸", "‖", "○", "⇩",
                                                "↺", "↻", "◆", "■", "≠", "✕"};
  return kSigns[static_cast<std::size_t>(state)];
}

void AddState(Html& html, const LinkView& view) {
  html.Raw("<span class=\"state ")
      .Raw(SeverityClass(view.severity))
      .Raw("\"><span aria-hidden=true>")
      .Raw(LinkStateSign(view.state))
      .Raw("</span> ")
      .Raw(LinkStateName(view.state))
      .Raw("</span>");
}

std::string LinkUrl(const LinkView& view) {
  const std::string stream = view.stream.ToString();
  if (stream.size() + view.reader.size() > kAddressBytes) return "/waiting";
  return "/link?stream=" + UrlEscaped(stream) + "&reader=" + UrlEscaped(view.reader);
}

std::string SiteUrl(std::string_view site) {
  return site.size() > kAddressBytes ? "/sites" : "/site?name=" + UrlEscaped(site);
}

void AddPair(Html& html, const LinkView& view) {
  html.Raw("<a").Attribute("href", LinkUrl(view)).Raw(">");
  html.Name(view.stream.site).Raw(" → ").Name(view.reader).Raw("</a>");
}

std::vector<LinkRow> RowsOf(const std::vector<const LinkView*>& views) {
  std::vector<LinkRow> rows;
  for (const LinkView* view : views) rows.push_back({view, 0});
  return rows;
}

std::vector<LinkRow> Grouped(const std::vector<const LinkView*>& views) {
  std::vector<LinkRow> rows;
  std::map<LinkState, std::size_t> known;  // index of the row
  for (const LinkView* view : views) {
    const auto [found, added] = known.try_emplace(view->state, rows.size());
    if (added) {
      rows.push_back({view, 0});
    } else {
      ++rows[found->second].alike;
    }
  }
  return rows;
}

void AddLinkTable(Html& html, const PageSnapshot& snapshot, const std::vector<LinkRow>& rows,
                  std::string_view caption) {
  constexpr std::size_t kRows = 300;
  html.Raw("<div class=scroll tabindex=0 role=region")
      .Attribute("aria-label", caption)
      .Raw("><table class=links><caption>");
  html.Text(caption);
  if (rows.size() > kRows) html.Raw("; the first ").Number(kRows).Raw(" of ").Number(rows.size());
  html.Raw(
      "</caption><thead><tr><th scope=col>State<th scope=col>Link<th scope=col>Why"
      "<th scope=col>Canary<th scope=col class=num>Batches waiting"
      "<th scope=col class=num>Deletes waiting<th scope=col>Next</tr></thead><tbody>");
  for (const LinkRow& row : rows) {
    if (&row - rows.data() == kRows) break;
    const LinkView& view = *row.view;
    html.Raw("<tr><td>");
    AddState(html, view);
    html.Raw("<th scope=row>");
    AddPair(html, view);
    if (row.alike > 0)
      html.Raw(" <span class=minor>and ").Number(row.alike).Raw(" alike</span>");
    else
      html.Raw(" <span class=minor>").Name(view.stream.instance).Raw("</span>");
    html.Raw("<td class=why>")
        .Text(view.reason, 600)
        .Raw("<td data-label=Canary>")
        .When(view.canary, snapshot.stats->now)
        .Raw("<td class=num data-label=\"Batches waiting\">")
        .Count(view.batches_waiting)
        .Raw("<td class=num data-label=\"Deletes waiting\">")
        .Count(view.deletes_waiting)
        .Raw("<td>")
        .Command(view.command, view.at, view.alternative)
        .Raw("</tr>");
  }
  html.Raw("</tbody></table></div>");
}

void AddEvents(Html& html, const BrokerStats& stats, const std::vector<const BrokerEvent*>& events,
               std::string_view caption) {
  if (events.empty()) {
    html.Raw("<p class=none>Nothing of note happened.</p>");
    return;
  }
  html.Raw(
      "<div class=scroll tabindex=0 role=region aria-label=\"Events\"><table "
      "class=events><caption>");
  html.Text(caption).Raw(
      "</caption><thead><tr><th scope=col>When<th scope=col>What<th scope=col>Site"
      "<th scope=col>Told</tr></thead><tbody>");
  for (const BrokerEvent* event : events) {
    html.Raw("<tr><td>").When(event->time, stats.now).Raw("<td><b>").Text(event->kind, 40);
    html.Raw("</b><td>");
    if (!event->site.empty())
      html.Raw("<a").Attribute("href", SiteUrl(event->site)).Raw(">").Name(event->site).Raw("</a>");
    html.Raw("<td class=why>").Text(event->text, 400).Raw("</tr>");
  }
  html.Raw("</tbody></table></div>");
}

std::vector<const LinkView*> WorstFirst(const LinkOverview& overview, Severity least) {
  std::vector<const LinkView*> views;
  for (const LinkView& view : overview.links)
    if (view.severity >= least) views.push_back(&view);
  std::ranges::stable_sort(views, [](const LinkView* a, const LinkView* b) {
    if (a->severity != b->severity) return a->severity > b->severity;
    return a->state > b->state;
  });
  return views;
}

std::string Framed(const PageSnapshot& snapshot, std::string_view path, std::string_view title,
                   std::string_view body) {
  const BrokerStats& stats = *snapshot.stats;
  Html html;
  html.Raw(
      "<!doctype html><html lang=en><head><meta charset=utf-8>"
      "<meta name=viewport content=\"width=device-width,initial-scale=1\">"
      "<meta name=color-scheme content=\"light dark\"><title>");
  html.Text(title).Raw(" · dirsync ").Text(stats.organization, 60);
  html.Raw(
      "</title><link rel=icon href=/assets/icon.svg><link rel=stylesheet href=/assets/page.css>"
      "<script type=module src=/assets/page.js></script></head><body>"
      "<a class=skip href=#main>To the content</a>"
      "<header><p class=brand><a href=/>dirsync</a> <span>");
  html.Name(stats.organization).Raw("</span></p>");
  AddNavigation(html, snapshot, path);
  html.Raw("<p class=asof id=asof>as of ");
  if (stats.now == Instant{}) {
    html.Raw("<span class=none>nothing yet</span>");
  } else {
    const std::string exact = FormatTime(stats.now);
    html.Raw("<time").Attribute("datetime", exact).Attribute("title", exact).Raw(" data-fixed>");
    html.Raw(exact.substr(11, 8)).Raw(" UTC</time>");
  }
  html.Raw("</p></header><main id=main tabindex=-1>");
  AddVerdict(html, snapshot.overview);
  html.Raw(body).Raw("</main></body></html>\n");
  return html.Take();
}

}  // namespace dirsync
