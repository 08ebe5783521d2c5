// Rows whose figures come from tests of their own: run here, and what they print is cited.
#include <filesystem>

#include "tests/e2e/sites_faults.h"

namespace dirsync::e2e {
namespace {

namespace fs = std::filesystem;

class Cited : public ::testing::Test {
 protected:
  // A program beside this one, or above it; the line of its output that holds `line`, and the row.
  void Cite(const std::string& number, const std::string& done, const std::string& program,
            const std::vector<std::string>& words, const std::string& line) {
    const fs::path here = fs::read_symlink("/proc/self/exe").parent_path();
    std::vector<std::string> arguments = {(here / program).lexically_normal().string()};
    arguments.insert(arguments.end(), words.begin(), words.end());
    const Outcome outcome = RunProcess(arguments);
    EXPECT_EQ(outcome.exit_status, 0) << outcome.output << outcome.errors;
    const auto at = outcome.output.find(line);
    ASSERT_NE(at, std::string::npos) << outcome.output;
    auto begin = outcome.output.rfind('\n', at);
    begin = begin == std::string::npos ? 0 : begin + 1;
    Row(number, done, outcome.output.substr(begin, outcome.output.find('\n', at) - begin));
  }
  static std::string Filter(const std::string& tests) { return "--gtest_filter=" + tests; }
};

TEST_F(Cited, Deaths) {
  Cite("T1", "broker and three agents killed under load", "network_kill_e2e",
       {DIRSYNC_PROGRAM, std::to_string(100 * Effort()), "1"}, "acknowledged and lost");
}
TEST_F(Cited, Schedules) {
  Cite("T14", "every message lost, late, again, in any order, 2-7 sites",
       "../sim/dirsync_network_sim", {"--fresh", "--seconds", std::to_string(10 * Effort())},
       "batches stored");
}
TEST_F(Cited, Door) {
  Cite("T32", "no handler, a handler that lets all in, no domain", "net_e2e",
       {Filter("NetContext.*")}, "[  PASSED  ]");
  Cite("T32", "no handler at all, a key of another domain", "net_abuse_e2e",
       {Filter("NetHandler.*:NetAbuse.Domains*")}, "[  PASSED  ]");
}
TEST_F(Cited, Revoked) {
  Cite("T33", "a site revoked on its live connection; a thief", "broker_process_e2e",
       {Filter("*RevokedAndForeign*")}, "messages accepted after revoke");
  Cite("T33", "keys of the manual, unknown keys", "net_abuse_e2e",
       {Filter("NetKeys.*:NetAbuse.Refusals*")}, "[  PASSED  ]");
}
TEST_F(Cited, Strangers) {
  Cite("T35", "huge handshakes before authentication", "net_abuse_e2e",
       {Filter("*HugeHandshakes*")}, "strangers claimed");
  Cite("T35", "1,000 silent, slow, garbage connections", "net_abuse_e2e",
       {Filter("*SilentAndGarbage*")}, "raw connections");
  Cite("T35", "300 silent strangers, few descriptors", "broker_process_e2e",
       {Filter("*SilentStrangers*")}, "silent strangers");
  Cite("T35", "ZMTP 1 and 2", "net_abuse_e2e", {Filter("*OlderProtocols*")}, "[  PASSED  ]");
}
TEST_F(Cited, Headers) {
  Cite("T36", "headers that grow when they are parsed", "net_abuse_e2e",
       {Filter("*ForeignMessages*")}, "empty streams");
}

}  // namespace
}  // namespace dirsync::e2e
