// A source and a reader in memory for the tests of the apply core: the source tells from a model of
// its own, so that what the reader holds can be compared with it.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/apply.h"
#include "agent/core/gate.h"
#include "agent/core/review.h"
#include "agent/core/told.h"
#include "agent/directory/consistency.h"
#include "proto/base/bytes.h"
#include "proto/base/crypto.h"
#include "proto/base/text.h"
#include "proto/model/attribute_table.h"
#include "storage/memory_storage.h"

namespace dirsync {

#define EXPECT_OK(expression)                                               \
  do {                                                                      \
    const auto& expected_ok = (expression);                                 \
    EXPECT_TRUE(expected_ok.has_value()) << expected_ok.error().ToString(); \
  } while (false)

template <class T>
std::string ExpectError(const Result<T>& result, ErrorCode code) {
  EXPECT_FALSE(result.has_value());
  if (result) return {};
  EXPECT_EQ(result.error().code, code) << result.error().ToString();
  return result.error().message;
}

inline EntryId IdOf(unsigned number) {
  EntryId id;
  id.bytes[0] = 1;
  id.bytes[13] = static_cast<std::uint8_t>(number >> 16);
  id.bytes[14] = static_cast<std::uint8_t>(number >> 8);
  id.bytes[15] = static_cast<std::uint8_t>(number);
  return id;
}

template <class Id>
Id FilledId(std::uint8_t with) {
  Id id;
  id.bytes.fill(with);
  return id;
}

inline void SetValue(Change& change, std::string_view name, std::vector<std::string> values) {
  for (AttributeChange& attribute : change.attributes) {
    if (attribute.name != name) continue;
    attribute.values = std::move(values);
    return;
  }
  change.attributes.push_back({std::string(name), AttributeOperation::kSet, std::move(values)});
  std::sort(change.attributes.begin(), change.attributes.end());
}

inline void EraseValue(Change& change, std::string_view name) {
  std::erase_if(change.attributes, [&](const AttributeChange& of) { return of.name == name; });
}

// The whole change of a mailbox at Site1.
inline Change Person(unsigned number, const std::string& name, const EntryId& parent = {}) {
  Change change;
  change.id = IdOf(number);
  change.parent = parent;
  change.name = name;
  change.dn = "/o=Testorg/ou=Site1/cn=Recipients/cn=" + name;
  change.target_address = "EDK:" + name + "@Site1.Testorg.com";
  SetValue(change, "Display-Name", {"Person " + name});
  SetValue(change, "Proxy-Addresses", {change.target_address});
  SetValue(change, "Title", {"Engineer"});
  return change;
}

inline Change Box(unsigned number, const std::string& name, const EntryId& parent = {}) {
  Change change;
  change.id = IdOf(number);
  change.entry_class = EntryClass::kContainer;
  change.parent = parent;
  change.name = name;
  change.dn = "/o=Testorg/ou=Site1/cn=" + name;
  return change;
}

// What a producer does, in a few lines: told states, sums, numbered batches.
class Source {
 public:
  explicit Source(std::string site = "Site1", std::string instance = "EXP") {
    stream = {"Testorg", std::move(site), std::move(instance)};
    epoch = {1, FilledId<EpochId>(7)};
    terms.hash_key = FilledId<HashKey>(9);
    terms.address_type = "EDK";
    terms.attributes = {"*"};
  }

  ToldState StateOfId(const EntryId& id) const { return StateOf(terms.hash_key, told.at(id)); }

  RowSum Sum() const {
    RowSum sum;
    for (const auto& [id, whole] : told)
      sum.Add(SumOf(terms.hash_key, id, StateOf(terms.hash_key, whole)));
    return sum;
  }

  Batch Start(const Position& previous = {}) {
    Batch batch = Number({});
    batch.kind = BatchKind::kStart;
    batch.previous_epoch = previous;
    return batch;
  }

  // Numbers changes that are already in `told`.
  Batch Number(std::vector<Change> changes) {
    Batch batch;
    batch.stream = stream;
    batch.epoch = epoch;
    batch.previous = sequence == 0 ? Digest{} : DigestOfSequence(sequence);
    batch.sequence = ++sequence;
    batch.terms = terms;
    batch.run.run = run.is_zero() ? DerivedRun(sequence) : run;
    for (const Change& change : changes) Total(change, batch.run);
    batch.changes = std::move(changes);
    batch.sum_after = Sum();
    batch.rows_after = told.size();
    return batch;
  }

  Change Add(const Change& whole) {
    told[whole.id] = whole;
    return whole;
  }
  // What takes a reader from what was told to `whole`.
  Change Modify(const Change& whole) {
    const ToldState before = StateOfId(whole.id);
    told[whole.id] = whole;
    std::optional<Change> change = Difference(before, StateOf(terms.hash_key, whole), whole);
    EXPECT_TRUE(change.has_value());
    return *change;
  }
  Change Delete(const EntryId& id) {
    Change change = told.at(id);
    change.kind = ChangeKind::kDelete;
    change.target_address.clear();
    change.attributes.clear();
    told.erase(id);
    return change;
  }
  Change Wanted(const EntryId& id) const {
    Change change = told.at(id);
    change.wanted = true;
    return change;
  }

