// Collects what one call of Capture tells, in the order in which a reader can apply it.
#pragma once

#include <cstddef>
#include <set>
#include <vector>

#include "agent/core/capture.h"

namespace dirsync {

// Not thread-safe. Memory: bytes(), and about 64 B per id.
class RunBuilder {
 public:
  // REQUIRES !Holds(change.id). `retarget`: the target address of a told entry changes.
  void Add(Change change, ToldEffect effect, bool retarget);
  // Whether the run tells something of this entry: its told row is not what storage shows.
  bool Holds(const EntryId& id) const { return ids_.contains(id); }
  // Of memory, about.
  std::size_t bytes() const { return bytes_; }
  // Changes, effects and totals, ordered; the builder is empty afterwards.
  CapturedRun Take(const RunId& id);

 private:
  struct Item {
    Change change;
    ToldEffect effect;
    unsigned section = 0;  // containers, deletes, recipients, container deletes; then by depth
  };
  static unsigned SectionOf(const Change& change, const ToldEffect& effect);
  void Count(const Change& change, bool retarget);

  std::vector<Item> items_;
  std::set<EntryId> ids_;
  RunTotals totals_;
  std::size_t bytes_ = 0;
};

}  // namespace dirsync
