// Lines of a log: harmless on a terminal, whole objects for machines.
#include "proto/daemon/log.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

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

}  // namespace
}  // namespace dirsync
