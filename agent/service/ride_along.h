// What rides in every sync file beside its changes: the cursors its writer holds for others'
// streams, and the entries it asks for whole (R12, R3).
#pragma once

#include <string>
#include <vector>

#include "agent/file/sync_file.h"
#include "agent/service/store.h"

namespace dirsync {

struct RideAlong {
  std::vector<FileAck> acks;
  std::vector<FileWant> wants;
  // Changes when anything above does: tells whether a file is worth writing for it alone.
  Digest digest() const;
};

// Of all import instances here that are bound to a stream.
Result<RideAlong> GatherRideAlong(const storage::ReadView& view);

// Takes those that concern this site's export streams from a proved file of `header.stream.site`.
// Returns what people should know ("SITE has read INSTANCE1 up to 12"; a rollback found out; an
// epoch more than limits::kEpochsAhead above, which is not taken). A file begins at most one epoch
// of a stream.
Result<std::vector<std::string>> TakeRideAlong(Store& store, storage::Transaction& transaction,
                                               const FileHeader& header);

}  // namespace dirsync
