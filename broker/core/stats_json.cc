#include "broker/core/stats_json.h"

#include <algorithm>
#include <array>

#include "proto/base/json_text.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

std::string CountsJson(const std::map<std::string, std::uint64_t>& counts) {
  JsonObject object;
  for (const auto& [name, count] : counts) object.Number(name, count);
  return object.Finish();
}

std::string RejectedJson(const StreamStats& stream) {
  JsonObject object;
  for (const auto& [outcome, count] : stream.rejected)
    object.Number(PublishOutcomeName(outcome), count);
  return object.Finish();
}

void AddPosition(JsonObject& object, std::string_view prefix, const Position& position) {
  const std::string name(prefix);
  object.Text(name + "epoch", position.epoch.counter == 0 ? "" : position.epoch.ToString())
      .Number(name + "sequence", position.sequence);
}

std::string ReportJson(const InstanceReport& report) {
  JsonObject object;
  object.Text("instance", report.instance).Bool("exports", report.exports);
  AddPosition(object, "", report.position);
  object.Bool("paused", report.paused)
      .Number("rows", report.rows)
      .Number("captured", report.captured)
      .Number("applied", report.applied)
      .Number("held", report.held)
      .Number("quarantined", report.quarantined)
      .Number("wanted", report.wanted)
      .Number("outbox_batches", report.outbox_batches)
      .Number("full_done", report.full_done)
      .Number("full_total", report.full_total)
      .Bool("suspect", report.suspect)
      .Bool("diverged", report.diverged)
      .Raw("sums_equal_at", TimeJson(report.sums_equal_at))
      .Raw("canary_at", TimeJson(report.canary_at));
  if (report.problem != ErrorCode::kAlreadyApplied)
    object.Text("problem", InfoOf(report.problem).text).Text("problem_text", report.problem_text);
  return object.Finish();
}

std::string MinutesJson(const StreamStats& stream) {
  std::vector<std::string> points;
  for (const MinutePoint& point : stream.minutes)
    points.push_back(JsonObject()
                         .Raw("minute", TimeJson(point.minute))
                         .Number("changes", point.changes)
                         .Number("bytes", point.bytes)
                         .Number("waiting", point.waiting)
                         .Finish());
  return JsonArray(points);
}

std::string StreamJson(const StreamStats& stream, bool minutes) {
  JsonObject object;
  object.Text("stream", stream.stream.ToString())
      .Text("site", stream.stream.site)
      .Text("instance", stream.stream.instance)
      .Bool("producer_online", stream.producer_online)
      .Text("incarnation", stream.incarnation.hex());
  AddPosition(object, "", stream.tail);
  object.Number("first", stream.first)
      .Number("batches", stream.batches)
      .Number("bytes", stream.bytes)
      .Raw("tail_time", TimeJson(stream.tail_time))
      .Number("readers", stream.readers.size())
      .Number("received", stream.received)
      .Number("stored", stream.stored)
      .Number("duplicates", stream.duplicates)
      .Number("stored_bytes", stream.stored_bytes)
      .Number("stored_changes", stream.stored_changes)
      .Raw("rejected", RejectedJson(stream));
  if (stream.report) object.Raw("report", ReportJson(*stream.report));
  if (minutes) object.Raw("minutes", MinutesJson(stream));
  return object.Finish();
}

std::string ReaderJson(const ReaderStats& reader, const LinkView& view) {
  std::string text = LinkJson(view);
  text.pop_back();  // the brace: more fields follow
  JsonObject object;
  object.Bool("connected", reader.connected);
  AddPosition(object, "acked_", reader.acked);
  object.Number("delivered_sequence", reader.delivered)
      .Raw("oldest_unacked", TimeJson(reader.oldest_unacked))
      .Raw("last_ack", TimeJson(reader.last_ack))
      .Number("in_flight_bytes", reader.in_flight_bytes)
      .Number("credit_bytes", reader.credit_bytes)
      .Number("delivered_batches", reader.delivered_batches)
      .Number("redelivered_batches", reader.redelivered_batches)
      .Number("nacks", reader.nacks)
      .Number("ranges", reader.ranges)
      .Bool("needs_ranges", reader.needs_ranges);
  if (reader.report) object.Raw("report", ReportJson(*reader.report));
  return text + "," + object.Finish().substr(1);
}

std::string PendingJson(const BrokerStats& stats) {
  std::vector<std::string> joins;
  for (const PendingJoin& join : stats.pending)
    joins.push_back(JsonObject()
                        .Text("site", join.site)
                        .Text("server", join.server)
                        .Text("replaces", join.replaces)
                        .Texts("domains", join.domains)
                        .Text("signing_key", join.signing_key.hex())
                        .Text("transport_key", join.transport_key.hex())
                        .Raw("time", TimeJson(join.time))
                        .Finish());
  return "[" + Join(joins, ",") + "]";
}

std::string StatesJson(const LinkOverview& overview) {
  std::array<std::uint64_t, static_cast<std::size_t>(kLastLinkState) + 1> counts{};
  for (const LinkView& view : overview.links) ++counts[static_cast<std::size_t>(view.state)];
  JsonObject object;
  for (std::size_t i = 1; i < counts.size(); ++i)
    object.Number(LinkStateName(static_cast<LinkState>(i)), counts[i]);
  return object.Finish();
}

