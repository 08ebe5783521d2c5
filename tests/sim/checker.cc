#include "tests/sim/checker.h"

#include <algorithm>
#include <utility>

#include "agent/core/producer_state.h"
#include "agent/core/reader_state.h"
#include "agent/core/review.h"
#include "agent/core/scope.h"
#include "agent/directory/consistency.h"
#include "agent/directory/entry_record.h"
#include "proto/base/text.h"
#include "proto/model/address.h"
#include "proto/model/attribute_table.h"
#include "proto/trust/roster.h"
#include "storage/key.h"
#include "tests/sim/bounds.h"

namespace dirsync::sim {
namespace {

using storage::Table;

template <class Visit>
void EachRow(Site& site, const std::pair<std::string, std::string>& range, Visit&& visit) {
  auto cursor = site.storage->Scan(range.first, range.second);
  for (; cursor->Valid(); cursor->Next()) visit(cursor->Key(), cursor->Value());
}

EntryId IdAtEnd(std::string_view key) { return *EntryId::FromBytes(key.substr(key.size() - 16)); }

std::optional<ReaderState> ReaderOf(Site& site, const std::string& from) {
  auto imports = ImportsFrom(site, from);
  if (imports.empty()) return std::nullopt;
  auto number = FindNumber(*site.storage, "import/" + FoldName(imports.front().name));
  if (!number || !*number) return std::nullopt;
  auto state = LoadReader(*site.storage, **number);
  return state ? *state : std::nullopt;
}

std::optional<ProducerState> ProducerOf(Site& site) {
  auto number = FindNumber(*site.storage, "export/" + FoldName("PEOPLE"));
  if (!number || !*number) return std::nullopt;
  auto state = LoadProducer(*site.storage, **number);
  return state ? *state : std::nullopt;
}

std::string Print(const ToldState& state) {
  std::string text = std::to_string(static_cast<int>(state.entry_class)) + state.parent.hex() +
                     std::to_string(state.name_hash) + "/" + std::to_string(state.target_hash);
  for (const AttributeHash& attribute : state.attributes)
    text += "," + attribute.name + "=" + std::to_string(attribute.hash);
  return text;
}

// An entry as its own site has it.
std::string Describe(Site& site, const EntryId& id) {
  auto row = site.storage->Get(storage::EntryKey(id));
  if (!row || !*row) return "no row";
  auto entry = DecodeEntry(id, **row);
  if (!entry) return "unreadable";
  std::string text = entry->name + (entry->is_deleted() ? " deleted" : "") +
                     (entry->is_imported() ? " imported" : "") + " class " +
                     std::string(ClassName(entry->entry_class)) + " usn " +
                     std::to_string(entry->usn_changed) + " parent " + entry->parent.hex();
  for (const Attribute& attribute : entry->attributes)
    text += " " + attribute.name + "=" + Join(attribute.values, "|");
  return text;
}

// Whether the roster that `to` has lets `from` tell all addresses of the change.
bool MayTell(const Site& to, const Site& from, const Change& change) {
  const auto domains = LoadMailDomains(*to.storage);
  if (!domains) return true;
  const auto claims = [&](const std::string& address) {
    const std::string_view owner = domains->OwnerOf(address.substr(address.rfind('@') + 1));
    return owner.empty() || owner == FoldName(from.name);
  };
  if (!claims(change.target_address)) return false;
  for (const AttributeChange& told : change.attributes)
    if (told.name == attribute::kProxyAddresses && !std::ranges::all_of(told.values, claims))
      return false;
  return true;
}

bool IsLocal(const Entry& entry) { return !entry.is_imported() && !entry.is_deleted(); }

}  // namespace

void Checker::Problem(std::size_t site, const std::string& text) {
  problems_.push_back(deployment_.sites()[site].name + ": " + text);
}

Checker::EntryMap Checker::EntriesOf(Site& site) {
  EntryMap entries;
  EachRow(site, storage::TableRange(Table::kEntry),
          [&](std::string_view key, std::string_view row) {
            if (auto entry = DecodeEntry(IdAtEnd(key), row)) entries[entry->id] = std::move(*entry);
          });
  return entries;
}

void Checker::BeforeImport(std::size_t actor) {
  before_import_ = EntriesOf(deployment_.sites()[actor]);
}

void Checker::AfterStep(std::size_t actor, bool imported) {
  Site& site = deployment_.sites()[actor];
  if (site.restored) {
    // A person put an old store back: the checkers begin anew with this site.
    for (auto& [key, position] : cursors_)
      if (key.starts_with(site.name + "<")) lost_[key].insert(std::exchange(position, {}));
    for (const EntryId& id : told_now_[site.name]) untold_.insert({site.name, id});
    site.restored = false;
  }
  CheckRows(actor);
  CheckCursors(actor);
  for (const std::string& broken : BrokenBounds(site)) Problem(actor, "I6: " + broken);
  if (std::exchange(site.recorded, false))
    for (const std::string& old : OldTombstones(site)) Problem(actor, "I6: " + old);
  RecordTold(actor, *site.storage);
  if (imported) {
    CheckAcks(actor);
    CheckLocalUntouched(actor);
    CheckDeletes(actor);
    CheckShownWasTold(actor);
  }
}

// I1: a reader never goes back within an epoch.
void Checker::CheckCursors(std::size_t index) {
  Site& site = deployment_.sites()[index];
  for (Site& from : deployment_.sites()) {
    auto state = ReaderOf(site, from.name);
    if (!state) continue;
    Position& last = cursors_[site.name + "<" + from.name];
    if (state->cursor.epoch.counter < last.epoch.counter ||
        (state->cursor.epoch == last.epoch && state->cursor.sequence < last.sequence))
      Problem(index, "I1: cursor of " + from.name + " went back from " +
                         std::to_string(last.sequence) + " to " +
                         std::to_string(state->cursor.sequence));
    last = state->cursor;
  }
}

// I2: what a producer holds for acked is durable at that reader, or was until it was put back.
void Checker::CheckAcks(std::size_t index) {
  Site& site = deployment_.sites()[index];
  auto producer = ProducerOf(site);
  if (!producer) return;
  auto acks = ListAcks(*site.storage, producer->number);
  if (!acks) return;
  for (const ReaderAck& ack : *acks) {
    Position& reader = cursors_[ack.site + "<" + site.name];
    if (reader.epoch.counter == 0 || ack.position.epoch != reader.epoch) continue;
    const bool was_held =
        std::ranges::any_of(lost_[ack.site + "<" + site.name], [&](const Position& lost) {
          return lost.epoch == ack.position.epoch && ack.position.sequence <= lost.sequence;
        });
    if (ack.position.sequence > reader.sequence && ack.position.epoch == producer->epoch &&
        !was_held)
      Problem(index, "I2: " + ack.site + " acked " + std::to_string(ack.position.sequence) +
                         " but holds " + std::to_string(reader.sequence));
  }
}

// Indexes agree with entries; sums with rows.
void Checker::CheckRows(std::size_t index) {
  Site& site = deployment_.sites()[index];
  auto inconsistent = CheckConsistency(*site.storage);
  if (!inconsistent) return Problem(index, inconsistent.error().message);
  for (const std::string& problem : *inconsistent) Problem(index, problem);
  for (Site& from : deployment_.sites()) {
    auto state = ReaderOf(site, from.name);
    if (!state || state->full) continue;
    RowSum sum;
    EachRow(site, storage::StreamRange(Table::kMirror, state->number),
            [&](std::string_view key, std::string_view row) {
              auto mirror = DecodeMirror(row);
              if (!mirror) return Problem(index, "mirror row unreadable");
              if (mirror->status == MirrorStatus::kApplied ||
                  mirror->status == MirrorStatus::kQuarantined)
                sum.Add(SumOf(state->terms.hash_key, IdAtEnd(key), mirror->told));
            });
    if (sum != state->sum) Problem(index, "sum of " + from.name + " differs from its mirror rows");
  }
  if (auto producer = ProducerOf(site); producer && !producer->compare) {
    RowSum sum;
    EachRow(site, storage::StreamRange(Table::kTold, producer->number),
            [&](std::string_view key, std::string_view row) {
              if (auto told = DecodeTold(row))
                sum.Add(SumOf(producer->terms.hash_key, IdAtEnd(key), told->state));
            });
    if (sum != producer->sum) Problem(index, "sum of the told table differs from its rows");
  }
}

void Checker::RecordTold(std::size_t index, const storage::ReadView& rows) {
  Site& site = deployment_.sites()[index];
  auto number = FindNumber(rows, "export/" + FoldName("PEOPLE"));
  if (!number || !*number) return;
  std::set<EntryId> now;
  const auto [lower, upper] = storage::StreamRange(Table::kTold, **number);
  for (auto cursor = rows.Scan(lower, upper); cursor->Valid(); cursor->Next()) {
    auto told = DecodeTold(cursor->Value());
    if (!told) return Problem(index, "told row unreadable");
    EntryId id = IdAtEnd(cursor->Key());
    now.insert(id);
    told_[{site.name, id}].insert(Print(told->state));
  }
  std::set<EntryId>& before = told_now_[site.name];
  for (const EntryId& id : before)
    if (!now.contains(id)) untold_.insert({site.name, id});
  before = std::move(now);
}

// I9 (R1): nothing is shown that has not been told.
void Checker::CheckShownWasTold(std::size_t index) {
  Site& site = deployment_.sites()[index];
  for (Site& from : deployment_.sites()) {
    auto state = ReaderOf(site, from.name);
    if (!state) continue;
    EachRow(site, storage::StreamRange(Table::kMirror, state->number),
            [&](std::string_view key, std::string_view row) {
              auto mirror = DecodeMirror(row);
              if (!mirror || mirror->status != MirrorStatus::kApplied) return;
              if (!told_[{from.name, IdAtEnd(key)}].contains(Print(mirror->told)))
                Problem(index, "I9: shows a state of " + from.name + " that was never told");
            });
  }
}

// I8: an import touches no entry that is not ours, adopts no mailbox, brings nothing home.
void Checker::CheckLocalUntouched(std::size_t index) {
  Site& site = deployment_.sites()[index];
  EntryMap now = EntriesOf(site);
  for (auto& [id, before] : before_import_) {
    if (!IsLocal(before)) continue;
    const Entry& after = now[id];
    if (after.usn_changed == before.usn_changed) continue;
    bool adopted = before.entry_class == EntryClass::kCustomRecipient && after.is_imported();
    if (!adopted) Problem(index, "I8: touched the local entry " + before.name);
  }
  for (auto& [id, entry] : now)
    if (entry.origin && entry.origin->site == site.name)
      Problem(index, "I8: its own entry came home as " + entry.name);
}

// I5: nothing was deleted that its source had not dropped.
void Checker::CheckDeletes(std::size_t index) {
  Site& site = deployment_.sites()[index];
  EntryMap now = EntriesOf(site);
  for (auto& [id, before] : before_import_) {
    if (!before.origin || before.is_deleted() || !now[id].is_deleted()) continue;
    if (!untold_.contains({before.origin->site, before.origin->id}))
      Problem(index,
              "I5: deleted " + before.name + ", which " + before.origin->site + " never dropped");
  }
}

void Checker::AtEnd() {
  for (std::size_t from = 0; from < deployment_.sites().size(); ++from) {
    AfterStep(from, false);
    for (std::size_t to = 0; to < deployment_.sites().size(); ++to)
      if (from != to) CheckPair(from, to);
  }
}

// I4, I3: the last state of every entry in scope is at every reader, and nothing else.
void Checker::CheckPair(std::size_t from_index, std::size_t to_index) {
  Site& from = deployment_.sites()[from_index];
  Site& to = deployment_.sites()[to_index];
  auto producer = ProducerOf(from);
  auto reader = ReaderOf(to, from.name);
  if (!producer || !reader) return Problem(to_index, "I4: never read " + from.name);
  if (reader->cursor != producer->position())
    return Problem(to_index, "I4: stands at " + std::to_string(reader->cursor.sequence) + " of " +
                                 from.name + ", which is at " + std::to_string(producer->sequence));
  if (reader->sum != producer->sum) Problem(to_index, "I4: sum differs from " + from.name);

  storage::Transaction transaction(*from.storage);
  EntryStore entries(transaction, from.world->Now());
  auto scope = Scope::Make(entries, from.profile, *LoadInstance(*from.storage, "PEOPLE"));
  std::map<EntryId, Change> wanted;
  for (auto& [id, entry] : EntriesOf(from))
    if (auto told = scope->Tell(entry); told && *told) wanted[id] = std::move(**told);

  EntryMap local = EntriesOf(to);
  EachRow(to, storage::StreamRange(Table::kMirror, reader->number),
          [&](std::string_view key, std::string_view row) {
            auto mirror = DecodeMirror(row);
            if (!mirror) return;
            EntryId id = IdAtEnd(key);
            auto expected = wanted.find(id);
            if (expected == wanted.end()) {
              // A container in which this site put something of its own cannot go.
              bool occupied = mirror->status == MirrorStatus::kHeld &&
                              mirror->told.entry_class == EntryClass::kContainer;
              if (mirror->status != MirrorStatus::kKept && !occupied)
                Problem(to_index, "I4: still has an entry that " + from.name +
                                      " dropped: " + Describe(from, id) + "; here (status " +
                                      std::to_string(static_cast<int>(mirror->status)) +
                                      "): " + Describe(to, mirror->local));
              return;
            }
            Change change = expected->second;
            wanted.erase(expected);
            if (mirror->status == MirrorStatus::kQuarantined) {
              bool taken = !MayTell(to, from, change);
              for (auto& [other, entry] : local) {
                if (entry.is_deleted() || other == mirror->local) continue;
                std::string folded = ToLowerAscii(change.target_address);
                taken |= ToLowerAscii(entry.attributes.First(attribute::kTargetAddress)) == folded;
                if (const Attribute* p = entry.attributes.Find(attribute::kProxyAddresses))
                  for (const std::string& value : p->values) {
                    taken |= ToLowerAscii(value) == folded;
                    for (const AttributeChange& told : change.attributes)
                      for (const std::string& address : told.values)
                        taken |= told.name == attribute::kProxyAddresses &&
                                 ToLowerAscii(value) == ToLowerAscii(address);
                  }
              }
              if (!taken) Problem(to_index, "I4: quarantined without need: " + change.dn);
              return;
            }
            const Entry& entry = local[mirror->local];
            if (entry.is_deleted() || !entry.origin || entry.origin->id != id)
              return Problem(to_index, "I4: no entry stands for " + change.dn);
            for (const AttributeChange& told : change.attributes) {
              const Attribute* held = entry.attributes.Find(told.name);
              if (held == nullptr || held->values != told.values)
                Problem(to_index, "I4: " + told.name + " of " + change.dn + " differs");
            }
          });
  for (auto& [id, change] : wanted) Problem(to_index, "I4: lacks " + change.dn);
}

}  // namespace dirsync::sim
