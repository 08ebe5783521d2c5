#include <algorithm>

#include "broker/page/frame.h"
#include "broker/page/spark_line.h"
#include "proto/base/measure.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::size_t kEventRows = 50;

struct Found {
  const StreamStats* stream = nullptr;
  const ReaderStats* reader = nullptr;
  const LinkView* view = nullptr;
};

Found Find(const PageSnapshot& snapshot, const std::string& stream, const std::string& reader) {
  std::size_t index = 0;  // of the link: the overview has the order of the stats
  for (const StreamStats& one : snapshot.stats->streams)
    for (const ReaderStats& each : one.readers) {
      const LinkView& view = snapshot.overview.links.at(index++);
      if (each.site == reader && one.stream.ToString() == stream) return {&one, &each, &view};
    }
  return {};
}

void AddPosition(Html& html, std::string_view label, const Position& position) {
  html.Fact(label);
  if (position.epoch.counter == 0) {
    html.Raw("<span class=none>nothing</span></td></tr>");
    return;
  }
  html.Number(position.sequence).Raw(" <span class=minor>of epoch ");
  html.Number(position.epoch.counter).Raw("</span></td></tr>");
}

void AddReport(Html& html, const InstanceReport& report, Instant now) {
  html.Fact("Instance").Name(report.instance).Raw("</td></tr>");
  AddPosition(html, report.exports ? "Told up to" : "Applied up to", report.position);
  html.Fact("Entries").Number(report.rows).Raw("</td></tr>");
  html.Fact(report.exports ? "Changes told" : "Changes applied")
      .Number(report.exports ? report.captured : report.applied)
      .Raw(" <span class=minor>since its start</span></td></tr>");
  if (report.exports)
    html.Fact("Not acknowledged by all")
        .Raw(CountText(report.outbox_batches, "batch", "batches"))
        .Raw("</td></tr>");
  html.Fact("Deletes held").Number(report.held).Raw("</td></tr>");
  if (!report.exports) {
    html.Fact("Quarantined").Number(report.quarantined).Raw("</td></tr>");
    html.Fact("Asked for again").Number(report.wanted).Raw("</td></tr>");
    if (report.full_total > 0)
      html.Fact("Full copy")
          .Number(report.full_done)
          .Raw(" of ")
          .Number(report.full_total)
          .Raw("</td></tr>");
    html.Fact("Sums found equal").When(report.sums_equal_at, now).Raw("</td></tr>");
  }
  html.Fact("Last canary").When(report.canary_at, now).Raw("</td></tr>");
  if (report.problem != ErrorCode::kAlreadyApplied)
    html.Fact("Problem")
        .Raw("<b>")
        .Raw(InfoOf(report.problem).text)
        .Raw("</b> ")
        .Text(report.problem_text)
        .Raw("</td></tr>");
}

void AddProducer(Html& html, const StreamStats& stream, Instant now) {
  html.Raw("<section class=card><h2>Tells: ")
      .Name(stream.stream.site)
      .Raw("</h2><table class=facts>");
  html.Fact("Session").Raw(stream.producer_online ? "open" : "none").Raw("</td></tr>");
  if (stream.report)
    AddReport(html, *stream.report, now);
  else
    html.Fact("Report").Raw("<span class=none>none yet</span></td></tr>");
  html.Raw("</table></section>");
}

void AddBroker(Html& html, const Found& found, Instant now) {
  const StreamStats& stream = *found.stream;
  const ReaderStats& reader = *found.reader;
  html.Raw("<section class=card><h2>On the way</h2><table class=facts>");
  AddPosition(html, "Log ends at", stream.tail);
  html.Fact("Last batch stored").When(stream.tail_time, now).Raw("</td></tr>");
  html.Fact("Log keeps")
      .Raw(CountText(stream.batches, "batch", "batches"))
      .Raw(", ")
      .Raw(BytesText(stream.bytes))
      .Raw("</td></tr>");
  AddPosition(html, "Acknowledged up to", reader.acked);
  html.Fact("Behind")
      .Raw(CountText(reader.lag_batches, "batch", "batches"))
      .Raw(", ")
      .Raw(BytesText(reader.lag_bytes))
      .Raw("</td></tr>");
  if (reader.oldest_unacked != Instant{})
    html.Fact("Oldest one waits").When(reader.oldest_unacked, now).Raw("</td></tr>");
  html.Fact("Last acknowledgement").When(reader.last_ack, now).Raw("</td></tr>");
  html.Fact("In flight")
      .Raw(BytesText(reader.in_flight_bytes))
      .Raw(" <span class=minor>of ")
      .Raw(BytesText(reader.credit_bytes))
      .Raw(" credit</span></td></tr>");
  html.Fact("Delivered")
      .Number(reader.delivered_batches)
      .Raw(" <span class=minor>again: ")
      .Number(reader.redelivered_batches)
      .Raw(", refused: ")
      .Number(reader.nacks)
      .Raw(", ranges: ")
      .Number(reader.ranges)
      .Raw("</span></td></tr>");
  html.Fact("Incarnation")
      .Raw("<code>")
      .Raw(stream.incarnation.hex().substr(0, 16))
      .Raw("…</code>");
  html.Raw("</td></tr></table></section>");
}

