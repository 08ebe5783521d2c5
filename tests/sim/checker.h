// What must hold whatever happened (I1 to I9; I6 by bounds.h), looked at from outside: the checkers
// share no code with what they check beyond the decoding of rows.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "agent/core/mirror.h"
#include "agent/core/told.h"
#include "tests/sim/deployment.h"

namespace dirsync::sim {

class Checker {
 public:
  explicit Checker(Deployment& deployment) : deployment_(deployment) {}

  // After each step of the workload. `actor` is the site that did it; `imported` whether it was an
  // import (only those may touch what came from elsewhere).
  void AfterStep(std::size_t actor, bool imported);
  // Before an import: what must be the same after it.
  void BeforeImport(std::size_t actor);
  // A copy of the site's store told something before it was stopped.
  void AfterClone(std::size_t site, const storage::ReadView& rows) { RecordTold(site, rows); }
  // After faults stopped and everything was carried: all converged (I4).
  void AtEnd();

  const std::vector<std::string>& problems() const { return problems_; }

 private:
  using EntryMap = std::map<EntryId, Entry>;
  static EntryMap EntriesOf(Site& site);
  void Problem(std::size_t site, const std::string& text);
  void CheckCursors(std::size_t site);
  void CheckAcks(std::size_t site);
  void CheckRows(std::size_t site);
  void RecordTold(std::size_t site, const storage::ReadView& rows);
  void CheckShownWasTold(std::size_t site);
  void CheckLocalUntouched(std::size_t site);
  void CheckDeletes(std::size_t site);
  void CheckPair(std::size_t from, std::size_t to);

  Deployment& deployment_;
  std::vector<std::string> problems_;
  // I1: last cursor per reader and source.
  std::map<std::string, Position> cursors_;
  std::map<std::string, std::set<Position>> lost_;  // cursors that stores put back had before
  // I9: every state an epoch ever told of an entry.
  std::map<std::pair<std::string, EntryId>, std::set<std::string>> told_;
  // I5: entries of a site that were, at some time, not in its told table after having been.
  std::set<std::pair<std::string, EntryId>> untold_;
  std::map<std::string, std::set<EntryId>> told_now_;
  EntryMap before_import_;
};

}  // namespace dirsync::sim
