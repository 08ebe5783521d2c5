// A site with a directory and one export stream, and a reader that takes the stream by the book:
// what the tests of the telling side share.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/core/capture.h"
#include "agent/core/full_copy.h"
#include "agent/core/told.h"
#include "agent/directory/directory.h"
#include "agent/directory/entry_record.h"
#include "proto/codec/batch_codec.h"
#include "storage/memory_storage.h"

namespace dirsync {

// The value, or a failed test that names the error.
template <class T>
T Must(Result<T> result) {
  if (!result) ADD_FAILURE() << result.error().ToString();
  if constexpr (!std::is_void_v<T>) return result ? std::move(*result) : T{};
}

// Holds every entry whole, as the stream told it; complains when a change cannot be applied or the
// producer's sum is not that of what it told.
class BookReader {
 public:
  void Take(const Batch& batch, const Digest& digest) {
    if (batch.kind == BatchKind::kStart) {
      ASSERT_EQ(batch.sequence, 1u);
      ASSERT_TRUE(!started_ || batch.previous_epoch == position_);
    } else {
      ASSERT_EQ(batch.epoch, position_.epoch);
      ASSERT_EQ(batch.sequence, position_.sequence + 1);
      ASSERT_EQ(batch.previous, position_.digest);
    }
    started_ = true;
    position_ = {batch.epoch, batch.sequence, digest};
    for (const Change& change : batch.changes) Apply(change);
    Check(batch.terms.hash_key, batch.sum_after, batch.rows_after);
  }

  void Check(const HashKey& key, const RowSum& sum, std::uint64_t rows) const {
    RowSum mine;
    for (const auto& [id, whole] : entries) mine.Add(SumOf(key, id, StateOf(key, whole)));
    EXPECT_EQ(mine.hex(), sum.hex());
    EXPECT_EQ(entries.size(), rows);
  }

  const Change* Find(std::string_view name) const {
    for (const auto& [id, whole] : entries)
      if (whole.name == name) return &whole;
    return nullptr;
  }

  std::map<EntryId, Change> entries;

 private:
  void Apply(const Change& change) {
    const auto held = entries.find(change.id);
    if (change.kind == ChangeKind::kDelete) {
      for (const auto& [id, whole] : entries)
        EXPECT_NE(whole.parent, change.id)
            << "deleted container " << change.name << " is not empty";
      if (held != entries.end()) entries.erase(held);
      return;
    }
    if (!change.parent.is_zero()) {
      ASSERT_TRUE(entries.contains(change.parent)) << change.name << " told before its container";
      EXPECT_EQ(entries[change.parent].entry_class, EntryClass::kContainer);
    }
    if (change.kind == ChangeKind::kAdd) {
      entries[change.id] = change;
      return;
    }
    ASSERT_NE(held, entries.end()) << change.name << ": " << ChangeKindName(change.kind);
    Change& whole = held->second;
    whole.entry_class = change.entry_class;
    whole.target_address = change.target_address;
    whole.parent = change.parent;
    whole.name = change.name;
    Attributes attributes;
    for (const AttributeChange& a : whole.attributes) attributes.Set(a.name, a.values);
    for (const AttributeChange& a : change.attributes) attributes.Set(a.name, a.values);
    whole.attributes.clear();
    for (const Attribute& a : attributes)
      whole.attributes.push_back({a.name, AttributeOperation::kSet, a.values});
  }

  Position position_;
  bool started_ = false;
};

class ProducerWorld {
 public:
  ProducerWorld() : ids(DigestOf("producer world")) {
    profile.organization = "Testorg";
    profile.site = "Site1";
    profile.server = "Server1";
    Result<AddressTemplate> edk = AddressTemplate::Parse("EDK:%m@Site1.Testorg.com");
    Result<AddressTemplate> smtp = AddressTemplate::Parse("SMTP:%m@site1.example");
    profile.templates = {*edk, *smtp};
    settings.name = "INSTANCE1";
    settings.exports = true;
    state = NewProducer(1, {"Testorg", "Site1", "INSTANCE1"}, 1, ids);
    AddContainer("Recipients", "");
  }

