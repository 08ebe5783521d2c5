// Keys of every table, order-preserving and byte-wise: one prefix byte, then fixed-width parts.
// storage/FORMAT.md gives each key and value byte by byte.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "proto/base/ids.h"

namespace dirsync::storage {

// Prefix bytes. A byte is never reused for another table.
enum class Table : char {
  kMeta = 'M',      // name -> format version, site, next USN, store id …
  kEntry = 'E',     // EntryId -> entry record (tombstones too)
  kUsn = 'U',       // USN (8, big-endian) -> EntryId
  kName = 'N',      // parent EntryId, folded RDN -> EntryId
  kAddress = 'A',   // folded "TYPE:address" -> EntryId
  kAlias = 'X',     // derived EntryId -> EntryId of the adopted entry
  kOwner = 'O',     // EntryId, stream number -> nothing: which streams an imported entry stands for
  kInstance = 'I',  // instance name -> settings
  kStream = 'S',    // stream number -> producer state
  kTold = 'T',      // stream number, rank, EntryId -> told row
  kOutbox = 'P',    // stream number, sequence -> stored batch bytes, until acked
  kReader = 'R',    // stream number -> reader state
  kMirror = 'K',    // stream number, rank, EntryId (origin's) -> mirror row
  kDigest = 'D',    // stream number, epoch counter, sequence -> digest of an applied batch
  kWanted = 'W',    // stream number, EntryId -> version
  kHeld = 'H',      // stream number, EntryId -> held change
  kQuarantine = 'Q',  // stream number, EntryId (or record hash) -> reason and change
  kForeign = 'G',     // stream number, folded DN -> EntryId: identities of a foreign source
  kAck = 'C',         // stream number, reader site -> position that a reader has acked
  kFile = 'F',        // stream number, file path -> what this file outbox entry carries
  kRun = 'L',         // run number (8) -> run record
  kBudget = 'B',      // stream number, class, hour -> deletes or retargets of it
  kProgress = 'J',    // job name -> how far a long job came
  kContainer = 'V',   // parent EntryId, EntryId of a live container -> nothing
  kTombstone = 'Z',   // time of delete (8, ms), EntryId -> nothing: what to purge when
  kNumber = 'Y',      // stream name text -> stream number (4)
  kRoster = 'r',      // folded site -> signed roster entry
  kSiteKey = 'k',     // transport key -> folded site
  kPolicy = 'p',      // folded sending site, or "*" -> what is taken from it
  kUsage = 'u',       // folded sending site -> changes of its last two hours
  // Of a broker's store only.
  kLogState = 'l',   // stream number -> producer's state and bounds of the log
  kLog = 'g',        // stream number, epoch counter, sequence -> stored batch bytes
  kLogIndex = 'i',   // the same key -> digest, sizes and time of that kLog row
  kLogReader = 'a',  // stream number, folded reader site -> acked position, hold
  kSession = 's',    // folded site -> nonces given
  kJoin = 'j',       // folded site -> pending join
  kEvent = 'e',      // event number (8) -> what happened, for those on duty
};

// Streams are numbered per store: 1.. in order of first use.
using StreamNumber = std::uint32_t;

// Order of a full copy: containers by depth (1..), recipients last.
using Rank = std::uint8_t;
inline constexpr Rank kRecipientRank = 255;

// The key of a row: the prefix byte of its table, then the parts in the order of the arguments.
// Numbers are big-endian; only the last part has a variable width.
std::string MetaKey(std::string_view name);
std::string EntryKey(const EntryId& id);
std::string UsnKey(Usn usn);
std::string NameKey(const EntryId& parent, std::string_view folded_name);
std::string ContainerKey(const EntryId& parent, const EntryId& id);
std::string AddressKey(std::string_view folded_address);
std::string AliasKey(const EntryId& derived);
std::string OwnerKey(const EntryId& id, StreamNumber stream);
std::string InstanceKey(std::string_view folded_name);
std::string StreamKey(StreamNumber stream);
std::string ToldKey(StreamNumber stream, Rank rank, const EntryId& id);
std::string OutboxKey(StreamNumber stream, Sequence sequence);
std::string ReaderKey(StreamNumber stream);
std::string MirrorKey(StreamNumber stream, Rank rank, const EntryId& origin_id);
std::string DigestKey(StreamNumber stream, std::uint64_t epoch_counter, Sequence sequence);
std::string WantedKey(StreamNumber stream, const EntryId& id);
std::string HeldKey(StreamNumber stream, const EntryId& id);
std::string QuarantineKey(StreamNumber stream, const EntryId& id);
std::string ForeignKey(StreamNumber stream, std::string_view folded_dn);
std::string AckKey(StreamNumber stream, std::string_view reader_site);
std::string FileKey(StreamNumber stream, std::string_view path);
std::string RunKey(std::uint64_t number);
std::string BudgetKey(StreamNumber stream, std::uint8_t entry_class, std::uint64_t hour);
std::string ProgressKey(std::string_view job);
std::string NumberKey(std::string_view stream_name);
std::string RosterKey(std::string_view folded_site);
std::string SiteKeyKey(const TransportKey& key);
std::string PolicyKey(std::string_view folded_site);
std::string UsageKey(std::string_view folded_site);
std::string LogStateKey(StreamNumber stream);
std::string LogKey(StreamNumber stream, std::uint64_t epoch_counter, Sequence sequence);
std::string LogIndexKey(StreamNumber stream, std::uint64_t epoch_counter, Sequence sequence);
std::string LogReaderKey(StreamNumber stream, std::string_view folded_site);
std::string SessionKey(std::string_view folded_site);
std::string JoinKey(std::string_view folded_site);
std::string EventKey(std::uint64_t number);
std::string TombstoneKey(std::int64_t deleted_ms, const EntryId& id);

// The whole table, or of one stream in it: [first, second).
std::pair<std::string, std::string> TableRange(Table table);
std::pair<std::string, std::string> StreamRange(Table table, StreamNumber stream);
// Number of the stream in a key of a table whose keys begin with one. REQUIRES such a key.
StreamNumber StreamOfKey(std::string_view key);
// All keys that begin with `prefix`: [prefix, the next string that does not).
std::pair<std::string, std::string> PrefixRange(std::string prefix);

}  // namespace dirsync::storage
