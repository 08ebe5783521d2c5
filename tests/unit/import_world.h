// Site2, which imports files of Site1 through the whole service, in memory.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/site_policy.h"
#include "agent/file/sync_file_writer.h"
#include "agent/service/run.h"
#include "tests/sim/sim_world.h"
#include "tests/unit/reader_world.h"

namespace dirsync {

class ImportWorld : public ::testing::Test {
 protected:
  ImportWorld() : storage_(std::make_shared<storage::MemoryStorage>()) {
    SiteProfile profile;
    profile.organization = "Testorg";
    profile.site = "Site2";
    profile.server = "Server2";
    store_ = *Store::Over(world_, storage_, profile, *SigningKey::FromSeed(std::string(32, '2')));
    settings_.name = "IN";
    settings_.imports = true;
    settings_.import_file = "in";
    Write([&](storage::Transaction& transaction) { StoreInstance(transaction, settings_); });
  }
  static const SigningKey& KeyOfSite1() {
    static const SigningKey key = *SigningKey::FromSeed(std::string(32, 'k'));
    return key;
  }
  void Write(const std::function<void(storage::Transaction&)>& write) {
    EXPECT_OK(store_->Write([&](storage::Transaction& transaction) -> Result<> {
      write(transaction);
      return {};
    }));
  }
  void Limit(std::optional<std::uint64_t> objects, std::optional<std::uint64_t> changes,
             std::optional<AttributeList> attributes = {}) {
    Write([&](storage::Transaction& transaction) {
      StorePolicy(transaction, {"Site1", objects, changes, attributes});
    });
  }
  std::vector<Change> People(unsigned first, unsigned count) {
    std::vector<Change> people;
    for (unsigned i = first; i < first + count; ++i)
      people.push_back(Person(i, "M" + std::to_string(i)));
    return people;
  }
  // The next batch: the first `count` people get another address, of which its run says nothing.
  Batch Retargets(unsigned count) {
    std::vector<Change> changes;
    for (unsigned i = 1; i <= count; ++i) {
      Change person = source_.told[IdOf(i)];
      person.target_address = "EDK:x" + std::to_string(i) + "@Site1.Testorg.com";
      changes.push_back(source_.Modify(person));
    }
    return source_.Number(std::move(changes));
  }

  FileHeader Header(FileKind kind, const Position& as_of) {
    FileHeader header;
    header.kind = kind;
    header.stream = source_.stream;
    header.signer = KeyOfSite1().public_key();
    header.time = world_.Now();
    header.terms = source_.terms;
    if (kind == FileKind::kAdhoc) return header;
    header.epoch = source_.epoch;
    header.as_of = as_of;
    return header;
  }
  void Put(const std::string& path, FileHeader header, const std::vector<Batch>& batches,
           const std::vector<Change>& whole) {
    std::string bytes;
    SyncFileWriter writer(std::move(header), KeyOfSite1(), [&](std::string_view piece) -> Result<> {
      bytes.append(piece);
      return {};
    });
    for (const Batch& batch : batches) {
      FileBatch info{batch, source_.DigestOfSequence(batch.sequence), batch.changes.size()};
      info.batch.changes.clear();
      EXPECT_OK(writer.BeginBatch(info));
      for (const Change& change : batch.changes) EXPECT_OK(writer.Write(change));
    }
    for (const Change& change : whole) EXPECT_OK(writer.Write(change));
    EXPECT_OK(writer.Finish(source_.Sum(), source_.told.size()));
    world_.disk().Put(path, bytes);
  }
  // Files at the place that the import reads, unless said otherwise.
  void PutBatches(const std::vector<Batch>& batches, const std::string& path = "in") {
    const Sequence before = batches.front().sequence - 1;
    Position as_of;
    if (before > 0) as_of = {source_.epoch, before, source_.DigestOfSequence(before)};
    Put(path, Header(FileKind::kChanges, as_of), batches, {});
  }
  void PutFull(const std::string& path = "in") {
    Put(path, Header(FileKind::kFull, source_.At()), {}, source_.Listing());
  }
  void PutAdhoc(const std::vector<Change>& whole, const std::string& path = "in") {
    Put(path, Header(FileKind::kAdhoc, {}), {}, whole);
  }

  RunRequest Request() {
    RunRequest request;
    request.settings = settings_;
    return request;
  }
  Result<RunReport> Import() { return RunImport(*store_, Request()); }
  ReaderState State() {
    const auto number = FindNumber(*storage_, "import/in").value();
    return LoadReader(*storage_, *number).value().value_or(ReaderState{});
  }

  sim::SimWorld world_{7};
  std::shared_ptr<storage::MemoryStorage> storage_;
  std::unique_ptr<Store> store_;
  InstanceSettings settings_;
  Source source_;
};

}  // namespace dirsync
