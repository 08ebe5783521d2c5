// The program `dirsync-broker`: `dirsync broker run`, under a name of its own for those who watch
// processes.
#include <string>
#include <vector>

#include "cli/terminal.h"

int main(int argc, char** argv) {
  std::vector<std::string> words = {"broker", "run"};
  words.insert(words.end(), argv + (argc > 0 ? 1 : 0), argv + argc);
  return dirsync::cli::RunAtTerminal(words);
}
