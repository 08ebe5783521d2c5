// broker stats, streams, readers: the numbers of a broker.
#include <algorithm>

#include "broker/core/stats_json.h"
#include "cli/command.h"
#include "cli/duty.h"
#include "cli/json.h"
#include "proto/base/measure.h"
#include "proto/base/text.h"

namespace dirsync::cli {
namespace {

void PrintFact(Context& context, std::string_view label, std::string_view value) {
  constexpr std::size_t kLabelWidth = 16;
  std::string text = "  " + std::string(label);
  text.resize(std::max(text.size() + 1, kLabelWidth), ' ');
  context.out() << text << Printable(value, 600) << '\n';
}

Result<int> PrintStats(Context& context, const Arguments&) {
  DIRSYNC_TRY(stats, StatsOfBroker(context, "broker stats"));
  const LinkOverview overview = DeriveLinks(stats, {}, BrokerRuns(context));
  if (context.json()) {
    context.out() << StatusJson(stats, overview) << '\n';
    return 0;
  }
  const auto connected = std::ranges::count_if(stats.sites, &SiteStats::connected);
  context.out() << Printable(overview.sentence, 600) << '\n';
  PrintFact(context, "organisation", stats.organization);
  PrintFact(context, "started", AgoText(stats.started, stats.now));
  PrintFact(context, "sites",
            std::to_string(connected) + " connected of " + std::to_string(stats.sites.size()));
  PrintFact(context, "streams", std::to_string(stats.streams.size()));
  PrintFact(context, "log", BytesText(stats.log_bytes) + " of " + BytesText(stats.log_bytes_max));
  PrintFact(context, "disk", BytesText(stats.disk_free_bytes) + " free");
  PrintFact(context, "full",
            stats.full_at == Instant{} ? "not in sight"
                                       : "in " + DurationText(stats.full_at - stats.now));
  PrintFact(context, "takes changes", stats.read_only ? "no: " + stats.read_only_reason : "yes");
  std::string refusals;
  for (const auto& [reason, count] : stats.refusals)
    if (count > 0) refusals += (refusals.empty() ? "" : ", ") + reason + " " + Grouped(count);
  PrintFact(context, "refusals", refusals.empty() ? "none" : refusals);
  if (stats.log_lines_dropped > 0)
    PrintFact(context, "process log", Grouped(stats.log_lines_dropped) + " lines were not read");
  PrintNext(context, overview, "the broker");
  return 0;
}

Result<int> PrintStreams(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(stats, StatsOfBroker(context, "broker streams"));
  const std::string only = arguments.words().empty() ? "" : arguments.words().front();
  if (context.json()) {
    context.out() << StreamsJson(stats, only) << '\n';
    return 0;
  }
  Table table(context.out(),
              {"STREAM", "PRODUCER", "LAST", "STORED", "KEPT", "BATCHES", "READERS", "REJECTED"},
              context.width(), context.out_colours());
  for (const StreamStats& stream : stats.streams) {
    if (!only.empty() && stream.stream.ToString() != only) continue;
    std::uint64_t rejected = 0;
    for (const auto& [outcome, count] : stream.rejected) rejected += count;
    table.Add({stream.stream.ToString(), stream.producer_online ? "online" : "offline",
               std::to_string(stream.tail.sequence), AgoText(stream.tail_time, stats.now),
               BytesText(stream.bytes), Grouped(stream.batches), Grouped(stream.readers.size()),
               Grouped(rejected)});
  }
  table.Finish();
  if (table.rows() == 0) context.Note("no stream is kept yet");
  return 0;
}

struct Row {
  const StreamStats* stream = nullptr;
  const ReaderStats* reader = nullptr;
  const LinkView* link = nullptr;
};

Result<int> PrintReaders(Context& context, const Arguments& arguments) {
  DIRSYNC_TRY(stats, StatsOfBroker(context, "broker readers"));
  const LinkOverview overview = DeriveLinks(stats, {}, BrokerRuns(context));
  const std::string only = arguments.words().empty() ? "" : arguments.words().front();
  if (context.json()) {
    context.out() << ReadersJson(stats, overview, "", only) << '\n';
    return 0;
  }
  std::vector<Row> rows;
  std::size_t index = 0;  // of the link: the overview has the order of the stats
  for (const StreamStats& stream : stats.streams)
    for (const ReaderStats& reader : stream.readers) {
      rows.push_back({&stream, &reader, &overview.links.at(index++)});
      if (!only.empty() && FoldName(reader.site) != FoldName(only)) rows.pop_back();
    }
  // Who holds the log comes first.
  std::ranges::stable_sort(
      rows, [](const Row& a, const Row& b) { return a.reader->lag_bytes > b.reader->lag_bytes; });
  Table table(context.out(),
              {"READER", "STREAM", "STATE", "BEHIND", "BATCHES", "OLDEST", "LAST ACK"},
              context.width(), context.out_colours());
  for (const Row& row : rows)
    table.Add({row.reader->site, row.stream->stream.ToString(),
               std::string(LinkStateName(row.link->state)), BytesText(row.reader->lag_bytes),
               Grouped(row.reader->lag_batches), AgoText(row.reader->oldest_unacked, stats.now),
               AgoText(row.reader->last_ack, stats.now)});
  table.Finish();
  if (rows.empty()) context.Note("nobody reads yet");
  return 0;
}

const OptionSpec kWatch = {"--watch", "", "again every two seconds, until Ctrl-C"};

}  // namespace

CommandGroup BrokerStatsCommands() {
  return {"The numbers of a broker",
          {
              {.path = "broker stats",
               .help = "how this broker stands",
               .examples = {"dirsync broker stats --store /srv/broker"},
               .options = {kWatch},
               .run = PrintStats,
               .changes = false},
              {.path = "broker streams",
               .arguments = "[STREAM]",
               .words_max = 1,
               .help = "the logs that it keeps",
               .examples = {"dirsync broker streams", "dirsync broker streams --watch"},
               .options = {kWatch},
               .run = PrintStreams,
               .changes = false},
              {.path = "broker readers",
               .arguments = "[SITE]",
               .words_max = 1,
               .help = "who reads what, furthest behind first",
               .examples = {"dirsync broker readers", "dirsync broker readers Site2 --json"},
               .options = {kWatch},
               .run = PrintReaders,
               .changes = false},
          }};
}

}  // namespace dirsync::cli
