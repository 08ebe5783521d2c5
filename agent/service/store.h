// An opened site: its storage, its profile and its signing key.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/directory/directory.h"
#include "agent/directory/site_profile.h"
#include "agent/service/store_room.h"
#include "agent/service/world.h"
#include "proto/base/crypto.h"
#include "storage/absence_filter.h"
#include "storage/storage.h"
#include "storage/transaction.h"

namespace dirsync {

// Folder layout: STORE/db (RocksDB), STORE/keys/site.key (seed, mode 0600), STORE/reserve (room for
// the last writes on a full disk).
// Not thread-safe: one command at a time.
class Store {
 public:
  // Makes folder, keys, profile and the container Recipients. Errors: kExists when `path` holds a
  // store already, kInvalid (names, templates), kIo, kDiskFull.
  static Result<std::unique_ptr<Store>> Create(World& world, const std::string& path,
                                               const SiteProfile& profile);
  // Errors: kNotFound (hint: dirsync init), kLocked, kNewerFormat, kCorrupt, kIo, kConfiguration
  // (key file missing or readable by others).
  static Result<std::unique_ptr<Store>> Open(World& world, const std::string& path);
  // For tests and the simulator: over storage that holds (or gets) this site's rows.
  static Result<std::unique_ptr<Store>> Over(World& world,
                                             std::shared_ptr<storage::Storage> storage,
                                             const SiteProfile& profile, const SigningKey& key);

  World& world() { return world_; }
  storage::Storage& storage() { return *storage_; }
  const SiteProfile& profile() const { return profile_; }
  const SigningKey& key() const { return key_; }
  const std::string& path() const { return path_; }

  // Runs `write(transaction)` -> Result<T>; commits and syncs if it succeeds, else nothing.
  template <class F>
  auto Write(F&& write) -> decltype(write(std::declval<storage::Transaction&>())) {
    storage::Transaction transaction(*storage_);
    auto result = write(transaction);
    if (!result) return result;
    if (auto committed = Commit(transaction); !committed) return std::unexpected(committed.error());
    return result;
  }
  // Runs `read(transaction)` and drops whatever it wrote.
  template <class F>
  auto Read(F&& read) -> decltype(read(std::declval<storage::Transaction&>())) {
    storage::Transaction transaction(*storage_);
    return read(transaction);
  }
  // Commits and syncs; an empty transaction costs nothing. Errors: kDiskFull, kIo; kInterrupted,
  // with nothing of it committed.
  Result<> Commit(storage::Transaction& transaction);
  Result<> Commit(storage::WriteBatch batch);

  // Commits without a sync: a step of a longer work, durable in its order with the next Commit at
  // the latest. The store may go on writing it meanwhile; its error is then that of the next one.
  Result<> CommitStep(storage::WriteBatch step);

  // A step that stays open over several calls (BulkSteps::Open): `settle` commits what it holds.
  // Until it is closed every other commit fails (kInternal): it would stand on rows that the step
  // is about to change.
  void OpenStep(std::function<Result<>()> settle) { settle_ = std::move(settle); }
  void CloseStep() { settle_ = {}; }
  // Commits the step that is open, if one is. To be called before anything is read that a commit
  // will rest on, by whoever takes turns with a long write. Errors: as CommitStep.
  Result<> Settle() { return settle_ ? settle_() : Result<>(); }

  // The filter is told of every commit from here on, until Unwatch.
  void Watch(storage::AbsenceFilter& filter) { filters_.push_back(&filter); }
  void Unwatch(storage::AbsenceFilter& filter) { std::erase(filters_, &filter); }

  // Whether the disk has room for much: to tell other sites something new, or to load (R30).
  // Always over storage without a folder. Errors: kReadOnly, kIo.
  Result<> CheckRoom();

  // How many commits there were since it was opened: whether something may have changed.
  std::uint64_t commits() const { return commits_; }

  // Asked before each commit while it is set: true stops the command that runs, between two
  // commits. Empty: nothing stops it. Returns the one before.
  std::function<bool()> set_interrupted(std::function<bool()> interrupted) {
    return std::exchange(interrupted_, std::move(interrupted));
  }

 private:
  Store(World& world, std::shared_ptr<storage::Storage> storage, SiteProfile profile,
        const SigningKey& key);
  void SetPath(const std::string& path);
  Result<> BeginCommit(const storage::WriteBatch& batch);
  Result<> Sync();
  // Lets the reserve go when `written` says that the disk is full.
  Result<> Freeing(Result<> written);

  World& world_;
  std::shared_ptr<storage::Storage> storage_;
  SiteProfile profile_;
  SigningKey key_;
  std::string path_;
  std::unique_ptr<StoreRoom> room_;  // none over storage without a folder
  std::function<bool()> interrupted_;
  std::function<Result<>()> settle_;
  std::vector<storage::AbsenceFilter*> filters_;
  std::uint64_t commits_ = 0;
  bool unsynced_ = false;  // steps that no sync covers
};

}  // namespace dirsync
