// What an agent and the broker say to each other. One Message is one unit on the wire: a small
// header (proto/wire/message.proto) and, for some kinds, a payload that is forwarded as it is
// stored. Meaning, answers and what a repeat does: proto/PROTOCOL.md.
//
// An agent opens with HELLO; before WELCOME nothing else is answered. The site of a session is the
// one that the roster names for the authenticated transport key: what a message claims besides is
// compared with it, never believed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "proto/base/error.h"
#include "proto/base/ids.h"
#include "proto/base/time.h"
#include "proto/model/roster.h"

namespace dirsync {

// Stored bytes of a batch (a range is one too), shared by all who forward them. Null: none.
using Payload = std::shared_ptr<const std::string>;

// Versions of the protocol that this program speaks.
inline constexpr std::uint32_t kProtocolMin = 1;
inline constexpr std::uint32_t kProtocolMax = 1;

// ---- session ----

// agent -> broker: who I am, and where my streams stand.
struct Hello {
  std::uint32_t version_min = kProtocolMin;
  std::uint32_t version_max = kProtocolMax;
  std::string organization;
  std::string site;
  std::string program;  // "dirsync 0.2.0 on server1", for people
  // From the last WELCOME whose nonce was stored; zero = never had one (R18).
  Nonce nonce;
  // Which of this connection's greetings: WELCOME says it again, so that the answer to one that was
  // given up is not taken for that to the next.
  std::uint32_t greeting = 0;
  struct Produced {
    StreamName stream;
    Position position;   // of the last batch; sequence 0 = START not yet written
    Sequence first = 0;  // of the outbox: batches first..position.sequence can be sent again
    auto operator<=>(const Produced&) const = default;
  };
  std::vector<Produced> produced;
  auto operator<=>(const Hello&) const = default;
};

// What the broker knows of one reader of a stream.
struct ReaderPosition {
  std::string site;
  Position position;          // acked
  bool needs_ranges = false;  // it lost its hold on the log, or never had one (R21)
  auto operator<=>(const ReaderPosition&) const = default;
};

// broker -> agent: how things stand here.
struct Welcome {
  std::uint32_t version = kProtocolMax;
  Nonce nonce;  // store it before the first publish, show it in the next HELLO
  // The nonce shown was an old one, and no session of this site lives: the store was put back from
  // a copy. Begin a new epoch of each stream, and catch up before telling anything (R18).
  bool restored = false;
  std::uint64_t message_bytes_max = 0;  // of header and payload
  std::uint64_t window_bytes = 0;       // unanswered PUBLISH payloads at one time
  std::uint32_t heartbeat_seconds = 0;
  std::uint32_t greeting = 0;  // of the HELLO that this answers
  struct Log {
    StreamName stream;
    IncarnationId incarnation;
    Position tail;       // of the last batch in the log; sequence 0 = nothing
    Sequence first = 0;  // of the oldest batch kept; 0 = none
    std::vector<ReaderPosition> readers;
    auto operator<=>(const Log&) const = default;
  };
  std::vector<Log> produced;  // this site's own streams
  auto operator<=>(const Welcome&) const = default;
};

// either way: the session ends, and why. The agent connects again after `retry_seconds`.
struct Bye {
  ErrorCode code = ErrorCode::kInternal;
  std::string text;
  std::uint32_t retry_seconds = 0;
  auto operator<=>(const Bye&) const = default;
};

// either way, about every heartbeat_seconds when nothing else is said.
struct Ping {
  bool answer = false;
  auto operator<=>(const Ping&) const = default;
};

// ---- telling ----

// agent -> broker: append to my stream, if it stands at `previous` (B5). Payload: the batch.
struct Publish {
  StreamName stream;
  Position position;  // of this batch, digest included
  Digest previous;    // of position.sequence - 1, as in the batch's header
  // The log may begin here: what came before is acked by all, or held by nobody (a new or lost
  // log). Then the broker mints a new incarnation if it holds anything else.
  bool begins_log = false;
  Payload payload;
};

enum class PublishOutcome : std::uint8_t {
  kStored = 1,     // durable here
  kDuplicate = 2,  // was there already, with this digest
  kGap = 3,        // `expected` is what would be taken
  kConflict = 4,   // another digest has this number: alarm
  kFenced = 5,     // an epoch before the log's
  kQuota = 6,      // readers are behind: after `retry_seconds`
  kReadOnly = 7,   // the broker's disk is full: likewise
  kTooLarge = 8,
  kUnauthorized = 9,
  kVersion = 10,  // a batch format that this broker cannot check
};
std::string_view PublishOutcomeName(PublishOutcome outcome);  // "STORED" …

// broker -> agent, one for each PUBLISH, in their order.
struct Published {
  StreamName stream;
  Position position;
  PublishOutcome outcome = PublishOutcome::kStored;
  Sequence expected = 0;
  std::uint32_t retry_seconds = 0;
  auto operator<=>(const Published&) const = default;
};

// ---- reading ----

// broker -> agent, after WELCOME and whenever it changes: the streams that may be read.
struct Streams {
  struct Log {
    StreamName stream;
    IncarnationId incarnation;
    Position tail;
    bool producer_online = false;  // ranges can be had
    auto operator<=>(const Log&) const = default;
  };
  std::vector<Log> logs;
  auto operator<=>(const Streams&) const = default;
};

// agent -> broker: send me what follows `cursor`. Again: from there instead. Registers the reader,
// whose ack then holds the log (B13).
struct Subscribe {
  StreamName stream;
  Position cursor;            // epoch.counter 0: nothing yet
  IncarnationId incarnation;  // that the cursor was read in; zero = none, or by file
  auto operator<=>(const Subscribe&) const = default;
};
struct Unsubscribe {
  StreamName stream;
  bool forget = false;  // the reader is no longer registered
  auto operator<=>(const Unsubscribe&) const = default;
};

enum class SubscribeOutcome : std::uint8_t {
  kGoesOn = 1,       // batches follow within the credit
  kNeedsRanges = 2,  // what follows the cursor is no longer here: fetch ranges, subscribe again
  kTruncated = 3,    // the log went back behind the cursor: wait, its producer refills it (B3)
  kFork = 4,         // another digest stands at the cursor's sequence: stop, alarm (R11)
  kNotFound = 5,     // no such stream yet; STREAMS will tell
};
// broker -> agent
struct Subscribed {
  StreamName stream;
  SubscribeOutcome outcome = SubscribeOutcome::kGoesOn;
  IncarnationId incarnation;
  Position tail;
  auto operator<=>(const Subscribed&) const = default;
};

// broker -> agent: the next batch. Payload: as stored.
struct Deliver {
  StreamName stream;
  IncarnationId incarnation;
  Position position;
  Payload payload;
};

// agent -> broker: so many more payload bytes may be on their way to me.
struct Credit {
  std::uint64_t bytes = 0;
  auto operator<=>(const Credit&) const = default;
};

// agent -> broker: everything up to `position` is applied and durable. Repeats are harmless.
// broker -> the stream's producer, with `reader` filled in.
struct Ack {
  StreamName stream;
  std::string reader;  // empty on the way to the broker
  Position position;
  std::vector<EntryId> wants;  // entries asked for whole (R3), at most limits::kWantIds
  bool needs_ranges = false;   // broker -> producer: this reader lost its hold
  auto operator<=>(const Ack&) const = default;
};

// agent -> broker: this batch cannot be applied; delivery of the stream stops until SUBSCRIBE.
struct Nack {
  StreamName stream;
  Position position;
  ErrorCode code = ErrorCode::kInternal;
  std::string text;
  auto operator<=>(const Nack&) const = default;
};

// agent -> broker -> producer: the told entries behind (rank, after), about `bytes` of them (R2).
struct GetRange {
  StreamName stream;
  std::string reader;         // empty on the way to the broker
  std::uint64_t request = 0;  // repeated in the answer
  std::uint8_t rank = 0;
  EntryId after;
  std::uint64_t bytes = 0;
  auto operator<=>(const GetRange&) const = default;
};
// producer -> broker -> reader. Payload: a batch of kind kRange, signed like any; none on error.
struct Range {
  StreamName stream;
  std::string reader;
  std::uint64_t request = 0;
  ErrorCode code = ErrorCode::kInternal;  // without payload: kUnreachable (producer offline) …
  std::string text;
  Payload payload;
};

// agent -> broker: one batch of my own stream back (proof that this store is behind itself).
// Answered by DELIVER, or by NACK with kNotFound.
struct Fetch {
  StreamName stream;
  Position position;
  auto operator<=>(const Fetch&) const = default;
};

// ---- trust ----

// broker -> agent after WELCOME, whole, before STREAMS, and whenever it changes; agent -> broker,
// what a broker that was put back from a copy has lost. Taken only as signed (R6).
struct RosterNews {
  std::vector<SignedRosterEntry> entries;
  auto operator<=>(const RosterNews&) const = default;
};

// Through the join door only (R9).
struct JoinRequest {
  std::string token;  // of the invitation
  std::string organization;
  std::string site;
  std::string server;
  PublicKey signing_key;
  TransportKey transport_key;  // must be the authenticated one
  std::vector<std::string> domains;
  std::string replaces;  // site whose lost keys these replace; empty = a new site
  Signature signature;   // of the signing key over the rest: it is held, not just named
  auto operator<=>(const JoinRequest&) const = default;
};
struct JoinReply {
  enum class State : std::uint8_t { kPending = 1, kApproved = 2, kRefused = 3 };
  State state = State::kPending;
  ErrorCode code = ErrorCode::kInternal;  // kRefused
  std::string text;
  RosterNews roster;  // kApproved: the whole roster
  auto operator<=>(const JoinReply&) const = default;
};

// ---- requests between agents, and reports ----

// agent -> broker -> agent of `target`: a signed request; the broker orders nothing (R6). The
// target takes it if the signer is in its roster, active, and may ask for it: admin sites may ask
// for everything, any site for readers of its own streams to take ranges.
struct AdminRequest {
  std::string target;              // site
  std::string signer;              // site
  Nonce nonce;                     // never taken twice
  Instant expires{};               // at most 10 minutes ahead
  std::vector<std::string> words;  // "resync", "take", STREAM …
  Signature signature;
  auto operator<=>(const AdminRequest&) const = default;
};
// Back to the signer. Repeated for progress until `done`.
struct AdminReply {
  std::string target;  // site that answers
  std::string signer;
  Nonce nonce;  // of the request
  bool done = false;
  ErrorCode code = ErrorCode::kInternal;  // done: kAlreadyApplied = all is well
  std::string text;
  auto operator<=>(const AdminReply&) const = default;
};

// What an agent says of one instance and direction, for those on duty; counts are since the
// process began, the rest is as of now.
struct InstanceReport {
  std::string instance;
  bool exports = false;  // else: imports
  StreamName stream;     // empty organisation: not bound yet
  Position position;     // told, or applied
  bool paused = false;
  std::uint64_t rows = 0;
  std::uint64_t captured = 0;  // changes told
  std::uint64_t applied = 0;   // changes applied
  std::uint64_t held = 0;      // deletes waiting for a person
  std::uint64_t quarantined = 0;
  std::uint64_t wanted = 0;
  std::uint64_t outbox_batches = 0;  // exports: not yet acked by all
  std::uint64_t full_done = 0;       // entries taken of a full copy under way
  std::uint64_t full_total = 0;      // 0 = none under way
  bool suspect = false;              // stopped before a suspect run
  bool diverged = false;             // sums differ at the same sequence (R24)
  Instant sums_equal_at{};           // when they were last found equal; 0 = never
  Instant canary_at{};               // time of the last canary or batch told / applied
  ErrorCode problem = ErrorCode::kAlreadyApplied;  // kAlreadyApplied = none
  std::string problem_text;
  auto operator<=>(const InstanceReport&) const = default;
};
// agent -> broker, every few seconds while something changes, else every heartbeat.
struct AgentReport {
  Instant started{};
  Instant time{};
  std::string program;
  std::vector<InstanceReport> instances;
  std::uint64_t store_bytes = 0;
  std::uint64_t disk_free_bytes = 0;
  auto operator<=>(const AgentReport&) const = default;
};

using Message =
    std::variant<Hello, Welcome, Bye, Ping, Publish, Published, Streams, Subscribe, Unsubscribe,
                 Subscribed, Deliver, Credit, Ack, Nack, GetRange, Range, Fetch, RosterNews,
                 JoinRequest, JoinReply, AdminRequest, AdminReply, AgentReport>;
// "HELLO", "PUBLISH" … as in PROTOCOL.md.
std::string_view MessageName(const Message& message);

}  // namespace dirsync
