// Distinguished names of the old directory: "/o=Testorg/ou=Site1/cn=Recipients/cn=Mailbox11".
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "proto/base/error.h"

namespace dirsync {

struct Rdn {
  std::string type;   // lower case: "o", "ou", "cn"
  std::string value;  // as written
  auto operator<=>(const Rdn&) const = default;
};

// A parsed DN; empty `parts` is the root. A '/' inside a value is written "\/", a backslash "\\".
struct Dn {
  std::vector<Rdn> parts;

  // "/o=Testorg/ou=Site1/cn=Recipients", escaped; "/" without parts.
  std::string ToString() const;
  // Comparison form: types lower case, values folded (FoldName).
  std::string Folded() const;
  Dn Parent() const;  // REQUIRES !parts.empty()
  Dn Child(Rdn rdn) const;
  bool IsWithin(const Dn& ancestor) const;  // folded; a DN is within itself
};

// Errors: kInvalid with the position: no leading '/', a part without "type=", an empty value, a
// value of more than limits::kNameBytes, invalid UTF-8, control characters (C1 too).
Result<Dn> ParseDn(std::string_view text);

// The original's name rule: a leading "/o=" = full DN; other leading '/' = basepoint + container +
// text; anything else = basepoint + container + "/cn=" text.
// Source: the original's import, original-dirsync 3.3.
Result<Dn> RebaseDn(const Dn& basepoint, std::string_view container, std::string_view text);

// "Recipients", "Recipients/cn=Sub", "/cn=Recipients/cn=Sub" or a full DN below `basepoint`.
Result<Dn> ContainerDn(const Dn& basepoint, std::string_view text);

// Errors: kInvalid: empty, too long, not UTF-8, control characters, leading or trailing blank.
Result<> CheckName(std::string_view what, std::string_view name);

}  // namespace dirsync
