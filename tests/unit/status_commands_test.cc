// Commands for people on duty, over made-up stats of a broker and over a site's own report.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/command.h"
#include "cli/serving.h"
#include "tests/page/sample_stats.h"

namespace dirsync::cli {
namespace {

using nlohmann::json;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

const Instant kNow = FromMillis(1'800'000'000'123);

struct Outcome {
  int status = 0;
  std::string out, err;
};

Outcome Typed(const Serving& serving, const std::vector<std::string>& words,
              std::size_t width = 0) {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  Console console{.in = in,
                  .out = out,
                  .err = err,
                  .out_terminal = width > 0,
                  .no_color = true,
                  .width = width,
                  .folder = "/nowhere",
                  .serving = &serving};
  const int status = RunCommand(RealWorld(), console, words);
  return {status, out.str(), err.str()};
}

Serving BrokerOf(const SampleChoice& choice) {
  Serving serving;
  serving.broker = [choice] { return SampleStats(choice, kNow); };
  return serving;
}

Serving AgentOf(std::uint64_t held) {
  Serving serving;
  serving.agent = [held] {
    AgentStanding standing;
    standing.site = "Site2";
    standing.connected = true;
    standing.now = kNow;
    InstanceReport report;
    report.instance = "INSTANCE2";
    report.stream = {"Testorg", "Site1", "INSTANCE1"};
    report.canary_at = kNow - std::chrono::seconds(5);
    report.held = held;
    standing.report.instances = {report};
    return standing;
  };
  return serving;
}

TEST(Status, NamesTheWorstLinkFirstAndTheNextCommand) {
  const Outcome typed = Typed(BrokerOf({.sites = 3}), {"status"});
  EXPECT_EQ(typed.status, 0);
  EXPECT_THAT(typed.out, StartsWith("the broker: Bologna to Amsterdam is held: 37 deletes wait"));
  EXPECT_LT(typed.out.find("held  "), typed.out.find("offline  "));
  EXPECT_THAT(typed.err,
              HasSubstr("next: dirsync held approve --all --instance FROM-Bologna, or dirsync "
                        "held reject --all --instance FROM-Bologna (at Amsterdam)"));
}

TEST(Status, FitsTheTerminal) {
  const Outcome typed = Typed(BrokerOf({.sites = 12}), {"status"}, 80);
  std::istringstream lines(typed.out);
  std::string line;
  std::getline(lines, line);  // the sentence may be longer
  while (std::getline(lines, line)) {
    const auto columns = std::ranges::count_if(line, [](char c) { return (c & 0xC0) != 0x80; });
    EXPECT_LE(columns, 80) << line;
  }
}

TEST(Status, OfAnAgentIsItsOwnLinks) {
  const Outcome typed = Typed(AgentOf(0), {"status"});
  EXPECT_THAT(typed.out, StartsWith("Site2: its one link is in sync"));
  EXPECT_THAT(typed.out, HasSubstr("Site1 to Site2"));
  const json status = json::parse(Typed(AgentOf(2), {"status", "--json"}).out);
  EXPECT_EQ(status["here"], "Site2");
  EXPECT_EQ(status["links"][0]["state"], "held");
  EXPECT_EQ(status["links"][0]["instance"], "INSTANCE2");
}

TEST(Status, HostileTextsAreHarmlessOnATerminal) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"status"},
                                                {"events"},
                                                {"doctor"},
                                                {"broker", "stats"},
                                                {"broker", "streams"},
                                                {"broker", "readers"},
                                                {"check"},
                                                {"status", "--json"},
                                                {"broker", "stats", "--json"}}) {
    const Outcome typed = Typed(BrokerOf({.sites = 5, .hostile = true}), words);
    EXPECT_EQ(typed.out.find('\x1b'), std::string::npos) << words[0];
    EXPECT_EQ(typed.err.find('\x1b'), std::string::npos) << words[0];
    EXPECT_THAT(typed.out, Not(HasSubstr("\u202E")));
    if (words.back() == "--json") continue;  // data is given whole
    EXPECT_LT(typed.out.size(), 100'000U) << words[0];
  }
}

TEST(Check, AnswersAsAMonitorExpects) {
  const Outcome fine = Typed(BrokerOf({.sites = 3, .troubles = false}), {"check"});
  EXPECT_EQ(fine.status, 0);
  EXPECT_EQ(fine.out,
            "OK - all 3 sites are in sync; nothing is on its way | links=6 not_in_sync=0 "
            "deletes=0 quarantined=0 batches=0\n");
  const Outcome bad = Typed(BrokerOf({.sites = 3}), {"check"});
  EXPECT_EQ(bad.status, 2);
  EXPECT_THAT(bad.out, StartsWith("CRITICAL - Bologna to Amsterdam is held"));
  EXPECT_EQ(Typed(AgentOf(0), {"check"}).status, 0);
}

