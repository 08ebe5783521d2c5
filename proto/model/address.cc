#include "proto/model/address.h"

#include <algorithm>

#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/base/utf8.h"

namespace dirsync {
namespace {

constexpr std::size_t kTypeBytes = 16;

bool IsTypeCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

// Cause why the parts make no address; empty if they do.
std::string_view Fault(std::string_view type, std::string_view value) {
  if (type.empty()) return "empty type";
  if (value.empty()) return "empty address";
  if (type.size() > kTypeBytes) return "type longer than 16 characters";
  if (!std::all_of(type.begin(), type.end(), IsTypeCharacter))
    return "type is not of letters and digits";
  if (type.size() + 1 + value.size() > limits::kNameBytes) return "longer than 256 bytes";
  if (!IsUtf8(value)) return "not UTF-8";
  if (HasControl(value)) return "control characters";
  if (TrimBlanks(value).size() != value.size()) return "leading or trailing blank";
  return {};
}

}  // namespace

std::string Address::Folded() const { return ToUpperAscii(type) + ":" + FoldName(value); }

std::string_view Address::domain() const {
  const std::size_t at = value.rfind('@');
  return at == std::string::npos ? std::string_view() : std::string_view(value).substr(at + 1);
}

Result<Address> ParseAddress(std::string_view text) {
  const std::size_t colon = text.find(':');
  const bool typed = colon != std::string_view::npos;
  const std::string_view type = text.substr(0, typed ? colon : 0);
  const std::string_view value = typed ? text.substr(colon + 1) : text;
  const std::string_view fault = typed ? Fault(type, value) : "no ':'";
  if (fault.empty()) return Address{ToUpperAscii(type), std::string(value)};
  return Fail(ErrorCode::kInvalid,
              "parse address \"" + Printable(text) + "\": " + std::string(fault),
              "write it as TYPE:address, e.g. SMTP:m11@site1.example");
}

std::string PrimaryAddress(std::span<const std::string> values, std::string_view type) {
  for (const std::string& value : values) {
    const bool typed = value.size() > type.size() && value[type.size()] == ':';
    if (typed && EqualsIgnoreCase(std::string_view(value).substr(0, type.size()), type))
      return value;
  }
  return {};
}

}  // namespace dirsync
