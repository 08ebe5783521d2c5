#include "agent/file/foreign_line.h"

#include <algorithm>

#include "agent/file/value_text.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/base/utf8.h"
#include "proto/model/address.h"
#include "proto/model/dn.h"

namespace dirsync {
namespace {

constexpr std::string_view kBlanks = " \t";

std::unexpected<Error> Bad(std::string reason) {
  return Fail(ErrorCode::kBadRecord, std::move(reason));
}

std::string_view SkipBlanks(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text;
}

std::string_view Trim(std::string_view text) {
  text = SkipBlanks(text);
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

// Control characters other than tab and line breaks, which only `\x` can bring in.
bool IsHarmlessText(std::string_view text) {
  while (!text.empty()) {
    const Utf8Character character = FirstCharacter(text);
    const std::uint32_t p = character.point;
    const bool allowed = p == '\t' || p == '\r' || p == '\n';
    if (character.size == 0 || (p < 0x20 && !allowed) || (p >= 0x7F && p <= 0x9F)) return false;
    text.remove_prefix(character.size);
  }
  return true;
}

// What is between the brackets: a number, which means nothing, '+' or '-'.
bool ParseBrackets(std::string_view inner, AttributeOperation& operation) {
  inner = Trim(inner);
  if (inner == "+") {
    operation = AttributeOperation::kAdd;
  } else if (inner == "-") {
    operation = AttributeOperation::kRemove;
  } else {
    return !inner.empty() &&
           std::all_of(inner.begin(), inner.end(), [](char c) { return c >= '0' && c <= '9'; });
  }
  return true;
}

Result<std::string> BinaryValue(std::string_view text) {
  // The old writer gave such values as bare digits.
  std::string value;
  if (text.starts_with('"') || text.starts_with("\\x")) return ForeignText(text);
  if (!ParseAnyHex(text, value)) return Bad("a binary value must be written \\x and hex digits");
  return value;
}

}  // namespace

ForeignLineKind ForeignLineKindOf(std::string_view line) {
  line = SkipBlanks(line);
  if (line.empty() || line.front() == '#') return ForeignLineKind::kNothing;
  if (line.front() == '-') return ForeignLineKind::kAttribute;
  const bool letter = std::string_view("AaMmDd").find(line.front()) != std::string_view::npos;
  const bool alone = line.size() == 1 || line[1] == ' ' || line[1] == '\t' || line[1] == '/';
  return letter && alone ? ForeignLineKind::kHeader : ForeignLineKind::kOther;
}

Result<ForeignHeader> ParseForeignHeader(std::string_view line) {
  line = SkipBlanks(line);
  ForeignHeader header;
  const char letter = line.front();
  if (letter == 'M' || letter == 'm') header.kind = ChangeKind::kModify;
  if (letter == 'D' || letter == 'd') header.kind = ChangeKind::kDelete;
  header.dn = Trim(line.substr(1));
  if (header.dn.empty()) return Bad("a record without a name");
  const bool rooted = header.dn.starts_with('/');
  Result<Dn> dn = ParseDn(rooted ? std::string(header.dn) : "/cn=" + std::string(header.dn));
  if (!dn) return Bad(dn.error().message);
  if (dn->parts.empty()) return Bad("a record without a name");
  header.rdn = dn->parts.back().value;
  if (auto checked = CheckName("name", header.rdn); !checked) return Bad(checked.error().message);
  return header;
}

Result<ForeignAttribute> ParseForeignAttribute(std::string_view line) {
  line = SkipBlanks(SkipBlanks(line).substr(1));
  ForeignAttribute attribute;
  const auto name_end = std::find_if_not(line.begin(), line.end(), IsNameCharacter);
  attribute.name = line.substr(0, static_cast<std::size_t>(name_end - line.begin()));
  if (attribute.name.empty()) return Bad("the attribute line has no name");
  line = SkipBlanks(line.substr(attribute.name.size()));
  if (line.starts_with('[')) {
    const std::size_t close = line.find(']');
    if (close == std::string_view::npos ||
        !ParseBrackets(line.substr(1, close - 1), attribute.operation))
      return Bad("the attribute line is not '- Name[n]:value'");
    line = SkipBlanks(line.substr(close + 1));
  }
  if (!line.starts_with(':')) return Bad("the attribute line is not '- Name:value'");
  attribute.text = line.substr(1);
  return attribute;
}

Result<std::string> ForeignText(std::string_view text) {
  std::string value;
  if (text.starts_with("\\x")) {
    if (!ParseAnyHex(text.substr(2), value)) return Bad("behind \\x stand not pairs of hex digits");
    return value;
  }
  // Left over from line ends that were converted twice; a true one is written \x.
  if (text.find('\r') != std::string_view::npos) return Bad("a carriage return inside the line");
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
    text = text.substr(1, text.size() - 2);
  value = text;
  return value;
}

Result<std::string> ForeignValue(std::string_view text, const AttributeInfo& info) {
  if (text.empty()) return std::string();
  Result<std::string> value =
      info.kind == ValueKind::kBinary ? BinaryValue(text) : ForeignText(text);
  if (!value) return value;
  const std::string name(info.name);
  if (value->size() > limits::kValueBytes) return Bad("the value of " + name + " is too long");
  if (value->empty() || info.kind == ValueKind::kBinary) return value;
  if (!IsHarmlessText(*value))
    return Bad("the value of " + name + " has control characters or is not UTF-8");
  if (info.kind == ValueKind::kAddress) {
    if (auto address = ParseAddress(*value); !address) return Bad(address.error().message);
  }
  if (info.kind == ValueKind::kBoolean && *value != "0" && *value != "1")
    return Bad("the value of " + name + " must be 0 or 1");
  if (info.kind == ValueKind::kReference && !Reference::Parse(*value))
    return Bad("the value of " + name + " is not SITE/ID");
  return value;
}

}  // namespace dirsync
