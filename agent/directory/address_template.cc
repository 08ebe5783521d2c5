#include "agent/directory/address_template.h"

#include <array>
#include <optional>

#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/base/utf8.h"
#include "proto/model/address.h"
#include "proto/model/attribute_table.h"

namespace dirsync {
namespace {

// RFC 5321: the local part of a mail address has at most 64 characters. Other types are no laxer.
constexpr std::size_t kLocalBytes = 64;
constexpr std::size_t kIdDigits = 12;
constexpr std::string_view kFieldLetters = "mgsd";
constexpr std::string_view kLegalSymbols = "!#$%&'*+-/=?^_`{|}~.";

constexpr std::uint32_t kAccentsFirst = 0xC0;
// What the characters U+00C0 to U+00FF become; empty: left out.
constexpr std::array<std::string_view, 64> kAccents = {
    "A", "A", "A", "A", "A", "A", "AE", "C", "E", "E", "E", "E", "I", "I", "I",  "I",
    "D", "N", "O", "O", "O", "O", "O",  "",  "O", "U", "U", "U", "U", "Y", "TH", "ss",
    "a", "a", "a", "a", "a", "a", "ae", "c", "e", "e", "e", "e", "i", "i", "i",  "i",
    "d", "n", "o", "o", "o", "o", "o",  "",  "o", "u", "u", "u", "u", "y", "th", "y"};

bool IsLetterOrDigit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool IsLegal(char c) {
  return IsLetterOrDigit(c) || kLegalSymbols.find(c) != std::string_view::npos;
}

// One step of a format.
struct Token {
  enum class Kind { kLiteral, kField, kReplace } kind = Kind::kLiteral;
  char letter = 0;             // the literal, or the field's letter
  std::size_t characters = 0;  // of a field; 0 = all
  std::uint32_t from = 0, to = 0;
};

std::optional<std::uint32_t> TakeCharacter(std::string_view& rest) {
  const Utf8Character character = FirstCharacter(rest);
  if (character.size == 0) return std::nullopt;
  rest.remove_prefix(character.size);
  return character.point;
}

// Takes the token in front of `rest`, which is not empty; nullopt: there is none.
std::optional<Token> TakeToken(std::string_view& rest) {
  Token token;
  token.letter = rest.front();
  rest.remove_prefix(1);
  if (token.letter != '%') return IsLegal(token.letter) ? std::optional(token) : std::nullopt;
  if (rest.empty()) return std::nullopt;
  token.letter = rest.front();
  rest.remove_prefix(1);
  if (token.letter == '%') return token;
  if (token.letter == 'r') {
    token.kind = Token::Kind::kReplace;
    const auto from = TakeCharacter(rest);
    const auto to = TakeCharacter(rest);
    if (!from || !to) return std::nullopt;
    token.from = *from;
    token.to = *to;
    return token;
  }
  token.kind = Token::Kind::kField;
  if (token.letter >= '1' && token.letter <= '9' && !rest.empty()) {
    token.characters = static_cast<std::size_t>(token.letter - '0');
    token.letter = rest.front();
    rest.remove_prefix(1);
  }
  const bool known = kFieldLetters.find(token.letter) != std::string_view::npos;
  return known ? std::optional(token) : std::nullopt;
}

// Gathers a local part from characters of any kind.
class LocalPart {
 public:
  void Replace(std::uint32_t from, std::uint32_t to) {
    replacements_.insert(replacements_.begin(), {from, to});
  }

  // False: nothing of it is legal in an address.
  bool Add(std::uint32_t point) {
    for (const auto& [from, to] : replacements_) {
      if (from != point) continue;
      if (from == to) return false;
      point = to;
      break;
    }
    const bool accented = point >= kAccentsFirst && point < kAccentsFirst + kAccents.size();
    if (accented) {
      text_ += kAccents[point - kAccentsFirst];
      return !kAccents[point - kAccentsFirst].empty();
    }
    if (point >= 0x80 || !IsLegal(static_cast<char>(point))) return false;
    text_.push_back(static_cast<char>(point));
    return true;
  }

  // At most so many legal `characters`; 0 = all.
  void Add(std::string_view field, std::size_t characters) {
    std::size_t added = 0;
    while (!field.empty() && (characters == 0 || added < characters)) {
      const Utf8Character character = FirstCharacter(field);
      if (character.size > 0 && Add(character.point)) ++added;
      field.remove_prefix(character.size == 0 ? 1 : character.size);
    }
  }

