// Goal: no document says what is not so, and no code cites what cannot be found. Method: links,
// cited rules, error codes and comments of public headers are looked up.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <regex>
#include <set>

#include "proto/base/error.h"
#include "tests/lint/cpp_scan.h"
#include "tests/lint/source_tree.h"

namespace dirsync::lint {
namespace {

// A heading as the anchor of a link: lower case, blanks to hyphens, the rest of punctuation gone.
std::string AnchorOf(std::string_view heading) {
  std::string anchor;
  for (char c : heading) {
    if (std::isalnum(static_cast<unsigned char>(c)) || (c & 0x80) || c == '-' || c == '_')
      anchor += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (c == ' ') anchor += '-';
  }
  return anchor;
}

bool HasAnchor(const SourceFile& file, const std::string& anchor) {
  for (const std::string& line : file.lines)
    if (line.starts_with("#") && AnchorOf(Trim(line.substr(line.find_first_not_of('#')))) == anchor)
      return true;
  return false;
}

Problems BrokenLinks(const SourceFile& file) {
  static const std::regex link("\\]\\(([^)\\s]+)\\)");
  Problems problems;
  const std::string& text = file.text;
  for (std::sregex_iterator it(text.begin(), text.end(), link), end; it != end; ++it) {
    const std::string target = (*it)[1];
    if (target.find("://") != std::string::npos) continue;
    const std::string path = target.substr(0, target.find('#'));
    namespace fs = std::filesystem;
    const fs::path from = fs::path(file.path).parent_path();
    const std::string full = path.empty() ? file.path : (from / path).lexically_normal().string();
    if (!fs::exists(fs::path(DIRSYNC_SOURCE_DIR) / full)) {
      problems.push_back(file.path + " -> " + target);
    } else if (const std::size_t hash = target.find('#'); hash != std::string::npos) {
      const SourceFile* to = FindFile(full);
      if (to == nullptr || !HasAnchor(*to, target.substr(hash + 1)))
        problems.push_back(file.path + " -> " + target + ": no such heading");
    }
  }
  return problems;
}

TEST(Docs, EveryLinkLeadsSomewhere) {
  Problems problems;
  for (const SourceFile& file : Tree())
    if (file.IsMarkdown())
      for (const std::string& problem : BrokenLinks(file)) problems.push_back(problem);
  ExpectNone(problems);
}

// "storage/FORMAT.md" in a comment must be a file here.
TEST(Docs, EveryDocumentThatIsNamedExists) {
  static const std::regex name("[A-Za-z0-9_./-]*[A-Za-z0-9_]\\.md\\b");
  std::set<std::string> names;
  for (const SourceFile& file : Tree()) names.insert(file.name());
  Problems problems;
  for (const SourceFile& file : Tree()) {
    for (std::sregex_iterator it(file.text.begin(), file.text.end(), name), end; it != end; ++it) {
      const std::string cited = it->str().substr(it->str().starts_with('/') ? 1 : 0);
      const bool whole = cited.find('/') != std::string::npos;
      const std::string beside = file.folder() + "/" + cited;
      if (whole ? FindFile(cited) == nullptr && FindFile(beside) == nullptr
                : !names.contains(cited))
        problems.push_back(file.path + ": " + cited);
    }
  }
  ExpectNone(problems);
}

// Rules and invariants have numbers; a number without a row helps nobody.
TEST(Docs, EveryCitedRuleStandsInArchitecture) {
  const SourceFile* architecture = FindFile("ARCHITECTURE.md");
  ASSERT_NE(architecture, nullptr);
  std::set<std::string> known;
  for (const char* heading : {"Rules", "Promises of the broker", "Invariants"})
    for (const auto& row : TableBelow(*architecture, heading)) known.insert(row[0]);
  static const std::regex cited("\\b[RIB][1-9][0-9]?\\b");
  static const std::regex elsewhere(
      "\\bDESI"
      "GN\\b");
  Problems problems;
  for (const SourceFile& file : Tree()) {
    if (!file.IsCpp() && !file.IsMarkdown()) continue;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
      const std::string& line = file.lines[i];
      const std::string at = file.path + ":" + std::to_string(i + 1) + ": ";
      if (std::regex_search(line, elsewhere)) problems.push_back(at + line);
      if (file.IsMarkdown() || line.find("//") == std::string::npos) continue;
      const std::string comment = line.substr(line.find("//"));
      for (std::sregex_iterator it(comment.begin(), comment.end(), cited), end; it != end; ++it)
        if (!known.contains(it->str())) problems.push_back(at + it->str());
    }
  }
  ExpectNone(problems);
}

// What an operator sees must be on the page that they open.
TEST(Docs, EveryErrorCodeHasItsRowOnTheOperationsPage) {
  const SourceFile* page = FindFile("deploy/README.md");
  ASSERT_NE(page, nullptr);
  std::map<std::string, std::vector<std::string>> rows;
  for (const auto& row : TableBelow(*page, "Error codes")) {
    const auto quoted = Quoted(row[0]);
    if (quoted.empty()) continue;  // the header row
    EXPECT_TRUE(rows.emplace(quoted.front(), row).second) << quoted.front() << " stands twice";
  }
  for (const ErrorInfo& info : ErrorRegistry()) {
    const auto row = rows.find(std::string(info.text));
    if (row == rows.end()) {
      ADD_FAILURE() << info.text << " has no row";
      continue;
    }
    ASSERT_EQ(row->second.size(), 4U) << info.text << ": code, exit, meaning, what to do";
    EXPECT_EQ(row->second[1], std::to_string(info.exit_status)) << info.text;
    EXPECT_GT(row->second[2].size(), 10U) << info.text;
    EXPECT_GT(row->second[3].size(), 5U) << info.text;
    rows.erase(row);
  }
  for (const auto& [code, row] : rows) ADD_FAILURE() << code << " is no error code";
}

// "Suite.Name" between backquotes must be a test, "name.txt" a transcript, "name_e2e" a ctest name.
TEST(Docs, EveryTestThatIsNamedExists) {
  const SourceFile* page = FindFile("tests/README.md");
  ASSERT_NE(page, nullptr);
  static const std::regex macro("\\bTEST(_F|_P)?\\(\\s*(\\w+),\\s*(\\w+)\\)");
  std::set<std::string> tests;
  for (const SourceFile& file : Tree()) {
    if (!file.path.starts_with("tests/")) continue;
    const std::string& text = file.text;
    for (std::sregex_iterator it(text.begin(), text.end(), macro), end; it != end; ++it)
      tests.insert((*it)[2].str() + "." + (*it)[3].str());
  }
  static const std::regex named("[A-Z]\\w+\\.[A-Z]\\w+");
  Problems problems;
  for (const std::string& line : page->lines) {
    if (!line.starts_with("|")) continue;
    for (const std::string& text : Quoted(line)) {
      if (std::regex_match(text, named) && text != "Suite.Name" && !tests.contains(text))
        problems.push_back(text);
      if (text.ends_with(".txt") && FindFile("tests/scenario/" + text) == nullptr &&
          text.find('*') == std::string::npos)
        problems.push_back(text);
    }
  }
  ExpectNone(problems);
}

bool IsPublicHeader(const SourceFile& file) {
  return file.IsHeader() && file.IsProduction() && !file.path.starts_with("cli/");
}

TEST(Docs, EveryPublicHeaderBeginsByPragmaOnceAndACommentSayingWhatItIs) {
  Problems problems;
  for (const SourceFile& file : Tree()) {
    if (!IsPublicHeader(file)) continue;
    if (file.lines.empty() || !file.lines[0].starts_with("// ")) problems.push_back(file.path);
    if (file.text.find("\n#pragma once\n") == std::string::npos)
      problems.push_back(file.path + ": no #pragma once");
  }
  ExpectNone(problems);
}

// A declaration is told about if a comment stands on its line, or above it without a blank line
// between. Not asked of: operators, constructors, overrides (their base tells), accessors that
// return a member, bodies of one line, row codecs (storage/FORMAT.md tells).
bool IsTold(const SourceFile& file, const Declaration& declaration) {
  static const std::regex exempt(
      "operator|\\b(Encode|Decode)\\w+\\(|\\boverride\\b|^~|^virtual ~|^(explicit )?([A-Z]\\w*)\\(|"
      "^[^()]* [a-z_]+\\(\\)( const)?( noexcept)?$");
  if (!declaration.is_type && std::regex_search(declaration.head, exempt)) return true;
  std::size_t line = declaration.line;  // from 1
  const std::string& text = file.lines[line - 1];
  if (!declaration.is_type && text.ends_with("}") && text.find('{') != std::string::npos)
    return true;
  if (file.lines[line - 1].find("//") != std::string::npos) return true;
  // Of a type also the comments of its first fields.
  for (std::size_t i = line; declaration.is_type && i < line + 4 && i < file.lines.size(); ++i)
    if (file.lines[i].find("//") != std::string::npos) return true;
  for (; line > 0 && !Trim(file.lines[line - 1]).empty(); --line)
    if (Trim(file.lines[line - 1]).starts_with("//")) return true;
  return false;
}

Problems Untold(const SourceFile& file) {
  Problems problems;
  bool first_type = true;  // the head of the file tells about it
  for (const Declaration& declaration : ScanCpp(file).declarations) {
    const bool told = IsTold(file, declaration) || (declaration.is_type && first_type);
    first_type = first_type && !declaration.is_type;
    if (!told)
      problems.push_back(file.path + ":" + std::to_string(declaration.line) + ": " +
                         declaration.head.substr(0, 70));
  }
  return problems;
}

TEST(Docs, EveryPublicTypeAndFunctionIsToldAbout) {
  Problems problems;
  for (const SourceFile& file : Tree())
    if (IsPublicHeader(file))
      for (const std::string& problem : Untold(file)) problems.push_back(problem);
  ExpectNone(problems);
}

TEST(DocsDetector, FindsABrokenLinkAndAnUntoldFunction) {
  EXPECT_THAT(BrokenLinks(MakeFile("deploy/x.m"
                                   "d",
                                   "see [that](no-such-file.m"
                                   "d)\n")),
              testing::SizeIs(1));
  EXPECT_THAT(
      Untold(MakeFile("proto/x.h",
                      "// Head.\n#pragma once\nclass A {\n public:\n  // Told.\n  int B(int x);\n"
                      "\n  int C(int x);\n private:\n  int D(int x);\n};\n\nint E(int x);\n")),
      testing::SizeIs(2));
}

}  // namespace
}  // namespace dirsync::lint