  Batch AddAll(const std::vector<Change>& people) {
    std::vector<Change> changes;
    for (const Change& person : people) changes.push_back(Add(person));
    return Number(std::move(changes));
  }

  storage::Rank RankOf(const Change& change) const {
    if (change.entry_class != EntryClass::kContainer) return storage::kRecipientRank;
    if (change.parent.is_zero()) return 1;
    return static_cast<storage::Rank>(RankOf(told.at(change.parent)) + 1);
  }
  // In the order of a full copy.
  std::vector<Change> Listing() const {
    std::map<std::pair<storage::Rank, EntryId>, Change> ordered;
    for (const auto& [id, whole] : told) ordered[{RankOf(whole), id}] = whole;
    std::vector<Change> listing;
    for (const auto& [key, whole] : ordered) listing.push_back(whole);
    return listing;
  }

  Digest DigestOfSequence(Sequence of) const {
    return DigestOf(stream.ToString() + epoch.ToString() + "/" + std::to_string(of));
  }
  Position At() const { return {epoch, sequence, DigestOfSequence(sequence)}; }

  static RunId DerivedRun(Sequence of) {
    return *RunId::FromBytes(DigestOf("run" + std::to_string(of)).view().substr(0, 16));
  }

  StreamName stream;
  Epoch epoch;
  Sequence sequence = 0;
  StreamTerms terms;
  RunId run;  // of the batches that follow; zero = each its own
  std::map<EntryId, Change> told;

 private:
  static void Total(const Change& change, RunTotals& totals) {
    ClassTotals& of = totals.by_class[change.entry_class];
    if (change.kind == ChangeKind::kAdd) ++of.adds;
    if (change.kind == ChangeKind::kModify) ++of.modifies;
    if (change.kind == ChangeKind::kRename) ++of.renames;
    if (change.kind == ChangeKind::kDelete) ++of.deletes;
  }
};

// Site2, which reads one or more sources.
class Reader {
 public:
  Reader() {
    profile.organization = "Testorg";
    profile.site = "Site2";
    profile.server = "Server2";
    settings.name = "IMP";
    settings.imports = true;
    settings.import_container = "Imported";
    state.number = 1;
  }

  ApplyInput Input() {
    return {profile, settings, now, [this](const PlanLine& line) { plan.push_back(line); },
            &domains};
  }

  Result<ApplyCounts> Apply(const Batch& batch) { return Apply(batch, state); }
  Result<ApplyCounts> Apply(const Batch& batch, ReaderState& into) {
    Source named(batch.stream.site, batch.stream.instance);
    named.epoch = batch.epoch;
    storage::Transaction transaction(storage);
    Result<ApplyCounts> counts =
        ApplyBatch(transaction, Input(), batch, named.DigestOfSequence(batch.sequence), into);
    if (counts) Commit(transaction, into);
    return counts;
  }
  // Applies, and expects that it may be.
  ApplyCounts Must(const Batch& batch) {
    Result<ApplyCounts> counts = Apply(batch);
    EXPECT_OK(counts);
    return counts.value_or(ApplyCounts{});
  }

  void Commit(storage::Transaction& transaction, const ReaderState& of) {
    StoreReader(transaction, of);
    EXPECT_OK(storage.Commit(transaction.Take()));
  }

  // A full copy in ranges of `range` entries; stops after `entries_max` of them (a crash).
  Result<ApplyCounts> Full(const Source& source, std::size_t range = 1000,
                           std::size_t entries_max = SIZE_MAX, bool after_rollback = false) {
    return Full(source, source.Listing(), range, entries_max, after_rollback);
  }
  // One that a person here asked for.
  Result<ApplyCounts> FullAskedHere(const Source& source) {
    asked_here = true;
    Result<ApplyCounts> counts = Full(source);
    asked_here = false;
    return counts;
  }
  Result<ApplyCounts> Full(const Source& source, const std::vector<Change>& listing,
                           std::size_t range, std::size_t entries_max, bool after_rollback) {
    state.stream = source.stream;
    ReaderState stored = state;
    ApplyInput input = Input();
    FullApply apply(input, source.At(), source.terms, state);
    auto transaction = std::make_unique<storage::Transaction>(storage);
    apply.AskedHere(asked_here);
    apply.Begin(*transaction);
    std::size_t taken = 0;
    for (const Change& whole : listing) {
      if (taken == entries_max) {
        state = stored;  // what was not committed is lost
        return apply.counts();
      }
      Result<bool> result = apply.Take(whole);
      for (; result && !*result; result = apply.Take(whole)) {
        Commit(*transaction, state);
        stored = state;
        transaction = std::make_unique<storage::Transaction>(storage);
        apply.Begin(*transaction);
      }
      if (!result && result.error().code == ErrorCode::kSuspect) {
        transaction = std::make_unique<storage::Transaction>(storage);
        Commit(*transaction, state);
      }
      if (!result) return std::unexpected(std::move(result).error());
      if (++taken % range == 0) {
        Commit(*transaction, state);
        stored = state;
        transaction = std::make_unique<storage::Transaction>(storage);
        apply.Begin(*transaction);
      }
    }
    for (;;) {
      Result<bool> end = apply.End(after_rollback);
      if (!end) return std::unexpected(std::move(end).error());
      Commit(*transaction, state);
      if (*end) return apply.counts();
      transaction = std::make_unique<storage::Transaction>(storage);
      apply.Begin(*transaction);
    }
  }

