#include "broker/page/metrics.h"

#include <algorithm>
#include <array>
#include <functional>
#include <set>

#include "broker/page/metric_writer.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

using Kind = MetricWriter::Kind;

constexpr std::uint64_t kMicroseconds = 1'000'000;  // of a second

constexpr PublishOutcome kRejections[] = {PublishOutcome::kGap,      PublishOutcome::kConflict,
                                          PublishOutcome::kFenced,   PublishOutcome::kQuota,
                                          PublishOutcome::kReadOnly, PublishOutcome::kTooLarge,
                                          PublishOutcome::kVersion,  PublishOutcome::kUnauthorized};

// Of the times that are known, the earliest.
void TakeEarlier(Instant& earliest, Instant time) {
  if (time == Instant{}) return;
  if (earliest == Instant{} || time < earliest) earliest = time;
}

// What concerns one stream, over its readers.
struct StreamTotals {
  const StreamStats* stream = nullptr;
  std::string name;
  std::uint64_t rejected = 0, lag_batches = 0, lag_bytes = 0, needing_ranges = 0, connected = 0;
  Instant oldest_unacked{}, oldest_canary{};
};

// What concerns one reading site, over its streams.
struct ReaderTotals {
  bool connected = false;
  std::uint64_t links = 0, lag_batches = 0, lag_bytes = 0, in_flight = 0, credit = 0;
  std::uint64_t held = 0, quarantined = 0, diverged = 0, suspect = 0, resyncing = 0, refused = 0;
  std::uint64_t over_limit = 0;
  Instant oldest_unacked{}, oldest_canary{}, last_ack{};
};

// Sites that were revoked or have left, folded: what they no longer read or tell is no trouble.
using Former = std::set<std::string>;

Former FormerSites(const BrokerStats& stats) {
  Former former;
  for (const SiteStats& site : stats.sites)
    if (site.entry.state != SiteState::kActive) former.insert(FoldName(site.entry.site));
  return former;
}

bool Has(const Former& former, const std::string& site) {
  return !former.empty() && former.contains(FoldName(site));
}

StreamTotals TotalsOf(const StreamStats& stream, const Former& former) {
  StreamTotals totals;
  totals.stream = &stream;
  totals.name = stream.stream.ToString();
  for (const auto& [outcome, count] : stream.rejected) totals.rejected += count;
  if (Has(former, stream.stream.site)) return totals;
  for (const ReaderStats& reader : stream.readers) {
    if (Has(former, reader.site)) continue;
    totals.lag_batches = std::max(totals.lag_batches, reader.lag_batches);
    totals.lag_bytes = std::max(totals.lag_bytes, reader.lag_bytes);
    totals.needing_ranges += reader.needs_ranges ? 1 : 0;
    totals.connected += reader.connected ? 1 : 0;
    TakeEarlier(totals.oldest_unacked, reader.oldest_unacked);
    if (reader.report && !reader.report->paused)
      TakeEarlier(totals.oldest_canary, reader.report->canary_at);
  }
  return totals;
}

void AddReader(ReaderTotals& totals, const ReaderStats& reader, const LinkView& view) {
  totals.connected = totals.connected || reader.connected;
  ++totals.links;
  totals.lag_batches += reader.lag_batches;
  totals.lag_bytes += reader.lag_bytes;
  totals.in_flight += reader.in_flight_bytes;
  totals.credit += reader.credit_bytes;
  totals.held += view.deletes_waiting;
  totals.quarantined += view.quarantined;
  // Below a warning it is meant: the producer was revoked, or has left.
  const bool meant = view.severity < Severity::kWarning;
  totals.refused += view.state == LinkState::kRefused && !meant ? 1 : 0;
  totals.resyncing += view.full_total > 0 ? 1 : 0;
  TakeEarlier(totals.oldest_unacked, reader.oldest_unacked);
  totals.last_ack = std::max(totals.last_ack, reader.last_ack);
  if (!reader.report) return;
  totals.diverged += reader.report->diverged ? 1 : 0;
  totals.suspect += reader.report->suspect ? 1 : 0;
  totals.over_limit += reader.report->problem == ErrorCode::kOverLimit ? 1 : 0;
  if (!reader.report->paused) TakeEarlier(totals.oldest_canary, reader.report->canary_at);
}