  // Dots stand between other characters only, one at a time: a field left empty leaves none.
  std::string Take(std::size_t bytes_max) const {
    std::string out;
    for (char c : text_) {
      if (out.size() == bytes_max) break;
      if (c != '.' || (!out.empty() && out.back() != '.')) out.push_back(c);
    }
    if (!out.empty() && out.back() == '.') out.pop_back();
    return out;
  }

 private:
  std::string text_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> replacements_;  // the newest first
};

std::string_view AliasOf(const Entry& entry) {
  const std::string_view alias = entry.attributes.First(attribute::kAlias);
  return alias.empty() ? std::string_view(entry.name) : alias;
}

std::string_view FieldOf(const Entry& entry, char letter) {
  switch (letter) {
    case 'g':
      return entry.attributes.First(attribute::kGivenName);
    case 's':
      return entry.attributes.First(attribute::kSurname);
    case 'd':
      return entry.attributes.First(attribute::kDisplayName);
    default:
      return AliasOf(entry);
  }
}

std::string Formatted(std::string_view format, const Entry& entry) {
  LocalPart local;
  while (!format.empty()) {
    const std::optional<Token> token = TakeToken(format);
    if (!token) return {};  // parsed before: cannot be
    switch (token->kind) {
      case Token::Kind::kLiteral:
        local.Add(static_cast<unsigned char>(token->letter));
        break;
      case Token::Kind::kField:
        local.Add(FieldOf(entry, token->letter), token->characters);
        break;
      case Token::Kind::kReplace:
        local.Replace(token->from, token->to);
        break;
    }
  }
  return local.Take(kLocalBytes);
}

std::string Numbered(const Entry& entry, unsigned attempt) {
  const std::string number = attempt > 1 ? std::to_string(attempt) : std::string();
  LocalPart local;
  local.Add(AliasOf(entry), 0);
  std::string text = local.Take(kLocalBytes - number.size());
  // A thousand people with Greek names would all try 2, 3, 4 …: the id tells them apart.
  if (text.empty()) text = entry.id.hex().substr(2 * entry.id.bytes.size() - kIdDigits);
  return text + number;
}

bool IsDomain(std::string_view text) {
  for (std::string_view label : Split(text, '.')) {
    if (label.empty()) return false;
    for (char c : label)
      if (!IsLetterOrDigit(c) && c != '-' && c != '_') return false;
  }
  return true;
}

// Cause why these make no template; empty if they do.
std::string Fault(std::string_view type, std::string_view format, std::string_view domain) {
  // The longest address that can come of it stands for all of them.
  const std::string longest =
      std::string(type) + ":" + std::string(kLocalBytes, 'x') + "@" + std::string(domain);
  if (type.empty()) return "no address type";
  if (!IsDomain(domain)) return "no domain of letters, digits, '-' and '.' behind '@'";
  if (auto address = ParseAddress(longest); !address) {
    return longest.size() > limits::kNameBytes ? "domain too long" : "wrong address type";
  }
  for (std::string_view rest = format; !rest.empty();) {
    const std::string_view before = rest;
    if (TakeToken(rest)) continue;
    const std::string where = "byte " + std::to_string(format.size() - before.size() + 1) + ": ";
    return where + (before.front() == '%' ? "unknown or incomplete % letter"
                                          : "character illegal in an address");
  }
  return {};
}

}  // namespace

Result<AddressTemplate> AddressTemplate::Parse(std::string_view text) {
  AddressTemplate parsed;
  const std::size_t colon = text.find(':');
  const std::size_t at = text.rfind('@');
  std::string fault = "not of the form TYPE:FORMAT@domain";
  if (colon != std::string_view::npos && at != std::string_view::npos && colon < at) {
    parsed.text_ = text;
    parsed.type_ = ToUpperAscii(text.substr(0, colon));
    parsed.format_ = text.substr(colon + 1, at - colon - 1);
    parsed.domain_ = text.substr(at + 1);
    fault = Fault(parsed.type_, parsed.format_, parsed.domain_);
    if (parsed.format_.empty()) parsed.format_ = "%m";
  }
  if (fault.empty()) return parsed;
  return Fail(ErrorCode::kInvalid, "parse address template \"" + Printable(text) + "\": " + fault,
              "write it as TYPE:FORMAT@domain with %m %g %s %d %% %rXY, e.g. "
              "SMTP:%g.%s@site1.example");
}

std::string AddressTemplate::Generate(const Entry& entry, unsigned attempt) const {
  const std::string local = attempt == 0 ? Formatted(format_, entry) : Numbered(entry, attempt);
  return local.empty() ? std::string() : type_ + ":" + local + "@" + domain_;
}

}  // namespace dirsync
