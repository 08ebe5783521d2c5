#include "broker/page/html.h"

#include "proto/base/measure.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::size_t kTitleBytes = 300;

}  // namespace

std::string HtmlEscaped(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string UrlEscaped(std::string_view text) {
  static constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  for (char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

Html& Html::Raw(std::string_view markup) {
  text_ += markup;
  return *this;
}

Html& Html::Text(std::string_view text, std::size_t bytes_max) {
  return Raw(HtmlEscaped(Printable(text, bytes_max)));
}

Html& Html::Name(std::string_view name, std::size_t bytes_max) {
  Raw("<bdi");
  if (name.size() > bytes_max) Attribute("title", Printable(name, kTitleBytes));
  return Raw(">").Text(name, bytes_max).Raw("</bdi>");
}

Html& Html::Number(std::uint64_t number) {
  std::string text = CountText(number, "");
  text.resize(text.find(' '));
  return Raw(text);
}

Html& Html::Count(std::uint64_t number) {
  return number == 0 ? Raw("<span class=none>0</span>") : Number(number);
}

Html& Html::Attribute(std::string_view name, std::string_view value) {
  return Raw(" ").Raw(name).Raw("=\"").Raw(HtmlEscaped(value)).Raw("\"");
}

Html& Html::When(Instant time, Instant now) {
  if (time == Instant{}) return Raw("<span class=none>never</span>");
  const std::string exact = FormatTime(time);
  Raw("<time").Attribute("datetime", exact).Attribute("title", exact).Raw(">");
  if (time > now) return Raw("in ").Raw(DurationText(time - now)).Raw("</time>");
  return Raw(DurationText(now - time)).Raw(" ago</time>");
}

Html& Html::Command(std::string_view command, std::string_view at, std::string_view alternative) {
  if (command.empty()) return *this;
  Raw("<span class=command><code>").Text(command).Raw("</code>");
  if (!alternative.empty()) Raw(" or <code>").Text(alternative).Raw("</code>");
  if (!at.empty()) Raw(" <span class=at>at ").Name(at).Raw("</span>");
  return Raw("</span>");
}

Html& Html::Fact(std::string_view label) {
  return Raw("<tr><th scope=row>").Text(label).Raw("</th><td>");
}

}  // namespace dirsync
