// Goal: files that one can read. Method: sizes, columns, words and paths of every file are
// measured; there is no list of exemptions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <regex>

#include "tests/lint/cpp_scan.h"
#include "tests/lint/source_tree.h"

namespace dirsync::lint {
namespace {

constexpr std::size_t kFileLines = 500;
constexpr std::size_t kTestFileLines = 800;
constexpr std::size_t kFunctionLines = 70;
constexpr std::size_t kColumns = 100;

std::string At(const SourceFile& file, std::size_t line) {
  return file.path + ":" + std::to_string(line) + ": ";
}

// Code points, not bytes.
std::size_t Columns(const std::string& line) {
  return std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

bool IsScript(const SourceFile& file) {
  return file.text.starts_with("#!/") || file.name() == "CMakeLists.txt";
}

Problems LongFunctions(const SourceFile& file) {
  Problems problems;
  for (const FunctionSpan& function : ScanCpp(file).functions)
    if (function.length > kFunctionLines)
      problems.push_back(At(file, function.line) + std::to_string(function.length) +
                         " lines: " + function.head.substr(0, 60));
  return problems;
}

// Pieces, so that this file does not find itself.
const std::vector<std::string>& BannedWords() {
  static const std::vector<std::string> words = {
      "TO"
      "DO",
      "FIX"
      "ME",
      "XX"
      "X",
      "HA"
      "CK",
      "place"
      "holder",
      "stub"
      "bed",
      "not yet"
      " implemented",
      "for now"
      ",",
      "WI"
      "P",
  };
  return words;
}

// Quick and wrong only by saying yes.
bool MayHold(const std::string& line, const std::string& word) {
  const auto same = [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
  };
  return std::search(line.begin(), line.end(), word.begin(), word.end(), same) != line.end();
}

Problems WithBannedWords(const SourceFile& file) {
  Problems problems;
  for (std::size_t i = 0; i < file.lines.size(); ++i)
    for (const std::string& word : BannedWords()) {
      if (!MayHold(file.lines[i], word)) continue;
      const bool upper = std::isupper(static_cast<unsigned char>(word[0])) != 0;
      const std::regex pattern(upper ? "\\b" + word + "\\b" : "\\b" + word,
                               upper ? std::regex::ECMAScript : std::regex::icase);
      if (std::regex_search(file.lines[i], pattern)) problems.push_back(At(file, i + 1) + word);
    }
  return problems;
}

// How and where the tree was made is no part of it.
Problems OfTheWorkshop(const SourceFile& file) {
  static const std::regex patterns(
      "(^|[^A-Za-z0-9_.$}])/(wo"
      "rk|ro"
      "ot|ho"
      "me)/[A-Za-z]|\\b[Ii]ssue #?[0-9]|"
      "\\b(this|last|next|previous|earlier) ses"
      "sion\\b|\\blanguage mo"
      "del\\b|"
      "\\b(cl"
      "aude|chat"
      "gpt|co"
      "pilot)\\b",
      std::regex::icase);
  Problems problems;
  for (std::size_t i = 0; i < file.lines.size(); ++i)
    if (std::smatch match; std::regex_search(file.lines[i], match, patterns))
      problems.push_back(At(file, i + 1) + match.str());
  return problems;
}

Problems LongFile(const SourceFile& file) {
  const std::size_t most = file.IsProduction() ? kFileLines : kTestFileLines;
  if (file.lines.size() <= most) return {};
  return {file.path + ": " + std::to_string(file.lines.size()) + " lines"};
}

Problems LongLines(const SourceFile& file) {
  Problems problems;
  for (std::size_t i = 0; i < file.lines.size(); ++i)
    if (Columns(file.lines[i]) > kColumns)
      problems.push_back(At(file, i + 1) + std::to_string(Columns(file.lines[i])) + " columns");
  return problems;
}

Problems BadWhiteSpace(const SourceFile& file) {
  Problems problems;
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    const std::string& line = file.lines[i];
    if (line.ends_with(' ') || line.ends_with('\r') || line.find('\t') != std::string::npos)
      problems.push_back(At(file, i + 1) + "a tab, a CR, or a blank at the end");
  }
  if (!file.text.ends_with('\n')) problems.push_back(file.path + ": no newline at the end");
  return problems;
}

// Whatever waits for the clock, or does not run.
Problems Waits(const SourceFile& file) {
  static const std::regex pattern(
      "sleep_for|sleep_until|usleep|nanosleep|\\bsleep\\(|GTEST_"
      "SKIP|DISABLED"
      "_[A-Z]|_clock::now");
  Problems problems;
  for (std::size_t i = 0; i < file.lines.size(); ++i)
    if (std::regex_search(file.lines[i], pattern))
      problems.push_back(At(file, i + 1) + file.lines[i]);
  return problems;
}

// A .cc belongs to a target of its folder; a header is included by somebody.
Problems Unreachable(const SourceFile& file) {
  if (!file.path.ends_with(".cc")) {
    for (const SourceFile& other : Tree())
      for (const auto& [include, line] : Includes(other))
        if (include == file.path && other.path != file.path) return {};
    return {file.path + ": nobody includes it"};
  }
  const bool main = file.name().ends_with("_main.cc") || file.name() == "main.cc";
  const std::string stem = file.name().substr(0, file.name().rfind('.'));
  const std::regex named("\\b" + stem + "\\b");
  for (const SourceFile& list : Tree()) {
    if (list.name() != "CMakeLists.txt") continue;
    const bool globs = list.text.find("dirsync_library(") != std::string::npos ||
                       list.text.find("/*.cc") != std::string::npos;
    if (list.folder() == file.folder() && globs && !main) return {};
    const bool of_tests = list.path.starts_with("tests/") && file.path.starts_with("tests/");
    if ((of_tests || list.folder() == file.folder()) && std::regex_search(list.text, named))
      return {};
  }
  return {file.path + ": in no target"};
}

template <class Select, class Check>
Problems OverTree(Select select, Check check) {
  Problems all;
  for (const SourceFile& file : Tree()) {
    if (!select(file)) continue;
    const Problems found = check(file);
    all.insert(all.end(), found.begin(), found.end());
  }
  return all;
}

bool Any(const SourceFile& file) { return file.name() != "LICENSE"; }
bool Cpp(const SourceFile& file) { return file.IsCpp(); }
bool Code(const SourceFile& file) { return file.IsCpp() || IsScript(file); }
bool CodeOrText(const SourceFile& file) { return Code(file) || file.IsMarkdown(); }
// End-to-end tests and benchmarks run real processes: they may look at a clock.
bool ClocklessTest(const SourceFile& file) {
  if (!file.IsCpp() || file.name().ends_with("_main.cc")) return false;
  for (const char* folder : {"tests/unit/", "tests/scenario/", "tests/sim/"})
    if (file.path.starts_with(folder)) return true;
  return false;
}

TEST(Tidy, FilesFitTheirBound) { ExpectNone(OverTree(Cpp, LongFile)); }
TEST(Tidy, FunctionsFitOneScreen) { ExpectNone(OverTree(Cpp, LongFunctions)); }
TEST(Tidy, LinesFitAHundredColumns) { ExpectNone(OverTree(Cpp, LongLines)); }
TEST(Tidy, WhiteSpaceIsPlain) { ExpectNone(OverTree(CodeOrText, BadWhiteSpace)); }
TEST(Tidy, NothingIsLeftForLater) { ExpectNone(OverTree(Any, WithBannedWords)); }
TEST(Tidy, NoPathOfAMachineAndNoWordOfTheWorkshop) { ExpectNone(OverTree(Any, OfTheWorkshop)); }
TEST(Tidy, TestsNeitherWaitNorStandAside) { ExpectNone(OverTree(ClocklessTest, Waits)); }
TEST(Tidy, EveryFileIsReachable) { ExpectNone(OverTree(Cpp, Unreachable)); }

TEST(TidyDetector, MeasuresFunctionsOfEveryShape) {
  const auto file = MakeFile("x.cc",
                             "namespace a {\n"
                             "int Table() { return {1}; }\n"
                             "const int kRows[] = {\n  1,\n  2,\n};\n"
                             "struct S : T<int> {\n"
                             "  S(int x) : x_{x}, y_(2) {\n    if (x) {\n    }\n  }\n"
                             "  int x_{0};\n"
                             "};\n"
                             "template <class T>\nbool operator==(const T& a,\n"
                             "                const T& b) {\n  return \"}\" != '}';\n}\n"
                             "}  // namespace a\n");
  const auto functions = ScanCpp(file).functions;
  ASSERT_EQ(functions.size(), 3U);
  EXPECT_EQ(functions[0].length, 1U);
  EXPECT_EQ(functions[1].line, 8U);
  EXPECT_EQ(functions[1].length, 4U);
  EXPECT_EQ(functions[2].line, 14U);
  EXPECT_EQ(functions[2].length, 5U);
}

TEST(TidyDetector, FindsALongFunctionABannedWordAndAPath) {
  std::string body;
  for (std::size_t i = 0; i < kFunctionLines; ++i) body += "  Call();\n";
  EXPECT_THAT(LongFunctions(MakeFile("x.cc", "void F() {\n" + body + "}\n")), testing::SizeIs(1));
  EXPECT_THAT(WithBannedWords(MakeFile("x.cc", std::string("// TO") + "DO later\n")),
              testing::SizeIs(1));
  EXPECT_THAT(OfTheWorkshop(MakeFile("x.cc", std::string("open(\"/ro") + "ot/x\")\n")),
              testing::SizeIs(1));
}

}  // namespace
}  // namespace dirsync::lint
