#include "agent/core/exchanged_addresses.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "agent/core/join.h"
#include "agent/core/landing.h"
#include "agent/core/mirror_slot.h"
#include "agent/core/review.h"
#include "agent/core/upsert.h"
#include "proto/base/limits.h"
#include "proto/model/attribute_table.h"

namespace dirsync {
namespace {

// Each round drops those that could not land; more are seldom needed, and all are bounded.
constexpr int kRoundsMax = 4;

struct Waiting {
  QuarantineRow row;
  Entry entry;  // as it stands here, with the addresses that others wait for
  bool landed = false;
};

// The row of a recipient that stands here and waits with what was told last.
Result<std::optional<Waiting>> FindWaiting(const ApplyContext& context, QuarantineRow row) {
  const bool container = row.change.entry_class == EntryClass::kContainer;
  if (row.code != ErrorCode::kAddressTaken || container) return std::nullopt;
  MirrorSlot slot;
  DIRSYNC_CHECK(slot.Load(context, storage::kRecipientRank, row.id));
  if (!slot.exists || slot.row.status != MirrorStatus::kQuarantined ||
      slot.row.version != row.version)
    return std::nullopt;
  DIRSYNC_TRY(entry, HeldEntry(context, row.id, slot.row));
  if (!entry) return std::nullopt;
  return Waiting{std::move(row), std::move(*entry)};
}

Result<std::vector<Waiting>> ListWaiting(const ApplyContext& context) {
  std::vector<Waiting> waiting;
  std::size_t looked = 0;
  const auto range = storage::StreamRange(storage::Table::kQuarantine, context.state.number);
  auto cursor = context.transaction.Scan(range.first, range.second);
  for (; cursor->Valid() && looked < limits::kBulkRows; cursor->Next(), ++looked) {
    DIRSYNC_TRY(row, DecodeQuarantine(cursor->Value()));
    DIRSYNC_TRY(found, FindWaiting(context, std::move(row)));
    if (found) waiting.push_back(std::move(*found));
  }
  DIRSYNC_CHECK(cursor->status());
  return waiting;
}

// Who has the addresses that were told of it.
Result<std::vector<EntryId>> ObstaclesOf(const ApplyContext& context, const Waiting& of) {
  Entry told;
  if (!of.row.change.target_address.empty())
    told.attributes.Set(attribute::kTargetAddress, {of.row.change.target_address});
  for (const AttributeChange& change : of.row.change.attributes)
    if (change.name == attribute::kProxyAddresses && !change.values.empty())
      told.attributes.Set(change.name, change.values);
  return HoldersOf(context, told, of.entry.id);
}

// Drops whoever waits for somebody who does not wait, until nobody is left to drop.
Result<> KeepAmongThemselves(const ApplyContext& context, std::vector<Waiting>& waiting) {
  for (std::size_t before = waiting.size() + 1; waiting.size() < before;) {
    before = waiting.size();
    std::set<EntryId> here;
    for (const Waiting& one : waiting) here.insert(one.entry.id);
    std::vector<Waiting> kept;
    for (Waiting& one : waiting) {
      DIRSYNC_TRY(obstacles, ObstaclesOf(context, one));
      const bool among = std::all_of(obstacles.begin(), obstacles.end(),
                                     [&](const EntryId& id) { return here.contains(id); });
      if (among && !obstacles.empty()) kept.push_back(std::move(one));
    }
    waiting = std::move(kept);
  }
  return {};
}

// All of them without their addresses first, then each with its new ones.
Result<> LandAll(ApplyContext& context, std::vector<Waiting>& waiting) {
  for (const Waiting& one : waiting) {
    Entry bare = one.entry;
    bare.attributes.Set(attribute::kTargetAddress, {});
    bare.attributes.Set(attribute::kProxyAddresses, {});
    DIRSYNC_CHECK(context.entries.Update(bare));
  }
  MirrorSlot slot;
  for (Waiting& one : waiting) {
    DIRSYNC_CHECK(slot.Load(context, storage::kRecipientRank, one.row.id));
    DIRSYNC_TRY(landed, LandWaiting(context, slot, one.row.change, &one.entry));
    one.landed = landed;
  }
  return {};
}

// One round over a transaction of its own, which counts only if all landed.
Result<bool> TryTogether(ApplyContext& context, std::vector<Waiting>& waiting) {
  std::vector<PlanLine> lines;
  ApplyInput input = context.input;
  input.plan = [&](const PlanLine& line) { lines.push_back(line); };
  ReaderState state = context.state;
  ApplyCounts counts = context.counts;
  storage::Transaction nested(context.transaction);
  ApplyContext trial(nested, input, context.source, state, counts);
  trial.version = context.version;
  trial.taken = context.taken;
  DIRSYNC_CHECK(LandAll(trial, waiting));
  const bool all = std::ranges::all_of(waiting, &Waiting::landed);
  if (!all) {
    std::erase_if(waiting, [](const Waiting& one) { return !one.landed; });
    return false;
  }
  context.transaction.Absorb(nested);
  context.state = std::move(state);
  context.counts = counts;
  for (const PlanLine& line : lines) context.Plan(line.action, line.name, line.reason);
  return true;
}

}  // namespace

Result<bool> LandExchanged(ApplyContext& context) {
  DIRSYNC_TRY(waiting, ListWaiting(context));
  for (int round = 0; round < kRoundsMax; ++round) {
    DIRSYNC_CHECK(KeepAmongThemselves(context, waiting));
    if (waiting.empty()) return false;
    DIRSYNC_TRY(landed, TryTogether(context, waiting));
    if (landed) return true;
  }
  return false;
}

}  // namespace dirsync