  std::optional<Entry> Get(const EntryId& local) {
    storage::Transaction transaction(storage);
    Result<std::optional<Entry>> entry = EntryStore(transaction, now).Get(local);
    EXPECT_OK(entry);
    return entry.value_or(std::nullopt);
  }
  // The live entry that stands for the origin's id.
  std::optional<Entry> Here(const EntryId& id, std::string_view site = "Site1") {
    EntryId local = LocalIdOf(site, id);
    Result<std::optional<std::string>> alias = storage.Get(storage::AliasKey(local));
    if (alias && *alias) local = *EntryId::FromBytes(**alias);
    std::optional<Entry> entry = Get(local);
    if (entry && entry->is_deleted()) return std::nullopt;
    return entry;
  }
  std::optional<MirrorRow> Mirror(const EntryId& id, storage::Rank rank = storage::kRecipientRank) {
    Result<std::optional<std::string>> row =
        storage.Get(storage::MirrorKey(state.number, rank, id));
    if (!row || !*row) return std::nullopt;
    Result<MirrorRow> decoded = DecodeMirror(**row);
    EXPECT_OK(decoded);
    return decoded ? std::optional<MirrorRow>(*decoded) : std::nullopt;
  }

  // An entry of our own, in "Imported" or at the top.
  EntryId AddLocal(unsigned number, EntryClass entry_class, const std::string& name,
                   const std::vector<std::string>& addresses, const std::string& target = {},
                   bool imported_container = false) {
    storage::Transaction transaction(storage);
    EntryStore entries(transaction, now);
    Entry entry;
    entry.id = DerivedId("local" + std::to_string(number));
    entry.entry_class = entry_class;
    entry.name = name;
    if (imported_container) entry.parent = ImportContainer();
    entry.attributes.Set("Display-Name", {name + " of ours"});
    entry.attributes.Set("Proxy-Addresses", addresses);
    if (!target.empty()) entry.attributes.Set("Target-Address", {target});
    EXPECT_OK(entries.Insert(entry));
    EXPECT_OK(storage.Commit(transaction.Take()));
    return entry.id;
  }
  EntryId ImportContainer() {
    storage::Transaction transaction(storage);
    EntryStore entries(transaction, now);
    const Dn dn = profile.basepoint().Child({"cn", "Imported"});
    if (Result<EntryId> found = entries.ContainerAt(profile.basepoint(), dn)) return *found;
    Entry entry;
    entry.id = DerivedId("the import container");
    entry.entry_class = EntryClass::kContainer;
    entry.name = "Imported";
    EXPECT_OK(entries.Insert(entry));
    EXPECT_OK(storage.Commit(transaction.Take()));
    return entry.id;
  }

  std::vector<HeldRow> Held() { return ListHeld(storage, state.number).value(); }
  std::vector<QuarantineRow> Quarantined() { return ListQuarantine(storage, state.number).value(); }
  std::vector<EntryId> Wanted() { return WantedIds(storage, state.number).value(); }

  // Directory consistent, sums and counts those of the mirror, one owner row per applied row.
  void Check() {
    Result<std::vector<std::string>> problems = CheckConsistency(storage);
    ASSERT_TRUE(problems.has_value());
    EXPECT_EQ(Join(*problems, "\n"), "");
    RowSum sum;
    std::map<EntryClass, std::uint64_t> rows;
    const auto range = storage::StreamRange(storage::Table::kMirror, state.number);
    for (auto cursor = storage.Scan(range.first, range.second); cursor->Valid(); cursor->Next()) {
      const EntryId id = *EntryId::FromBytes(cursor->Key().substr(6));
      Result<MirrorRow> row = DecodeMirror(cursor->Value());
      ASSERT_TRUE(row.has_value());
      ++rows[row->told.entry_class];
      if (row->status == MirrorStatus::kApplied || row->status == MirrorStatus::kQuarantined)
        sum.Add(SumOf(state.terms.hash_key, id, row->told));
      if (row->local.is_zero()) continue;
      EXPECT_TRUE(storage.Get(storage::OwnerKey(row->local, state.number))->has_value());
    }
    EXPECT_EQ(sum, state.sum);
    EXPECT_EQ(rows, state.rows);
    Result<std::optional<ReaderState>> stored = LoadReader(storage, state.number);
    ASSERT_TRUE(stored.has_value());
    EXPECT_EQ(stored->value_or(state), state);
  }

  SiteProfile profile;
  InstanceSettings settings;
  Instant now = FromMillis(1'700'000'000'000);
  storage::MemoryStorage storage;
  ReaderState state;
  bool asked_here = false;  // copies from now on
  std::vector<PlanLine> plan;
  MailDomains domains;
};

}  // namespace dirsync
