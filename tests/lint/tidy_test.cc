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

using testing::IsEmpty;
using Problems = std::vector<std::string>;

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
      problems.push_back(At(file, function.line) + std::to_string(function.length) + " lines: " +
                         function.head.substr(0, 60));
  return problems;
}

// Pieces, so that this file does not find itself.
const std::vector<std::string>& BannedWords() {
  static const std::vector<std::string> words = {
      "TO" "DO",   "FIX" "ME", "XX" "X",        "HA" "CK",     "place" "holder",
      "stub" "bed", "not yet" " implemented", "for now" ",", "WI" "P",
  };
  return words;
}

Problems WithBannedWords(const SourceFile& file) {
  Problems problems;
  for (std::size_t i = 0; i < file.lines.size(); ++i)
    for (const std::string& word : BannedWords()) {
      const bool upper = std::isupper(static_cast<unsigned char>(word[0])) != 0;
      const std::regex pattern(upper ? "\\b" + word + "\\b" : "\\b" + word,
                               upper ? std::regex::ECMAScript : std::regex::icase);
      if (std::regex_search(file.lines[i], pattern))
        problems.push_back(At(file, i + 1) + word);
    }
  return problems;
}

// How and where the tree was made is no part of it.
Problems OfTheWorkshop(const SourceFile& file) {
  static const std::regex patterns(
      "(^|[^A-Za-z0-9_.$}])/(wo" "rk|ro" "ot|ho" "me)/[A-Za-z]|\\b[Ii]ssue #?[0-9]|"
      "\\b(this|last|next|previous|earlier) ses" "sion\\b|\\blanguage mo" "del\\b|"
      "\\b(cl" "aude|chat" "gpt|co" "pilot)\\b",
      std::regex::icase);
  Problems problems;
  for (std::size_t i = 0; i < file.lines.size(); ++i)
    if (std::smatch match; std::regex_search(file.lines[i], match, patterns))
      problems.push_back(At(file, i + 1) + match.str());
  return problems;
}

// Appends what `check` finds in each file that `select` takes.
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

bool All(const SourceFile& file) { return file.name() != "LICENSE"; }
bool Cpp(const SourceFile& file) { return file.IsCpp(); }

TEST(Tidy, FilesFitTheirBound) {
  EXPECT_THAT(OverTree(Cpp,
                       [](const SourceFile& file) -> Problems {
                         const bool test = !file.IsProduction();
                         if (file.lines.size() <= (test ? kTestFileLines : kFileLines)) return {};
                         return {file.path + ": " + std::to_string(file.lines.size()) + " lines"};
                       }),
              IsEmpty());
}

TEST(Tidy, FunctionsFitOneScreen) { EXPECT_THAT(OverTree(Cpp, LongFunctions), IsEmpty()); }

TEST(Tidy, LinesFitAHundredColumns) {
  EXPECT_THAT(OverTree([](const SourceFile& file) { return file.IsCpp() || IsScript(file); },
                       [](const SourceFile& file) {
                         Problems problems;
                         for (std::size_t i = 0; i < file.lines.size(); ++i)
                           if (Columns(file.lines[i]) > kColumns)
                             problems.push_back(At(file, i + 1) + "too long");
                         return problems;
                       }),
              IsEmpty());
}

TEST(Tidy, TextHasNoTabsNoBlanksAtLineEndsAndEndsInANewline) {
  EXPECT_THAT(OverTree([](const SourceFile& f) { return f.IsCpp() || IsScript(f) || f.IsMarkdown(); },
                       [](const SourceFile& file) {
                         Problems problems;
                         for (std::size_t i = 0; i < file.lines.size(); ++i)
                           if (file.lines[i].ends_with(' ') ||
                               file.lines[i].find('\t') != std::string::npos ||
                               file.lines[i].ends_with('\r'))
                             problems.push_back(At(file, i + 1) + "blank at the end, tab or CR");
                         if (!file.text.ends_with('\n')) problems.push_back(file.path + ": no newline");
                         return problems;
                       }),
              IsEmpty());
}

TEST(Tidy, NothingIsLeftForLater) { EXPECT_THAT(OverTree(All, WithBannedWords), IsEmpty()); }

TEST(Tidy, NoPathOfAMachineAndNoWordOfTheWorkshop) {
  EXPECT_THAT(OverTree(All, OfTheWorkshop), IsEmpty());
}

// A clock in a test is a test that fails on a busy machine; end-to-end tests may poll.
TEST(Tidy, TestsNeitherSleepNorSkipNorStandAside) {
  static const std::regex pattern(
      "sleep_for|sleep_until|usleep|nanosleep|\\bsleep\\(|GTEST_" "SKIP|DISABLED" "_[A-Z]|"
      "_clock::now");
  EXPECT_THAT(OverTree(
                  [](const SourceFile& file) {
                    return file.IsCpp() && file.path.starts_with("tests/") &&
                           !file.path.starts_with("tests/e2e/") &&
                           !file.path.starts_with("tests/bench/") &&
                           !file.path.starts_with("tests/lint/") && !file.path.ends_with("_main.cc");
                  },
                  [](const SourceFile& file) {
                    Problems problems;
                    for (std::size_t i = 0; i < file.lines.size(); ++i)
                      if (std::regex_search(file.lines[i], pattern))
                        problems.push_back(At(file, i + 1) + file.lines[i]);
                    return problems;
                  }),
              IsEmpty());
}

TEST(Tidy, EveryFileIsReachable) {
  EXPECT_THAT(
      OverTree(Cpp,
               [](const SourceFile& file) -> Problems {
                 if (file.path.ends_with(".cc")) {
                   const SourceFile* list = FindFile(file.folder() + "/CMakeLists.txt");
                   if (list == nullptr) return {file.path + ": no CMakeLists.txt beside it"};
                   const std::string stem = file.name().substr(0, file.name().rfind('.'));
                   const bool globbed = !file.name().ends_with("_main.cc") &&
                                        (list->text.find("dirsync_library(") != std::string::npos ||
                                         list->text.find("*.cc") != std::string::npos);
                   if (globbed || list->text.find(stem) != std::string::npos) return {};
                   return {file.path + ": in no target"};
                 }
                 for (const SourceFile& other : Tree())
                   for (const auto& [include, line] : Includes(other))
                     if (include == file.path && other.path != file.path) return {};
                 return {file.path + ": nobody includes it"};
               }),
      IsEmpty());
}

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