void WriteBroker(MetricWriter& out, const PageSnapshot& snapshot, std::string_view program,
                 bool ready) {
  const BrokerStats& stats = *snapshot.stats;
  const auto gauge = [&](std::string_view name, std::string_view help, std::uint64_t value) {
    out.Family(name, Kind::kGauge, help);
    out.Sample(value);
  };
  out.Family("build_info", Kind::kGauge, "1, with the version that runs.");
  out.Sample(1, {{"version", program},
                 {"protocol_min", std::to_string(kProtocolMin)},
                 {"protocol_max", std::to_string(kProtocolMax)}});
  out.Family("process_start_time_seconds", Kind::kGauge, "When the process began.");
  out.SampleTime(stats.started);
  out.Family("stats_timestamp_seconds", Kind::kGauge, "When these numbers were taken.");
  out.SampleTime(stats.now);
  gauge("ready", "1 if the store is open and all listeners are bound.", ready ? 1 : 0);
  gauge("read_only", "1 if changes are refused for want of disk space.", stats.read_only ? 1 : 0);
  gauge("worst_severity", "Of all links and the broker: 0 fine, 1 notice, 2 warning, 3 critical.",
        static_cast<std::uint64_t>(snapshot.overview.severity));
  gauge("sessions", "Open sessions.", stats.sessions_open);
  gauge("pending_joins", "Sites that wait for approval.", stats.pending.size());
  gauge("log_size_bytes", "Bytes that all logs keep.", stats.log_bytes);
  gauge("log_limit_bytes", "Bytes that all logs may keep.", stats.log_bytes_max);
  gauge("disk_free_bytes", "Free on the disk of the store.", stats.disk_free_bytes);
  out.Family("log_lines_dropped_total", Kind::kCounter,
             "Lines of the process's log that went because nobody read them.");
  out.Sample(stats.log_lines_dropped);
  gauge("reader_limit_bytes", "A reader further behind loses its hold on a log; 0 = no bound.",
        stats.reader_bytes_max);
  out.Family("log_full_timestamp_seconds", Kind::kGauge,
             "When the logs will be full if they grow as now; 0 = not in sight.");
  out.SampleTime(stats.full_at);
}

void WriteCounts(MetricWriter& out, const PageSnapshot& snapshot, const CounterSums& sums) {
  const BrokerStats& stats = *snapshot.stats;
  std::array<std::uint64_t, 4> sites{};
  std::uint64_t connected = 0;
  for (const SiteStats& site : stats.sites) {
    ++sites.at(static_cast<std::size_t>(site.entry.state));
    connected += site.connected ? 1 : 0;
  }
  out.Family("sites", Kind::kGauge, "Sites of the roster.");
  out.Sample(sites[1], {{"state", "active"}});
  out.Sample(sites[2], {{"state", "revoked"}});
  out.Sample(sites[3], {{"state", "removed"}});
  out.Family("site_signed_timestamp_seconds", Kind::kGauge,
             "When the organisation signed the site's keys.");
  for (const SiteStats& site : stats.sites)
    out.SampleTime(site.entry.time, {{"site", site.entry.site}});
  out.Family("sites_connected", Kind::kGauge, "Sites with an open session.");
  out.Sample(connected);

  std::array<std::uint64_t, static_cast<std::size_t>(kLastLinkState) + 1> links{};
  for (const LinkView& view : snapshot.overview.links)
    ++links[static_cast<std::size_t>(view.state)];
  out.Family("links", Kind::kGauge, "Links by their one state.");
  for (std::size_t i = 1; i < links.size(); ++i)
    out.Sample(links[i], {{"state", LinkStateName(static_cast<LinkState>(i))}});

  // Every code is there from the start, so that its first refusal is an increase.
  std::map<std::string, std::uint64_t> refusals = stats.refusals;
  for (const ErrorInfo& info : ErrorRegistry())
    if (info.exit_status != 0) refusals.try_emplace(std::string(info.text), 0);
  for (const char* reason : {"handshake-auth", "handshake-protocol", "handshake-no-detail"})
    refusals.try_emplace(reason, 0);
  out.Family("refusals_total", Kind::kCounter, "Refusals by reason: error code or handshake.");
  std::uint64_t others = 0;
  constexpr std::size_t kReasons = 128;
  std::size_t written = 0;
  for (const auto& [reason, count] : refusals) {
    if (++written > kReasons) {
      others += count;
    } else {
      out.Sample(count, {{"reason", reason}});
    }
  }
  if (others > 0) out.Sample(others, {{"reason", "others"}});
  out.Family("publishes_rejected_total", Kind::kCounter, "Batches not stored, by answer.");
  for (const PublishOutcome outcome : kRejections) {
    const auto found = sums.rejected().find(outcome);
    out.Sample(found == sums.rejected().end() ? 0 : found->second,
               {{"outcome", PublishOutcomeName(outcome)}});
  }
}