void AddReader(Html& html, const ReaderStats& reader, Instant now) {
  html.Raw("<section class=card><h2>Reads: ").Name(reader.site).Raw("</h2><table class=facts>");
  html.Fact("Session").Raw(reader.connected ? "open" : "none").Raw("</td></tr>");
  if (reader.report)
    AddReport(html, *reader.report, now);
  else
    html.Fact("Report").Raw("<span class=none>none yet</span></td></tr>");
  html.Raw("</table></section>");
}

void AddDay(Html& html, const StreamStats& stream, Instant now) {
  std::vector<std::uint64_t> changes;
  std::vector<std::uint64_t> waiting;
  for (const MinutePoint& point : stream.minutes) {
    changes.push_back(point.changes);
    waiting.push_back(point.waiting);
  }
  html.Raw("<section><h2>The last 24 hours of this stream</h2><div class=sparks>")
      .Raw(SparkLine(changes, now, "Changes stored", "changes a minute"))
      .Raw(SparkLine(waiting, now, "Furthest behind of any reader", "batches"))
      .Raw("</div></section>");
}

std::vector<const LinkView*> Others(const PageSnapshot& snapshot, const LinkView& view) {
  std::vector<const LinkView*> others;
  for (const LinkView& other : snapshot.overview.links) {
    const bool same = other.stream.site == view.stream.site && other.reader == view.reader;
    const bool back = other.stream.site == view.reader && other.reader == view.stream.site;
    if (&other != &view && (same || back)) others.push_back(&other);
  }
  return others;
}

}  // namespace

std::optional<std::string> LinkPage(const PageSnapshot& snapshot, const std::string& stream,
                                    const std::string& reader) {
  const Found found = Find(snapshot, stream, reader);
  if (found.view == nullptr) return std::nullopt;
  const BrokerStats& stats = *snapshot.stats;
  const LinkView& view = *found.view;
  Html html;
  html.Raw("<p class=crumbs><a href=/>Overview</a> / <a")
      .Attribute("href", SiteUrl(view.stream.site));
  html.Raw(">").Name(view.stream.site).Raw("</a></p><h1>").Name(view.stream.site).Raw(" → ");
  html.Name(view.reader).Raw(" <span class=minor>").Name(view.stream.instance);
  html.Raw("</span></h1><section class=now aria-label=\"This link now\"><p>");
  AddState(html, view);
  html.Raw(" ").Text(view.reason, 600).Raw("</p>").Command(view.command, view.at, view.alternative);
  html.Raw("</section><div class=cards>");
  AddProducer(html, *found.stream, stats.now);
  AddBroker(html, found, stats.now);
  AddReader(html, *found.reader, stats.now);
  html.Raw("</div>");
  AddDay(html, *found.stream, stats.now);
  if (const auto others = Others(snapshot, view); !others.empty()) {
    html.Raw("<section><h2>Other links of the two</h2>");
    AddLinkTable(html, snapshot, RowsOf(others), "Both directions");
    html.Raw("</section>");
  }
  std::vector<const BrokerEvent*> events;
  for (const BrokerEvent& event : stats.events)
    if (events.size() < kEventRows &&
        (event.stream == stream || event.site == reader || event.site == view.stream.site))
      events.push_back(&event);
  html.Raw("<section><h2>What happened</h2>");
  AddEvents(html, stats, events, "Newest first");
  html.Raw("</section>");
  const std::string title = Printable(view.stream.site, 40) + " to " + Printable(view.reader, 40);
  return Framed(snapshot, "/link", title, html.Take());
}

std::optional<std::string> SitePage(const PageSnapshot& snapshot, const std::string& site) {
  std::vector<const LinkView*> telling;
  std::vector<const LinkView*> reading;
  for (const LinkView* view : WorstFirst(snapshot.overview, Severity::kFine)) {
    if (view->stream.site == site) telling.push_back(view);
    if (view->reader == site) reading.push_back(view);
  }
  const auto known = std::ranges::any_of(
      snapshot.stats->sites, [&](const SiteStats& one) { return one.entry.site == site; });
  if (!known && telling.empty() && reading.empty()) return std::nullopt;
  Html html;
  html.Raw("<p class=crumbs><a href=/>Overview</a> / <a href=/sites>Sites</a></p><h1>");
  html.Name(site).Raw("</h1><section><h2>Reads</h2>");
  if (reading.empty()) html.Raw("<p class=none>It reads nobody.</p>");
  if (!reading.empty())
    AddLinkTable(html, snapshot, RowsOf(reading), "What this site reads, worst first");
  html.Raw("</section><section><h2>Tells</h2>");
  if (telling.empty()) html.Raw("<p class=none>Nobody reads it.</p>");
  if (!telling.empty())
    AddLinkTable(html, snapshot, RowsOf(telling), "Who reads this site, worst first");
  html.Raw("</section>");
  return Framed(snapshot, "/site", Printable(site, 40), html.Take());
}

}  // namespace dirsync
