#include "proto/model/dn.h"

#include <algorithm>
#include <span>

#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/base/utf8.h"

namespace dirsync {
namespace {

// Organisation, site and the entry's own name besides its containers.
constexpr std::size_t kPartsMax = limits::kContainerDepth + 4;

bool IsTypeCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

void AppendEscaped(std::string_view value, std::string& out) {
  for (char c : value) {
    if (c == '/' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
}

std::unexpected<Error> Bad(std::string_view text, std::size_t position, std::string_view cause) {
  return Fail(ErrorCode::kInvalid,
              "parse dn \"" + Printable(text) + "\": byte " + std::to_string(position + 1) + ": " +
                  std::string(cause),
              "write it as /o=Organisation/ou=Site/cn=Recipients/cn=Name; a '/' in a name is \\/");
}

// Reads "value" up to the next unescaped '/', moving `at` there. A backslash before anything but
// '/' and '\' stands for itself: foreign files write such names.
std::string TakeValue(std::string_view text, std::size_t& at) {
  std::string value;
  for (; at < text.size() && text[at] != '/'; ++at) {
    const bool escape =
        text[at] == '\\' && at + 1 < text.size() && (text[at + 1] == '/' || text[at + 1] == '\\');
    if (escape) ++at;
    value.push_back(text[at]);
  }
  return value;
}

// Cause why `value` cannot be the value of an RDN; empty if it can.
std::string_view Fault(std::string_view value) {
  if (value.empty()) return "empty";
  if (value.size() > limits::kNameBytes) return "longer than 256 bytes";
  if (!IsUtf8(value)) return "not UTF-8";
  if (HasControl(value)) return "control characters";
  return {};
}

bool SamePart(const Rdn& a, const Rdn& b) {
  if (!EqualsIgnoreCase(a.type, b.type)) return false;
  return a.value == b.value || FoldName(a.value) == FoldName(b.value);
}

bool IsFullDn(std::string_view text) { return EqualsIgnoreCase(text.substr(0, 3), "/o="); }

Result<Dn> Below(const Dn& base, std::string_view text) {
  DIRSYNC_TRY(tail, ParseDn(text));
  Dn dn = base;
  if (dn.parts.size() + tail.parts.size() > kPartsMax) return Bad(text, 0, "nested too deep");
  dn.parts.insert(dn.parts.end(), std::make_move_iterator(tail.parts.begin()),
                  std::make_move_iterator(tail.parts.end()));
  return dn;
}

std::string AsPart(std::string_view text) {
  return text.starts_with('/') ? std::string(text) : "/cn=" + std::string(text);
}

}  // namespace

std::string Dn::ToString() const {
  if (parts.empty()) return "/";
  std::string out;
  for (const Rdn& part : parts) {
    out += "/" + part.type + "=";
    AppendEscaped(part.value, out);
  }
  return out;
}

std::string Dn::Folded() const {
  if (parts.empty()) return "/";
  std::string out;
  for (const Rdn& part : parts) {
    out += "/" + ToLowerAscii(part.type) + "=";
    AppendEscaped(FoldName(part.value), out);
  }
  return out;
}

Dn Dn::Parent() const {
  Dn parent;
  parent.parts.assign(parts.begin(), parts.end() - 1);
  return parent;
}

Dn Dn::Child(Rdn rdn) const {
  Dn child = *this;
  child.parts.push_back(std::move(rdn));
  return child;
}

bool Dn::IsWithin(const Dn& ancestor) const {
  if (ancestor.parts.size() > parts.size()) return false;
  return std::equal(ancestor.parts.begin(), ancestor.parts.end(), parts.begin(), SamePart);
}

Result<Dn> ParseDn(std::string_view text) {
  if (!text.starts_with('/')) return Bad(text, 0, "no leading '/'");
  Dn dn;
  if (text == "/") return dn;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::size_t begin = ++at;  // behind the '/'
    while (at < text.size() && IsTypeCharacter(text[at])) ++at;
    if (at == begin || at == text.size() || text[at] != '=')
      return Bad(text, begin, "a part without \"type=\"");
    std::string type = ToLowerAscii(text.substr(begin, at - begin));
    const std::size_t value_begin = ++at;
    std::string value = TakeValue(text, at);
    if (const std::string_view fault = Fault(value); !fault.empty())
      return Bad(text, value_begin, "value of \"" + type + "\": " + std::string(fault));
    if (dn.parts.size() == kPartsMax) return Bad(text, begin, "nested too deep");
    dn.parts.push_back({std::move(type), std::move(value)});
  }
  return dn;
}

Result<Dn> ContainerDn(const Dn& basepoint, std::string_view text) {
  if (text.empty()) return basepoint;
  if (!IsFullDn(text)) return Below(basepoint, AsPart(text));
  DIRSYNC_TRY(dn, ParseDn(text));
  if (!dn.IsWithin(basepoint)) {
    return Fail(ErrorCode::kInvalid, "container \"" + Printable(text) + "\": not below " +
                                         Printable(basepoint.ToString()));
  }
  return dn;
}

Result<Dn> RebaseDn(const Dn& basepoint, std::string_view container, std::string_view text) {
  if (IsFullDn(text)) return ParseDn(text);
  DIRSYNC_TRY(base, ContainerDn(basepoint, container));
  return Below(base, AsPart(text));
}

Result<> CheckName(std::string_view what, std::string_view name) {
  std::string_view fault = Fault(name);
  if (fault.empty() && TrimBlanks(name).size() != name.size()) fault = "leading or trailing blank";
  if (fault.empty()) return {};
  return Fail(ErrorCode::kInvalid,
              "check " + std::string(what) + " \"" + Printable(name) + "\": " + std::string(fault));
}

}  // namespace dirsync
