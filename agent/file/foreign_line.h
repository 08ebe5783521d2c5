// One line of a foreign file in its parts.
#pragma once

#include <string>
#include <string_view>

#include "proto/base/error.h"
#include "proto/model/attribute_table.h"
#include "proto/model/change.h"

namespace dirsync {

enum class ForeignLineKind { kNothing, kHeader, kAttribute, kOther };

// What the line is by its first characters. Blank and comment lines are kNothing.
ForeignLineKind ForeignLineKindOf(std::string_view line);

struct ForeignHeader {
  ChangeKind kind = ChangeKind::kAdd;
  std::string_view dn;  // of the line
  std::string rdn;      // value of its last part
};
// REQUIRES a line of kHeader. Errors: kBadRecord with the reason alone.
Result<ForeignHeader> ParseForeignHeader(std::string_view line);

struct ForeignAttribute {
  std::string_view name;  // as written
  AttributeOperation operation = AttributeOperation::kSet;
  std::string_view text;  // every byte behind the ':'
};
// REQUIRES a line of kAttribute. Errors: kBadRecord.
Result<ForeignAttribute> ParseForeignAttribute(std::string_view line);

// The value that `text` stands for, checked for an attribute of this kind. Errors: kBadRecord.
Result<std::string> ForeignValue(std::string_view text, const AttributeInfo& info);
// Quotes and `\x` undone. Errors: kBadRecord.
Result<std::string> ForeignText(std::string_view text);

}  // namespace dirsync
