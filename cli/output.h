// Text for people: tables that fit the terminal, colours, counts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/error.h"

namespace dirsync::cli {

// "1,234,567".
std::string Grouped(std::uint64_t number);
// "1 mailbox", "2 mailboxes"; `plural` defaults to `singular` + "s".
std::string Counted(std::uint64_t count, std::string_view singular, std::string_view plural = {});

// Characters, not bytes: what a column of a terminal takes (wide characters count as one).
std::size_t WidthOf(std::string_view text);
// At most `width` characters, the last one "…" if cut.
std::string Shortened(std::string_view text, std::size_t width);

// Each line of `text` through Printable(): a message may have lines, never more.
std::string PrintableLines(std::string_view text);

// As a shell takes it: quoted if it needs to be.
std::string Quoted(std::string_view word);

// Text in a colour, if `on`.
enum class Colour { kRed, kGreen, kYellow, kBold, kDim };
std::string Coloured(std::string_view text, Colour colour, bool on);

// Columns of cells. Cells go through Printable(). Rows are written once widths are known: at the
// end, or after the first kMeasured rows, which then set the widths.
class Table {
 public:
  // `width` columns of the terminal; 0 = no limit.
  Table(std::ostream& out, std::vector<std::string> headers, std::size_t width, bool colours);
  ~Table() { Finish(); }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  void Add(std::vector<std::string> cells);
  // Writes what waits; nothing, not even headers, if no row was added.
  void Finish();
  std::size_t rows() const { return rows_; }

 private:
  static constexpr std::size_t kMeasured = 1000;
  void Measure();
  void WriteRow(const std::vector<std::string>& cells, bool header);

  std::ostream& out_;
  std::vector<std::string> headers_;
  std::size_t width_;
  bool colours_;
  std::vector<std::vector<std::string>> waiting_;
  std::vector<std::size_t> widths_;  // empty: not yet measured
  std::size_t rows_ = 0;
};

}  // namespace dirsync::cli