  // Runs `work` on the directory and commits it.
  void Edit(const std::function<void(Directory&)>& work) {
    now += Duration(1000);
    storage::Transaction transaction(storage);
    Directory directory(transaction, profile, ids, now);
    work(directory);
    Must(storage.Commit(transaction.Take()));
  }

  EntryId Add(NewEntry fresh) {
    EntryId id;
    Edit([&](Directory& directory) { id = Must(directory.Add(std::move(fresh))).id; });
    return id;
  }
  EntryId AddContainer(const std::string& name, const std::string& container) {
    EntryId id;
    Edit([&](Directory& directory) {
      Entry entry;
      entry.id = ids.NextEntryId(now);
      entry.entry_class = EntryClass::kContainer;
      entry.name = name;
      if (!container.empty()) {
        const Dn dn = Must(ContainerDn(profile.basepoint(), container));
        entry.parent = Must(directory.entries().ContainerAt(profile.basepoint(), dn));
      }
      Must(directory.entries().Insert(entry));
      id = entry.id;
    });
    return id;
  }
  EntryId At(const std::string& container) {
    EntryId id;
    Edit([&](Directory& directory) {
      const Dn dn = Must(ContainerDn(profile.basepoint(), container));
      id = Must(directory.entries().ContainerAt(profile.basepoint(), dn));
    });
    return id;
  }
  EntryId AddMailbox(const std::string& name, const std::string& container = "Recipients") {
    NewEntry fresh;
    fresh.container = container;
    fresh.name = name;
    return Add(std::move(fresh));
  }
  void Alter(const EntryId& id, const std::function<void(Entry&)>& work) {
    Edit([&](Directory& directory) {
      Entry entry = *Must(directory.entries().Get(id));
      work(entry);
      Must(directory.entries().Update(entry));
    });
  }
  void Set(const EntryId& id, std::string_view name, std::vector<std::string> values) {
    Alter(id, [&](Entry& entry) { entry.attributes.Set(name, std::move(values)); });
  }
  void Rename(const EntryId& id, const std::string& name) {
    Alter(id, [&](Entry& entry) { entry.name = name; });
  }
  void Move(const EntryId& id, const EntryId& parent) {
    Alter(id, [&](Entry& entry) { entry.parent = parent; });
  }
  void Delete(const EntryId& id) {
    Edit([&](Directory& directory) { Must(directory.entries().Bury(id)); });
  }

  // One call of Capture and its numbering, committed. The batches went through their bytes.
  struct Step {
    std::vector<Batch> batches;
    bool more = false;
    std::uint64_t rows_read = 0;
    std::uint64_t without_address = 0;
  };
  Result<Step> TryStep(bool compare_all = false) {
    now += Duration(1000);
    storage::Transaction transaction(storage);
    ProducerState next = state;
    const CaptureInput input{profile, settings, now, compare_all, bounds};
    DIRSYNC_TRY(run, Capture(transaction, input, next, ids));
    Step step;
    step.more = run.more;
    step.rows_read = run.rows_read;
    step.without_address = run.without_address;
    DIRSYNC_TRY(batches, NumberRun(transaction, std::move(run), next, key, now));
    for (const NumberedBatch& made : batches) {
      EXPECT_EQ(made.digest, DigestOf(made.stored));
      const Batch read = Must(DecodeBatch(made.stored, key.public_key()));
      EXPECT_EQ(read, made.batch);
      if (state.seen) reader.Take(read, made.digest);
      step.batches.push_back(read);
    }
    StoreProducer(transaction, next);
    Must(storage.Commit(transaction.Take()));
    EXPECT_EQ(*Must(LoadProducer(storage, 1)), next);
    state = next;
    return step;
  }
  // Until nothing is left to tell.
  std::vector<Batch> Export(bool compare_all = false) {
    std::vector<Batch> all;
    for (int calls = 0; calls < 100000; ++calls) {
      Step step = Must(TryStep(compare_all));
      for (Batch& batch : step.batches) all.push_back(std::move(batch));
      if (!step.more) return all;
    }
    ADD_FAILURE() << "capture comes to no end";
    return all;
  }
  // All changes of a run.
  std::vector<Change> RunChanges() {
    std::vector<Change> all;
    for (Batch& batch : Export())
      for (Change& change : batch.changes) all.push_back(std::move(change));
    return all;
  }
  // The first run, and the reader's full copy behind it.
  void Begin() {
    Export();
    state.seen = true;
    reader.entries = Copy();
    TakeStart();
    CheckReader();
  }
  void TakeStart() {
    for (Sequence sequence = 1; sequence <= state.sequence; ++sequence) {
      const std::string stored = *Must(ReadOutbox(storage, 1, sequence));
      const Batch batch = Must(DecodeBatch(stored, key.public_key()));
      if (batch.changes.empty()) reader.Take(batch, DigestOf(stored));
    }
  }

