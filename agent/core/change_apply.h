// Changes of a batch, one by one, against the mirror.
#pragma once

#include "agent/core/apply_context.h"
#include "agent/core/container_ranks.h"
#include "agent/core/delete.h"
#include "agent/core/mirror_slot.h"

namespace dirsync {

// Not thread-safe; one per apply.
class ChangeApply {
 public:
  ChangeApply(ApplyContext& context, DeleteMeter& meter) : context_(context), meter_(meter) {}

  // A change of a version (the context's) not above its row's has no effect. Errors: storage.
  Result<> Apply(const Change& change);

 private:
  Result<> Locate(const Change& change);
  Result<> MoveContainer(const Change& change);
  Result<> Upsert(const Change& change);

  ApplyContext& context_;
  DeleteMeter& meter_;
  ContainerRanks ranks_;  // read when the first container comes
  MirrorSlot slot_;
};

}  // namespace dirsync
