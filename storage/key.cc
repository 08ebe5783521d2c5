#include "storage/key.h"

#include "proto/base/bytes.h"

namespace dirsync::storage {
namespace {

// Builds one key; parts are appended in the order of the calls.
class Key {
 public:
  // `size`: of all parts together.
  Key(Table table, std::size_t size) {
    key_.reserve(1 + size);
    key_.push_back(static_cast<char>(table));
  }
  Key& U8(std::uint8_t v) {
    RowWriter(key_).U8(v);
    return *this;
  }
  Key& U32(std::uint32_t v) {
    RowWriter(key_).U32Big(v);
    return *this;
  }
  Key& U64(std::uint64_t v) {
    RowWriter(key_).U64Big(v);
    return *this;
  }
  Key& Id(const EntryId& id) {
    key_.append(id.view());
    return *this;
  }
  // Only ever the last part: it has no length and no end mark.
  Key& Text(std::string_view text) {
    key_.append(text);
    return *this;
  }
  std::string Take() { return std::move(key_); }

 private:
  std::string key_;
};

std::string TextKey(Table table, std::string_view text) {
  return Key(table, text.size()).Text(text).Take();
}

std::string StreamTextKey(Table table, StreamNumber stream, std::string_view text) {
  return Key(table, 4 + text.size()).U32(stream).Text(text).Take();
}

std::string StreamIdKey(Table table, StreamNumber stream, const EntryId& id) {
  return Key(table, 20).U32(stream).Id(id).Take();
}

std::string RankedKey(Table table, StreamNumber stream, Rank rank, const EntryId& id) {
  return Key(table, 21).U32(stream).U8(rank).Id(id).Take();
}

}  // namespace

std::string MetaKey(std::string_view name) { return TextKey(Table::kMeta, name); }
std::string EntryKey(const EntryId& id) { return Key(Table::kEntry, 16).Id(id).Take(); }
std::string UsnKey(Usn usn) { return Key(Table::kUsn, 8).U64(usn).Take(); }
std::string NameKey(const EntryId& parent, std::string_view folded_name) {
  return Key(Table::kName, 16 + folded_name.size()).Id(parent).Text(folded_name).Take();
}
std::string ContainerKey(const EntryId& parent, const EntryId& id) {
  return Key(Table::kContainer, 32).Id(parent).Id(id).Take();
}
std::string AddressKey(std::string_view folded_address) {
  return TextKey(Table::kAddress, folded_address);
}
std::string AliasKey(const EntryId& derived) { return Key(Table::kAlias, 16).Id(derived).Take(); }
std::string OwnerKey(const EntryId& id, StreamNumber stream) {
  return Key(Table::kOwner, 20).Id(id).U32(stream).Take();
}
std::string InstanceKey(std::string_view folded_name) {
  return TextKey(Table::kInstance, folded_name);
}
std::string StreamKey(StreamNumber stream) { return Key(Table::kStream, 4).U32(stream).Take(); }
std::string ToldKey(StreamNumber stream, Rank rank, const EntryId& id) {
  return RankedKey(Table::kTold, stream, rank, id);
}
std::string OutboxKey(StreamNumber stream, Sequence sequence) {
  return Key(Table::kOutbox, 12).U32(stream).U64(sequence).Take();
}
std::string ReaderKey(StreamNumber stream) { return Key(Table::kReader, 4).U32(stream).Take(); }
std::string MirrorKey(StreamNumber stream, Rank rank, const EntryId& origin_id) {
  return RankedKey(Table::kMirror, stream, rank, origin_id);
}
std::string DigestKey(StreamNumber stream, std::uint64_t epoch_counter, Sequence sequence) {
  return Key(Table::kDigest, 20).U32(stream).U64(epoch_counter).U64(sequence).Take();
}
std::string WantedKey(StreamNumber stream, const EntryId& id) {
  return StreamIdKey(Table::kWanted, stream, id);
}
std::string HeldKey(StreamNumber stream, const EntryId& id) {
  return StreamIdKey(Table::kHeld, stream, id);
}
std::string QuarantineKey(StreamNumber stream, const EntryId& id) {
  return StreamIdKey(Table::kQuarantine, stream, id);
}
std::string ForeignKey(StreamNumber stream, std::string_view folded_dn) {
  return StreamTextKey(Table::kForeign, stream, folded_dn);
}
std::string AckKey(StreamNumber stream, std::string_view reader_site) {
  return StreamTextKey(Table::kAck, stream, reader_site);
}
std::string FileKey(StreamNumber stream, std::string_view path) {
  return StreamTextKey(Table::kFile, stream, path);
}
std::string RunKey(std::uint64_t number) { return Key(Table::kRun, 8).U64(number).Take(); }
std::string BudgetKey(StreamNumber stream, std::uint8_t entry_class, std::uint64_t hour) {
  return Key(Table::kBudget, 13).U32(stream).U8(entry_class).U64(hour).Take();
}
std::string ProgressKey(std::string_view job) { return TextKey(Table::kProgress, job); }
std::string NumberKey(std::string_view stream_name) { return TextKey(Table::kNumber, stream_name); }

std::string RosterKey(std::string_view folded_site) { return TextKey(Table::kRoster, folded_site); }
std::string SiteKeyKey(const TransportKey& key) { return TextKey(Table::kSiteKey, key.view()); }
std::string PolicyKey(std::string_view folded_site) { return TextKey(Table::kPolicy, folded_site); }
std::string UsageKey(std::string_view folded_site) { return TextKey(Table::kUsage, folded_site); }
std::string LogStateKey(StreamNumber stream) { return Key(Table::kLogState, 4).U32(stream).Take(); }
std::string LogKey(StreamNumber stream, std::uint64_t epoch_counter, Sequence sequence) {
  return Key(Table::kLog, 20).U32(stream).U64(epoch_counter).U64(sequence).Take();
}
std::string LogIndexKey(StreamNumber stream, std::uint64_t epoch_counter, Sequence sequence) {
  return Key(Table::kLogIndex, 20).U32(stream).U64(epoch_counter).U64(sequence).Take();
}
std::string LogReaderKey(StreamNumber stream, std::string_view folded_site) {
  return StreamTextKey(Table::kLogReader, stream, folded_site);
}
std::string SessionKey(std::string_view folded_site) {
  return TextKey(Table::kSession, folded_site);
}
std::string JoinKey(std::string_view folded_site) { return TextKey(Table::kJoin, folded_site); }
std::string EventKey(std::uint64_t number) { return Key(Table::kEvent, 8).U64(number).Take(); }

// Times before 1970 count as 1970: as big numbers they would sort behind all others.
std::string TombstoneKey(std::int64_t deleted_ms, const EntryId& id) {
  const auto ms = static_cast<std::uint64_t>(deleted_ms < 0 ? 0 : deleted_ms);
  return Key(Table::kTombstone, 24).U64(ms).Id(id).Take();
}

std::pair<std::string, std::string> TableRange(Table table) {
  return PrefixRange(std::string(1, static_cast<char>(table)));
}

std::pair<std::string, std::string> StreamRange(Table table, StreamNumber stream) {
  return PrefixRange(Key(table, 4).U32(stream).Take());
}

StreamNumber StreamOfKey(std::string_view key) {
  StreamNumber number = 0;
  for (std::size_t i = 1; i <= 4; ++i) number = number << 8 | static_cast<std::uint8_t>(key[i]);
  return number;
}

std::pair<std::string, std::string> PrefixRange(std::string prefix) {
  std::string next = prefix;
  while (!next.empty() && next.back() == '\xff') next.pop_back();
  if (!next.empty()) next.back() = static_cast<char>(static_cast<unsigned char>(next.back()) + 1);
  return {std::move(prefix), std::move(next)};
}

}  // namespace dirsync::storage
