// Configuration files: what is wrong is named with its place.
#include "proto/daemon/process_config.h"

#include <gmock/gmock.h>

#include "proto/base/text.h"

namespace dirsync {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr ProcessOption kOptions[] = {
    {"store", OptionKind::kText, "", "folder"},
    {"limits.wait", OptionKind::kDuration, "30s", ""},
    {"limits.count", OptionKind::kNumber, "7", ""},
    {"readers", OptionKind::kTexts, "a,b", ""},
    {"quiet", OptionKind::kSwitch, "true", "Say less.", "when it is too loud."},
    {"limits.room", OptionKind::kBytes, "64MiB", ""},
};

Error ErrorOf(std::string_view text) {
  const auto config = ProcessConfig::Parse(text, "agent.toml", kOptions);
  return config ? Error{ErrorCode::kAlreadyApplied, "no error", ""} : config.error();
}

TEST(ProcessConfig, WhatIsNotInTheTableIsRefusedWithItsPlace) {
  const Error error = ErrorOf("store = \"/srv\"\nstroe = \"/srv\"\n");
  EXPECT_EQ(error.code, ErrorCode::kConfiguration);
  EXPECT_THAT(error.message,
              HasSubstr("agent.toml:2:1: unknown option stroe; did you mean store?"));
  EXPECT_THAT(error.hint, HasSubstr("store"));
  EXPECT_THAT(ErrorOf("[limits]\nwiat = 1\n").message, HasSubstr("limits.wiat"));
  EXPECT_THAT(ErrorOf("[other]\nwait = 1\n").message, HasSubstr("unknown option other"));
}

TEST(ProcessConfig, ValuesOfAnotherKindAreRefused) {
  for (const char* text : {"store = 1", "[limits]\nwait = \"30 parsecs\"", "[limits]\nwait = 5",
                           "[limits]\ncount = -1", "readers = [1]", "quiet = \"yes\"",
                           "store = ", "[limits]\nroom = \"64 MB\"", "[limits]\nroom = -1"})
    EXPECT_EQ(ErrorOf(text).code, ErrorCode::kConfiguration) << text;
}

TEST(ProcessConfig, GivenValuesGoBeforeFallbacks) {
  const auto none = ProcessConfig::Parse("", "agent.toml", kOptions);
  ASSERT_TRUE(none);
  EXPECT_EQ(none->Text("store"), "");
  EXPECT_EQ(none->Duration("limits.wait"), std::chrono::seconds(30));
  EXPECT_EQ(none->Number("limits.count"), 7U);
  EXPECT_THAT(none->Texts("readers"), ElementsAre("a", "b"));
  EXPECT_TRUE(none->Switch("quiet"));
  EXPECT_FALSE(none->IsGiven("store"));
  const auto all = ProcessConfig::Parse(
      "store = \"/srv\"\nreaders = \"c\"\nquiet = false\n[limits]\nwait = \"5m\"\ncount = 0\n",
      "agent.toml", kOptions);
  ASSERT_TRUE(all);
  EXPECT_EQ(all->Text("store"), "/srv");
  EXPECT_EQ(all->Duration("limits.wait"), std::chrono::minutes(5));
  EXPECT_EQ(all->Number("limits.count"), 0U);
  EXPECT_THAT(all->Texts("readers"), ElementsAre("c"));
  EXPECT_FALSE(all->Switch("quiet"));
  EXPECT_TRUE(all->IsGiven("store"));
}

TEST(ProcessConfig, Sizes_AreWholeNumbersWithABinaryUnit) {
  EXPECT_EQ(ParseBytes("0"), 0U);
  EXPECT_EQ(ParseBytes("10KiB"), 10240U);
  EXPECT_EQ(ParseBytes("2TiB"), std::uint64_t{2} << 40);
  for (const char* text : {"", "KiB", "-1", "1.5GiB", "1MB", "99999999999TiB"})
    EXPECT_EQ(ParseBytes(text), std::nullopt) << text;
}

// A file that says everything and changes nothing; with the marks taken away, still so.
TEST(ProcessConfig, ConfigText_HasEveryOptionOnce) {
  const std::string text = ConfigText("Title.", kOptions);
  EXPECT_THAT(text, HasSubstr("# Say less.\n# Change it when it is too loud.\n#quiet = true\n"));
  std::string bare;
  for (const std::string_view line : Split(text, '\n'))
    bare += std::string(line.starts_with("#") && !line.starts_with("# ") ? line.substr(1) : line) +
            "\n";
  for (const std::string& file : {text, bare}) {
    const auto config = ProcessConfig::Parse(file, "x.toml", kOptions);
    ASSERT_TRUE(config.has_value()) << config.error().ToString() << file;
    EXPECT_EQ(config->IsGiven("limits.wait"), file == bare);
    EXPECT_EQ(config->Duration("limits.wait"), std::chrono::seconds(30));
    EXPECT_EQ(config->Number("limits.room"), 64U << 20);
    EXPECT_THAT(config->Texts("readers"), ElementsAre("a", "b"));
    EXPECT_TRUE(config->Switch("quiet"));
  }
}

TEST(ProcessConfig, Durations_AreWholeNumbersWithAUnit) {
  EXPECT_EQ(ParseDuration("0"), Duration(0));
  EXPECT_EQ(ParseDuration("250ms"), Duration(250));
  EXPECT_EQ(ParseDuration("2d"), std::chrono::hours(48));
  for (const char* text : {"", "s", "5", "-5s", "1.5s", "99999999999999999999s", "10001d"})
    EXPECT_EQ(ParseDuration(text), std::nullopt) << text;
}

}  // namespace
}  // namespace dirsync
