// Generated addresses: "EDK:%m@Site1.Testorg.com". Source: the original's proxy generation
// (%m alias, %g given name, %s surname, %d display name, %% percent, %rXY replace X by Y behind it;
// a digit before the letter takes so many characters).
#pragma once

#include <string>
#include <string_view>

#include "proto/base/error.h"
#include "proto/model/entry.h"

namespace dirsync {

class AddressTemplate {
 public:
  // "TYPE:FORMAT@domain"; an empty FORMAT is %m. Errors: kInvalid: unknown % letter, illegal
  // literal, no domain.
  static Result<AddressTemplate> Parse(std::string_view text);

  // The address of `attempt`: 0 by the format, 1 by the alias, n>1 the alias and n. Blanks and
  // characters illegal in an address are left out, Latin-1 accents folded to ASCII. Empty when
  // nothing is left of the format (the caller tries the next attempt); in place of an alias of
  // which nothing is left stand digits of the id. Full text "TYPE:local@domain"; the local part
  // has at most 64 characters.
  std::string Generate(const Entry& entry, unsigned attempt) const;

  const std::string& type() const { return type_; }      // "EDK"
  const std::string& domain() const { return domain_; }  // "Site1.Testorg.com"
  const std::string& text() const { return text_; }      // as parsed

 private:
  std::string text_, type_, format_, domain_;
};

}  // namespace dirsync
