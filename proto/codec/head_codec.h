// What a batch says of itself besides its changes <-> its message. Internal to the codec.
#pragma once

#include <string>
#include <string_view>

#include "proto/base/error.h"
#include "proto/model/batch.h"

namespace dirsync::codec {

std::string EncodeHead(const Batch& batch);

// Sets the fields of `batch` that the head carries. Errors: kBadRecord.
Result<> ParseHead(std::string_view encoded, Batch& batch);

// What both directions require. Errors: kBadRecord.
Result<> CheckHead(const Batch& batch);

}  // namespace dirsync::codec
