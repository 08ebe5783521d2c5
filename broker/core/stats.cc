// What the broker counts, put together for the outlets.
#include <algorithm>

#include "broker/core/broker_state.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::size_t kMinutesKept = 24 * 60;
constexpr Duration kMinute = std::chrono::minutes(1);

Instant MinuteOf(Instant time) { return Instant(time.time_since_epoch() / kMinute * kMinute); }

// What a site's agent says of the instance that writes, or reads, this stream.
std::optional<InstanceReport> ReportOf(const std::map<std::string, BrokerSite>& sites,
                                       const std::string& site, const StreamName& stream,
                                       bool exports) {
  const auto found = sites.find(site);
  if (found == sites.end() || !found->second.report) return std::nullopt;
  for (const InstanceReport& report : found->second.report->instances)
    if (report.exports == exports && report.stream == stream) return report;
  return std::nullopt;
}

// Where its lag begins: what it acked, or where it was registered.
const Position& Reached(const BrokerReader& reader) {
  return reader.hold.acked.epoch.counter != 0 ? reader.hold.acked : reader.hold.from;
}

std::uint64_t LagBatches(const BrokerStream& stream, const BrokerReader& reader) {
  const Position& tail = stream.log.tail;
  const Position& reached = Reached(reader);
  if (!Behind(reached, tail)) return 0;
  return reached.epoch == tail.epoch ? tail.sequence - reached.sequence : stream.log.batches();
}

// When the log is full if it grows as it did in the last hour; zero: not in sight.
Instant FullAt(const std::map<StreamName, BrokerStream>& streams, std::uint64_t room, Instant now) {
  std::uint64_t grown = 0;
  for (const auto& [name, stream] : streams)
    for (const MinutePoint& point : stream.minutes)
      if (point.minute + std::chrono::hours(1) >= now) grown += point.bytes;
  if (grown == 0) return {};
  const std::uint64_t hours = room / grown;
  return hours > 24 * 365 ? Instant{} : now + std::chrono::hours(hours);
}

}  // namespace

void Broker::State::CountMinute(BrokerStream& stream, Instant now, std::uint64_t changes,
                                std::uint64_t bytes) {
  const Instant minute = MinuteOf(now);
  if (stream.minutes.empty() || stream.minutes.back().minute < minute)
    stream.minutes.push_back({minute, 0, 0, 0});
  if (stream.minutes.size() > kMinutesKept) stream.minutes.pop_front();
  MinutePoint& point = stream.minutes.back();
  point.changes += changes;
  point.bytes += bytes;
}

void Broker::State::CountWaiting(BrokerStream& stream, Instant now) {
  CountMinute(stream, now, 0, 0);
  std::uint64_t waiting = 0;
  for (const auto& [site, reader] : stream.readers)
    waiting = std::max(waiting, LagBatches(stream, reader));
  stream.minutes.back().waiting = waiting;
}

// `age`: of the batch that an ack names, since it was stored.
void Broker::State::CountAck(const std::string& folded_site, Duration age) {
  const std::chrono::microseconds waited = std::max(age, Duration(0));
  const auto value = static_cast<std::uint64_t>(waited.count());
  propagation.Count(value);
  BrokerSite& site = sites[folded_site];
  ++site.acks;
  site.acked_microseconds += value;
}

std::vector<BrokerEvent> Broker::EventsAfter(std::uint64_t number) const {
  std::vector<BrokerEvent> news;
  for (const BrokerEvent& event : state_->events) {
    if (event.number <= number) break;
    news.push_back(event);
  }
  std::ranges::reverse(news);
  return news;
}

