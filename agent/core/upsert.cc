#include "agent/core/upsert.h"

#include <algorithm>
#include <utility>

#include "agent/core/entry_content.h"
#include "agent/core/landing.h"
#include "agent/core/review.h"
#include "agent/core/told.h"
#include "agent/core/wanted.h"

namespace dirsync {
namespace {

bool IsWhole(const Change& change) { return change.kind == ChangeKind::kAdd || change.wanted; }

void CountLanding(ApplyContext& context, LandingEffect effect, std::string_view name) {
  ApplyCounts& counts = context.counts;
  switch (effect) {
    case LandingEffect::kAdded:
      ++counts.added;
      return context.Plan("add", name);
    case LandingEffect::kAdopted:
      ++counts.adopted;
      return context.Plan("adopt", name);
    case LandingEffect::kModified:
      ++counts.modified;
      return context.Plan("modify", name);
    case LandingEffect::kRenamed:
      ++counts.renamed;
      return context.Plan("rename", name);
    case LandingEffect::kUnchanged:
      ++counts.unchanged;
      return;
  }
}

void Quarantine(ApplyContext& context, const Change& change, const Error& refusal) {
  QuarantineRow row;
  row.number = context.state.number;
  row.id = change.id;
  row.version = context.version;
  row.code = refusal.code;
  row.name = change.dn;
  row.reason = refusal.message;
  row.change = change;
  row.time = context.input.now;
  context.transaction.Put(storage::QuarantineKey(row.number, row.id), EncodeQuarantine(row));
  context.any_quarantine = true;
  ++context.counts.quarantined;
  context.Plan("quarantine", change.dn, refusal.message);
}

void DropQuarantine(ApplyContext& context, const EntryId& id) {
  if (context.any_quarantine)
    context.transaction.Delete(storage::QuarantineKey(context.state.number, id));
}

// The source has a newer word on an entry whose delete is held or was rejected.
void EndHold(ApplyContext& context, MirrorSlot& slot) {
  if (!slot.exists || IsCounted(slot.row.status)) return;
  if (slot.row.status == MirrorStatus::kHeld) {
    context.transaction.Delete(storage::HeldKey(context.state.number, slot.id));
    ++context.counts.superseded;
  }
}

void Stamp(const ApplyContext& context, MirrorRow& row) {
  row.version = context.version;
  row.time = context.input.now;
  row.absent = false;
}

// The told state moves on while the entry here stays as it was.
void LeaveBehind(const ApplyContext& context, MirrorRow& row, ToldState told) {
  if (row.local.is_zero()) {
    row.told = std::move(told);
    row.kept_out.clear();
    return;
  }
  const bool all_taken = row.kept_out.empty() && TakesAll(context.taken);
  for (const AttributeHash& before : row.told.attributes)
    if (!std::ranges::binary_search(row.kept_out, before.name)) row.stale.push_back(before.name);
  std::sort(row.stale.begin(), row.stale.end());
  row.stale.erase(std::unique(row.stale.begin(), row.stale.end()), row.stale.end());
  row.told = std::move(told);
  // Of what is told now, the entry has from its source what is stale, and nothing else.
  row.kept_out.clear();
  if (all_taken) return;
  for (const AttributeHash& now : row.told.attributes)
    if (!std::ranges::binary_search(row.stale, now.name)) row.kept_out.push_back(now.name);
}

// The gate counts what really comes, whatever was declared (R5). So does an entry that returns
// elsewhere while its delete is held: it is still here as it was.
void CountRetarget(ApplyContext& context, const MirrorSlot& slot, const Change& change,
                   const ToldState& after) {
  const std::uint64_t before = slot.row.told.target_hash;
  if (!slot.exists || before == after.target_hash) return;
  // A full copy may come under another hash key than the one its row still has.
  const HashKey& key = context.state.terms.hash_key;
  if (key != context.source.hash_key && StateOf(key, change).target_hash == before) return;
  ++context.retargets[after.entry_class];
}

// Writes the row of what landed or was refused, with the state that was told.
Result<> Settle(ApplyContext& context, MirrorSlot& slot, const Change& change, ToldState told,
                Result<Landing> landing) {
  CountRetarget(context, slot, change, told);
  Stamp(context, slot.row);
  if (!landing) {
    if (!IsRefusal(landing.error().code)) return std::unexpected(std::move(landing).error());
    LeaveBehind(context, slot.row, std::move(told));
    slot.row.status = MirrorStatus::kQuarantined;
    slot.Put(context);
    Quarantine(context, change, landing.error());
    return {};
  }
  const bool owned = slot.exists && slot.row.local == landing->local;
  const bool cured = slot.exists && slot.row.status == MirrorStatus::kQuarantined;
  slot.row.kept_out = KeptOutAfter(context, change, told, slot.row.kept_out);
  slot.row.told = std::move(told);
  slot.row.stale.clear();
  slot.row.status = MirrorStatus::kApplied;
  slot.row.local = landing->local;
  slot.row.joined = landing->joined;
  slot.row.renamed = landing->renamed;
  slot.Put(context);
  if (!owned) context.PutOwner(landing->local);
  // Beside an applied row waits only a change of an unknown kind: a whole entry answers it.
  if (cured || IsWhole(change)) DropQuarantine(context, change.id);
  CountLanding(context, landing->effect, change.dn);
  return {};
}

void AskFor(ApplyContext& context, const Change& change, std::string_view reason) {
  PutWanted(context.transaction, context.state.number, change.id, context.version);
  context.any_wanted = true;
  ++context.counts.wanted;
  context.Plan("want", change.dn, reason);
}

std::vector<std::string> ValuesAfter(const AttributeChange& change, const Attribute* held) {
  std::vector<std::string> values;
  if (held != nullptr) values = held->values;
  for (const std::string& value : change.values) {
    const auto at = std::find(values.begin(), values.end(), value);
    if (change.operation == AttributeOperation::kAdd) {
      if (at == values.end()) values.push_back(value);
    } else if (at != values.end()) {
      values.erase(at);
    }
  }
  return values;
}

// The change with single values made whole from the entry here, which holds them as told; what it
// does not take may stand there all the same, and is not the source's.
Change WithWholeValues(const ApplyContext& context, const Change& change, const MirrorRow& row,
                       const Entry& current) {
  Change whole = change;
  for (AttributeChange& attribute : whole.attributes) {
    if (attribute.operation == AttributeOperation::kSet) continue;
    const bool held = context.Takes(attribute.name) || HoldsTold(row, attribute.name);
    attribute.values =
        ValuesAfter(attribute, held ? current.attributes.Find(attribute.name) : nullptr);
    attribute.operation = AttributeOperation::kSet;
  }
  return whole;
}

// Whether single values change of an attribute whose others are not held here.
bool ChangesKeptOut(const Change& change, const MirrorRow& row) {
  return std::ranges::any_of(change.attributes, [&](const AttributeChange& of) {
    return of.operation != AttributeOperation::kSet &&
           std::ranges::binary_search(row.kept_out, of.name);
  });
}

bool HasSingleValues(const Change& change) {
  return std::any_of(
      change.attributes.begin(), change.attributes.end(),
      [](const AttributeChange& of) { return of.operation != AttributeOperation::kSet; });
}

// The entry's content is not held here: only what was told of it moves on.
Result<> MoveToldState(ApplyContext& context, MirrorSlot& slot, const Change& change) {
  Result<ToldState> after = StateAfter(context.source.hash_key, slot.row.told, change);
  slot.Uncount(context);
  // Without the full list of values the state cannot be known; the whole entry will bring it.
  if (after) {
    CountRetarget(context, slot, change, *after);
    LeaveBehind(context, slot.row, std::move(*after));
  }
  slot.row.status = MirrorStatus::kQuarantined;
  Stamp(context, slot.row);
  slot.Put(context);
  AskFor(context, change, "its content is not held here");
  return {};
}

}  // namespace

Result<> ApplyWhole(ApplyContext& context, MirrorSlot& slot, const Change& change, ToldState told) {
  EndHold(context, slot);
  if (context.any_wanted)
    context.transaction.Delete(storage::WantedKey(context.state.number, change.id));
  slot.Uncount(context);
  Result<Landing> landing = LandWhole(context, change, slot.exists ? &slot.row : nullptr);
  return Settle(context, slot, change, std::move(told), std::move(landing));
}

Result<> ApplyPart(ApplyContext& context, MirrorSlot& slot, const Change& change) {
  if (!slot.exists || !IsCounted(slot.row.status)) {
    AskFor(context, change, "it is not held here");
    return {};
  }
  std::optional<Entry> current;
  if (slot.row.status == MirrorStatus::kApplied) {
    DIRSYNC_TRY(held, HeldEntry(context, change.id, slot.row));
    current = std::move(held);
  }
  if (!current || ChangesKeptOut(change, slot.row)) return MoveToldState(context, slot, change);
  Change whole_values;
  const Change* part = &change;
  if (HasSingleValues(change)) {
    whole_values = WithWholeValues(context, change, slot.row, *current);
    part = &whole_values;
  }
  DIRSYNC_TRY(after, StateAfter(context.source.hash_key, slot.row.told, *part));
  slot.Uncount(context);
  Result<Landing> landing = LandPart(context, *part, slot.row, *current);
  const bool landed = landing.has_value();
  DIRSYNC_CHECK(Settle(context, slot, change, std::move(after), std::move(landing)));
  if (landed && change.kind == ChangeKind::kRename &&
      NeedsWholeToRename(context.input.settings.display_name_format))
    AskFor(context, change, "its display name is made of its name");
  return {};
}

Result<bool> LandWaiting(ApplyContext& context, MirrorSlot& slot, const Change& change,
                         const Entry* stood) {
  std::optional<Result<Landing>> landing;
  if (IsWhole(change)) {
    if (!IsStateOf(context.source.hash_key, change, slot.row.told)) return false;
    landing = LandWhole(context, change, &slot.row, stood);
  } else {
    DIRSYNC_TRY(current, HeldEntry(context, change.id, slot.row));
    if (!current || HasSingleValues(change)) return false;
    landing = LandPart(context, change, slot.row, stood == nullptr ? *current : *stood);
  }
  if (!*landing && IsRefusal(landing->error().code)) return false;
  // It was told then, not now.
  const Version now = std::exchange(context.version, slot.row.version);
  if (slot.row.version == now && *landing) --context.counts.quarantined;
  slot.Uncount(context);
  Result<> settled = Settle(context, slot, change, slot.row.told, std::move(*landing));
  context.version = now;
  DIRSYNC_CHECK(settled);
  return true;
}

Result<> KeepUnknown(ApplyContext& context, const Change& change) {
  const Error unknown{
      ErrorCode::kUnknownChange,
      "change of kind " + std::to_string(change.unknown_kind) + " is not known to this version",
      {}};
  Quarantine(context, change, unknown);
  return {};
}

}  // namespace dirsync
