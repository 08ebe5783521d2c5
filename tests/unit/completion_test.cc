// Completion and the manual page: complete, harmless to their shells, and as committed.
#include "cli/completion.h"

#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "cli/command.h"

namespace dirsync::cli {
namespace {

using testing::HasSubstr;

std::string Committed(const std::string& name) {
  std::ifstream file(std::string(DIRSYNC_SOURCE_DIR) + "/deploy/completion/" + name);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Stale? Build, then run deploy/completion/generate.
TEST(Completion, CommittedFilesAreThoseOfTheTable) {
  EXPECT_TRUE(Committed("dirsync.bash") == CompletionScript("bash")) << "dirsync.bash is stale";
  EXPECT_TRUE(Committed("_dirsync") == CompletionScript("zsh")) << "_dirsync is stale";
  EXPECT_TRUE(Committed("dirsync.fish") == CompletionScript("fish")) << "dirsync.fish is stale";
  EXPECT_TRUE(Committed("dirsync.1") == ManualPage()) << "dirsync.1 is stale";
}

TEST(Completion, EveryCommandAndOptionIsInEveryScriptAndInTheManual) {
  for (const CommandGroup& group : AllCommands())
    for (const CommandSpec& command : group.commands) {
      for (const char* shell : {"bash", "zsh", "fish"})
        EXPECT_THAT(*CompletionScript(shell), HasSubstr(std::string(command.path)));
      for (const OptionSpec& option : command.options) {
        EXPECT_THAT(*CompletionScript("bash"), HasSubstr(std::string(option.name)));
        EXPECT_THAT(*CompletionScript("fish"), HasSubstr(std::string(option.name.substr(2))));
      }
      EXPECT_THAT(ManualPage(), HasSubstr(".SS dirsync "));
    }
}

TEST(Completion, OtherShellsAreNotKnown) { EXPECT_FALSE(CompletionScript("csh")); }

// Bash itself reads the script and completes by it.
TEST(Completion, BashCompletesCommandsVerbsAndOptions) {
  const std::string script = std::string(DIRSYNC_SOURCE_DIR) + "/deploy/completion/dirsync.bash";
  const auto complete = [&](const std::string& words, int at) {
    const std::string command = "bash -c 'source \"" + script + "\"; COMP_WORDS=(" + words +
                                "); COMP_CWORD=" + std::to_string(at) +
                                "; _dirsync; echo \"${COMPREPLY[@]}\"'";
    std::FILE* pipe = popen(command.c_str(), "r");
    std::string text;
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe)) text += static_cast<char>(c);
    EXPECT_EQ(pclose(pipe), 0);
    return text;
  };
  EXPECT_EQ(complete("dirsync mailb", 1), "mailbox\n");
  EXPECT_EQ(complete("dirsync --store x mailbox ren", 4), "rename\n");
  EXPECT_THAT(complete("dirsync check --for", 2), HasSubstr("--format"));
  EXPECT_THAT(complete("dirsync broker readers --wa", 3), HasSubstr("--watch"));
}

}  // namespace
}  // namespace dirsync::cli