ReaderStats Broker::State::StatsOf(const storage::ReadView& view, const BrokerStream& stream,
                                   const std::string& folded, const BrokerReader& reader) const {
  ReaderStats out;
  const auto site = sites.find(folded);
  out.site = reader.site;
  out.connected = site != sites.end() && site->second.session != 0;
  out.acked = reader.hold.acked;
  out.delivered = reader.sent.sequence;
  out.lag_batches = LagBatches(stream, reader);
  if (out.lag_batches > 0) {
    const Position& reached = Reached(reader);
    out.lag_bytes = stream.log.bytes();
    if (auto mark = StreamLog::Mark(view, stream.log, reached); mark && *mark)
      out.lag_bytes = stream.log.total - (*mark)->total;
    if (auto oldest = StreamLog::After(view, stream.log, reached); oldest && *oldest)
      out.oldest_unacked = (*oldest)->time;
  }
  out.last_ack = reader.last_ack;
  if (const auto session = sessions.find(reader.session); session != sessions.end()) {
    const auto most = static_cast<std::int64_t>(settings.credit_bytes_max);
    out.credit_bytes =
        static_cast<std::uint64_t>(std::max<std::int64_t>(session->second.credit, 0));
    out.in_flight_bytes = static_cast<std::uint64_t>(most - session->second.credit);
  }
  out.delivered_batches = reader.delivered;
  out.redelivered_batches = reader.redelivered;
  out.nacks = reader.nacks;
  out.ranges = reader.ranges;
  out.needs_ranges = !reader.hold.holds || reader.refused == SubscribeOutcome::kNeedsRanges;
  out.refused = reader.refused;
  out.report = ReportOf(sites, folded, stream.log.stream, false);
  return out;
}

StreamStats Broker::State::StatsOf(const storage::ReadView& view,
                                   const BrokerStream& stream) const {
  StreamStats row;
  const auto site = sites.find(stream.producer);
  row.stream = stream.log.stream;
  row.incarnation = stream.log.incarnation;
  row.tail = stream.log.tail;
  row.first = stream.log.batches() > 0 ? stream.log.base.sequence + 1 : 0;
  row.bytes = stream.log.bytes();
  row.batches = stream.log.batches();
  row.tail_time = stream.log.tail_time;
  row.producer_online = site != sites.end() && site->second.session != 0;
  row.received = stream.received;
  row.stored = stream.stored;
  row.duplicates = stream.duplicates;
  row.stored_bytes = stream.stored_bytes;
  row.stored_changes = stream.stored_changes;
  row.rejected = stream.rejected;
  row.report = ReportOf(sites, stream.producer, stream.log.stream, true);
  row.minutes.assign(stream.minutes.begin(), stream.minutes.end());
  for (const auto& [folded, reader] : stream.readers)
    row.readers.push_back(StatsOf(view, stream, folded, reader));
  return row;
}

BrokerStats Broker::Stats(const storage::ReadView& view, Instant now) const {
  const State& state = *state_;
  BrokerStats stats;
  stats.started = state.started;
  stats.now = now;
  stats.organization = state.settings.organization;
  stats.read_only = state.read_only;
  stats.read_only_reason = state.read_only_reason;
  stats.log_bytes = state.log_bytes;
  stats.log_bytes_max = state.settings.log_bytes_max;
  stats.reader_bytes_max = state.settings.reader_bytes_max;
  stats.reader_seconds_max = state.settings.reader_seconds_max;
  stats.disk_free_bytes = state.disk_free;
  stats.sessions_open = state.sessions.size();
  stats.refusals = state.refusals;
  stats.propagation = state.propagation;
  stats.events.assign(state.events.begin(), state.events.end());
  for (const auto& [name, stream] : state.streams)
    stats.streams.push_back(state.StatsOf(view, stream));
  for (const auto& [folded, site] : state.sites)
    stats.sites.push_back({site.entry, site.session != 0, site.since, site.heard, site.program,
                           site.sessions, site.report, site.acks, site.acked_microseconds});
  const auto [lower, upper] = storage::TableRange(storage::Table::kJoin);
  for (auto cursor = view.Scan(lower, upper); cursor->Valid(); cursor->Next())
    if (auto join = DecodeJoin(cursor->Value()); join && !join->refused)
      stats.pending.push_back(std::move(join->request));
  const std::uint64_t room = stats.log_bytes_max - std::min(stats.log_bytes_max, stats.log_bytes);
  stats.full_at = FullAt(state.streams, room, now);
  return stats;
}

}  // namespace dirsync
