// What this site takes from a sending one, by its own decision: kept in this store alone, told to
// nobody and by nobody.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/error.h"
#include "proto/base/limits.h"
#include "storage/storage.h"
#include "storage/transaction.h"

namespace dirsync {

inline constexpr std::uint64_t kUnlimited = UINT64_MAX;
inline constexpr std::string_view kEverySite = "*";

// Canonical names, ascending; {"*"}: all.
using AttributeList = std::vector<std::string>;

// Whether the attribute comes whatever a list says: addresses, by which mail and joins go, and what
// keeps an entry out of the address book (R28). So do class, name and target address.
bool IsAlwaysTaken(std::string_view attribute);
bool IsTaken(const AttributeList& list, std::string_view attribute);
inline bool TakesAll(const AttributeList& list) { return list.size() == 1 && list.front() == "*"; }

// A row, as a person set it. What is absent is that of the row "*"; absent there, the default.
struct SitePolicy {
  std::string site;                                   // as it was typed; compared folded
  std::optional<std::uint64_t> max_objects;           // or kUnlimited
  std::optional<std::uint64_t> max_changes_per_hour;  // or kUnlimited
  std::optional<AttributeList> attributes;            // taken from it
  bool empty() const { return !max_objects && !max_changes_per_hour && !attributes; }
  auto operator<=>(const SitePolicy&) const = default;
};

// What goes for one site now.
struct SiteLimits {
  std::uint64_t max_objects = limits::kSiteObjects;
  std::uint64_t max_changes_per_hour = limits::kSiteChangesPerHour;
  AttributeList attributes = {"*"};
  auto operator<=>(const SiteLimits&) const = default;
};

std::string EncodePolicy(const SitePolicy& policy);
// Errors: kCorrupt.
Result<SitePolicy> DecodePolicy(std::string_view row);

// The site's own row; nullopt: it has none.
Result<std::optional<SitePolicy>> LoadPolicy(const storage::ReadView& view, std::string_view site);
// All rows, "*" first where it is, then by folded site.
Result<std::vector<SitePolicy>> ListPolicies(const storage::ReadView& view);
// One that is empty() leaves no row.
void StorePolicy(storage::Transaction& transaction, const SitePolicy& policy);

// Of the site's row, of "*", of the defaults, in this order.
Result<SiteLimits> LimitsOf(const storage::ReadView& view, std::string_view site);

}  // namespace dirsync
