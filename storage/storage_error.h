// Errors that are the store's own.
#pragma once

#include "proto/base/error.h"

namespace dirsync {

// Whether what is on disk is in doubt; anything else is somebody's message or file, and work goes
// on.
inline bool IsStorageError(ErrorCode code) {
  return code == ErrorCode::kIo || code == ErrorCode::kDiskFull || code == ErrorCode::kCorrupt;
}

}  // namespace dirsync
