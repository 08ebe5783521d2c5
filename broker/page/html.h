// Builds HTML text. Whatever comes from elsewhere goes through Text(), Name() or an attribute, and
// cannot become markup, a control sequence, or turn the direction of what stands beside it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "proto/base/time.h"

namespace dirsync {

// & < > " ' as entities.
std::string HtmlEscaped(std::string_view text);
// For a value in a query: everything but letters, digits and -._~ as %XX.
std::string UrlEscaped(std::string_view text);

class Html {
 public:
  // Markup of our own.
  Html& Raw(std::string_view markup);
  // Foreign text: made printable, cut at `bytes_max`, escaped.
  Html& Text(std::string_view text, std::size_t bytes_max = 300);
  // A name of somebody's choice, isolated (<bdi>), cut; the title holds more of it if it was cut.
  Html& Name(std::string_view name, std::size_t bytes_max = 48);
  Html& Number(std::uint64_t number);  // "1,234"
  Html& Count(std::uint64_t number);   // the same, faint if it is 0
  // " name="value"", escaped.
  Html& Attribute(std::string_view name, std::string_view value);
  // <time>: "7 s ago", "in 3 h", "never" for 0; exact on hover.
  Html& When(Instant time, Instant now);
  // Something to copy into a shell, and where, and what may be run instead. Nothing if `command` is
  // empty.
  Html& Command(std::string_view command, std::string_view at, std::string_view alternative = {});
  // <tr><th scope=row>label</th><td> … close with "</td></tr>".
  Html& Fact(std::string_view label);

  std::string Take() { return std::move(text_); }
  std::size_t size() const { return text_.size(); }

 private:
  std::string text_;
};

}  // namespace dirsync