std::string_view SiteStateName(SiteState state) {
  switch (state) {
    case SiteState::kActive:
      return "active";
    case SiteState::kRevoked:
      return "revoked";
    case SiteState::kRemoved:
      return "removed";
  }
  return "unknown";
}

}  // namespace

std::string TimeJson(Instant time) {
  return time == Instant{} ? "null" : JsonText(FormatTime(time));
}

std::string LinkJson(const LinkView& view) {
  return JsonObject()
      .Text("stream", view.stream.ToString())
      .Text("from", view.stream.site)
      .Text("reader", view.reader)
      .Text("instance", view.instance)
      .Text("state", LinkStateName(view.state))
      .Text("severity", SeverityName(view.severity))
      .Text("reason", view.reason)
      .Text("command", view.command)
      .Text("at", view.at)
      .Text("alternative", view.alternative)
      .Raw("canary", TimeJson(view.canary))
      .Number("batches_waiting", view.batches_waiting)
      .Number("bytes_waiting", view.bytes_waiting)
      .Number("deletes_waiting", view.deletes_waiting)
      .Number("quarantined", view.quarantined)
      .Number("full_done", view.full_done)
      .Number("full_total", view.full_total)
      .Finish();
}

std::string StatusJson(const BrokerStats& stats, const LinkOverview& overview) {
  const auto connected = std::ranges::count_if(stats.sites, &SiteStats::connected);
  const auto active = std::ranges::count_if(
      stats.sites, [](const SiteStats& site) { return site.entry.state == SiteState::kActive; });
  return JsonObject()
      .Raw("time", TimeJson(stats.now))
      .Raw("started", TimeJson(stats.started))
      .Text("organization", stats.organization)
      .Text("severity", SeverityName(overview.severity))
      .Text("sentence", overview.sentence)
      .Text("command", overview.command)
      .Text("at", overview.at)
      .Text("alternative", overview.alternative)
      .Number("sites", static_cast<std::uint64_t>(active))
      .Number("sites_connected", static_cast<std::uint64_t>(connected))
      .Number("sessions", stats.sessions_open)
      .Number("streams", stats.streams.size())
      .Raw("links", StatesJson(overview))
      .Number("log_bytes", stats.log_bytes)
      .Number("log_bytes_max", stats.log_bytes_max)
      .Number("disk_free_bytes", stats.disk_free_bytes)
      .Raw("full_at", TimeJson(stats.full_at))
      .Bool("read_only", stats.read_only)
      .Text("read_only_reason", stats.read_only_reason)
      .Raw("refusals", CountsJson(stats.refusals))
      .Raw("pending", PendingJson(stats))
      .Number("log_lines_dropped", stats.log_lines_dropped)
      .Finish();
}

std::string StreamsJson(const BrokerStats& stats, const std::string& only) {
  std::vector<std::string> items;
  for (const StreamStats& stream : stats.streams)
    if (only.empty() || stream.stream.ToString() == only)
      items.push_back(StreamJson(stream, !only.empty()));
  return JsonArray(items);
}

std::string ReadersJson(const BrokerStats& stats, const LinkOverview& overview,
                        const std::string& stream, const std::string& reader) {
  std::vector<std::string> items;
  std::size_t index = 0;  // of the link in `overview`, which has the order of `stats`
  for (const StreamStats& one : stats.streams) {
    const bool wanted = stream.empty() || one.stream.ToString() == stream;
    for (const ReaderStats& each : one.readers) {
      const LinkView& view = overview.links.at(index++);
      if (wanted && (reader.empty() || FoldName(each.site) == FoldName(reader)))
        items.push_back(ReaderJson(each, view));
    }
  }
  return JsonArray(items);
}

std::string EventsJson(const BrokerStats& stats, std::uint64_t after, std::size_t limit) {
  std::vector<std::string> items;
  for (const BrokerEvent& event : stats.events) {
    if (event.number <= after) continue;
    if (items.size() == limit) break;
    items.push_back(JsonObject()
                        .Number("number", event.number)
                        .Raw("time", TimeJson(event.time))
                        .Text("kind", event.kind)
                        .Text("site", event.site)
                        .Text("stream", event.stream)
                        .Text("text", event.text)
                        .Finish());
  }
  return JsonArray(items);
}

std::string SitesJson(const BrokerStats& stats) {
  std::vector<std::string> items;
  for (const SiteStats& site : stats.sites) {
    JsonObject object;
    object.Text("site", site.entry.site)
        .Text("server", site.entry.server)
        .Text("state", SiteStateName(site.entry.state))
        .Bool("admin", site.entry.admin)
        .Texts("domains", site.entry.domains)
        .Text("signing_key", site.entry.signing_key.hex())
        .Number("serial", site.entry.serial)
        .Raw("signed", TimeJson(site.entry.time))
        .Bool("connected", site.connected)
        .Raw("connected_since", TimeJson(site.connected_since))
        .Raw("last_heard", TimeJson(site.last_heard))
        .Text("program", site.program)
        .Number("sessions", site.sessions);
    if (site.report)
      object.Number("store_bytes", site.report->store_bytes)
          .Number("disk_free_bytes", site.report->disk_free_bytes);
    items.push_back(object.Finish());
  }
  return JsonArray(items);
}

}  // namespace dirsync