void WriteTimes(MetricWriter& out, const BrokerStats& stats) {
  out.Family("publish_duration_seconds", Kind::kHistogram,
             "From taking a batch to its answer, with commit and sync.");
  out.Samples(stats.times.publish, kMicroseconds);
  out.Family("commit_duration_seconds", Kind::kHistogram, "Of a commit and its sync.");
  out.Samples(stats.times.commit, kMicroseconds);
  out.Family("commit_size_batches", Kind::kHistogram, "Batches that came with one commit.");
  out.Samples(stats.times.commit_batches, 1);
  out.Family("propagation_seconds", Kind::kHistogram,
             "From storing a batch to a reader's ack of it; of each ack, its last batch.");
  out.Samples(stats.propagation, kMicroseconds);
  // Buckets by reader would be a fifth of all that is scraped at 100 sites.
  out.Family("reader_propagation_seconds", Kind::kSummary, "The same by reader, without buckets.");
  for (const SiteStats& site : stats.sites)
    out.Samples(site.acks, site.acked_microseconds, kMicroseconds, {{"reader", site.entry.site}});
}

struct StreamFamily {
  std::string_view name;
  Kind kind;
  std::string_view help;
  std::uint64_t (*value)(const StreamTotals&);
};
using S = const StreamTotals&;
constexpr StreamFamily kStreamFamilies[] = {
    {"stream_batches_received_total", Kind::kCounter, "Batches that came.",
     [](S t) { return t.stream->received; }},
    {"stream_batches_stored_total", Kind::kCounter, "Batches stored.",
     [](S t) { return t.stream->stored; }},
    {"stream_batches_duplicate_total", Kind::kCounter, "Batches that were there already.",
     [](S t) { return t.stream->duplicates; }},
    {"stream_batches_rejected_total", Kind::kCounter, "Batches not stored.",
     [](S t) { return t.rejected; }},
    {"stream_changes_stored_total", Kind::kCounter, "Changes stored.",
     [](S t) { return t.stream->stored_changes; }},
    {"stream_stored_bytes_total", Kind::kCounter, "Bytes stored.",
     [](S t) { return t.stream->stored_bytes; }},
    {"stream_epoch", Kind::kGauge, "Counter of the producer's epoch.",
     [](S t) { return t.stream->tail.epoch.counter; }},
    {"stream_last_sequence", Kind::kGauge, "Sequence of the last batch.",
     [](S t) { return t.stream->tail.sequence; }},
    {"stream_first_sequence", Kind::kGauge, "Sequence of the oldest batch kept; 0 = none.",
     [](S t) { return t.stream->first; }},
    {"stream_batches", Kind::kGauge, "Batches kept.", [](S t) { return t.stream->batches; }},
    {"stream_size_bytes", Kind::kGauge, "Bytes kept.", [](S t) { return t.stream->bytes; }},
    {"stream_producer_connected", Kind::kGauge, "1 if its producer has a session.",
     [](S t) { return std::uint64_t{t.stream->producer_online}; }},
    {"stream_readers", Kind::kGauge, "Registered readers.",
     [](S t) { return std::uint64_t{t.stream->readers.size()}; }},
    {"stream_readers_connected", Kind::kGauge, "Readers with a session.",
     [](S t) { return t.connected; }},
    {"stream_readers_needing_ranges", Kind::kGauge, "Readers that lost their hold on the log.",
     [](S t) { return t.needing_ranges; }},
    {"stream_lag_batches", Kind::kGauge, "Of the reader furthest behind.",
     [](S t) { return t.lag_batches; }},
    {"stream_lag_bytes", Kind::kGauge, "Of the reader furthest behind.",
     [](S t) { return t.lag_bytes; }},
    {"stream_entries", Kind::kGauge, "Entries that the producer tells of.",
     [](S t) { return t.stream->report ? t.stream->report->rows : 0; }},
    {"stream_unacked_batches", Kind::kGauge, "Batches in the producer's outbox.",
     [](S t) { return t.stream->report ? t.stream->report->outbox_batches : 0; }},
};

void WriteStreams(MetricWriter& out, const BrokerStats& stats, const Former& former) {
  std::vector<StreamTotals> streams;
  for (const StreamStats& stream : stats.streams) streams.push_back(TotalsOf(stream, former));
  for (const StreamFamily& family : kStreamFamilies) {
    out.Family(family.name, family.kind, family.help);
    for (const StreamTotals& totals : streams)
      out.Sample(family.value(totals), {{"stream", totals.name}});
  }
  out.Family("stream_newest_timestamp_seconds", Kind::kGauge, "When its last batch was stored.");
  for (const StreamTotals& totals : streams)
    out.SampleTime(totals.stream->tail_time, {{"stream", totals.name}});
  out.Family("stream_oldest_unacked_timestamp_seconds", Kind::kGauge,
             "When the oldest batch that some reader has not acked was stored; 0 = none.");
  for (const StreamTotals& totals : streams)
    out.SampleTime(totals.oldest_unacked, {{"stream", totals.name}});
  out.Family("stream_canary_timestamp_seconds", Kind::kGauge,
             "Canary that the slowest reader has applied; 0 = none reported.");
  for (const StreamTotals& totals : streams)
    out.SampleTime(totals.oldest_canary, {{"stream", totals.name}});
}

