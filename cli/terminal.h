// What the programs share: RunCommand() with the machine's terminal, environment and signals, here
// or in the process that has the store open.
#pragma once

#include <string>
#include <vector>

namespace dirsync::cli {

// Returns the exit status. Ctrl-C ends a command that runs here at once (every state on disk is one
// that a power cut could leave), and is handed on to one that runs elsewhere; a second one ends
// the program. Call once, from main().
int RunAtTerminal(const std::vector<std::string>& words);

}  // namespace dirsync::cli
