#include "broker/page/spark_line.h"

#include <algorithm>

#include "broker/page/html.h"

namespace dirsync {
namespace {

constexpr std::size_t kMinutesPerColumn = 10;
constexpr std::uint64_t kHeight = 40;
constexpr std::size_t kColumnWidth = 2;
constexpr std::size_t kColumns = 144;  // of a day

std::vector<std::uint64_t> Columns(const std::vector<std::uint64_t>& values) {
  std::vector<std::uint64_t> columns;
  // From the end, so that the last column is whole.
  for (std::size_t end = values.size(); end > 0 && columns.size() < kColumns;) {
    const std::size_t begin = end > kMinutesPerColumn ? end - kMinutesPerColumn : 0;
    columns.push_back(*std::max_element(values.begin() + static_cast<std::ptrdiff_t>(begin),
                                        values.begin() + static_cast<std::ptrdiff_t>(end)));
    end = begin;
  }
  std::ranges::reverse(columns);
  return columns;
}

// A filled outline in steps; what is not zero is at least one unit high.
std::string Outline(const std::vector<std::uint64_t>& columns, std::uint64_t peak) {
  std::string path = "M" + std::to_string((kColumns - columns.size()) * kColumnWidth) + " " +
                     std::to_string(kHeight);
  for (std::uint64_t value : columns) {
    const std::uint64_t high =
        value == 0 ? 0
                   : std::max<std::uint64_t>(1, value / std::max<std::uint64_t>(1, peak / kHeight));
    path += "V" + std::to_string(kHeight - std::min(high, kHeight));
    path += "h" + std::to_string(kColumnWidth);
  }
  return path + "V" + std::to_string(kHeight) + "Z";
}

}  // namespace

std::string SparkLine(const std::vector<std::uint64_t>& values, Instant end, std::string_view label,
                      std::string_view unit) {
  const auto peak = std::ranges::max_element(values);
  Html html;
  html.Raw("<figure class=spark><figcaption>").Text(label).Raw("</figcaption>");
  if (values.empty() || *peak == 0)
    return html.Raw("<p class=none>nothing in the last 24 hours</p></figure>").Take();
  const Instant when = end - std::chrono::minutes(values.end() - peak);
  const std::string width = std::to_string(kColumns * kColumnWidth);
  html.Raw("<svg viewBox=\"0 0 ")
      .Raw(width)
      .Raw(" 40\" preserveAspectRatio=none aria-hidden=true><path d=\"")
      .Raw(Outline(Columns(values), *peak))
      .Raw("\"/></svg><p>peak <b>")
      .Number(*peak)
      .Raw("</b> ")
      .Text(unit)
      .Raw(", ")
      .When(when, end)
      .Raw("; now <b>")
      .Number(values.back())
      .Raw("</b></p></figure>");
  return html.Take();
}

}  // namespace dirsync
