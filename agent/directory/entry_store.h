// Entries and their indexes, kept consistent: the layer below all rules of ownership. Whoever
// writes entries, local commands or the apply core, writes through this.
//
// Invariants: (1) each live entry has one name row, one USN row, one address row per distinct
// Proxy-Addresses value; custom recipients one for their Target-Address besides, if that is none
// of their Proxy-Addresses; containers one container row. An address stands for one live entry
// only; (2) a tombstone has its entry row, one USN row and one tombstone row; (3) USNs are drawn
// here, in the caller's transaction (R26). consistency.h checks them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/directory/container_tree.h"
#include "proto/base/error.h"
#include "proto/base/time.h"
#include "proto/model/dn.h"
#include "proto/model/entry.h"
#include "storage/transaction.h"

namespace dirsync {

// Not thread-safe; lives no longer than its transaction. Caches container paths: make a new one
// after containers were changed by anyone else.
class EntryStore {
 public:
  EntryStore(storage::Transaction& transaction, Instant now);

  // Live entries and tombstones; nullopt: never seen or purged.
  Result<std::optional<Entry>> Get(const EntryId& id) const;
  // Live entries only; nullopt for a text that is no address too.
  Result<std::optional<EntryId>> FindChild(const EntryId& parent, std::string_view name) const;
  Result<std::optional<EntryId>> FindAddress(std::string_view address) const;
  // Whether anything lives below the container.
  Result<bool> HasChildren(const EntryId& container) const;

  // Inserts `entry` (id not in use, or a tombstone of the same id, which it replaces) and stamps
  // usn_created, usn_changed, created, changed. Errors: kExists (id, name or address taken; the
  // message names the holder), kNotFound (parent is no live container), kTooLarge, kInvalid (empty
  // name, an address that is none). After an error nothing is written and `entry` is as before.
  Result<> Insert(Entry& entry);
  // Replaces the live entry of the same id; stamps usn_changed and changed, keeps usn_created and
  // created. Writes only the index rows that differ. Errors as Insert; besides kNotFound (no such
  // live entry), kInvalid (a container moved below itself), kNotEmpty (a container with children
  // that becomes something else).
  Result<> Update(Entry& entry);
  // Live entry -> tombstone: fields stay as before-image, names and addresses are free at once.
  // Errors: kNotFound; kNotEmpty for a container with children.
  Result<> Bury(const EntryId& id);
  // Tombstone rows deleted before `until` are removed for good, at most limits::kStepRows a call;
  // returns how many. MaxPurgedUsn rises (capture must then compare everything).
  Result<std::size_t> Purge(Instant until);
  Result<Usn> MaxPurgedUsn() const;

  // Highest USN drawn so far (this transaction's included).
  Result<Usn> LastUsn() const;

  // Path of `entry` below the site ("cn=Recipients/cn=Mailbox11"), as a DN under `basepoint`.
  // Tombstones have one as long as their containers are not purged. Errors: kNotFound.
  Result<Dn> DnOf(const Dn& basepoint, const Entry& entry) const;
  // Live container at `dn`; zero for `basepoint` itself. Errors: kNotFound with the nearest names.
  Result<EntryId> ContainerAt(const Dn& basepoint, const Dn& dn) const;
  // Whether `container` is `ancestor` or below it (zero ancestor: always).
  Result<bool> IsWithin(const EntryId& container, const EntryId& ancestor) const;

 private:
  Result<std::optional<EntryId>> FindRow(const std::string& key, std::string_view what) const;
  Result<> CheckFree(const Entry& entry, const std::string& key, std::string_view what) const;
  Result<> CheckPlace(const Entry& entry) const;
  Result<> CheckMove(const Entry& old, const Entry& entry) const;
  Result<> Replace(const Entry* old, Entry& entry);
  Result<Usn> DrawUsn();
  void PutEntry(const Entry& entry);
  Result<Usn> ReadUsn(std::string_view meta) const;
  std::string PathText(const Entry& entry) const;

  storage::Transaction& transaction_;
  Instant now_;
  mutable ContainerTree containers_;
};

}  // namespace dirsync
