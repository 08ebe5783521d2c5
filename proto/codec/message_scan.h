// Counts what is repeated in the header of a message before it is built: two bytes of an empty part
// would else become a hundred. Internal to the codec.
#pragma once

#include <string_view>

#include "proto/base/error.h"

namespace dirsync::codec {

// Unknown fields and bodies are passed over. Errors: kTooLarge: more parts than any sender writes;
// kBadRecord: no protobuf, two bodies, groups.
Result<> ScanHeader(std::string_view header);

}  // namespace dirsync::codec
