// Numbers that stand for attribute names in stored entries. Frozen: a number never changes its
// name and is never used again (storage/FORMAT.md, Values).
#pragma once

#include <cstdint>
#include <string_view>

namespace dirsync {

// 1.. for a canonical name that has a number, else 0. Thread-safe.
std::uint8_t AttributeNumber(std::string_view name);
// Empty: no such number.
std::string_view AttributeOfNumber(std::uint64_t number);

}  // namespace dirsync
