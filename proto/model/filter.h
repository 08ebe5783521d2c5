// LDAP search filters (RFC 4515) over entries: & | ! = >= <= ~= =* and substrings.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "proto/base/error.h"
#include "proto/model/entry.h"

namespace dirsync {

// Immutable; copies share. Attribute names under Exchange or LDAP names; Obj-Class and Common-Name
// are matched too. Comparison is case-insensitive (FoldName) on text, byte-wise on binary values.
class Filter {
 public:
  Filter() = default;  // matches everything
  // Blank text is the filter that matches everything. Blanks between components are accepted.
  // Errors: kInvalid with the position; unknown attributes with suggestions; unknown classes;
  // nesting over limits::kFilterDepth. kTooLarge over limits::kFilterBytes.
  static Result<Filter> Parse(std::string_view text);
  bool Matches(const Entry& entry) const;
  bool empty() const { return !root_; }

 private:
  struct Node;
  std::shared_ptr<const Node> root_;
};

}  // namespace dirsync
