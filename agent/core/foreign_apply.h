// Records of a foreign system -> entries here (R23): upserts by (instance, DN), never signed,
// never sequenced.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/core/apply.h"
#include "proto/base/id_source.h"

namespace dirsync {

// A foreign record in neutral form (agent/file/foreign_file.h gives the same fields).
struct ForeignChange {
  ChangeKind kind = ChangeKind::kAdd;  // kAdd, kModify, kDelete
  std::string dn;                      // as written
  std::vector<AttributeChange> attributes;
  std::string entry_class;  // of an Obj-Class line; empty = settings.import_class
};

// One pass over a foreign file. Not thread-safe. The caller commits between records as it likes
// (Begin with a fresh transaction), as with FullApply.
class ForeignApply {
 public:
  ForeignApply(const ApplyInput& input, IdSource& ids, ReaderState& state);
  ~ForeignApply();
  void Begin(storage::Transaction& transaction);
  // Errors that concern the record alone (kInvalid, kNoTarget, kAddressTaken, kExists, kNotFound):
  // nothing of it was written; the caller reports it and goes on. Others end the import.
  Result<> Take(const ForeignChange& change);
  // A record that the file has, but that cannot be read: what is known of it, so that absence does
  // not delete its entry. Without a dn that names one, nothing is absent in this pass.
  Result<> Meet(ChangeKind kind, const std::string& dn);
  // Anything may be in the file: End deletes nothing.
  void DoubtAbsence();
  // Whether that holds for this pass: said, or found of a record.
  bool absence_in_doubt() const;
  // Totals of the file's deletes, known from a first pass, for the gate; call before Take.
  Result<> Judge(std::uint64_t adds, std::uint64_t modifies, std::uint64_t deletes);
  // With settings.complete, unless absence is in doubt: rows not met in this pass are deleted
  // through the gate. Then the file count moves. False: commit and call again.
  Result<bool> End();
  const ApplyCounts& counts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace dirsync
