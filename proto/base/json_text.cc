#include "proto/base/json_text.h"

#include <array>

#include "proto/base/text.h"
#include "proto/base/utf8.h"

namespace dirsync {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";
constexpr std::size_t kUnlimited = static_cast<std::size_t>(-1) / 2;

std::string UnicodeEscape(std::uint32_t point) {
  std::string out = "\\u";
  for (int shift = 12; shift >= 0; shift -= 4) out += kHexDigits[(point >> shift) & 15];
  return out;
}

// What Printable() would not leave as it is; all such characters are below U+10000.
bool IsHarmful(std::string_view character) { return Printable(character, 32) != character; }

void AppendCharacter(std::string& out, std::string_view raw, std::uint32_t point) {
  switch (point) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  if (point < 0x20 || point == 0x7F || (raw.size() > 1 && raw.size() < 4 && IsHarmful(raw))) {
    out += UnicodeEscape(point);
  } else {
    out += raw;
  }
}

}  // namespace

std::string JsonText(std::string_view text) {
  std::string out = "\"";
  out.reserve(text.size() + 2);
  std::string neutral;
  if (!IsUtf8(text)) {
    neutral = Printable(text, kUnlimited);
    text = neutral;
  }
  while (!text.empty()) {
    const Utf8Character character = FirstCharacter(text);
    AppendCharacter(out, text.substr(0, character.size), character.point);
    text.remove_prefix(character.size);
  }
  return out += '"';
}

void JsonObject::Key(std::string_view key) {
  if (text_.size() > 1) text_ += ',';
  text_ += JsonText(key);
  text_ += ':';
}

JsonObject& JsonObject::Text(std::string_view key, std::string_view text) {
  return Raw(key, JsonText(text));
}
JsonObject& JsonObject::Number(std::string_view key, std::uint64_t number) {
  return Raw(key, std::to_string(number));
}
JsonObject& JsonObject::Bool(std::string_view key, bool value) {
  return Raw(key, value ? "true" : "false");
}
JsonObject& JsonObject::Texts(std::string_view key, std::span<const std::string> texts) {
  std::string list = "[";
  for (const std::string& text : texts) {
    if (list.size() > 1) list += ',';
    list += JsonText(text);
  }
  return Raw(key, list + "]");
}
JsonObject& JsonObject::Raw(std::string_view key, std::string_view json) {
  Key(key);
  text_ += json;
  return *this;
}

std::string JsonArray(std::span<const std::string> items) {
  if (items.empty()) return "[]";
  return "[\n" + Join(items, ",\n") + "\n]";
}

}  // namespace dirsync
