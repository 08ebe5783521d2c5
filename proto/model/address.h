// Mail addresses: "TYPE:address", e.g. "EDK:Mailbox11@Site1.Testorg.com".
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "proto/base/error.h"

namespace dirsync {

struct Address {
  std::string type;   // upper case, letters and digits
  std::string value;  // as written
  std::string ToString() const { return type + ":" + value; }
  // Comparison form: type, and the value in lower case.
  std::string Folded() const;
  // Behind the last '@'; empty if none.
  std::string_view domain() const;
};

// Errors: kInvalid: no ':', empty parts, type longer than 16, control characters (C1 too),
// not UTF-8, more than limits::kNameBytes.
Result<Address> ParseAddress(std::string_view text);

// In a Proxy-Addresses list the first address of a type is its primary one.
// The primary of `type` (any case) among `values`; empty if none.
std::string PrimaryAddress(std::span<const std::string> values, std::string_view type);

}  // namespace dirsync
