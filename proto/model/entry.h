// Entries of a directory as values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/base/error.h"
#include "proto/base/ids.h"
#include "proto/base/time.h"

namespace dirsync {

enum class EntryClass : std::uint8_t {
  kContainer = 1,
  kMailbox = 2,
  kCustomRecipient = 3,
  kDistributionList = 4,
};

// "container", "mailbox", "custom-recipient", "distribution-list".
std::string_view ClassName(EntryClass entry_class);
// Those, and the old spellings Mailbox, Remote, Remote-Address, DL, Distribution-List; any case.
std::optional<EntryClass> ParseClass(std::string_view text);

struct Attribute {
  std::string name;                 // canonical (attribute_table.h)
  std::vector<std::string> values;  // never empty in an entry; order is the owner's, [0] is first
  auto operator<=>(const Attribute&) const = default;
};

// Attributes by name, ascending, no name twice.
class Attributes {
 public:
  Attributes() = default;
  // REQUIRES `ascending` by name, no name twice.
  explicit Attributes(std::vector<Attribute> ascending) : list_(std::move(ascending)) {}
  // Hands the list out, to be given back by the constructor: decoders reuse its memory.
  std::vector<Attribute> Release() { return std::exchange(list_, {}); }
  const Attribute* Find(std::string_view name) const;
  std::string_view First(std::string_view name) const;  // first value; empty if none
  // Replaces; no values = erases.
  void Set(std::string_view name, std::vector<std::string> values);
  void Erase(std::string_view name);
  bool empty() const { return list_.empty(); }
  std::size_t size() const { return list_.size(); }
  auto begin() const { return list_.begin(); }
  auto end() const { return list_.end(); }
  // For decoders that meet names in ascending order. REQUIRES name > every name held.
  void Append(Attribute attribute) { list_.push_back(std::move(attribute)); }
  auto operator<=>(const Attributes&) const = default;

 private:
  std::vector<Attribute> list_;
};

// Identity of an entry across sites: (origin site, EntryId there). Text: "Site1/HEX32".
struct Reference {
  std::string site;
  EntryId id;
  auto operator<=>(const Reference&) const = default;
  std::string ToString() const;
  static std::optional<Reference> Parse(std::string_view text);
};

// An entry as its directory holds it, live or tombstone.
struct Entry {
  EntryId id;
  EntryClass entry_class = EntryClass::kMailbox;
  EntryId parent;    // zero: directly below the site
  std::string name;  // value of the last RDN, "Mailbox11"
  Usn usn_created = 0;
  Usn usn_changed = 0;
  Instant created{};
  Instant changed{};
  // Set on imported entries: whose it is. Such entries are never told on.
  std::optional<Reference> origin;
  // Tombstones keep all fields as before-image until the grace time is over.
  std::optional<Instant> deleted;
  Attributes attributes;

  bool is_imported() const { return origin.has_value(); }
  bool is_deleted() const { return deleted.has_value(); }
};

}  // namespace dirsync