TEST(Check, OneSiteOnly) {
  EXPECT_EQ(Typed(BrokerOf({.sites = 3}), {"check", "cork"}).status, 1);
  const Outcome nobody = Typed(BrokerOf({.sites = 3}), {"check", "Nowhere"});
  EXPECT_EQ(nobody.status, 3);
  EXPECT_THAT(nobody.out, StartsWith("UNKNOWN - no link begins or ends at Nowhere"));
}

TEST(Check, WhatCannotBeLookedAtIsUnknown) {
  const Outcome typed = Typed({}, {"check", "--store", "/nowhere/at/all"});
  EXPECT_EQ(typed.status, 3);
  EXPECT_THAT(typed.out, StartsWith("UNKNOWN - "));
}

TEST(Check, FormatsAndThresholds) {
  const json outcome = json::parse(Typed(BrokerOf({.sites = 3}), {"check", "--json"}).out);
  EXPECT_EQ(outcome["status"], "CRITICAL");
  EXPECT_EQ(outcome["deletes_waiting"], 37);
  const Outcome metrics = Typed(BrokerOf({.sites = 3}), {"check", "--format", "prometheus"});
  EXPECT_THAT(metrics.out, HasSubstr("\ndirsync_check_status 2\n"));
  EXPECT_EQ(Typed(AgentOf(0), {"check", "--late-warning", "3", "--late-critical", "9"}).status, 1);
  EXPECT_EQ(Typed(AgentOf(0), {"check", "--late-critical", "4"}).status, 2);
  EXPECT_EQ(Typed(AgentOf(0), {"check", "--late-warning", "soon"}).status, 2);
  EXPECT_EQ(Typed(AgentOf(0), {"check", "--format", "xml"}).status, 2);
}

TEST(Events, AreListedNewestFirst) {
  const Outcome typed = Typed(BrokerOf({.sites = 3}), {"events", "--after", "38"});
  EXPECT_THAT(typed.out, ContainsRegex("41 .*restored.*\n40 .*held.*\n39 .*refused"));
  EXPECT_EQ(json::parse(Typed(BrokerOf({.sites = 3}), {"events", "--json"}).out).size(), 8U);
  const Outcome agent = Typed(AgentOf(0), {"events"});
  EXPECT_EQ(agent.status, 1);
  EXPECT_THAT(agent.err, HasSubstr("this is not the store of a broker"));
}

TEST(Doctor, RanksFindingsAndNamesAFixForEach) {
  const json findings = json::parse(Typed(BrokerOf({.sites = 12}), {"doctor", "--json"}).out);
  ASSERT_GT(findings.size(), 8U);
  EXPECT_EQ(findings[0]["severity"], "critical");
  for (const json& finding : findings) {
    EXPECT_FALSE(finding["finding"].get<std::string>().empty());
    EXPECT_TRUE(finding["severity"] == "notice" || finding["fix"] != "") << finding.dump();
  }
  EXPECT_EQ(Typed(BrokerOf({.sites = 3, .troubles = false}), {"doctor"}).out, "nothing is wrong\n");
}

TEST(BrokerNumbers, AreTablesOrJson) {
  const Serving serving = BrokerOf({.sites = 3});
  EXPECT_THAT(Typed(serving, {"broker", "stats"}).out, HasSubstr("2 connected of 3"));
  EXPECT_THAT(Typed(serving, {"broker", "streams"}).out, HasSubstr("Testorg/Cork/PEOPLE"));
  const Outcome readers = Typed(serving, {"broker", "readers"});
  ASSERT_NE(readers.out.find(" 900 "), std::string::npos);
  EXPECT_LT(readers.out.find(" 900 "), readers.out.find(" 48 "));
  EXPECT_EQ(json::parse(Typed(serving, {"broker", "readers", "Cork", "--json"}).out).size(), 2U);
  EXPECT_EQ(json::parse(Typed(serving, {"broker", "stats", "--json"}).out)["sites"], 3);
}

TEST(CommandOf, FindsTheCommandBehindGlobalOptions) {
  const std::vector<std::string> words = {"--store", "x", "broker", "stats", "--watch"};
  ASSERT_NE(CommandOf(words), nullptr);
  EXPECT_EQ(CommandOf(words)->path, "broker stats");
  const std::vector<std::string> old = {"/EXPFULL", "INSTANCE1"};
  EXPECT_EQ(CommandOf(old), nullptr);
}

}  // namespace
}  // namespace dirsync::cli
