// One change as the lines of a sync file's record.
#pragma once

#include <string>

#include "proto/base/error.h"
#include "proto/model/change.h"

namespace dirsync {

// Appends the record and its blank line, ends of lines LF. On an error `out` ends in half a
// record: the caller cuts it off. Errors: kInvalid: what no record can say (unknown kind, a
// reserved attribute name or one out of order, kAdd or kRemove without values); kTooLarge.
Result<> AppendRecord(std::string& out, const Change& change);

}  // namespace dirsync
