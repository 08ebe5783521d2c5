// The embedded directory as its users know it: local commands with their rules (ownership, needed
// attributes, generated addresses). Imported entries are refused here: only the stream that
// brought them changes them.
#pragma once

#include <expected>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/directory/attribute_check.h"
#include "agent/directory/entry_store.h"
#include "agent/directory/site_profile.h"
#include "proto/base/error.h"
#include "proto/base/id_source.h"

namespace dirsync {

// What a new local entry is made of. Unset parts get their defaults.
struct NewEntry {
  EntryClass entry_class = EntryClass::kMailbox;
  std::string container = "Recipients";  // ContainerDn() forms
  std::string name;
  std::optional<EntryId> id;  // load with EntryIds; else drawn
  Attributes attributes;  // canonical names; Proxy-Addresses given here stay primary of their type
};

// What changes of a local entry.
struct EntryEdit {
  std::vector<Attribute> set;         // replaces; no values = clears
  std::vector<Attribute> add_values;  // besides those held
  std::vector<Attribute> remove_values;
  std::optional<std::string> name;       // rename
  std::optional<std::string> container;  // move
};

// Not thread-safe; one per transaction.
class Directory {
 public:
  Directory(storage::Transaction& transaction, const SiteProfile& profile, IdSource& ids,
            Instant now);

  EntryStore& entries() { return entries_; }
  const SiteProfile& profile() const { return profile_; }

  // Live entry by DN ("/o=…" in full or "/cn=…" below the site), EntryId in hex, "TYPE:address", or
  // a name: the one in container Recipients, else the one that stands once in the directory.
  // Errors: kNotFound with suggestions, kInvalid when the name stands more than once (they are
  // named), kTooLarge (more than limits::kContainers containers to look in).
  Result<Entry> Resolve(std::string_view text) const;
  Result<std::string> DnOf(const Entry& entry) const;

  // Adds a local entry: checks attributes (CheckAttributes), constructs Display-Name (given name
  // and surname, else the name) and Surname (else the name), generates one address per template,
  // unique by retry. Errors: kExists, kInvalid, kNotFound (container), kNoTarget (custom recipient
  // without Target-Address), kTooLarge, kNotOurs (the container is imported). An address given for
  // a template's type takes the place of the generated one; custom recipients and containers get
  // none.
  Result<Entry> Add(NewEntry fresh);
  // Changes the entry of this id as it is stored now: sets, then removes, then adds values; a value
  // held already, or not held, is no error. A Display-Name or Surname that is cleared is
  // constructed anew; otherwise they do not follow other attributes. Without a difference nothing
  // is written. Errors: as Add; kNotOurs for imported entries too; kInvalid (container moved below
  // itself).
  Result<Entry> Edit(const Entry& entry, const EntryEdit& edit);
  // References to it stay: they name an identity, and it may return. Errors: kNotFound, kNotOurs,
  // kNotEmpty (container).
  Result<> Delete(const Entry& entry);

  // Entries below `container` (zero: the site), in name order; with `subtree` those of
  // sub-containers too (a container before its contents). `visit` returns false to stop; the entry
  // it is given lives until it returns. Errors: kNotFound: no such live container.
  Result<> List(const EntryId& container, bool subtree,
                const std::function<bool(const Entry&)>& visit) const;

 private:
  Result<EntryId> OurContainer(const std::string& text);
  Result<> Complete(Entry& entry) const;
  Result<> InsertWithAddresses(Entry& entry);
  Result<std::string> UniqueAddress(const AddressTemplate& form, const Entry& entry) const;
  Result<Entry> Ours(std::string_view operation, const Entry& entry) const;
  Result<Entry> Live(const EntryId& id) const;
  Result<std::optional<EntryId>> FindName(std::string_view name) const;
  Result<Entry> ResolveDn(std::string_view text) const;
  std::unexpected<Error> Ambiguous(std::string_view name, const std::vector<EntryId>& ids) const;
  Error Unknown(std::string_view text) const;
  Result<bool> ListBelow(const EntryId& container, bool subtree, std::size_t levels_left,
                         const std::function<bool(const Entry&)>& visit) const;

  storage::Transaction& transaction_;
  const SiteProfile& profile_;
  IdSource& ids_;
  Instant now_;
  EntryStore entries_;
  Dn basepoint_;
  // The container of the last Add: a load names the same one a million times.
  std::string container_text_;
  std::optional<EntryId> container_id_;
};

}  // namespace dirsync
