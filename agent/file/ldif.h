// LDIF content records (RFC 2849) in and out. `changetype`, `control:` and `:<` are refused: they
// would change or read what the file's reader did not name.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/file/byte_stream.h"

namespace dirsync {

struct LdifRecord {
  // As written (RFC 4514 text), base64 undone; not checked: one wrong name costs its record only.
  std::string dn;
  std::vector<std::pair<std::string, std::string>> values;  // attribute as written, value bytes
  std::uint64_t line = 0;                                   // of the dn: line, from 1
  std::uint64_t offset = 0;  // byte offset just behind the record: where a resumed load goes on
};

// Sees each record from `offset` on (0, or one a record gave). Errors: kInvalid with the line,
// kTooLarge, kIo, the visitor's.
Result<> ReadLdif(ByteSource& source, std::uint64_t offset,
                  const std::function<Result<>(LdifRecord&)>& visit);

// Appends "name: value", base64 where RFC 2849 asks for it, folded at 76 columns.
void AppendLdifLine(std::string& out, std::string_view name, std::string_view value);

// RFC 4514 text -> parts, outermost last as written; unescaped. Errors: kInvalid.
struct LdapRdn {
  std::string type;
  std::string value;
};
Result<std::vector<LdapRdn>> ParseLdapDn(std::string_view text);
std::string FormatLdapDn(const std::vector<LdapRdn>& parts);

}  // namespace dirsync
