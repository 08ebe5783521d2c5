// Lines of a log: harmless on a terminal, whole objects for machines.
#include "proto/daemon/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

namespace dirsync {
namespace {

using testing::HasSubstr;
using testing::Not;

const LogFacts kFacts{"Site1", "Testorg/Site1/I", "1.aa", 7, "GAP"};

TEST(LogLine, Text_SaysWhatItIsAbout) {
  EXPECT_EQ(FormatLogLine(LogForm::kText, "broker", LogLevel::kWarning, FromMillis(0), "late", {}),
            "1970-01-01T00:00:00Z warning: late");
  EXPECT_EQ(FormatLogLine(LogForm::kText, "broker", LogLevel::kInfo, FromMillis(0), "late", kFacts),
            "1970-01-01T00:00:00Z info: late [Site1 Testorg/Site1/I 1.aa #7 GAP]");
}

TEST(LogLine, Json_HasItsFieldsAndNoEmptyOnes) {
  const auto line = nlohmann::json::parse(
      FormatLogLine(LogForm::kJson, "broker", LogLevel::kError, FromMillis(0), "late", kFacts));
  EXPECT_EQ(line["ts"], "1970-01-01T00:00:00Z");
  EXPECT_EQ(line["level"], "error");
  EXPECT_EQ(line["component"], "broker");
  EXPECT_EQ(line["site"], "Site1");
  EXPECT_EQ(line["stream"], "Testorg/Site1/I");
  EXPECT_EQ(line["epoch"], "1.aa");
  EXPECT_EQ(line["seq"], 7);
  EXPECT_EQ(line["code"], "GAP");
  EXPECT_EQ(line["text"], "late");
  const auto bare = nlohmann::json::parse(
      FormatLogLine(LogForm::kJson, "agent", LogLevel::kInfo, FromMillis(0), "x", {}));
  EXPECT_EQ(bare.size(), 4U);
}

TEST(LogLine, HostileBytes_StayOnTheirLineInBothForms) {
  const std::string hostile("a\nfake: line\x1b[2J\x7f\xff", 18);
  LogFacts facts;
  facts.site = hostile;
  for (const LogForm form : {LogForm::kText, LogForm::kJson}) {
    const std::string line =
        FormatLogLine(form, "broker", LogLevel::kInfo, FromMillis(0), hostile, facts);
    for (const char* bad : {"\n", "\x1b", "\x7f", "\xff"}) EXPECT_THAT(line, Not(HasSubstr(bad)));
  }
}

TEST(Log, WritesFromItsLevelOn_AndCountsRepeats) {
  testing::internal::CaptureStderr();
  {
    Log log("broker", LogForm::kText, LogLevel::kWarning);
    log.Write(LogLevel::kInfo, "not this");
    for (int i = 0; i < 100; ++i) log.Write(LogLevel::kWarning, "again {} %s");
    log.SetLevel(LogLevel::kInfo);
    log.Write(LogLevel::kInfo, "but this");
    log.Write(LogLevel::kError, Error{ErrorCode::kIo, "write x: no", "look"});
  }
  const std::string said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, Not(HasSubstr("not this")));
  EXPECT_THAT(said, HasSubstr("info: but this\n"));
  EXPECT_THAT(said, HasSubstr("error: write x: no; look [IO]\n"));
  EXPECT_THAT(said, HasSubstr("95 more of: again {} %s"));
  EXPECT_EQ(std::ranges::count(said, '\n'), 8) << said;
}

// Standard error is a pipe that is full and that nobody reads.
class UnreadLog : public testing::Test {
 protected:
  UnreadLog() : standard_error_(dup(STDERR_FILENO)) {
    EXPECT_EQ(pipe(pipe_.data()), 0);
    fcntl(pipe_[1], F_SETFL, O_NONBLOCK);
    const std::string fill(4096, '\n');
    while (write(pipe_[1], fill.data(), fill.size()) > 0) {
    }
    fcntl(pipe_[1], F_SETFL, 0);
    dup2(pipe_[1], STDERR_FILENO);
    alarm(60);  // a log that waits for ever is the failure looked for
  }
  ~UnreadLog() override {
    alarm(0);
    dup2(standard_error_, STDERR_FILENO);
    for (const int descriptor : {standard_error_, pipe_[0], pipe_[1]}) close(descriptor);
  }
  // What comes, until `end` has come; empty lines left out.
  std::vector<std::string> ReadUntil(const std::string& end) {
    std::string text;
    std::array<char, 4096> part;
    pollfd item{pipe_[0], POLLIN, 0};
    while (!text.ends_with(end) && poll(&item, 1, 20'000) > 0)
      text.append(part.data(), static_cast<std::size_t>(read(pipe_[0], part.data(), part.size())));
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);)
      if (!line.empty()) lines.push_back(line);
    return lines;
  }

  std::array<int, 2> pipe_{};
  int standard_error_;
};

TEST_F(UnreadLog, WhoLogsGoesOn_AndTheLogSaysWhatIsMissing) {
  constexpr std::uint64_t kLines = 4000;
  Log log("broker", LogForm::kText, LogLevel::kInfo);
  for (std::uint64_t i = 1; i <= kLines; ++i)
    log.Write(LogLevel::kInfo, "line " + std::to_string(i) + ".");
  const std::uint64_t dropped = log.dropped();
  EXPECT_GE(dropped, kLines - Log::kLinesWaiting - 2);
  EXPECT_LT(dropped, kLines);
  std::uint64_t missing = 0;
  std::uint64_t told = 0;
  for (const std::string& line : ReadUntil("line 4000.\n")) {
    const std::size_t at = line.find(" lines are missing here");
    if (at == std::string::npos) {
      ++told;
      EXPECT_THAT(line, HasSubstr("info: line " + std::to_string(missing + told) + "."));
    } else {
      EXPECT_THAT(line, HasSubstr(" warning: "));
      const std::size_t number = line.rfind(' ', at - 1) + 1;
      missing += std::stoull(line.substr(number, at - number));
    }
  }
  EXPECT_EQ(missing, dropped);
  EXPECT_EQ(told + missing, kLines);
}

TEST_F(UnreadLog, ItsEndDoesNotWaitForEver) {
  Log log("broker", LogForm::kText, LogLevel::kInfo);
  for (int i = 0; i < 3000; ++i) log.Write(LogLevel::kInfo, "line " + std::to_string(i));
}

// A signal of the process is the loop's: the thread of the log must not take it.
TEST(Log, ItsThreadTakesNoSignals) {
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  Log log("broker", LogForm::kText, LogLevel::kInfo);
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &mask, nullptr);
  // With one thread that takes it, it would end this process.
  kill(getpid(), SIGTERM);
  int signal = 0;
  ASSERT_EQ(sigwait(&mask, &signal), 0);
  EXPECT_EQ(signal, SIGTERM);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

}  // namespace
}  // namespace dirsync
