// The attributes that entries may carry: Exchange name, LDAP name, shape.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "proto/base/error.h"

namespace dirsync {

enum class ValueKind : std::uint8_t {
  kText,       // UTF-8 without control characters except tab and line breaks
  kBinary,     // any bytes
  kReference,  // a Reference (entry.h) in its text form
  kAddress,    // "TYPE:address"
  kBoolean,    // "0" or "1"
};

struct AttributeInfo {
  std::string_view name;       // canonical Exchange name, "Display-Name"
  std::string_view ldap_name;  // "displayName"; empty: none
  ValueKind kind;
  bool multi_valued;
  bool exported;  // false: never told whatever the attribute list (Home-Server, Imported-From …)
};

// All rows, by name. Besides them any name "X-…" (letters, digits, '-') is a multi-valued text.
std::span<const AttributeInfo> AttributeTable();

// By Exchange or LDAP name, any case, with or without ";binary". All "X-…" names share one row
// whose name is "X-": take their name from CanonicalAttribute. nullptr: unknown. Never allocates.
const AttributeInfo* FindAttribute(std::string_view name);

// The canonical name; of "X-…" names the one with a capital after each '-' ("X-Badge-No").
// Errors: kInvalid, with the nearest names in the hint.
Result<std::string> CanonicalAttribute(std::string_view name);

// Names used by the code itself.
namespace attribute {
inline constexpr std::string_view kCommonName = "Common-Name";  // not stored: the RDN
inline constexpr std::string_view kDisplayName = "Display-Name";
inline constexpr std::string_view kGivenName = "Given-Name";
inline constexpr std::string_view kSurname = "Surname";
inline constexpr std::string_view kAlias = "Mail-Nickname";  // %m; default the RDN
inline constexpr std::string_view kTargetAddress = "Target-Address";
inline constexpr std::string_view kProxyAddresses = "Proxy-Addresses";
inline constexpr std::string_view kMember = "Member";
inline constexpr std::string_view kHideFromAb = "Hide-From-AB";
inline constexpr std::string_view kHomeServer = "Home-Server";
inline constexpr std::string_view kImportedFrom = "Imported-From";
inline constexpr std::string_view kObjClass = "Obj-Class";  // not stored
}  // namespace attribute

}  // namespace dirsync
