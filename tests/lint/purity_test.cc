// Goal: the pure libraries decide, and never look at the world. Method: `nm -uC` lists what their
// objects take from elsewhere; only memory, text, containers and exceptions are allowed, so that
// a clock, a file or a lock cannot come in unseen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <regex>
#include <set>

#include "tests/lint/source_tree.h"

namespace dirsync::lint {
namespace {

using testing::Contains;
using testing::HasSubstr;

std::set<std::string> UndefinedSymbols(const std::string& archive) {
  std::set<std::string> symbols;
  std::FILE* nm = popen(("nm -uC '" + archive + "'").c_str(), "r");
  if (nm == nullptr) return symbols;
  std::string text;
  std::array<char, 4096> buffer;
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), nm))
    text.append(buffer.data(), n);
  EXPECT_EQ(pclose(nm), 0) << "nm " << archive;
  for (const std::string& line : SplitLines(text)) {
    const std::string_view symbol = Trim(line);
    // "U symbol", "w symbol"; anything else names a member of the archive.
    if (symbol.size() > 2 && symbol[1] == ' ') symbols.emplace(symbol.substr(2));
  }
  return symbols;
}

// Of the standard library: what reaches the world. Everything else of std:: computes.
const std::regex kImpureStd(
    "_clock::now|random_device|fstream|filebuf|std::cout|std::cin|std::cerr|std::clog|"
    "ios_base::Init|std::thread|jthread|this_thread|std::mutex|_mutex|condition_variable|"
    "std::__once|std::future|std::promise|std::filesystem|std::locale\\(|getenv|std::async|"
    "semaphore|__atomic_wait|get_temporary_buffer|tzdb");

// C functions that only compute.
const std::regex kPureC(
    "mem(cpy|move|set|cmp|chr|rchr|mem)|str(len|cmp|ncmp|chr|rchr|str)|bcmp|__mem\\w+_chk|"
    "__cxa_\\w+|__gxx_personality_v0|_Unwind_Resume|__stack_chk_fail|__assert_fail|abort|"
    "_GLOBAL_OFFSET_TABLE_|__dso_handle|atexit|__udivti3|__umodti3|__popcountdi2|"
    "snprintf|__libc_single_threaded|_?_ITM_\\w+|__gmon_start__|__tls_get_addr|__dynamic_cast|"
    "__(asan|ubsan|sanitizer|lsan|sancov)_\\w+|free|malloc|calloc|realloc");

const std::regex kOurs(
    "(vtable for |typeinfo for |typeinfo name for |VTT for |guard variable for |TLS \\w+ function "
    "for |non-virtual thunk to |construction vtable for )?"
    "(operator new|operator delete|.*\\b(dirsync|std|__gnu_cxx)::).*|"
    "typeinfo for .*|vtable for __cxxabiv1::.*");

// Symbols that a pure library may not need; `extra` allows those of one outside package.
std::vector<std::string> Impure(const std::set<std::string>& symbols, const std::string& extra) {
  std::vector<std::string> impure;
  for (const std::string& symbol : symbols) {
    const std::string name = symbol.substr(0, symbol.find('@'));
    if (!extra.empty() && std::regex_match(name, std::regex(extra))) continue;
    const bool cpp = name.find("::") != std::string::npos || name.find("operator ") == 0;
    const bool pure = cpp ? std::regex_match(name, kOurs) && !std::regex_search(name, kImpureStd) &&
                                name.find("spdlog") == std::string::npos &&
                                name.find("fmt::") == std::string::npos
                          : std::regex_match(name, kPureC) || std::regex_match(name, kOurs);
    if (!pure) impure.push_back(symbol);
  }
  return impure;
}

struct PureLibrary {
  const char* name;
  const char* archive;
  const char* extra;  // symbols of its one outside package
};
std::ostream& operator<<(std::ostream& out, const PureLibrary& library) {
  return out << library.name;
}

class Purity : public testing::TestWithParam<PureLibrary> {};

TEST_P(Purity, LibraryNeedsNothingOfTheWorld) {
  const auto symbols = UndefinedSymbols(GetParam().archive);
  EXPECT_FALSE(symbols.empty()) << "nm showed nothing";
  ExpectNone(Impure(symbols, GetParam().extra));
}

INSTANTIATE_TEST_SUITE_P(Libraries, Purity,
                         testing::Values(PureLibrary{"base", DIRSYNC_BASE, "(crypto|sodium)_\\w+"},
                                         PureLibrary{"model", DIRSYNC_MODEL, ""},
                                         PureLibrary{
                                             "codec", DIRSYNC_CODEC,
                                             "ZSTD_\\w+|.*google::protobuf::.*|.*dirsync::wire::.*|"
                                             "descriptor_table_\\w+|std::ios_base::Init::.*"},
                                         PureLibrary{"storage", DIRSYNC_STORAGE, ""},
                                         PureLibrary{"broker_core", DIRSYNC_BROKER_CORE, ""},
                                         PureLibrary{"directory", DIRSYNC_DIRECTORY, ""},
                                         PureLibrary{"agent_core", DIRSYNC_AGENT_CORE, ""},
                                         PureLibrary{"file", DIRSYNC_FILE, ""}),
                         [](const auto& library) { return std::string(library.param.name); });

// Headers too: an inline function's world shows only where it is used.
TEST(Purity, PureFoldersIncludeNoHeaderOfTheWorld) {
  static const std::regex world(
      "fstream|iostream|thread|mutex|shared_mutex|condition_variable|random|filesystem|future|"
      "stop_token|semaphore|latch|barrier|unistd\\.h|fcntl\\.h|sys/.*|pthread\\.h|time\\.h|ctime|"
      "csignal|dirent\\.h|unordered_map|unordered_set");
  std::vector<std::string> problems;
  for (const SourceFile& file : Tree()) {
    static const std::regex pure(
        "(proto/(base|model|codec)|agent/(directory|core|file))/[^/]*|"
        "storage/(storage|transaction|write_set|key_table|absence_filter|memory_storage|key)"
        "\\.(h|cc)");
    if (!std::regex_match(file.path, pure) || !file.IsProduction()) continue;
    for (const auto& [include, line] : Includes(file))
      if (std::regex_match(include, world)) problems.push_back(file.path + ": " + include);
  }
  ExpectNone(problems);
}

TEST(PurityDetector, FindsEachPlantedCall) {
  const auto impure = Impure(UndefinedSymbols(DIRSYNC_PLANTED), "");
  for (const char* what : {"steady_clock::now", "random_device", "fopen", "getenv", "std::thread"})
    EXPECT_THAT(impure, Contains(HasSubstr(what)));
  EXPECT_THAT(impure, Contains(testing::AnyOf(HasSubstr("basic_ifstream"), HasSubstr("filebuf"))));
}

TEST(PurityDetector, FindsWhatOtherPackagesBring) {
  for (const char* symbol :
       {"zmq_send", "rocksdb::DB::Open(rocksdb::Options const&)", "socket", "open", "clock_gettime",
        "spdlog::info(std::string)", "google::protobuf::Message::New()", "pthread_create", "rand"})
    EXPECT_THAT(Impure({symbol}, ""), testing::SizeIs(1)) << symbol;
}

}  // namespace
}  // namespace dirsync::lint
