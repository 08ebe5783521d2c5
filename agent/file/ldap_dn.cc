// Distinguished names in the text form of RFC 4514.
#include <algorithm>

#include "agent/file/ldif.h"
#include "agent/file/value_text.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::string_view kEscapable = "\"+,;<>\\ #=";
constexpr std::string_view kSpecial = "\"+,;<>\\";
constexpr std::size_t kParts = 1024;

std::unexpected<Error> Refuse(std::string_view text, std::size_t at, std::string_view reason) {
  return Fail(ErrorCode::kInvalid, "parse dn " + Printable(text) + ": at byte " +
                                       std::to_string(at + 1) + ": " + std::string(reason));
}

// Reads a DN from its front to its end.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<std::vector<LdapRdn>> Parse() {
    std::vector<LdapRdn> parts;
    if (TrimBlanks(text_).empty()) return parts;
    for (;;) {
      LdapRdn rdn;
      DIRSYNC_CHECK(Type(rdn.type));
      DIRSYNC_CHECK(Value(rdn.value));
      parts.push_back(std::move(rdn));
      if (at_ == text_.size()) return parts;
      if (parts.size() == kParts) return Refuse(text_, at_, "it has too many parts");
      ++at_;  // the ','
    }
  }

 private:
  void SkipBlanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }

  Result<> Type(std::string& type) {
    SkipBlanks();
    const std::size_t equals = text_.find('=', at_);
    if (equals == std::string_view::npos) return Refuse(text_, at_, "a part without 'type='");
    const std::string_view name = TrimBlanks(text_.substr(at_, equals - at_));
    const bool good = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '-' || c == '.';
    });
    if (!good) return Refuse(text_, at_, "a part without 'type='");
    type = name;
    at_ = equals + 1;
    return {};
  }

  // Up to an unescaped ',' or the end. Blanks around it count only when escaped.
  Result<> Value(std::string& value) {
    SkipBlanks();
    if (at_ < text_.size() && text_[at_] == '#')
      return Refuse(text_, at_, "values in BER ('#…') are not read");
    std::size_t kept = 0;  // bytes of `value` that no trimming may take
    while (at_ < text_.size() && text_[at_] != ',') {
      const char c = text_[at_];
      if (c == '\\') {
        DIRSYNC_CHECK(Escape(value));
        kept = value.size();
        continue;
      }
      if (c == '+') return Refuse(text_, at_, "parts of several values ('+') are not supported");
      if (c == '\0' || kSpecial.find(c) != std::string_view::npos)
        return Refuse(text_, at_, "a character that must be escaped");
      value.push_back(c);
      if (c != ' ') kept = value.size();
      ++at_;
    }
    value.resize(kept);
    if (value.empty()) return Refuse(text_, at_, "a part without a value");
    if (!IsUtf8(value)) return Refuse(text_, at_, "a value that is not UTF-8");
    return {};
  }

  Result<> Escape(std::string& value) {
    if (at_ + 1 < text_.size() && kEscapable.find(text_[at_ + 1]) != std::string_view::npos) {
      value.push_back(text_[at_ + 1]);
      at_ += 2;
      return {};
    }
    std::string byte;
    if (at_ + 2 >= text_.size() || !ParseAnyHex(text_.substr(at_ + 1, 2), byte))
      return Refuse(text_, at_, "'\\' without a special character or two hex digits behind it");
    value.append(byte);
    at_ += 3;
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

void AppendEscapedValue(std::string& out, std::string_view value) {
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    const auto byte = static_cast<unsigned char>(c);
    const bool edge = (i == 0 && (c == ' ' || c == '#')) || (i + 1 == value.size() && c == ' ');
    if (byte < 0x20 || byte == 0x7F) {
      out.push_back('\\');
      AppendHex(out, {&c, 1});
      continue;
    }
    if (edge || kSpecial.find(c) != std::string_view::npos) out.push_back('\\');
    out.push_back(c);
  }
}

}  // namespace

Result<std::vector<LdapRdn>> ParseLdapDn(std::string_view text) { return Parser(text).Parse(); }

std::string FormatLdapDn(const std::vector<LdapRdn>& parts) {
  std::string out;
  for (const LdapRdn& rdn : parts) {
    if (!out.empty()) out.push_back(',');
    out.append(rdn.type).push_back('=');
    AppendEscapedValue(out, rdn.value);
  }
  return out;
}

}  // namespace dirsync
