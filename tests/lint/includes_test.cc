// Goal: a header can be used without knowing what else to include. The build parses what is used
// most once, for all sources, and so would not see what is missing. Method: each source includes
// its own header first, and each header includes what it names of the standard library; headers
// without a source of their own are compiled alone by the build.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>

#include "tests/lint/source_tree.h"

namespace dirsync::lint {
namespace {

// Header of the standard library -> what of it our headers name.
const std::map<std::string, std::vector<std::string>>& NamesOfStd() {
  static const std::map<std::string, std::vector<std::string>> names = {
      {"algorithm",
       {"min", "max", "clamp", "sort", "find_if", "any_of", "all_of", "count_if", "lower_bound",
        "upper_bound", "equal", "copy", "fill", "transform"}},
      {"array", {"array"}},
      {"atomic", {"atomic"}},
      {"bitset", {"bitset"}},
      {"charconv", {"from_chars", "to_chars"}},
      {"chrono", {"chrono"}},
      {"compare", {"strong_ordering", "weak_ordering", "partial_ordering"}},
      {"condition_variable", {"condition_variable"}},
      {"cstddef", {"byte"}},
      {"cstdint",
       {"uint8_t", "uint16_t", "uint32_t", "uint64_t", "int8_t", "int16_t", "int32_t", "int64_t"}},
      {"cstring", {"memcpy", "memcmp", "memset", "strlen", "strcmp"}},
      {"deque", {"deque"}},
      {"expected", {"expected", "unexpected"}},
      {"filesystem", {"filesystem"}},
      {"fstream", {"ifstream", "ofstream", "fstream"}},
      {"functional", {"function", "move_only_function", "reference_wrapper"}},
      {"initializer_list", {"initializer_list"}},
      {"list", {"list"}},
      {"map", {"map", "multimap"}},
      {"memory",
       {"unique_ptr", "shared_ptr", "weak_ptr", "make_unique", "make_shared",
        "enable_shared_from_this"}},
      {"mutex", {"mutex", "lock_guard", "unique_lock", "scoped_lock", "once_flag"}},
      {"optional", {"optional", "nullopt"}},
      {"random", {"mt19937", "mt19937_64", "uniform_int_distribution"}},
      {"set", {"set", "multiset"}},
      {"span", {"span", "as_bytes"}},
      {"sstream", {"stringstream", "ostringstream", "istringstream"}},
      {"stop_token", {"stop_token", "stop_source"}},
      {"string", {"string", "to_string", "stoi", "getline"}},
      {"string_view", {"string_view"}},
      {"thread", {"thread", "jthread"}},
      {"tuple", {"tuple", "tie", "forward_as_tuple"}},
      {"unordered_map", {"unordered_map"}},
      {"unordered_set", {"unordered_set"}},
      {"utility", {"move", "forward", "pair", "exchange", "swap", "to_underlying"}},
      {"variant", {"variant", "monostate", "visit", "get_if", "holds_alternative"}},
      {"vector", {"vector"}},
  };
  return names;
}

// Each name with the header that it is of, turned around.
const std::map<std::string, std::string>& HeaderOfName() {
  static const std::map<std::string, std::string> headers = [] {
    std::map<std::string, std::string> turned;
    for (const auto& [header, names] : NamesOfStd())
      for (const std::string& name : names) turned[name] = header;
    return turned;
  }();
  return headers;
}

std::set<std::string> IncludesOf(const SourceFile& file) {
  std::set<std::string> includes;
  for (const auto& [include, line] : Includes(file)) includes.insert(include);
  return includes;
}

// What `header` names of the standard library and does not include.
Problems MissingOfStd(const SourceFile& header) {
  static const std::regex name_of_std("\\bstd::([a-z_0-9]+)");
  const std::set<std::string> includes = IncludesOf(header);
  const std::vector<std::string> lines = SplitLines(CodeOnly(header.text, false));
  std::map<std::string, std::string> missing;  // header -> the first place that needs it
  for (std::size_t i = 0; i < lines.size(); ++i)
    for (std::sregex_iterator at(lines[i].begin(), lines[i].end(), name_of_std), end; at != end;
         ++at) {
      const auto of = HeaderOfName().find((*at)[1]);
      if (of == HeaderOfName().end() || includes.contains(of->second)) continue;
      missing.emplace(of->second, header.path + ":" + std::to_string(i + 1) + ": " + at->str() +
                                      " without <" + of->second + ">");
    }
  Problems problems;
  for (const auto& [of, problem] : missing) problems.push_back(problem);
  return problems;
}

// "a/x.cc" includes "a/x.h" before all else, if there is one.
Problems OwnHeaderNotFirst(const SourceFile& source, bool has_header) {
  if (!has_header) return {};
  const std::string header = source.path.substr(0, source.path.size() - 2) + "h";
  const auto includes = Includes(source);
  if (!includes.empty() && includes.front().first == header) return {};
  return {source.path + ": its first include is not " + header};
}

TEST(Includes, HeadersIncludeWhatTheyNameOfTheStandardLibrary) {
  Problems all;
  for (const SourceFile& file : Tree()) {
    if (!file.IsProduction() || !file.IsHeader()) continue;
    const Problems found = MissingOfStd(file);
    all.insert(all.end(), found.begin(), found.end());
  }
  ExpectNone(all);
}

TEST(Includes, EachSourceIncludesItsOwnHeaderFirst) {
  Problems all;
  for (const SourceFile& file : Tree()) {
    if (!file.IsProduction() || !file.path.ends_with(".cc")) continue;
    const std::string header = file.path.substr(0, file.path.size() - 2) + "h";
    const Problems found = OwnHeaderNotFirst(file, FindFile(header) != nullptr);
    all.insert(all.end(), found.begin(), found.end());
  }
  ExpectNone(all);
}

TEST(IncludesDetector, FindsAMissingHeaderAndAnOrder) {
  const auto header = MakeFile("a/x.h",
                               "#include <string>\n// std::map\nstd::string A();\n"
                               "std::vector<std::string> B();\nstd::size_t C();\n");
  EXPECT_THAT(MissingOfStd(header), testing::ElementsAre("a/x.h:4: std::vector without <vector>"));
  EXPECT_THAT(OwnHeaderNotFirst(MakeFile("a/x.cc", "#include <map>\n#include \"a/x.h\"\n"), true),
              testing::SizeIs(1));
  EXPECT_THAT(OwnHeaderNotFirst(MakeFile("a/x.cc", "#include \"a/x.h\"\n"), true),
              testing::IsEmpty());
}

}  // namespace
}  // namespace dirsync::lint
