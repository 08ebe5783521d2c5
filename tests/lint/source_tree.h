// The files of this source tree as the lint tests see them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dirsync::lint {

struct SourceFile {
  std::string path;  // from the top of the tree: "proto/base/error.h"
  std::string text;
  std::vector<std::string> lines;  // without their ends

  std::string folder() const;  // "proto/base"; "." at the top
  std::string name() const;    // "error.h"
  bool IsCpp() const;          // .cc, .h, .def
  bool IsHeader() const;
  bool IsMarkdown() const;
  bool IsProduction() const;  // C++ outside tests/
};

// All text files but those of build folders and of version control, in path order. Read once.
const std::vector<SourceFile>& Tree();
// nullptr: no such file.
const SourceFile* FindFile(std::string_view path);
// The same for a text that is not in the tree: what the detectors' own tests use.
SourceFile MakeFile(std::string path, std::string text);

// `text` with comments, string and character literals replaced by blanks; lines stay where they
// are. With `preprocessor` false, lines of the preprocessor are blanked too.
std::string CodeOnly(std::string_view text, bool preprocessor);

// Rows of the first table below the heading "## `heading`" of a Markdown file, header row first,
// cells without blanks at their ends. Empty: no such heading or table.
std::vector<std::vector<std::string>> TableBelow(const SourceFile& file, std::string_view heading);

// Texts between backquotes in `cell`.
std::vector<std::string> Quoted(std::string_view cell);

// A test failure that lists `problems`, one a line; none is no failure.
using Problems = std::vector<std::string>;
void ExpectNone(const Problems& problems);

std::vector<std::string> SplitLines(std::string_view text);
std::string_view Trim(std::string_view text);
// The text of #include lines between quotes or brackets, each with its line number from 1.
std::vector<std::pair<std::string, std::size_t>> Includes(const SourceFile& file);

}  // namespace dirsync::lint
