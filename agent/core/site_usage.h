// What a sending site has here, and what it has changed: the figures that its limits are held to.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/error.h"
#include "proto/base/time.h"
#include "storage/key.h"
#include "storage/storage.h"
#include "storage/transaction.h"

namespace dirsync {

// Changes by the hours of the clock. Those of the hour before fade evenly while this one passes: a
// window of one hour that moves, for two numbers.
struct SiteUsage {
  std::uint64_t hour = 0;      // since 1970
  std::uint64_t current = 0;   // changes in it
  std::uint64_t previous = 0;  // and in the one before
  auto operator<=>(const SiteUsage&) const = default;
};

// As of `now`; zeros for a site without a row. A clock that went back frees nothing at once, and
// keeps nothing for longer than two hours. Errors: kCorrupt, storage errors.
Result<SiteUsage> LoadUsage(const storage::ReadView& view, std::string_view site, Instant now);
// Adds changes, in the caller's commit.
Result<> CountChanges(storage::Transaction& transaction, std::string_view site,
                      std::uint64_t changes, Instant now);

// Changes of the last hour, about: rounded up. `usage` is as of `now`, here and below.
std::uint64_t ChangesOfHour(const SiteUsage& usage, Instant now);
// When `changes` more fit below `most`, if nothing else comes: `now` or later. nullopt: never, they
// are more than that by themselves.
std::optional<Instant> FitsAt(const SiteUsage& usage, std::uint64_t changes, std::uint64_t most,
                              Instant now);

// Of each site whose streams are read here, its name as its streams write it, by folded name.
struct SiteObjects {
  std::string site;
  std::uint64_t objects = 0;
};
Result<std::map<std::string, SiteObjects>> ObjectsBySite(const storage::ReadView& view);
// Mirror rows of all streams of the site but the one with number `but` (0: of all), ad-hoc files
// included.
Result<std::uint64_t> ObjectsOf(const storage::ReadView& view, std::string_view site,
                                storage::StreamNumber but);

}  // namespace dirsync
