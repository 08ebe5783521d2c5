// Runs the real command and, if asked, kills it: by name of an effect or after some microseconds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace dirsync::e2e {

struct Outcome {
  int exit_status = 0;  // of a normal end
  bool killed = false;
  std::string output;  // stdout
  std::string errors;  // stderr
};

struct Kill {
  std::uint64_t effect = 0;        // dies at the nth effect (DIRSYNC_KILL_AT=*:n); 0 = not
  std::uint64_t microseconds = 0;  // SIGKILL from outside after this; 0 = not
};

// `arguments` begin with the program. stdin is /dev/null. Waits for the end: five minutes at most,
// then says in `errors` where each thread stands, and kills.
Outcome RunProcess(const std::vector<std::string>& arguments, const Kill& kill = {});

}  // namespace dirsync::e2e
