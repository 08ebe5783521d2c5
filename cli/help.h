// Help texts, all from the table of commands.
#pragma once

#include <ostream>
#include <string_view>

#include "cli/command.h"

namespace dirsync::cli {

void PrintHelp(std::ostream& out, bool colours);
// Examples first.
void PrintCommandHelp(std::ostream& out, const CommandSpec& command, bool colours);
// All commands of a noun: "mailbox".
void PrintNounHelp(std::ostream& out, std::string_view noun, bool colours);

// The table itself: an array with an object for each command, of `word` ("mailbox", "mailbox add")
// only, or of all when it is empty.
void PrintHelpJson(std::ostream& out, std::string_view word);

}  // namespace dirsync::cli
