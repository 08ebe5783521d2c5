#include "tests/page/sample_stats.h"

#include <array>
#include <cstdio>
#include <string>

namespace dirsync {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr int kMinutes = 1440;
constexpr int kManySites = 12;  // beyond, names are numbers

std::string SiteName(int index, int sites) {
  static constexpr std::array<const char*, kManySites> kCities = {
      "Amsterdam", "Bologna", "Cork",  "Dresden", "Espoo", "Fribourg",
      "Ghent",     "Haifa",   "Izmir", "Jena",    "Krems", "Lund"};
  if (sites <= kManySites) return kCities[static_cast<std::size_t>(index)];
  std::array<char, 16> name;
  std::snprintf(name.data(), name.size(), "Site%03d", index + 1);
  return name.data();
}

// Small numbers that look random and are not.
std::uint64_t Mixed(std::uint64_t seed) {
  seed ^= seed >> 33;
  seed *= 0xff51afd7ed558ccdULL;
  seed ^= seed >> 33;
  seed *= 0xc4ceb9fe1a85ec53ULL;
  return seed ^ (seed >> 33);
}

template <class Id>
Id SomeId(std::uint64_t seed) {
  Id id;
  for (std::size_t i = 0; i < id.bytes.size(); ++i)
    id.bytes[i] = static_cast<std::uint8_t>(Mixed(seed * 64 + i));
  return id;
}

std::vector<MinutePoint> Day(std::uint64_t seed, Instant now) {
  std::vector<MinutePoint> points;
  for (int i = 0; i < kMinutes; ++i) {
    MinutePoint point;
    point.minute = std::chrono::floor<minutes>(now) - minutes(kMinutes - i);
    const std::uint64_t draw = Mixed(seed * 10'000 + static_cast<std::uint64_t>(i));
    const bool office = i % 1440 > 480 && i % 1440 < 1080;
    point.changes = draw % (office ? 40 : 4);
    if (i > 600 && i < 630) point.changes += 400 + draw % 200;
    point.bytes = point.changes * 900;
    point.waiting = i > 600 && i < 660 ? static_cast<std::uint64_t>(660 - i) : draw % 2;
    points.push_back(point);
  }
  return points;
}

InstanceReport ReportOf(const StreamStats& stream, bool exports, Instant now) {
  InstanceReport report;
  report.instance = exports ? stream.stream.instance : "FROM-" + stream.stream.site;
  report.exports = exports;
  report.stream = stream.stream;
  report.position = stream.tail;
  report.rows = 6000;
  report.captured = exports ? 1200 : 0;
  report.applied = exports ? 0 : 1200;
  report.sums_equal_at = now - seconds(40);
  report.canary_at = now - seconds(7);
  return report;
}

StreamStats StreamAt(int index, const SampleChoice& choice, Instant now) {
  const auto seed = static_cast<std::uint64_t>(index + 1);
  StreamStats stream;
  stream.stream = {"Testorg", SiteName(index, choice.sites), "PEOPLE"};
  stream.incarnation = SomeId<IncarnationId>(seed);
  stream.tail.epoch = {1, SomeId<EpochId>(seed + 1000)};
  stream.tail.sequence = 2000 + seed;
  stream.tail.digest = SomeId<Digest>(seed);
  stream.first = 1800 + seed;
  stream.batches = 201;
  stream.bytes = 20'000'000 + Mixed(seed) % 80'000'000;
  stream.tail_time = now - seconds(7);
  stream.producer_online = true;
  stream.received = 2010 + seed;
  stream.stored = 2000 + seed;
  stream.duplicates = 9;
  stream.stored_bytes = stream.bytes * 3;
  stream.stored_changes = 12'000 + seed;
  stream.rejected[PublishOutcome::kGap] = 1;
  stream.minutes = Day(seed, now);
  stream.report = ReportOf(stream, true, now);
  return stream;
}

ReaderStats ReaderAt(const StreamStats& stream, const std::string& site, Instant now) {
  ReaderStats reader;
  reader.site = site;
  reader.connected = true;
  reader.acked = stream.tail;
  reader.delivered = stream.tail.sequence;
  reader.last_ack = now - seconds(6);
  reader.credit_bytes = 16 << 20;
  reader.delivered_batches = 2000;
  reader.redelivered_batches = 3;
  reader.report = ReportOf(stream, false, now);
  return reader;
}

void Lag(StreamStats& stream, ReaderStats& reader, std::uint64_t batches, Instant since) {
  reader.lag_batches = batches;
  reader.lag_bytes = batches * 90'000;
  reader.acked.sequence = stream.tail.sequence - batches;
  reader.oldest_unacked = since;
  reader.report->canary_at = since;
}

// The trouble number `kind` for one link; 0 = none.
void MakeTrouble(std::size_t kind, StreamStats& stream, ReaderStats& reader, Instant now) {
  switch (kind) {
    case 1:
      return Lag(stream, reader, 12, now - seconds(31));
    case 2:
      reader.report->held = 37;
      return;
    case 3:
      reader.report->quarantined = 4;
      return;
    case 4:
      reader.needs_ranges = true;
      return Lag(stream, reader, 900, now - hours(40 * 24));
    case 5:
      reader.connected = false;
      return Lag(stream, reader, 48, now - hours(3));
    case 6:
      reader.refused = SubscribeOutcome::kFork;
      return;
    case 7:
      reader.report->diverged = true;
      reader.report->sums_equal_at = now - hours(2);
      return;
    case 8:
      reader.report->paused = true;
      return;
    case 9:
      reader.report->full_done = 412'000;
      reader.report->full_total = 1'000'000;
      return;
    case 10:
      reader.report->problem = ErrorCode::kDiskFull;
      reader.report->problem_text = "no room on the disk of the store";
      return;
    default:
      return;
  }
}
constexpr std::size_t kTroubles = 11;

void AddEvents(BrokerStats& stats, Instant now) {
  const std::string a = stats.sites.at(0).entry.site;
  const std::string b = stats.sites.back().entry.site;
  const std::string stream = stats.streams.at(0).stream.ToString();
  std::uint64_t number = 40;
  auto add = [&](Duration ago, const char* kind, const std::string& site, const char* text) {
    stats.events.push_back({number--, now - ago, kind, site, stream, text});
  };
  add(minutes(3), "held", b, "37 deletes of a run of 41 were held by the gate");
  add(minutes(20), "refused", a, "a connection with an unknown key was refused");
  add(hours(2), "needs-ranges", b, "no ack for 30 days: the log no longer waits for this reader");
  add(hours(5), "approved", a, "a person approved 12 held deletes");
  add(hours(26), "new-epoch", a, "epoch 2 begins where epoch 1 ended");
  add(hours(40), "resynced", b, "a full copy of 6,000 entries; sums equal");
  add(hours(90), "joined", b, "approved, with its fingerprint compared");
}

void AddSites(BrokerStats& stats, const SampleChoice& choice, Instant now) {
  for (int i = 0; i < choice.sites; ++i) {
    const auto seed = static_cast<std::uint64_t>(i + 1);
    SiteStats site;
    site.entry.organization = "Testorg";
    site.entry.site = SiteName(i, choice.sites);
    site.entry.server = "server" + std::to_string(i + 1);
    site.entry.signing_key = SomeId<PublicKey>(seed + 50);
    site.entry.transport_key = SomeId<TransportKey>(seed + 90);
    site.entry.domains = {site.entry.site + ".testorg.example"};
    site.entry.serial = 3;
    site.entry.admin = i == 0;
    site.entry.time = now - hours(900);
    site.connected = true;
    site.connected_since = now - hours(30);
    site.last_heard = now - seconds(2);
    site.program = "dirsync 0.2.0 on " + site.entry.server;
    site.sessions = 4;
    site.report =
        AgentReport{now - hours(30), now - seconds(2), site.program, {}, 90 << 20, 40ULL << 30};
    stats.sites.push_back(std::move(site));
  }
}

void AddStreams(BrokerStats& stats, const SampleChoice& choice, Instant now) {
  std::size_t kind = 0;
  for (int i = 0; i < choice.sites; ++i) {
    StreamStats stream = StreamAt(i, choice, now);
    for (int j = 0; j < choice.sites; ++j) {
      if (j == i) continue;
      ReaderStats reader = ReaderAt(stream, SiteName(j, choice.sites), now);
      // With few sites every link but the first has a trouble; with many, one in each row or so.
      const bool chosen =
          choice.sites <= kManySites ? kind % kTroubles != 0 : (i * 7 + 3) % 100 == j;
      if (choice.troubles && chosen) MakeTrouble(kind % kTroubles, stream, reader, now);
      if (choice.sites <= kManySites || chosen) ++kind;
      stream.readers.push_back(std::move(reader));
    }
    stats.streams.push_back(std::move(stream));
  }
}

void AddTroubles(BrokerStats& stats, Instant now) {
  // One site is gone; another was put back from a copy.
  SiteStats& gone = stats.sites.at(1);
  gone.connected = false;
  gone.last_heard = now - hours(3);
  for (StreamStats& stream : stats.streams) {
    if (stream.stream.site == gone.entry.site) stream.producer_online = false;
    for (ReaderStats& reader : stream.readers)
      if (reader.site == gone.entry.site) reader.connected = false;
  }
  stats.pending.push_back({"Malmö",
                           "server9",
                           "",
                           {"malmo.testorg.example"},
                           SomeId<PublicKey>(777),
                           SomeId<TransportKey>(778),
                           now - minutes(4)});
  stats.refusals = {{"NOT_PERMITTED", 3}, {"handshake", 41}, {"BUSY", 1}};
  stats.full_at = now + hours(19);
  AddEvents(stats, now);
  stats.events.insert(stats.events.begin(),
                      {41, now - seconds(30), "restored", stats.sites.back().entry.site, "",
                       "its nonce was an old one: new epochs, no deletes by absence"});
}

void MakeHostile(BrokerStats& stats) {
  const std::string names[] = {"<script>alert(1)</script>", "\x1b[31mred\x07 \"quoted\" \\n",
                               "\u202Egnirts desrever", std::string(1 << 20, 'x'),
                               "\u05D0\u05D1\u05D2 'single' & more"};
  std::size_t i = 0;
  for (SiteStats& site : stats.sites) {
    const std::string old = site.entry.site;
    site.entry.site = names[i++ % std::size(names)];
    site.entry.server = "</td><img src=x onerror=alert(2)>";
    site.entry.domains = {"javascript:alert(3)"};
    site.program = "\"><svg onload=alert(4)>";
    for (StreamStats& stream : stats.streams) {
      if (stream.stream.site == old) stream.stream.site = site.entry.site;
      for (ReaderStats& reader : stream.readers)
        if (reader.site == old) reader.site = site.entry.site;
    }
  }
  for (StreamStats& stream : stats.streams)
    for (ReaderStats& reader : stream.readers) {
      reader.report->instance = "'; rm -rf / #<b>";
      reader.report->problem_text = "<a href=javascript:alert(5)>x</a>";
    }
  for (BrokerEvent& event : stats.events) {
    event.text = "<script>alert(6)</script>\x1b]0;title\x07";
    event.kind = "restored\" onclick=\"alert(7)";
  }
  for (PendingJoin& join : stats.pending) join.site = "<iframe src=//x>";
  stats.read_only_reason = "<plaintext>";
  stats.organization = "Test<org>&\"";
  stats.refusals["x\"} 1\n"] = 1;
}

// Acks of a day: most at once, some after hours. They grow from call to call, as counters do.
void AddTimes(BrokerStats& stats, Instant now) {
  const auto grown = static_cast<std::uint64_t>(ToMillis(now) / 1000 % 100'000);
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const std::uint64_t draw = Mixed(i);
    const std::uint64_t times = 1 + grown;
    stats.times.publish.Count(800 + draw % 9000, times);
    stats.times.commit.Count(500 + draw % 7000, times);
    stats.times.commit_batches.Count(1 + draw % 40, times);
    stats.propagation.Count(draw % 50 == 0 ? 7'200'000'000 : 20'000 + draw % 900'000, times);
  }
  for (SiteStats& site : stats.sites) {
    site.acks = 1000 + grown;
    site.acked_microseconds = site.acks * 240'000;
  }
}

}  // namespace

BrokerStats SampleStats(const SampleChoice& choice, Instant now) {
  BrokerStats stats;
  stats.now = now;
  stats.started = now - hours(200);
  stats.organization = "Testorg";
  stats.log_bytes_max = 16ULL << 30;
  stats.reader_bytes_max = 1ULL << 30;
  stats.reader_seconds_max = 30LL * 24 * 3600;
  stats.disk_free_bytes = 210ULL << 30;
  stats.sessions_open = static_cast<std::uint64_t>(choice.sites);
  AddSites(stats, choice, now);
  AddStreams(stats, choice, now);
  AddTimes(stats, now);
  for (const StreamStats& stream : stats.streams) stats.log_bytes += stream.bytes;
  if (choice.troubles && choice.sites > 1) AddTroubles(stats, now);
  if (choice.hostile) MakeHostile(stats);
  return stats;
}

}  // namespace dirsync
