#include "cli/output.h"

#include <algorithm>

#include "proto/base/text.h"

namespace dirsync::cli {
namespace {

constexpr std::size_t kGap = 2;        // blanks between columns
constexpr std::size_t kColumnMin = 8;  // a column is not squeezed below this
constexpr std::size_t kCellBytes = 512;
constexpr std::size_t kMessageBytes = 4096;

bool IsContinuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

std::string Grouped(std::uint64_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t at = digits.size(); at > 3;) {
    at -= 3;
    digits.insert(at, 1, ',');
  }
  return digits;
}

std::string Counted(std::uint64_t count, std::string_view singular, std::string_view plural) {
  std::string text = Grouped(count) + " ";
  if (count == 1) return text.append(singular);
  return plural.empty() ? text.append(singular) + "s" : text.append(plural);
}

std::size_t WidthOf(std::string_view text) {
  return static_cast<std::size_t>(
      std::ranges::count_if(text, [](char c) { return !IsContinuation(c); }));
}

std::string Shortened(std::string_view text, std::size_t width) {
  if (WidthOf(text) <= width) return std::string(text);
  std::size_t at = 0;
  for (std::size_t seen = 0; at < text.size(); ++at) {
    if (IsContinuation(text[at])) continue;
    if (seen + 1 == width) break;
    ++seen;
  }
  return std::string(text.substr(0, at)) + "…";
}

std::string PrintableLines(std::string_view text) {
  std::string out;
  for (std::string_view line : Split(text, '\n')) {
    if (!out.empty()) out += '\n';
    out += Printable(line, kMessageBytes);
  }
  return out;
}

std::string Quoted(std::string_view word) {
  auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_./:,@%+=").find(c) != std::string_view::npos ||
           static_cast<unsigned char>(c) >= 0x80;
  };
  if (!word.empty() && std::ranges::all_of(word, plain)) return Printable(word);
  std::string out = "'";
  for (char c : word) out += c == '\'' ? "'\\''" : std::string(1, c);
  return Printable(out + "'");
}

std::string Coloured(std::string_view text, Colour colour, bool on) {
  if (!on) return std::string(text);
  static constexpr std::string_view kCodes[] = {"31", "32", "33", "1", "2"};
  std::string out = "\x1b[";
  out += kCodes[static_cast<std::size_t>(colour)];
  out += 'm';
  out += text;
  return out += "\x1b[0m";
}

Table::Table(std::ostream& out, std::vector<std::string> headers, std::size_t width, bool colours)
    : out_(out), headers_(std::move(headers)), width_(width), colours_(colours) {}

void Table::Add(std::vector<std::string> cells) {
  for (std::string& cell : cells) cell = Printable(cell, kCellBytes);
  cells.resize(headers_.size());
  ++rows_;
  if (!widths_.empty()) {
    WriteRow(cells, false);
    return;
  }
  waiting_.push_back(std::move(cells));
  if (waiting_.size() == kMeasured) Finish();
}

void Table::Finish() {
  if (waiting_.empty()) return;
  if (widths_.empty()) {
    Measure();
    WriteRow(headers_, true);
  }
  for (const auto& cells : waiting_) WriteRow(cells, false);
  waiting_.clear();
}

void Table::Measure() {
  for (const std::string& header : headers_) widths_.push_back(WidthOf(header));
  for (const auto& cells : waiting_)
    for (std::size_t i = 0; i < cells.size(); ++i)
      widths_[i] = std::max(widths_[i], WidthOf(cells[i]));
  if (width_ == 0) return;
  std::size_t total = kGap * (widths_.size() - 1);
  for (std::size_t width : widths_) total += width;
  while (total > width_) {
    auto widest = std::ranges::max_element(widths_);
    if (*widest <= kColumnMin) return;
    --*widest;
    --total;
  }
}

void Table::WriteRow(const std::vector<std::string>& cells, bool header) {
  std::string line;
  std::size_t last = cells.size();
  while (last > 1 && cells[last - 1].empty()) --last;
  for (std::size_t i = 0; i < last; ++i) {
    // In a pipe nothing is cut.
    const std::string cell = width_ == 0 ? cells[i] : Shortened(cells[i], widths_[i]);
    line += cell;
    if (i + 1 < last) line.append(widths_[i] - std::min(widths_[i], WidthOf(cell)) + kGap, ' ');
  }
  out_ << (header ? Coloured(line, Colour::kBold, colours_) : line) << '\n';
}

}  // namespace dirsync::cli
