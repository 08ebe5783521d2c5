#include "proto/trust/roster.h"

#include <algorithm>

#include "proto/base/bytes.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/codec/roster_codec.h"
#include "storage/key.h"

namespace dirsync {
namespace {

// Signature and framing of an entry in a message.
constexpr std::uint64_t kEntryOverhead = 80;

std::string EncodeRow(const SignedRosterEntry& entry) {
  std::string row;
  RowWriter writer(row);
  writer.U8(1);
  writer.Id(entry.signature);
  writer.Bytes(entry.bytes);
  return row;
}

Result<SignedRosterEntry> DecodeRow(std::string_view row) {
  RowReader reader(row);
  SignedRosterEntry entry;
  const std::uint8_t format = reader.U8();
  entry.signature = reader.Id<Signature>();
  entry.bytes = std::string(reader.Bytes());
  if (!reader.ok() || !reader.at_end() || format != 1)
    return Fail(ErrorCode::kCorrupt, "read roster entry: broken row");
  return entry;
}

// The row was verified when it was taken: only its content is of interest.
Result<RosterEntry> Content(const SignedRosterEntry& entry) {
  auto content = PeekRosterEntry(entry.bytes);
  if (!content) return Fail(ErrorCode::kCorrupt, "read roster entry: " + content.error().message);
  return content;
}

std::unexpected<Error> Conflict(const RosterEntry& entry, std::string cause) {
  return Fail(ErrorCode::kConflict,
              "take roster entry of " + Printable(entry.site) + ": " + std::move(cause));
}

// What an active site may not share with another active one.
Result<> CheckUnique(const storage::ReadView& view, const RosterEntry& entry) {
  if (entry.state != SiteState::kActive) return {};
  DIRSYNC_TRY(others, ListRoster(view));
  for (const RosterEntry& other : others) {
    if (FoldName(other.site) == FoldName(entry.site) || other.state != SiteState::kActive) continue;
    if (other.signing_key == entry.signing_key || other.transport_key == entry.transport_key)
      return Conflict(entry, "its key is that of " + Printable(other.site));
    for (const std::string& domain : entry.domains)
      if (std::ranges::find(other.domains, FoldName(domain), FoldName) != other.domains.end())
        return Conflict(entry,
                        "the domain " + Printable(domain) + " is that of " + Printable(other.site));
  }
  return {};
}

}  // namespace

Result<bool> TakeRosterEntry(storage::Transaction& transaction, const PublicKey& organization,
                             const SignedRosterEntry& signed_entry) {
  DIRSYNC_TRY(entry, OpenRosterEntry(signed_entry, organization));
  const std::string key = storage::RosterKey(FoldName(entry.site));
  DIRSYNC_TRY(row, transaction.Get(key));
  if (row) {
    DIRSYNC_TRY(held, DecodeRow(*row));
    DIRSYNC_TRY(before, Content(held));
    if (entry.serial < before.serial)
      return Fail(ErrorCode::kOldEpoch, "take roster entry of " + Printable(entry.site) +
                                            ": serial " + std::to_string(entry.serial) +
                                            " is older than " + std::to_string(before.serial));
    if (entry.serial == before.serial) {
      if (held.bytes == signed_entry.bytes) return false;
      return Conflict(entry, "another entry has serial " + std::to_string(entry.serial));
    }
    DIRSYNC_CHECK(CheckUnique(transaction, entry));
    if (before.transport_key != entry.transport_key) {
      DIRSYNC_TRY(holder, transaction.Get(storage::SiteKeyKey(before.transport_key)));
      if (holder && *holder == FoldName(entry.site))
        transaction.Delete(storage::SiteKeyKey(before.transport_key));
    }
  } else {
    DIRSYNC_CHECK(CheckUnique(transaction, entry));
  }
  transaction.Put(key, EncodeRow(signed_entry));
  // The key of an entry that is no longer active may be an active site's by now.
  DIRSYNC_TRY(holder, FindByTransportKey(transaction, entry.transport_key));
  const bool taken = entry.state != SiteState::kActive && holder &&
                     holder->state == SiteState::kActive &&
                     FoldName(holder->site) != FoldName(entry.site);
  if (!taken) transaction.Put(storage::SiteKeyKey(entry.transport_key), FoldName(entry.site));
  return true;
}

Result<std::optional<RosterEntry>> FindSite(const storage::ReadView& view, std::string_view site) {
  DIRSYNC_TRY(row, view.Get(storage::RosterKey(FoldName(site))));
  if (!row) return std::nullopt;
  DIRSYNC_TRY(entry, DecodeRow(*row));
  DIRSYNC_TRY(content, Content(entry));
  return std::move(content);
}

Result<std::optional<RosterEntry>> FindByTransportKey(const storage::ReadView& view,
                                                      const TransportKey& key) {
  DIRSYNC_TRY(site, view.Get(storage::SiteKeyKey(key)));
  if (!site) return std::nullopt;
  return FindSite(view, *site);
}

Result<std::vector<RosterEntry>> ListRoster(const storage::ReadView& view) {
  std::vector<RosterEntry> entries;
  DIRSYNC_TRY(rows, ListSignedRoster(view));
  for (const SignedRosterEntry& row : rows) {
    DIRSYNC_TRY(entry, Content(row));
    entries.push_back(std::move(entry));
  }
  return entries;
}

Result<std::vector<SignedRosterEntry>> ListSignedRoster(const storage::ReadView& view) {
  std::vector<SignedRosterEntry> entries;
  auto [lower, upper] = storage::TableRange(storage::Table::kRoster);
  auto cursor = view.Scan(lower, upper);
  for (; cursor->Valid(); cursor->Next()) {
    DIRSYNC_TRY(entry, DecodeRow(cursor->Value()));
    entries.push_back(std::move(entry));
  }
  DIRSYNC_CHECK(cursor->status());
  return entries;
}

std::vector<RosterNews> RosterMessages(std::vector<SignedRosterEntry> entries) {
  std::vector<RosterNews> messages(1);
  std::uint64_t weight = 0;
  for (SignedRosterEntry& entry : entries) {
    const std::uint64_t bytes = entry.bytes.size() + kEntryOverhead;
    const bool full = messages.back().entries.size() == limits::kRosterPerMessage ||
                      (weight + bytes > limits::kPartBytes && !messages.back().entries.empty());
    if (full) {
      messages.emplace_back();
      weight = 0;
    }
    weight += bytes;
    messages.back().entries.push_back(std::move(entry));
  }
  return messages;
}

Result<MailDomains> LoadMailDomains(const storage::ReadView& view) {
  DIRSYNC_TRY(roster, ListRoster(view));
  return MailDomains(roster);
}

}  // namespace dirsync
