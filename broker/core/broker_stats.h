// What the broker counts, from the first day: per stream, per reader, per session, and refusals.
// Counters begin at 0 with the process and never fall; the rest is as of now. The outlets (command,
// metrics, API, page) print these and nothing else.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "broker/core/histogram.h"
#include "proto/model/message.h"
#include "proto/model/roster.h"

namespace dirsync {

// One minute of history; rings of them are kept for 24 hours.
struct MinutePoint {
  Instant minute{};
  std::uint64_t changes = 0;  // stored in it
  std::uint64_t bytes = 0;    // stored in it
  std::uint64_t waiting = 0;  // largest lag in batches of any reader at its end
};

// A reader of one stream.
struct ReaderStats {
  std::string site;
  bool connected = false;
  Position acked;
  Sequence delivered = 0;
  std::uint64_t lag_batches = 0;
  std::uint64_t lag_bytes = 0;
  Instant oldest_unacked{};  // when the oldest batch it has not acked was stored; 0 = none
  Instant last_ack{};
  std::uint64_t in_flight_bytes = 0;
  std::uint64_t credit_bytes = 0;
  std::uint64_t delivered_batches = 0;    // counter
  std::uint64_t redelivered_batches = 0;  // counter
  std::uint64_t nacks = 0;                // counter
  std::uint64_t ranges = 0;               // counter: ranges relayed to it
  bool needs_ranges = false;
  std::optional<SubscribeOutcome> refused;  // the last subscription, if it does not go on
  std::optional<InstanceReport> report;     // what its agent says of its import
};

// A stream and its readers.
struct StreamStats {
  StreamName stream;
  IncarnationId incarnation;
  Position tail;
  Sequence first = 0;                    // of what is kept; 0 = nothing
  std::uint64_t bytes = 0, batches = 0;  // kept
  Instant tail_time{};
  bool producer_online = false;
  std::uint64_t received = 0, stored = 0, duplicates = 0;  // counters of PUBLISH
  std::uint64_t stored_bytes = 0, stored_changes = 0;      // counters
  std::map<PublishOutcome, std::uint64_t> rejected;        // counters, by outcome
  std::vector<ReaderStats> readers;
  std::optional<InstanceReport> report;  // what its producer says of its export
  std::vector<MinutePoint> minutes;      // at most 1,440, oldest first
};

// A site of the roster.
struct SiteStats {
  RosterEntry entry;
  bool connected = false;
  Instant connected_since{};
  Instant last_heard{};
  std::string program;
  std::uint64_t sessions = 0;  // counter
  std::optional<AgentReport> report;
  // As a reader: acks that moved it on, and how long after it was stored the batch was acked.
  std::uint64_t acks = 0, acked_microseconds = 0;  // counters
};

// A site that came through the join door and waits for `sites approve`.
struct PendingJoin {
  std::string site, server, replaces;
  std::vector<std::string> domains;
  PublicKey signing_key;
  TransportKey transport_key;
  Instant time{};
};

// For the timeline: restores, epochs, incarnations, joins, revocations, refusals …
struct BrokerEvent {
  std::uint64_t number = 0;
  Instant time{};
  std::string kind;  // "restored", "new-epoch", "new-incarnation", "needs-ranges", "joined" …
  std::string site;
  std::string stream;
  std::string text;
};

// Bounds in microseconds (from 0.5 ms to 10 s; from 0.1 s to a day, since batches also wait for
// sites that are away), and in batches.
inline constexpr std::array<std::uint64_t, 13> kHandlingBounds = {
    500,     1'000,   2'500,   5'000,     10'000,    25'000,    50'000,
    100'000, 250'000, 500'000, 1'000'000, 2'000'000, 10'000'000};
inline constexpr std::array<std::uint64_t, 13> kPropagationBounds = {
    100'000,    250'000,     500'000,     1'000'000,     2'500'000,      10'000'000,    30'000'000,
    60'000'000, 300'000'000, 900'000'000, 3'600'000'000, 21'600'000'000, 86'400'000'000};
inline constexpr std::array<std::uint64_t, 9> kCommitBounds = {1, 2, 4, 8, 16, 32, 64, 128, 512};

// How long the process took, as its loop measures it.
struct HandlingTimes {
  Histogram publish{kHandlingBounds};       // from taking a batch to its answer, commit and sync
  Histogram commit{kHandlingBounds};        // of them, the commit and its sync
  Histogram commit_batches{kCommitBounds};  // batches of one commit
};

// All of it, as of `now`.
struct BrokerStats {
  Instant started{};
  Instant now{};
  std::string organization;
  bool read_only = false;
  std::string read_only_reason;
  std::uint64_t log_bytes = 0, log_bytes_max = 0;
  std::uint64_t reader_bytes_max = 0;   // a reader further behind loses its hold (R21); 0 = none
  std::int64_t reader_seconds_max = 0;  // likewise, by the age of what it has not acked
  std::uint64_t disk_free_bytes = 0;
  Instant full_at{};  // forecast from the last hour's growth; 0 = not in sight
  std::uint64_t sessions_open = 0;
  std::map<std::string, std::uint64_t> refusals;  // counters, by reason: code, or handshake reason
  std::vector<StreamStats> streams;
  std::vector<SiteStats> sites;
  std::vector<PendingJoin> pending;
  std::vector<BrokerEvent> events;  // the last 1,000, newest first
  HandlingTimes times;
  std::uint64_t log_lines_dropped = 0;  // counter: lines of the process's log that nobody read
  Histogram propagation{kPropagationBounds};  // from storing a batch to a reader's ack of it
};

}  // namespace dirsync
