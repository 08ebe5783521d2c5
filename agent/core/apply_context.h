// What the parts of one apply share: transaction, settings, state, counts, and what was looked up.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "agent/core/apply.h"
#include "agent/directory/entry_store.h"
#include "proto/model/dn.h"

namespace dirsync {

// Whose entries are applied.
struct ApplySource {
  std::string site;           // origin of the entries, "Site1"
  std::string organization;   // for display-name formats
  std::string imported_from;  // value of Imported-From, "Site1/INSTANCE1"
  HashKey hash_key;           // under which told states are hashed
};

// Not thread-safe; lives no longer than its transaction.
struct ApplyContext {
  ApplyContext(storage::Transaction& open, const ApplyInput& settings, ApplySource from,
               ReaderState& reader, ApplyCounts& totals);

  // Looks which tables have rows at all, so that most entries need no look-up there. To be called
  // once, before anything else.
  Result<> Open();

  // The entry that stands here for the origin's `id`: its derived id, or the adopted one.
  Result<EntryId> LocalIdFor(const EntryId& id) const;
  // Where entries of the stream's top land; made at first use.
  Result<EntryId> ImportContainer();
  // Here, the container that the source calls `told`; it may not be live.
  Result<EntryId> ParentFor(const EntryId& told);
  // Whether any other stream than ours (number) owns the entry; ad-hoc files own nothing.
  Result<bool> HasOtherOwner(const EntryId& local) const;
  // Whether anybody ever told it, ad-hoc files included.
  Result<bool> HasOwner(const EntryId& local) const;
  // Whether the entry was asked for whole: then even an answer that tells nothing new is written.
  Result<bool> IsWanted(const EntryId& id) const;
  void PutOwner(const EntryId& local);
  // Removes the rows of all owners: the entry is gone.
  Result<> EraseOwners(const EntryId& local);
  // Whether this site takes the attribute of the source.
  bool Takes(std::string_view attribute) const { return IsTaken(taken, attribute); }
  Reference OriginOf(const EntryId& id) const { return {source.site, id}; }
  // DN of an entry here, for people; its id when it has none.
  std::string NameOf(const Entry& entry) const;
  void Plan(std::string_view action, std::string_view name, std::string_view reason = {}) const;

  storage::Transaction& transaction;
  const ApplyInput& input;
  const ApplySource source;
  ReaderState& state;
  ApplyCounts& counts;
  EntryStore entries;
  const Dn basepoint;
  Version version;  // of what is being applied
  // Whether the table has rows (of our number); never false when it has.
  bool any_alias = true;
  bool any_wanted = true;
  bool any_quarantine = true;
  // What this site takes of the source, as of Open(); all of a foreign one.
  AttributeList taken = {"*"};
  // Entries whose source gave them another target address, by class; the gate takes them.
  std::map<EntryClass, std::uint64_t> retargets;
  // Entries are taken from an ad-hoc file: they are owned by no stream (R15).
  bool adhoc = false;

 private:
  Result<EntryId> MakeContainer(const Dn& dn);

  std::optional<EntryId> import_container_;
};

}  // namespace dirsync
