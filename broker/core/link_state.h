// How one link stands: what a stream's producer, its reader and the broker between them report,
// made one word, one sentence and one command. Page, API, metrics, `status` and `check` all print
// what comes from here, so that no two of them can disagree.
//
// Pure: everything follows from its arguments.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "broker/core/broker_stats.h"

namespace dirsync {

// Exactly one holds. Where several could be said, the one with the largest number is.
enum class LinkState : std::uint8_t {
  kInSync = 1,       // the reader has applied everything
  kCatchingUp = 2,   // batches are on their way, or something temporary stops them
  kPaused = 3,       // a person stopped the export or the import
  kOffline = 4,      // one end is not connected
  kNeedsRanges = 5,  // the log no longer holds what follows the reader; a full copy will be taken
  kRestored = 6,     // an end was put back from a copy, and sums were not found equal since
  kResyncing = 7,    // a full copy is under way
  kQuarantined = 8,  // changes that could not be applied
  kHeld = 9,         // deletes, or a suspect run, wait for a person
  kDiverged = 10,    // sums differ at the same sequence
  kRefused = 11,     // one end refuses the other: revoked, forked, another key, another version
};
inline constexpr LinkState kLastLinkState = LinkState::kRefused;
std::string_view LinkStateName(LinkState state);     // "in-sync", "catching-up" …
std::string_view LinkStateMeaning(LinkState state);  // one sentence, for legends and help

enum class Severity : std::uint8_t {
  kFine = 0,
  kNotice = 1,    // passes by itself, or is meant to be so
  kWarning = 2,   // somebody should look today
  kCritical = 3,  // somebody should look now
};
std::string_view SeverityName(Severity severity);  // "fine", "notice", "warning", "critical"

struct LinkThresholds {
  // Since the last canary or batch that the reader has applied, both ends being connected.
  Duration late_warning = std::chrono::minutes(5);
  Duration late_critical = std::chrono::minutes(15);
  // Since an end was last heard of.
  Duration offline_warning = std::chrono::minutes(15);
  Duration offline_critical = std::chrono::hours(24);
};

struct LinkView {
  StreamName stream;
  std::string reader;    // site; empty: all readers of a stream, as seen by its producer
  std::string instance;  // the reader's import instance; empty: not reported
  LinkState state = LinkState::kInSync;
  Severity severity = Severity::kFine;
  std::string reason;       // one sentence without a stop: "3 deletes wait for a person at Site2"
  std::string command;      // to copy into a shell; empty: nothing to do
  std::string at;           // where to run it: a site, or "the broker"
  std::string alternative;  // run there instead, where a person decides; empty: none
  Instant canary{};         // time of the last canary or batch applied; 0 = not known
  std::uint64_t batches_waiting = 0;
  std::uint64_t bytes_waiting = 0;
  std::uint64_t deletes_waiting = 0;  // held
  std::uint64_t quarantined = 0;
  std::uint64_t full_done = 0, full_total = 0;  // entries of a full copy; total 0 = none
};

struct LinkOverview {
  std::vector<LinkView> links;  // in the order of the stats: by stream, then by reader
  Severity severity = Severity::kFine;
  std::string sentence;  // the worst thing, or that all is well
  std::string command;
  std::string at;
  std::string alternative;
  // Index into `links` of the worst one; none if all are fine.
  std::optional<std::size_t> worst;
};

// All links of a broker. What is wrong with the broker itself (it does not run, read-only, nearly
// full, sites that wait for approval) is in the sentence and in the severity. `running`: by a
// broker that runs; else as its store has them, and nobody is blamed for being away.
LinkOverview DeriveLinks(const BrokerStats& stats, const LinkThresholds& thresholds = {},
                         bool running = true);

// The links of one site as its own agent sees them: its imports, and its exports as one link each.
// `running`: by an agent that runs; else as its store has them. `connected`: a session is open;
// else `reason` says why not, kAlreadyApplied = not known.
struct AgentStanding {
  std::string site;
  bool running = true;
  bool connected = false;
  Error reason{ErrorCode::kAlreadyApplied, "", ""};
  AgentReport report;
  std::vector<InstanceReport> by_files;  // instances that need no session
  Instant now{};
};
LinkOverview DeriveLinks(const AgentStanding& standing, const LinkThresholds& thresholds = {});

}  // namespace dirsync