  std::map<EntryId, Change> Copy() {
    storage::Transaction transaction(storage);
    EntryStore entries(transaction, now);
    Result<Scope> scope = Scope::Make(entries, profile, settings);
    if (!scope) {
      ADD_FAILURE() << scope.error().ToString();
      return {};
    }
    FullCopy copy(storage, entries, *scope, state);
    std::map<EntryId, Change> all;
    Change change;
    while (Must(copy.Next(change))) all[change.id] = change;
    return all;
  }
  // What the directory tells, without any state.
  std::map<EntryId, Change> Scratch() {
    storage::Transaction transaction(storage);
    EntryStore entries(transaction, now);
    Result<Scope> scope = Scope::Make(entries, profile, settings);
    if (!scope) {
      ADD_FAILURE() << scope.error().ToString();
      return {};
    }
    std::map<EntryId, Change> all;
    const auto [lower, upper] = storage::TableRange(storage::Table::kEntry);
    for (auto cursor = storage.Scan(lower, upper); cursor->Valid(); cursor->Next()) {
      const EntryId id = *EntryId::FromBytes(cursor->Key().substr(1));
      const Entry entry = Must(DecodeEntry(id, cursor->Value()));
      if (auto change = Must(scope->Tell(entry))) all[id] = *change;
    }
    return all;
  }
  // Reader and directory say the same; so do all sums.
  void CheckReader() {
    std::map<EntryId, Change> told = Scratch();
    std::map<EntryId, Change> held = reader.entries;
    for (auto* side : {&told, &held})
      for (auto& [id, change] : *side) {
        change.dn.clear();
        change.wanted = false;
        for (AttributeChange& a : change.attributes)
          if (a.name != "Proxy-Addresses") std::sort(a.values.begin(), a.values.end());
      }
    EXPECT_EQ(told.size(), held.size());
    EXPECT_TRUE(told == held);
    reader.Check(state.terms.hash_key, state.sum, state.rows);
    CheckToldRows();
  }
  void CheckToldRows() const {
    RowSum sum;
    std::uint64_t rows = 0;
    const auto [lower, upper] = storage::StreamRange(storage::Table::kTold, 1);
    for (auto cursor = storage.Scan(lower, upper); cursor->Valid(); cursor->Next(), ++rows) {
      const EntryId id = *EntryId::FromBytes(cursor->Key().substr(6));
      sum.Add(SumOf(state.terms.hash_key, id, Must(DecodeTold(cursor->Value())).state));
    }
    EXPECT_EQ(sum.hex(), state.sum.hex());
    EXPECT_EQ(rows, state.rows);
  }

  storage::MemoryStorage storage;
  SiteProfile profile;
  IdSource ids;
  Instant now = FromMillis(1'790'000'000'000);
  SigningKey key = *SigningKey::FromSeed(std::string(32, 'k'));
  InstanceSettings settings;
  ProducerState state;
  CaptureLimits bounds;
  BookReader reader;
};

}  // namespace dirsync
