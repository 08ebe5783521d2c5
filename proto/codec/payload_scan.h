// Finds the parts of a payload and counts what is in them before any message is built: a few bytes
// of empty messages would else become very much memory. Internal to the codec.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "proto/base/error.h"

namespace dirsync::codec {

// Views into the payload.
struct PayloadParts {
  std::string_view head;
  std::vector<std::string_view> changes;
  std::size_t values = 0;  // of all attributes of all changes
};

// Fields that are not known are skipped. Errors: kTooLarge beyond limits::kChangesPerBatch,
// kValuesPerBatch, or what ScanChange says; kBadRecord: no protobuf, no head, two heads, groups.
Result<PayloadParts> ScanPayload(std::string_view payload);

// Number of values in one encoded change. Errors: kTooLarge beyond limits::kChangeBytes,
// kAttributesPerEntry or kValuesPerAttribute; kBadRecord.
Result<std::size_t> ScanChange(std::string_view change);

}  // namespace dirsync::codec
