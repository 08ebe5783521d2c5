// What values attributes may have, by the attribute table.
#pragma once

#include <string>
#include <string_view>

#include "proto/base/error.h"
#include "proto/model/attribute_table.h"
#include "proto/model/entry.h"

namespace dirsync {

// The row of a canonical name that entries may carry. Errors: kInvalid: unknown, not canonical, or
// a pseudo attribute (Common-Name, Obj-Class …), which entries have but do not carry.
Result<const AttributeInfo*> CheckAttributeName(std::string_view name);

// Shape of values by the attribute table: kinds, counts, sizes, UTF-8, no forbidden controls, none
// empty; single-valued ones have one value; pseudo and unknown names are refused. Errors: kInvalid,
// kTooLarge, naming attribute and value.
Result<> CheckAttributes(const Attributes& attributes);

// Form under which two values of an attribute of `kind` are the same value.
std::string ComparisonForm(ValueKind kind, std::string_view value);

// Leaves out values that stand twice (the first one stays) and writes address types in upper case.
// Values that CheckAttributes refuses stay as they are.
void TidyAttributes(Attributes& attributes);

}  // namespace dirsync
