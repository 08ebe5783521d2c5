// dirsync_network_bench ROW DIRSYNC FOLDER SIZE [MORE]: one row, or a few that belong together, of
// the table of tests/bench/run_network. The other words are processes that rows start.
#include <unistd.h>

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/bench/bare_chain.h"
#include "tests/bench/people.h"
#include "tests/bench/plain_broker.h"
#include "tests/bench/rows.h"
#include "tests/bench/table.h"
#include "tests/bench/timed_agent.h"

namespace dirsync::bench {
namespace {

std::string Self() {
  char path[PATH_MAX] = {};
  const ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);
  return std::string(path, size > 0 ? static_cast<std::size_t>(size) : 0);
}

int Usage() {
  std::fprintf(
      stderr,
      "dirsync_network_bench head | people FILE ENTRIES\n"
      "dirsync_network_bench change|load|fanout|log|sites DIRSYNC FOLDER SIZE [SECONDS]\n");
  return 2;
}

int Run(const std::vector<std::string>& words) {
  const std::string& row = words.front();
  if (row == "head") {
    PrintHead();
    return 0;
  }
  if (row == "people" && words.size() == 3) {
    MakePeople(words[1], std::strtoull(words[2].c_str(), nullptr, 10), Reader::kOpenldap);
    return 0;
  }
  if (row == "agent" && words.size() == 3) return RunTimedAgent(words[1], words[2]);
  if (row == "bare-broker" && words.size() == 4) return RunBareBroker(words[1], words[2], words[3]);
  if (row == "bare-reader" && words.size() == 4) return RunBareReader(words[1], words[2], words[3]);
  if (row == "plain-broker" && words.size() == 4)
    return RunPlainBroker(words[1], std::atoi(words[2].c_str()), words[3]);
  if (words.size() < 4) return Usage();
  const Programs programs{Self(), words[1], words[2]};
  const std::uint64_t size = std::strtoull(words[3].c_str(), nullptr, 10);
  if (row == "change") {
    ChangeRow(programs, static_cast<int>(size));
  } else if (row == "load") {
    LoadRow(programs, size);
  } else if (row == "fanout") {
    FanOutRow(programs, size);
  } else if (row == "log") {
    LogRows(programs, size);
  } else if (row == "sites" && words.size() > 4) {
    SitesRows(programs, static_cast<int>(size), std::atoi(words[4].c_str()));
  } else {
    return Usage();
  }
  return 0;
}

}  // namespace
}  // namespace dirsync::bench

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  return dirsync::bench::Run({argv + 1, argv + argc});
}
