// Goal: layers stay layers. Method: every #include of production code is looked up in the table
// "Arrows" of ARCHITECTURE.md; what the table does not name is an error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/lint/source_tree.h"

namespace dirsync::lint {
namespace {

struct Row {
  std::set<std::string> folders;   // that it may include
  std::set<std::string> packages;  // outside ones that it may include
};
using Arrows = std::map<std::string, Row>;

// Include prefix of each outside package -> its word in the table.
const std::vector<std::pair<std::string, std::string>> kPackages = {
    {"rocksdb/", "rocksdb"},
    {"zmq", "zeromq"},
    {"google/protobuf/", "protobuf"},
    {"sodium", "sodium"},
    {"zstd", "zstd"},
    {"nlohmann/", "nlohmann-json"},
    {"spdlog/", "spdlog"},
    {"fmt/", "fmt"},
    {"CLI/", "CLI11"},
    {"toml++/", "toml++"},
    {"benchmark/", "benchmark"},
    {"gtest/", "googletest"},
    {"gmock/", "googletest"},
    {"httplib", "httplib"},
    {"ldap", "libldap"},
};

std::string PackageOf(const std::string& include) {
  for (const auto& [prefix, package] : kPackages)
    if (include.starts_with(prefix)) return package;
  return {};
}

std::string FolderOf(const std::string& path) { return path.substr(0, path.rfind('/')); }

// Folder rows in the table's order; `problems` gets arrows that point up.
Arrows ReadArrows(const SourceFile& architecture, Problems& problems) {
  Arrows arrows;
  for (const auto& cells : TableBelow(architecture, "Arrows")) {
    if (cells.size() < 4 || Quoted(cells[1]).empty()) continue;  // the header row
    Row row;
    for (const std::string& folder : Quoted(cells[2])) {
      if (!arrows.contains(folder))
        problems.push_back("row of " + cells[1] + " points up: " + folder);
      row.folders.insert(folder);
    }
    for (const std::string& package : Quoted(cells[3])) row.packages.insert(package);
    arrows[Quoted(cells[1]).front()] = row;
  }
  return arrows;
}

// Every include that the table does not allow.
Problems Violations(const Arrows& arrows, const std::vector<SourceFile>& files) {
  Problems problems;
  for (const SourceFile& file : files) {
    if (!file.IsProduction()) continue;
    const auto row = arrows.find(file.folder());
    if (row == arrows.end()) {
      problems.push_back(file.path + ": its folder has no row in the table");
      continue;
    }
    for (const auto& [include, line] : Includes(file)) {
      const std::string where = file.path + ":" + std::to_string(line) + ": " + include;
      const bool generated = include.ends_with(".pb.h");
      const std::string package = PackageOf(include);
      if (!package.empty() && !row->second.packages.contains(package))
        problems.push_back(where + ": this folder may not use " + package);
      const bool ours = include.find('/') != std::string::npos && package.empty() &&
                        (arrows.contains(FolderOf(include)) || generated);
      if (!ours || FolderOf(include) == file.folder()) continue;
      if (!row->second.folders.contains(FolderOf(include)))
        problems.push_back(where + ": no such arrow");
    }
  }
  return problems;
}

const SourceFile& Architecture() {
  const SourceFile* file = FindFile("ARCHITECTURE.md");
  static const SourceFile none = MakeFile("ARCHITECTURE.md", "");
  return file == nullptr ? none : *file;
}

TEST(Arrows, TableHasARowForEachFolderAndNoneTwice) {
  Problems problems;
  const Arrows arrows = ReadArrows(Architecture(), problems);
  ExpectNone(problems);
  std::set<std::string> folders;
  for (const SourceFile& file : Tree())
    if (file.IsProduction()) folders.insert(file.folder());
  for (const auto& [folder, row] : arrows)
    if (!folders.contains(folder) && FindFile(folder + "/CMakeLists.txt") == nullptr)
      problems.push_back("row of a folder that is not there: " + folder);
  ExpectNone(problems);
  EXPECT_GE(arrows.size(), 8U);
}

TEST(Arrows, EveryIncludeIsInTheTable) {
  Problems problems;
  const Arrows arrows = ReadArrows(Architecture(), problems);
  ExpectNone(Violations(arrows, Tree()));
}

TEST(Arrows, EveryIncludeFromTheTopOfTheTreeExists) {
  Problems problems;
  for (const SourceFile& file : Tree()) {
    if (!file.IsCpp()) continue;
    for (const auto& [include, line] : Includes(file)) {
      const std::string top = include.substr(0, include.find('/'));
      if (FindFile(top + "/CMakeLists.txt") == nullptr || include.ends_with(".pb.h")) continue;
      if (FindFile(include) == nullptr)
        problems.push_back(file.path + ":" + std::to_string(line) + ": " + include);
    }
  }
  ExpectNone(problems);
}

// RocksDB, protobuf and the others are replaced or mocked in one place.
TEST(Arrows, EachOutsidePackageIsIncludedByOneFolder) {
  std::map<std::string, std::set<std::string>> users;
  for (const SourceFile& file : Tree()) {
    if (!file.IsProduction()) continue;
    for (const auto& [include, line] : Includes(file)) {
      const std::string package = include.ends_with(".pb.h") ? "protobuf" : PackageOf(include);
      if (!package.empty()) users[package].insert(file.folder());
    }
  }
  for (const auto& [package, folders] : users)
    EXPECT_EQ(folders.size(), 1U) << package << " is used by " << testing::PrintToString(folders);
}

TEST(Arrows, FilesOfOneFolderHaveNoCycle) {
  std::map<std::string, std::set<std::string>> left;
  for (const SourceFile& file : Tree()) {
    if (!file.IsHeader() || !file.IsProduction()) continue;
    for (const auto& [include, line] : Includes(file))
      if (FindFile(include) != nullptr) left[file.path].insert(include);
    left[file.path];
  }
  // Headers that include nothing that is left are taken away until nothing changes.
  for (bool changed = true; changed;) {
    changed = false;
    for (auto it = left.begin(); it != left.end();) {
      std::erase_if(it->second, [&](const std::string& path) { return !left.contains(path); });
      changed |= it->second.empty();
      it = it->second.empty() ? left.erase(it) : std::next(it);
    }
  }
  for (const auto& [path, includes] : left) ADD_FAILURE() << path << " is in a cycle of headers";
}

TEST(ArrowsDetector, FindsAPlantedArrowUpAndAPlantedPackage) {
  Problems problems;
  const Arrows arrows = ReadArrows(
      MakeFile("A",
               "## Arrows\n\n| target | folder | may include | outside |\n|---|---|---|---|\n"
               "| `low` | `x/low` | – | `sodium` |\n| `high` | `x/high` | `x/low` | – |\n"),
      problems);
  ExpectNone(problems);
  const auto low = MakeFile("x/low/a.h", "#include \"x/high/b.h\"\n#include <sodium.h>\n");
  const auto high = MakeFile("x/high/b.h", "#include \"x/low/a.h\"\n#include <rocksdb/db.h>\n");
  EXPECT_THAT(Violations(arrows, {low, high}),
              testing::ElementsAre(testing::HasSubstr("x/high/b.h: no such arrow"),
                                   testing::HasSubstr("may not use rocksdb")));
  EXPECT_THAT(Violations(arrows, {MakeFile("y/c.h", "")}), testing::SizeIs(1));
}

TEST(ArrowsDetector, FindsARowThatPointsUp) {
  Problems problems;
  ReadArrows(MakeFile("A", "## Arrows\n| a | `x/low` | `x/high` | – |\n| b | `x/high` | – | – |\n"),
             problems);
  EXPECT_THAT(problems, testing::SizeIs(1));
}

}  // namespace
}  // namespace dirsync::lint
