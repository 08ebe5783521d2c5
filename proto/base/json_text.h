// Small writer of JSON text. What it writes is valid UTF-8 and neutral on a terminal: control
// characters, DEL, C1 and bidi marks are \u escapes.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dirsync {

// With quotes. Bytes that are not UTF-8 are shown as Printable() shows them.
std::string JsonText(std::string_view text);

// One object on one line, fields in the order of the calls.
class JsonObject {
 public:
  JsonObject& Text(std::string_view key, std::string_view text);
  JsonObject& Number(std::string_view key, std::uint64_t number);
  JsonObject& Bool(std::string_view key, bool value);
  JsonObject& Texts(std::string_view key, std::span<const std::string> texts);
  // `json` is JSON text already.
  JsonObject& Raw(std::string_view key, std::string_view json);
  std::string Finish() const { return text_ + "}"; }

 private:
  void Key(std::string_view key);
  std::string text_ = "{";
};

// "[\n…,\n…\n]" or "[]", of JSON texts.
std::string JsonArray(std::span<const std::string> items);

}  // namespace dirsync
