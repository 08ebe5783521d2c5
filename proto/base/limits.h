// Every bound, with its unit. Read first. A full bound has a named behaviour: refused with
// TOO_LARGE, cut into parts, or asked for again; nothing is dropped silently.
#pragma once

#include <cstddef>
#include <cstdint>

namespace dirsync::limits {

inline constexpr std::size_t kKiB = 1024;
inline constexpr std::size_t kMiB = 1024 * kKiB;
inline constexpr std::size_t kGiB = 1024 * kMiB;

// Names and values.
inline constexpr std::size_t kNameBytes = 256;            // RDN value, instance, site, organisation
inline constexpr std::size_t kAttributeNameBytes = 64;    // attribute name
inline constexpr std::size_t kValueBytes = 1 * kMiB;      // one value
inline constexpr std::size_t kValuesPerAttribute = 4096;  // multi-values of one attribute
inline constexpr std::size_t kAttributesPerEntry = 256;   // attributes of one entry
inline constexpr std::size_t kEntryBytes = 1 * kMiB;      // all values of one entry
inline constexpr std::size_t kContainerDepth = 64;        // nesting of containers
inline constexpr std::size_t kContainers = 65536;         // of one stream
inline constexpr std::size_t kDnBytes = 40 * kKiB;        // a DN as text, escaped

// Filters.
inline constexpr std::size_t kFilterBytes = 64 * kKiB;  // text of one filter
inline constexpr std::size_t kFilterDepth = 64;         // nesting of & | !

// Batches.
inline constexpr std::size_t kChangeBytes = 1 * kMiB + 64 * kKiB;  // one encoded change
inline constexpr std::size_t kBatchPayloadBytes = 4 * kMiB;        // decompressed payload
inline constexpr std::size_t kBatchTargetBytes = 1 * kMiB;         // a batch is closed beyond this
inline constexpr std::size_t kBatchBytes = 4 * kMiB + 4 * kKiB;    // stored form
inline constexpr std::size_t kChangesPerBatch = 4096;
inline constexpr std::size_t kValuesPerBatch = 524288;         // of all changes together
inline constexpr std::size_t kToldAttributes = 1024;           // names in a stream's terms
inline constexpr std::size_t kRunBytes = 64 * kMiB;            // a run is cut at this
inline constexpr std::size_t kOutboxBytes = 1 * kGiB;          // unacked batches of a stream
inline constexpr std::size_t kReaderBytes = kOutboxBytes / 2;  // a log keeps for a reader, at most
inline constexpr std::size_t kDigestsKept = 1024;              // sequences a reader remembers
inline constexpr std::size_t kWantIds = 1000;                  // ids in one WANT

// Steps of the pure cores.
inline constexpr std::size_t kStepRows = 4096;
inline constexpr std::size_t kStepBytes = 1 * kMiB;
inline constexpr std::size_t kBulkRows = 32768;       // entries of one bulk commit (load, ranges)
inline constexpr std::size_t kBulkBytes = 24 * kMiB;  // writes of one bulk commit
inline constexpr std::size_t kAbsenceFilterBytes = 8 * kMiB;  // of a long write
inline constexpr std::size_t kLearnedRows = 262144;           // of a table, read into that filter
inline constexpr std::size_t kDryRunBytes = 256 * kMiB;  // of writes that a dry run of load holds

// Files.
inline constexpr std::size_t kLineBytes = 16 * kMiB;      // one line of any input file
inline constexpr std::size_t kOldLineBytes = 509;         // one `#!` line; the old reader's limit
inline constexpr std::size_t kFileBlockBytes = 4 * kMiB;  // digest per block of a sync file
inline constexpr std::size_t kCarriedFiles = 1024;        // F and F.* taken in one import

inline constexpr std::size_t kFileNameBytes = 200;  // of a file that arrives in a folder
inline constexpr std::size_t kDoneFiles = 1000;     // kept of those that were read
inline constexpr std::int64_t kSettleSeconds = 5;   // unchanged so long: written whole

// Gate.
inline constexpr std::uint64_t kDeletesAlways = 20;   // per stream, class and 24 hours
inline constexpr std::uint64_t kDeletesPercent = 10;  // of the rows, likewise
inline constexpr std::int64_t kGateWindowSeconds = 24 * 3600;
// What one site may do here, unless `sites policy` says otherwise: the first load of a large site
// passes, and its repeat in the same hour; an endless flood does not.
inline constexpr std::uint64_t kSiteObjects = 2'000'000;         // mirror rows, of all its streams
inline constexpr std::uint64_t kSiteChangesPerHour = 5'000'000;  // applied
inline constexpr std::uint64_t kSiteLimitMost = 1'000'000'000'000;  // that a person can set
inline constexpr std::uint64_t kSiteWarnPercent = 80;               // of the objects
inline constexpr std::int64_t kTombstoneSeconds = 30 * 24 * 3600;

// Storage.
inline constexpr std::size_t kWalBytes = 16 * kMiB;
inline constexpr std::size_t kIngestBytes = 8 * kMiB;    // write batches beyond are ingested sorted
inline constexpr std::size_t kReserveBytes = 64 * kMiB;  // file released when the disk is full

// Between agents and the broker.
inline constexpr std::size_t kMessageHeaderBytes = 256 * kKiB;  // parsed: at most 50 times that
inline constexpr std::size_t kRosterPerMessage = 128;           // entries of one ROSTER
inline constexpr std::size_t kStreamsPerMessage = 8192;         // logs of one STREAMS
inline constexpr std::size_t kRequestWords = 16;                // of one ADMIN
inline constexpr std::size_t kMessageBytes = kMessageHeaderBytes + kBatchBytes;
inline constexpr std::size_t kJoinBytes = 4 * kKiB;      // one message at the join door
inline constexpr std::size_t kJoinsPending = 64;         // further ones: BUSY
inline constexpr std::size_t kJoinsPerMinute = 120;      // looked at; further ones: BUSY
inline constexpr std::int64_t kDoorSeconds = 15 * 60;    // an invitation opens the door so long
inline constexpr std::size_t kPublishWindow = 8 * kMiB;  // unanswered, per session
inline constexpr std::size_t kCreditBytes = 16 * kMiB;   // on the way to a reader, at most
inline constexpr std::size_t kMessagesUnderWay = 65536;  // to one peer; beyond: BUSY
inline constexpr std::size_t kPeerBytes = 24 * kMiB;  // likewise; of all of its connections: twice
inline constexpr std::size_t kMessageCost = 512;      // that a message counts beside its bytes
inline constexpr std::uint64_t kSiteShare = 4;        // one site's streams: a quarter of the log
inline constexpr std::size_t kRecentBytes = 16 * kMiB;  // batches that a broker keeps at hand
inline constexpr std::size_t kPartBytes = 128 * kKiB;  // of a list that is sent in several messages
inline constexpr std::size_t kRangeBytes = 2 * kMiB;   // of one range, about
inline constexpr std::size_t kSites = 4096;            // of one organisation
inline constexpr std::size_t kStreamsPerSite = 64;
inline constexpr std::size_t kDomainsPerSite = 256;
inline constexpr std::size_t kReportInstances = 1024;  // of one site's report; further ones are cut
inline constexpr std::size_t kEvents = 1000;           // that a broker keeps
inline constexpr std::size_t kEventsPerHour = 60;      // that one site may cause; further: counted
inline constexpr std::size_t kSessions = 8192;         // of one broker
inline constexpr std::int64_t kHeartbeatSeconds = 10;
inline constexpr std::int64_t kSessionSilenceSeconds = 30;  // then it is over
inline constexpr std::int64_t kDeadPeerSeconds = 60;        // no machine answers: no connection
inline constexpr std::int64_t kWantSeconds = 15;            // in which a reader wants kWantIds
inline constexpr std::int64_t kRangeSeconds = 10;           // a range under way is waited for
inline constexpr std::int64_t kRequestSeconds = 600;        // a signed request lives no longer
inline constexpr std::size_t kQuestionsOpen = 1024;         // of a site, in a process
inline constexpr std::size_t kOrdersOpen = 64;              // of one signer, not yet expired
inline constexpr std::size_t kEpochsAnHour = 4;             // begun for what one site has read
inline constexpr std::size_t kAskersKept = 16;              // that hear how a full copy goes on
inline constexpr std::uint64_t kEpochsAhead = 1ULL << 32;   // that a reader can say to have read
inline constexpr std::int64_t kCanarySeconds = 60;          // between canaries of an idle stream

// Between a command and the process that has its store open.
inline constexpr std::size_t kCommandBytes = 4 * kMiB;        // words and surroundings
inline constexpr std::size_t kCommandFrameBytes = 64 * kKiB;  // of output, of one line of input
inline constexpr std::size_t kClientsWaiting = 16;            // whose command has not come whole
inline constexpr std::size_t kCommandsUnderWay = 8;           // of which all but one wait
inline constexpr std::int64_t kClientSilenceSeconds = 10;     // then it counts as gone
inline constexpr std::int64_t kQuestionSeconds = 300;         // then the answer is no
inline constexpr std::size_t kClientSpoolBytes = 16 * kMiB;   // output kept in memory

// The log of a process.
inline constexpr std::size_t kRepeatsTold = 5;     // of one line, in a minute
inline constexpr std::size_t kRepeatsKept = 1024;  // lines that are watched for repeats

// Programs that hear of events.
inline constexpr std::size_t kEventsWaiting = 100;
inline constexpr std::int64_t kEventSeconds = 30;  // then it is killed

static_assert(kChangeBytes < kBatchPayloadBytes, "every change fits a batch");
static_assert(kEntryBytes + 16 * kKiB < kChangeBytes, "every entry fits a change");
static_assert(kBatchPayloadBytes < kBatchBytes);
static_assert(kCreditBytes + kMessageBytes <= kPeerBytes, "credit is never short of room");
static_assert(kPeerBytes / kMessageCost < kMessagesUnderWay, "bytes are the narrower bound");
static_assert(kPartBytes <= kMessageHeaderBytes / 2, "a part and its rest fit a header");
static_assert(kDnBytes > (kContainerDepth + 4) * (2 * kNameBytes + 8), "every DN fits");
static_assert(kEntryBytes + kDnBytes < kChangeBytes);
static_assert(kBatchBytes < kRunBytes);
static_assert(2 * kReaderBytes <= kOutboxBytes,
              "who never acks loses its hold before its producer stops");
static_assert(kSiteChangesPerHour >= 2 * kSiteObjects, "a first load passes, and its repeat");
static_assert(kValueBytes < kLineBytes / 4, "a value, escaped, fits a line");

}  // namespace dirsync::limits
