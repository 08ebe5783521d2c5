// Which entries a stream tells, and as what.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/core/instance.h"
#include "agent/directory/entry_store.h"
#include "agent/directory/site_profile.h"
#include "proto/model/batch.h"
#include "proto/model/change.h"
#include "proto/model/filter.h"
#include "storage/key.h"

namespace dirsync {

// An entry is told if it lives here, is not imported (R22) and stands in a container of the scope,
// as its class, filter, server and Hide-From-AB (R28) allow, with an address of the link's type.
// With `subs`, containers below the scope's roots are told too, whatever the filter; what stands
// below an imported container is not.
//
// Made per run; caches container paths, so it lives no longer than its view is unchanged; `entries`
// must outlive it. Copies share the cache. Not thread-safe.
class Scope {
 public:
  // Errors: kNotFound (a container), kInvalid (filter, attribute, no address type), all settings
  // checked at once: the message names every fault, the code is the first one's.
  static Result<Scope> Make(const EntryStore& entries, const SiteProfile& profile,
                            const InstanceSettings& settings);

  // The entry as this stream tells it: a whole change (kAdd); nullopt: not in scope (imported,
  // deleted, other class or container, filtered, hidden, other server, no address of the type).
  Result<std::optional<Change>> Tell(const Entry& entry) const;
  // The same into `change`, reusing its memory; false: not in scope.
  Result<bool> TellInto(const Entry& entry, Change& change) const;
  // Containers by depth below the scope's roots (1..), recipients kRecipientRank. Errors: kInvalid
  // for a container that is not told.
  Result<storage::Rank> RankOf(const Entry& entry) const;
  // Full DN of something called `name` in `container`, deleted containers included.
  Result<std::string> DnBelow(const EntryId& container, std::string_view name) const;
  // Entries left out for want of an address of the type, so far.
  std::uint64_t without_address() const;

  const StreamTerms& terms() const;  // address type and attribute list; hash key zero
  // ScopeDigest() and the containers that its names stand for now: ProducerState::scope.
  const Digest& digest() const;
  const std::vector<EntryId>& roots() const;  // ascending; zero: the site itself
  bool subs() const;

 private:
  struct State;
  explicit Scope(std::shared_ptr<State> state) : state_(std::move(state)) {}
  std::shared_ptr<State> state_;
};

}  // namespace dirsync
