// The table of commands, its parser, and whole commands that need no store.
#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "cli/command.h"
#include "cli/help.h"
#include "proto/base/text.h"

namespace dirsync::cli {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

struct Outcome {
  int status = 0;
  std::string out;
  std::string err;
};
// `answers`: what a person at a terminal types; nullptr: no terminal.
Outcome Typed(const std::vector<std::string>& words, const char* answers = nullptr) {
  std::istringstream in(answers == nullptr ? "" : answers);
  std::ostringstream out;
  std::ostringstream err;
  Console console{.in = in,
                  .out = out,
                  .err = err,
                  .in_terminal = answers != nullptr,
                  .err_terminal = answers != nullptr,
                  .no_color = true,
                  .folder = "/nowhere"};
  const int status = RunCommand(RealWorld(), console, words);
  return {status, out.str(), err.str()};
}

TEST(CommandTable, Paths_AreUniqueAndEachHasHelpAndExamples) {
  std::set<std::string_view> paths;
  for (const CommandGroup& group : AllCommands()) {
    for (const CommandSpec& command : group.commands) {
      EXPECT_TRUE(paths.insert(command.path).second) << command.path;
      EXPECT_FALSE(command.help.empty()) << command.path;
      EXPECT_FALSE(command.examples.empty()) << command.path;
      EXPECT_NE(command.run, nullptr) << command.path;
      for (std::string_view example : command.examples)
        EXPECT_TRUE(example.starts_with("dirsync ")) << example;
    }
  }
  for (const char* path : {"init",
                           "mailbox add",
                           "mailbox set",
                           "mailbox rename",
                           "mailbox move",
                           "mailbox delete",
                           "recipient add",
                           "recipient set",
                           "recipient delete",
                           "group add",
                           "group members",
                           "group delete",
                           "container add",
                           "container delete",
                           "list",
                           "show",
                           "load",
                           "dump",
                           "backup",
                           "restore",
                           "instance set",
                           "instance show",
                           "instance list",
                           "instance delete",
                           "run",
                           "plan",
                           "apply",
                           "held list",
                           "held show",
                           "held approve",
                           "held reject",
                           "quarantine list",
                           "quarantine show",
                           "quarantine retry",
                           "quarantine discard",
                           "file show",
                           "file verify",
                           "ack",
                           "runs",
                           "version",
                           "help"})
    EXPECT_TRUE(paths.contains(path)) << path;
}

TEST(CommandTable, Options_AreUniqueWithinACommand) {
  for (const CommandGroup& group : AllCommands())
    for (const CommandSpec& command : group.commands) {
      std::set<std::string_view> names;
      for (const OptionSpec& option : OptionsOf(command)) {
        EXPECT_TRUE(names.insert(option.name).second) << command.path << ' ' << option.name;
        EXPECT_TRUE(option.name.starts_with("--")) << option.name;
      }
    }
}

// An example that the parser refuses would teach the wrong thing.
TEST(CommandTable, Examples_AreAccepted) {
  for (const CommandGroup& group : AllCommands()) {
    for (const CommandSpec& command : group.commands) {
      for (std::string_view example : command.examples) {
        std::vector<std::string> words;
        std::string word;
        bool quoted = false;
        for (char c : std::string(example) + " ") {
          if (c == '"') {
            quoted = !quoted;
          } else if (c == ' ' && !quoted) {
            if (!word.empty()) words.push_back(word);
            word.clear();
          } else {
            word += c;
          }
        }
        const std::size_t path_words = Split(command.path, ' ').size();
        words.erase(words.begin(), words.begin() + 1 + static_cast<std::ptrdiff_t>(path_words));
        auto arguments = ParseArguments(words, OptionsOf(command));
        ASSERT_TRUE(arguments) << example << ": " << arguments.error().message;
        EXPECT_GE(arguments->words().size(), command.words_min) << example;
      }
    }
  }
}

TEST(CommandTable, Help_FitsEightyColumnsWithoutOptions) {
  std::ostringstream out;
  PrintHelp(out, false);
  std::istringstream lines(out.str());
  for (std::string line; std::getline(lines, line);) EXPECT_LE(WidthOf(line), 110u) << line;
  for (const CommandGroup& group : AllCommands())
    for (const CommandSpec& command : group.commands) {
      std::ostringstream one;
      PrintCommandHelp(one, command, false);
      EXPECT_TRUE(one.str().starts_with("Examples\n  dirsync")) << command.path;
    }
}

constexpr OptionSpec kOptions[] = {
    {"--name", "N", ""}, {"--flag", "", ""}, {"--many", "M", "", true}};

TEST(Options, BothSpellingsOfAValue) {
  const std::vector<std::string> words = {"--name", "a",   "x",     "--many=1",
                                          "--many", "2,3", "--flag"};
  auto arguments = ParseArguments(words, kOptions);
  ASSERT_TRUE(arguments);
  EXPECT_EQ(arguments->Value("--name"), "a");
  EXPECT_TRUE(arguments->Has("--flag"));
  EXPECT_THAT(arguments->words(), testing::ElementsAre("x"));
  EXPECT_THAT(arguments->List("--many"), testing::ElementsAre("1", "2", "3"));
}

TEST(Options, WrongOnesAreRefused) {
  using Words = std::vector<std::string>;
  for (const Words& words : {Words{"--nmae", "a"}, Words{"--name"}, Words{"--name", "--flag"},
                             Words{"--flag=1"}, Words{"--name", "a", "--name", "b"}, Words{"-n"}}) {
    auto arguments = ParseArguments(words, kOptions);
    ASSERT_FALSE(arguments) << Join(words, " ");
    EXPECT_EQ(arguments.error().code, ErrorCode::kUsage);
  }
  EXPECT_THAT(ParseArguments(Words{"--nmae=a"}, kOptions).error().message, HasSubstr("--name"));
}

TEST(Options, DoubleDashEndsThem) {
  const std::vector<std::string> words = {"--", "--flag", "-x"};
  auto arguments = ParseArguments(words, kOptions);
  ASSERT_TRUE(arguments);
  EXPECT_THAT(arguments->words(), testing::ElementsAre("--flag", "-x"));
}

TEST(Command, UnknownOnesExitTwoWithSuggestions) {
  auto outcome = Typed({"lsit"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("or list?"));
  outcome = Typed({"mailbox", "ad", "X"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("did you mean add"));
  outcome = Typed({"list", "--jsno"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, HasSubstr("--json"));
  EXPECT_EQ(outcome.out, "");
}

TEST(Command, HostileWordsAreShownNeutral) {
  auto outcome = Typed({"\x1b]0;title\x07"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.err, Not(HasSubstr("\x1b")));
}

TEST(Command, ErrorsWithJsonAreOneObjectOnStderr) {
  auto outcome = Typed({"list", "--json"});
  EXPECT_EQ(outcome.status, 2);
  EXPECT_EQ(outcome.out, "");
  auto json = nlohmann::json::parse(outcome.err);
  EXPECT_EQ(json["code"], "USAGE");
  EXPECT_TRUE(json.contains("message"));
  EXPECT_TRUE(json.contains("hint"));
  json = nlohmann::json::parse(Typed({"nonsense", "--json"}).err);
  EXPECT_EQ(json["code"], "USAGE");
}

TEST(Command, CountOfWordsIsChecked) {
  EXPECT_THAT(Typed({"mailbox", "add"}).err, HasSubstr("missing NAME"));
  EXPECT_THAT(Typed({"mailbox", "add", "a", "b"}).err, HasSubstr("one word too many: b"));
  EXPECT_THAT(Typed({"show", ""}).err, HasSubstr("empty name"));
}

TEST(Command, HelpWithJsonIsTheTable) {
  for (const auto& words :
       std::vector<std::vector<std::string>>{{"help", "--json"},
                                             {"--help", "--json"},
                                             {"help", "mailbox", "add", "--json"},
                                             {"mailbox", "--help", "--json"},
                                             {"mailbox", "add", "--help", "--json"}}) {
    const auto outcome = Typed(words);
    EXPECT_EQ(outcome.status, 0) << Join(words, " ");
    EXPECT_THAT(outcome.out, StartsWith("[\n{\"command\":")) << Join(words, " ");
    EXPECT_THAT(outcome.out, HasSubstr("\"command\":\"mailbox add\"")) << Join(words, " ");
    EXPECT_THAT(outcome.out, EndsWith("\n]\n")) << Join(words, " ");
  }
}

TEST(Command, HelpInEveryPlace) {
  for (const auto& words : std::vector<std::vector<std::string>>{{"help"},
                                                                 {"--help"},
                                                                 {"-h"},
                                                                 {"help", "mailbox"},
                                                                 {"mailbox", "--help"},
                                                                 {"help", "instance", "set"},
                                                                 {"instance", "set", "--help"},
                                                                 {"/?"},
                                                                 {"/HELP"},
                                                                 {"-?"}}) {
    auto outcome = Typed(words);
    EXPECT_EQ(outcome.status, 0) << Join(words, " ");
    EXPECT_THAT(outcome.out, HasSubstr("dirsync")) << Join(words, " ");
    EXPECT_EQ(outcome.err, "") << Join(words, " ");
  }
  EXPECT_EQ(Typed({"help", "nonsense"}).status, 2);
}

TEST(Command, VersionNeedsNoStore) {
  EXPECT_EQ(Typed({"version"}).status, 0);
  EXPECT_THAT(Typed({"--version"}).out, HasSubstr("dirsync "));
}

TEST(Command, NoWordsAndNoStoreSaysWhatToDo) {
  auto outcome = Typed({});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.err, HasSubstr("next: dirsync init"));
}

TEST(Command, OldSpellingIsChosenByFlagsUnlessACommandIsFirst) {
  EXPECT_THAT(Typed({"/SET"}).err, HasSubstr("/SET without an instance"));
  EXPECT_THAT(Typed({"INSTANCE1", "/NONSENSE"}).err, HasSubstr("unknown flag"));
  EXPECT_THAT(Typed({"show", "/o=Testorg"}).err, HasSubstr("no store is named"));
  EXPECT_THAT(Typed({"-SET", "--json"}).err, HasSubstr("\"code\":\"USAGE\""));
}

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "command-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    Make("a", "Site1");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void Make(const std::string& store, const std::string& site) {
    ASSERT_EQ(Typed({"init", "--store", folder_ + "/" + store, "--organization", "Testorg",
                     "--site", site, "--server", "S"})
                  .status,
              0);
  }
  Outcome At(const std::string& store, std::vector<std::string> words,
             const char* answers = nullptr) {
    words.insert(words.begin(), {"--store", folder_ + "/" + store});
    return Typed(words, answers);
  }
  std::string folder_;
};

TEST_F(StoreTest, UnknownInstance_IsAskedForAtATerminalOnly) {
  auto outcome = At("a", {"INSTANCE1", "/EXPORT", "/EXPFILE=F"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("/SET"));
  EXPECT_NE(At("a", {"INSTANCE1", "/EXPORT", "/EXPFILE=F"}, "n\n").status, 0);
  EXPECT_EQ(At("a", {"instance", "show", "INSTANCE1"}).status, 1);
  outcome = At("a", {"INSTANCE1", "/EXPORT", "/EXPFILE=F"}, "what?\nY\n");
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.out, HasSubstr("made instance INSTANCE1"));
  EXPECT_EQ(At("a", {"instance", "show", "instance1"}).status, 0);
}

TEST_F(StoreTest, FirstImport_ShowsItsPlanAndAsksAtATerminal) {
  Make("b", "Site2");
  const std::string file = folder_ + "/SYNC1";
  ASSERT_EQ(At("a", {"mailbox", "add", "M1"}).status, 0);
  ASSERT_EQ(At("a", {"instance", "set", "OUT", "--export", "--export-file", file}).status, 0);
  ASSERT_EQ(At("a", {"run", "OUT"}).status, 0);
  ASSERT_EQ(At("b", {"instance", "set", "IN", "--import", "--import-file", file}).status, 0);
  auto outcome = At("b", {"run", "IN"}, "n\n");
  EXPECT_NE(outcome.status, 0);
  EXPECT_THAT(outcome.err, HasSubstr("1 added"));
  EXPECT_THAT(outcome.err, HasSubstr("fingerprint"));
  EXPECT_EQ(At("b", {"list", "--imported", "--json"}).out, "[]\n");
  EXPECT_NE(At("b", {"run", "IN"}, "").status, 0) << "end of input is no yes";
  EXPECT_EQ(At("b", {"run", "IN"}, "yes\n").status, 0);
  EXPECT_THAT(At("b", {"list", "--imported", "--json"}).out, HasSubstr("M1"));
  EXPECT_THAT(At("b", {"run", "IN"}, "").err, Not(HasSubstr("first import")));
}

TEST_F(StoreTest, FirstImport_IsNotAskedForWithYes) {
  Make("b", "Site2");
  const std::string file = folder_ + "/SYNC1";
  ASSERT_EQ(At("a", {"run", "--export", "--export-file", file}).status, 0);
  ASSERT_EQ(At("b", {"instance", "set", "IN", "--import", "--import-file", file}).status, 0);
  EXPECT_EQ(At("b", {"run", "IN", "--yes"}, "").status, 0);
}

TEST_F(StoreTest, DryRun_ChangesNothing) {
  EXPECT_EQ(At("a", {"mailbox", "add", "M1", "--dry-run"}).status, 0);
  EXPECT_EQ(At("a", {"instance", "set", "OUT", "--export", "--dry-run"}).status, 0);
  EXPECT_EQ(At("a", {"I", "/SET", "/EXPORT", "--dry-run"}).status, 0);
  EXPECT_EQ(At("a", {"show", "M1"}).status, 1);
  EXPECT_EQ(At("a", {"instance", "list", "--json"}).out, "[]\n");
}

TEST_F(StoreTest, ShapesOfJson) {
  ASSERT_EQ(At("a", {"mailbox", "add", "M1", "--attribute", "Thumbnail-Photo=AAH/"}).status, 0);
  auto entry = nlohmann::json::parse(At("a", {"show", "M1", "--json"}).out);
  for (const char* key :
       {"dn", "id", "class", "usn_created", "usn_changed", "origin", "attributes"})
    EXPECT_TRUE(entry.contains(key)) << key;
  EXPECT_EQ(entry["attributes"]["Display-Name"][0], "M1");
  EXPECT_EQ(entry["attributes"]["Thumbnail-Photo"][0]["base64"], "AAH/");
  auto list = nlohmann::json::parse(At("a", {"list", "--json"}).out);
  EXPECT_TRUE(list.is_array());
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"held", "list"}, {"quarantine", "list"}, {"runs"}, {"instance", "list"}}) {
    auto with_json = words;
    with_json.emplace_back("--json");
    EXPECT_TRUE(nlohmann::json::parse(At("a", with_json).out).is_array()) << words[0];
  }
  EXPECT_EQ(nlohmann::json::parse(At("a", {"--json"}).out)["local"]["mailbox"], 1);
  auto error = At("a", {"show", "M2", "--json"});
  EXPECT_EQ(error.out, "");
  EXPECT_EQ(nlohmann::json::parse(error.err)["code"], "NOT_FOUND");
}

TEST_F(StoreTest, Run_GoesOnAfterAFailureAndKeepsItsStatus) {
  const std::string file = folder_ + "/OUT";
  ASSERT_EQ(At("a", {"mailbox", "add", "M1"}).status, 0);
  ASSERT_EQ(At("a", {"instance", "set", "BOTH", "--both", "--import-file", folder_ + "/absent",
                     "--export-file", file})
                .status,
            0);
  auto outcome = At("a", {"run", "BOTH"});
  EXPECT_EQ(outcome.status, 1) << "the import's";
  EXPECT_TRUE(std::filesystem::exists(file)) << "the export was made all the same";
  EXPECT_THAT(outcome.out, HasSubstr("exported"));
}

TEST(Command, StoreThatIsNotThereHelpsWithInit) {
  auto outcome = Typed({"--store", "/nowhere/at/all", "list"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("dirsync init"));
}

}  // namespace
}  // namespace dirsync::cli