struct ReaderFamily {
  std::string_view name;
  std::string_view help;
  std::uint64_t (*value)(const ReaderTotals&);
};
using R = const ReaderTotals&;
constexpr ReaderFamily kReaderGauges[] = {
    {"reader_connected", "1 if the site has a session.",
     [](R t) { return std::uint64_t{t.connected}; }},
    {"reader_links", "Streams that the site reads.", [](R t) { return t.links; }},
    {"reader_links_refused", "Of them, refused.", [](R t) { return t.refused; }},
    {"reader_links_diverged", "Of them, with other sums than their producer.",
     [](R t) { return t.diverged; }},
    {"reader_links_suspect", "Of them, stopped before a suspect run.",
     [](R t) { return t.suspect; }},
    {"reader_links_over_limit", "Of them, stopped by a limit that the reader has set for the site.",
     [](R t) { return t.over_limit; }},
    {"reader_links_resyncing", "Of them, with a full copy under way.",
     [](R t) { return t.resyncing; }},
    {"reader_lag_batches", "Batches not acked, over all its streams.",
     [](R t) { return t.lag_batches; }},
    {"reader_lag_bytes", "Bytes not acked, over all its streams.", [](R t) { return t.lag_bytes; }},
    {"reader_in_flight_bytes", "Delivered and not acked.", [](R t) { return t.in_flight; }},
    {"reader_credit_bytes", "That it would still take.", [](R t) { return t.credit; }},
    {"reader_held_deletes", "Deletes that wait for a person.", [](R t) { return t.held; }},
    {"reader_quarantined_changes", "Changes that could not be applied.",
     [](R t) { return t.quarantined; }},
};

void WriteReaders(MetricWriter& out, const PageSnapshot& snapshot, const CounterSums& sums,
                  const Former& former) {
  std::map<std::string, ReaderTotals> readers;
  std::size_t index = 0;  // of the link: the overview has the order of the stats
  for (const StreamStats& stream : snapshot.stats->streams)
    for (const ReaderStats& reader : stream.readers) {
      const LinkView& view = snapshot.overview.links.at(index++);
      if (!Has(former, reader.site)) AddReader(readers[reader.site], reader, view);
    }
  for (const ReaderFamily& family : kReaderGauges) {
    out.Family(family.name, Kind::kGauge, family.help);
    for (const auto& [site, totals] : readers) out.Sample(family.value(totals), {{"reader", site}});
  }
  const auto times = [&](std::string_view name, std::string_view help,
                         Instant ReaderTotals::* time) {
    out.Family(name, Kind::kGauge, help);
    for (const auto& [site, totals] : readers) out.SampleTime(totals.*time, {{"reader", site}});
  };
  times("reader_oldest_unacked_timestamp_seconds",
        "When the oldest batch that it has not acked was stored; 0 = none.",
        &ReaderTotals::oldest_unacked);
  times("reader_canary_timestamp_seconds", "The oldest of its last canaries; 0 = none reported.",
        &ReaderTotals::oldest_canary);
  times("reader_last_ack_timestamp_seconds", "When it acked last.", &ReaderTotals::last_ack);
  const auto counts = [&](std::string_view name, std::string_view help,
                          std::uint64_t ReaderCounters::* count) {
    out.Family(name, Kind::kCounter, help);
    for (const auto& [site, counters] : sums.readers())
      out.Sample(counters.*count, {{"reader", site}});
  };
  counts("reader_batches_delivered_total", "Batches sent to it.", &ReaderCounters::delivered);
  counts("reader_batches_redelivered_total", "Of them, sent again.", &ReaderCounters::redelivered);
  counts("reader_nacks_total", "Batches that it could not apply.", &ReaderCounters::nacks);
  counts("reader_ranges_total", "Ranges of full copies relayed to it.", &ReaderCounters::ranges);
  counts("reader_changes_applied_total", "Changes that it applied.", &ReaderCounters::applied);
}

}  // namespace

std::string MetricsText(const PageSnapshot& snapshot, CounterSums& sums, std::string_view program,
                        bool ready) {
  sums.Update(*snapshot.stats);
  MetricWriter out;
  WriteBroker(out, snapshot, program, ready);
  WriteCounts(out, snapshot, sums);
  WriteTimes(out, *snapshot.stats);
  const Former former = FormerSites(*snapshot.stats);
  WriteStreams(out, *snapshot.stats, former);
  WriteReaders(out, snapshot, sums, former);
  return out.Take();
}

}  // namespace dirsync
