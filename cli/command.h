// The one table of commands: what help shows, what the parser accepts, what runs.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cli/context.h"
#include "cli/options.h"

namespace dirsync::cli {

struct CommandSpec {
  std::string_view path;       // "mailbox add"
  std::string_view arguments;  // "NAME…", as help shows them
  std::size_t words_min = 0;
  std::size_t words_max = 0;
  std::string_view help;  // one line
  std::vector<std::string_view> examples;
  std::vector<OptionSpec> options;  // its own; global ones come on top
  // Returns the exit status.
  Result<int> (*run)(Context&, const Arguments&) = nullptr;
  bool changes = true;  // takes --dry-run
  // Runs where it was typed, even while another process has the store open.
  bool own_process = false;
};
inline constexpr std::size_t kManyWords = 100'000;

struct CommandGroup {
  std::string_view title;
  std::vector<CommandSpec> commands;
};

// One for each file of commands.
CommandGroup EntryCommands();
CommandGroup GroupCommands();
CommandGroup ListCommands();
CommandGroup InstanceCommands();
CommandGroup RunCommands();
CommandGroup ReviewCommands();
CommandGroup FileCommands();
CommandGroup StoreCommands();
CommandGroup AgentCommands();
CommandGroup StatusCommands();
CommandGroup BrokerStatsCommands();
CommandGroup LogCommands();
CommandGroup JoinCommands();
CommandGroup BrokerCommands();
CommandGroup PolicyCommands();
CommandGroup ResyncCommands();
CommandGroup ConfigCommands();
CommandGroup HelpCommands();

// All of them, in the order of help.
const std::vector<CommandGroup>& AllCommands();
const CommandSpec* FindCommand(std::string_view path);
// The command that a whole command line names, global options in front; nullptr: none, or the old
// spelling.
const CommandSpec* CommandOf(std::span<const std::string> words);
// First words of all commands ("mailbox", "run").
bool IsCommandWord(std::string_view word);
// Global options that `command` takes.
std::vector<OptionSpec> OptionsOf(const CommandSpec& command);
std::span<const OptionSpec> GlobalOptionSpecs();

// What main() does: chooses between commands, the old spelling and the overview, runs, prints
// errors. Returns the exit status. `words` without the program's name.
int RunCommand(World& world, Console& console, const std::vector<std::string>& words);

}  // namespace dirsync::cli
