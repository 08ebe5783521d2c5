#include "tests/lint/source_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace dirsync::lint {
namespace {

namespace fs = std::filesystem;

// Blanks everything of C++ that is no code. One instance per text.
class Blanker {
 public:
  explicit Blanker(std::string_view text) : out_(text) {}

  std::string Run() {
    while (at_ < out_.size()) {
      if (Starts("//")) {
        Until("\n", false);
      } else if (Starts("/*")) {
        Until("*/", true);
      } else if (Starts("R\"")) {
        const std::size_t open = out_.find('(', at_);
        if (open == std::string::npos) break;
        Until(")" + out_.substr(at_ + 2, open - at_ - 2) + "\"", true);
      } else if (out_[at_] == '"' || (out_[at_] == '\'' && !AfterDigit())) {
        Literal(out_[at_]);
      } else {
        ++at_;
      }
    }
    return std::move(out_);
  }

 private:
  bool Starts(std::string_view what) const { return out_.compare(at_, what.size(), what) == 0; }
  // 1'000'000
  bool AfterDigit() const {
    return at_ > 0 && std::isalnum(static_cast<unsigned char>(out_[at_ - 1]));
  }
  void BlankTo(std::size_t end) {
    for (; at_ < std::min(end, out_.size()); ++at_)
      if (out_[at_] != '\n') out_[at_] = ' ';
  }
  void Until(std::string_view end, bool with_end) {
    const std::size_t found = out_.find(end, at_ + 2);
    if (found == std::string::npos) return BlankTo(out_.size());
    BlankTo(with_end ? found + end.size() : found);
  }
  void Literal(char quote) {
    std::size_t end = at_ + 1;
    while (end < out_.size() && out_[end] != quote && out_[end] != '\n')
      end += out_[end] == '\\' ? 2 : 1;
    BlankTo(end + 1);
  }

  std::string out_;
  std::size_t at_ = 0;
};

bool IsSkippedFolder(const std::string& name) {
  return name.starts_with("build") || name == ".git" || name == ".cache";
}

std::vector<SourceFile> ReadTree() {
  std::vector<SourceFile> files;
  const fs::path root = DIRSYNC_SOURCE_DIR;
  for (auto it = fs::recursive_directory_iterator(root); it != fs::end(it); ++it) {
    if (it->is_directory() && IsSkippedFolder(it->path().filename())) {
      it.disable_recursion_pending();
      continue;
    }
    // In a linked working tree .git is a file, which names a path of the machine.
    if (!it->is_regular_file() || it->path().filename() == ".git") continue;
    std::ifstream stream(it->path(), std::ios::binary);
    std::string text(std::istreambuf_iterator<char>(stream), {});
    if (text.find('\0') != std::string::npos) continue;  // a corpus, not a text
    files.push_back(MakeFile(it->path().lexically_relative(root), std::move(text)));
  }
  std::sort(files.begin(), files.end(), [](auto& a, auto& b) { return a.path < b.path; });
  return files;
}

std::vector<std::string> Cells(std::string_view line) {
  std::vector<std::string> cells;
  line = Trim(line);
  if (line.starts_with("|")) line.remove_prefix(1);
  if (line.ends_with("|")) line.remove_suffix(1);
  while (true) {
    const std::size_t bar = line.find('|');
    cells.emplace_back(Trim(line.substr(0, bar)));
    if (bar == std::string_view::npos) return cells;
    line.remove_prefix(bar + 1);
  }
}

}  // namespace

std::string SourceFile::folder() const {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}
std::string SourceFile::name() const { return path.substr(path.rfind('/') + 1); }
bool SourceFile::IsCpp() const {
  return path.ends_with(".cc") || path.ends_with(".h") || path.ends_with(".def");
}
bool SourceFile::IsHeader() const { return path.ends_with(".h"); }
bool SourceFile::IsMarkdown() const { return path.ends_with(".md"); }
bool SourceFile::IsProduction() const { return IsCpp() && !path.starts_with("tests/"); }

const std::vector<SourceFile>& Tree() {
  static const std::vector<SourceFile> files = ReadTree();
  return files;
}

const SourceFile* FindFile(std::string_view path) {
  for (const SourceFile& file : Tree())
    if (file.path == path) return &file;
  return nullptr;
}

SourceFile MakeFile(std::string path, std::string text) {
  SourceFile file;
  file.path = std::move(path);
  file.text = std::move(text);
  file.lines = SplitLines(file.text);
  return file;
}

std::string CodeOnly(std::string_view text, bool preprocessor) {
  std::string code = Blanker(text).Run();
  if (preprocessor) return code;
  bool blanking = false;
  for (std::size_t begin = 0; begin < code.size();) {
    const std::size_t end = std::min(code.find('\n', begin), code.size());
    const std::string_view line(code.data() + begin, end - begin);
    const bool continued = line.ends_with('\\');
    if (blanking || Trim(line).starts_with('#')) {
      std::fill(code.begin() + begin, code.begin() + end, ' ');
      blanking = continued;
    }
    begin = end + 1;
  }
  return code;
}

std::vector<std::vector<std::string>> TableBelow(const SourceFile& file, std::string_view heading) {
  std::vector<std::vector<std::string>> rows;
  bool below = false;
  for (const std::string& line : file.lines) {
    if (line.starts_with("## ")) below = Trim(line).substr(3) == heading;
    if (!below) continue;
    if (line.starts_with("|")) {
      if (line.find_first_not_of("|-: ") != std::string::npos) rows.push_back(Cells(line));
    } else if (!rows.empty()) {
      break;
    }
  }
  return rows;
}

std::vector<std::string> Quoted(std::string_view cell) {
  std::vector<std::string> texts;
  while (true) {
    const std::size_t open = cell.find('`');
    if (open == std::string_view::npos) return texts;
    const std::size_t close = cell.find('`', open + 1);
    if (close == std::string_view::npos) return texts;
    texts.emplace_back(cell.substr(open + 1, close - open - 1));
    cell.remove_prefix(close + 1);
  }
}

void ExpectNone(const Problems& problems) {
  if (problems.empty()) return;
  std::string list;
  for (const std::string& problem : problems) list += "\n  " + problem;
  ADD_FAILURE() << problems.size() << " found:" << list;
}

std::vector<std::string> SplitLines(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    lines.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::string_view Trim(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

std::vector<std::pair<std::string, std::size_t>> Includes(const SourceFile& file) {
  std::vector<std::pair<std::string, std::size_t>> found;
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    std::string_view line = Trim(file.lines[i]);
    if (!line.starts_with("#")) continue;
    line = Trim(line.substr(1));
    if (!line.starts_with("include")) continue;
    line = Trim(line.substr(7));
    if (line.empty() || (line[0] != '"' && line[0] != '<')) continue;
    const std::size_t end = line.find(line[0] == '"' ? '"' : '>', 1);
    if (end != std::string_view::npos) found.emplace_back(line.substr(1, end - 1), i + 1);
  }
  return found;
}

}  // namespace dirsync::lint
