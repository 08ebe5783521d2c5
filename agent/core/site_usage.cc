#include "agent/core/site_usage.h"

#include <algorithm>

#include "agent/core/reader_state.h"
#include "agent/core/site_policy.h"
#include "proto/base/bytes.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::uint64_t kHour = 3600;  // seconds

std::uint64_t SecondsOf(Instant now) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, ToMillis(now) / 1000));
}

Instant InstantOf(std::uint64_t seconds) {
  return FromMillis(static_cast<std::int64_t>(seconds) * 1000);
}

std::string EncodeUsage(const SiteUsage& usage) {
  std::string out;
  RowWriter writer(out);
  writer.U8(kVersion);
  writer.Varint(usage.hour);
  writer.Varint(usage.current);
  writer.Varint(usage.previous);
  return out;
}

Result<SiteUsage> DecodeUsage(std::string_view row) {
  RowReader reader(row);
  const std::uint8_t version = reader.U8();
  SiteUsage usage;
  usage.hour = reader.Varint();
  usage.current = reader.Varint();
  usage.previous = reader.Varint();
  if (version != kVersion || !reader.ok() || !reader.at_end())
    return Fail(ErrorCode::kCorrupt, "read usage row: damaged or of an unknown format");
  return usage;
}

// The seconds of an hour from which on at most `room` of `fading` changes still count.
std::uint64_t FadedAt(std::uint64_t fading, std::uint64_t room) {
  return fading <= room ? 0 : kHour - room * kHour / fading;
}

}  // namespace

Result<SiteUsage> LoadUsage(const storage::ReadView& view, std::string_view site, Instant now) {
  const std::uint64_t hour = SecondsOf(now) / kHour;
  DIRSYNC_TRY(row, view.Get(storage::UsageKey(FoldName(site))));
  if (!row) return SiteUsage{hour, 0, 0};
  DIRSYNC_TRY(usage, DecodeUsage(*row));
  if (hour <= usage.hour) return SiteUsage{hour, usage.current, usage.previous};
  return SiteUsage{hour, 0, hour == usage.hour + 1 ? usage.current : 0};
}

Result<> CountChanges(storage::Transaction& transaction, std::string_view site,
                      std::uint64_t changes, Instant now) {
  if (changes == 0) return {};
  DIRSYNC_TRY(usage, LoadUsage(transaction, site, now));
  usage.current += changes;
  transaction.Put(storage::UsageKey(FoldName(site)), EncodeUsage(usage));
  return {};
}

std::uint64_t ChangesOfHour(const SiteUsage& usage, Instant now) {
  const std::uint64_t left = kHour - SecondsOf(now) % kHour;
  return usage.current + (usage.previous * left + kHour - 1) / kHour;
}

std::optional<Instant> FitsAt(const SiteUsage& usage, std::uint64_t changes, std::uint64_t most,
                              Instant now) {
  if (changes > most) return std::nullopt;
  const std::uint64_t room = most - changes;
  if (most == kUnlimited || ChangesOfHour(usage, now) <= room) return now;
  if (usage.current <= room)
    return InstantOf(usage.hour * kHour + FadedAt(usage.previous, room - usage.current));
  return InstantOf((usage.hour + 1) * kHour + FadedAt(usage.current, room));
}

Result<std::map<std::string, SiteObjects>> ObjectsBySite(const storage::ReadView& view) {
  const auto [lower, upper] = storage::TableRange(storage::Table::kReader);
  std::map<std::string, SiteObjects> sites;
  auto cursor = view.Scan(lower, upper);
  for (; cursor->Valid(); cursor->Next()) {
    DIRSYNC_TRY(state, DecodeReader(cursor->Value()));
    if (state.source != SourceKind::kStream) continue;
    SiteObjects& site = sites[FoldName(state.stream.site)];
    site.site = state.stream.site;
    site.objects += RowsOf(state);
  }
  DIRSYNC_CHECK(cursor->status());
  return sites;
}

Result<std::uint64_t> ObjectsOf(const storage::ReadView& view, std::string_view site,
                                storage::StreamNumber but) {
  const std::string folded = FoldName(site);
  const auto [lower, upper] = storage::TableRange(storage::Table::kReader);
  std::uint64_t objects = 0;
  auto cursor = view.Scan(lower, upper);
  for (; cursor->Valid(); cursor->Next()) {
    if (but != 0 && storage::StreamOfKey(cursor->Key()) == but) continue;
    DIRSYNC_TRY(state, DecodeReader(cursor->Value()));
    const bool same = state.source == SourceKind::kStream && FoldName(state.stream.site) == folded;
    if (same) objects += RowsOf(state);
  }
  DIRSYNC_CHECK(cursor->status());
  return objects;
}

}  // namespace dirsync
