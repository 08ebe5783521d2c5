// Change <-> its message, and the rules a change must keep. Internal to the codec.
#pragma once

#include <string>
#include <string_view>

#include "proto/base/error.h"
#include "proto/model/change.h"

namespace dirsync::wire {
class Change;
}

namespace dirsync::codec {

// Overwrites `message`; one message used for many changes saves nearly all allocations.
void FillChange(const Change& change, wire::Change& message);

// Errors: kBadRecord, the cause without the number of the change. `encoded` was scanned before.
Result<Change> ParseChange(std::string_view encoded, wire::Change& message);

// What both directions require of a known kind of change. Errors: kBadRecord.
Result<> CheckChange(const Change& change);

// Letters, digits and '-', 1 to limits::kAttributeNameBytes.
bool IsAttributeName(std::string_view name);

// UTF-8 without control characters, at most `bytes_max`.
bool IsLine(std::string_view text, std::size_t bytes_max);

}  // namespace dirsync::codec
