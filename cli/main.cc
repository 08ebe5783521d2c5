// The program `dirsync`.
#include <string>
#include <vector>

#include "cli/terminal.h"

int main(int argc, char** argv) {
  return dirsync::cli::RunAtTerminal({argv + (argc > 0 ? 1 : 0), argv + argc});
}
