// Holds a site to its limits here, commit by commit. A limit is a circuit breaker: what would pass
// it is not applied at all, and comes again.
#pragma once

#include <cstdint>
#include <string>

#include "agent/core/apply.h"
#include "agent/core/reader_state.h"

namespace dirsync {

enum class RateRule : std::uint8_t {
  kCounted,      // changes count, and too many of them are refused
  kOnlyCounted,  // none is refused: deletes of what is here are bounded by that
  kFree,         // a person here asked for them
};

// Whether `more` changes of the stream that `state` reads pass each limit of its site, whatever
// they turn out to be. For whoever would share a commit among several applies: what may not pass
// has one of its own. Errors: storage errors.
Result<bool> SurelyPasses(const storage::ReadView& view, const ReaderState& state,
                          std::uint64_t more, Instant now);

// Of one apply. Not thread-safe.
class PolicyMeter {
 public:
  // As things stand before the next commit; `counts`: of the same apply, so far.
  PolicyMeter(const ReaderState& state, const ApplyCounts& counts)
      : rows_(RowsOf(state)), changes_(counts.changes()) {}

  // Judges what `transaction` holds, between the last call and its commit: `state` and `counts`
  // are as they will be. Counts the changes in the same commit. What only shrinks or changes passes
  // the limit of objects, whatever is here. Returns a sentence for people when the site has just
  // come near that limit (limits::kSiteWarnPercent), else an empty one.
  // Errors: kOverLimit: the commit must be dropped; `again` says when a rate lets it pass, the hint
  // which command does; storage errors.
  Result<std::string> Judge(storage::Transaction& transaction, const ReaderState& state,
                            const ApplyCounts& counts, Instant now, RateRule rate);

 private:
  std::uint64_t rows_;
  std::uint64_t changes_;
};

}  // namespace dirsync
