// What each address answers, and that nothing foreign becomes markup.
#include "broker/page/router.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "broker/page/assets.h"
#include "broker/page/basic_token.h"
#include "broker/page/html.h"
#include "broker/page/spark_line.h"
#include "proto/base/base64.h"
#include "tests/page/sample_stats.h"

namespace dirsync {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

const Instant kNow = FromMillis(1'800'000'000'123);

class RouterTest : public testing::Test {
 protected:
  void Show(const SampleChoice& choice) {
    snapshot_.stats = std::make_shared<const BrokerStats>(SampleStats(choice, kNow));
    snapshot_.overview = DeriveLinks(*snapshot_.stats);
  }
  PageAnswer Get(std::string path, std::map<std::string, std::string> query = {}) {
    PageRequest request;
    request.method = method_;
    request.path = std::move(path);
    request.query = std::move(query);
    request.host = host_;
    request.authorization = authorization_;
    state_.port = 8480;
    state_.sums = &sums_;
    return Answer(request, snapshot_, state_);
  }
  void SetUp() override { Show({.sites = 3}); }

  std::string method_ = "GET";
  std::string host_ = "127.0.0.1:8480";
  std::string authorization_;
  PageState state_;
  CounterSums sums_;
  PageSnapshot snapshot_;
};

constexpr const char* kViews[] = {"/", "/waiting", "/storage", "/sites", "/timeline"};

TEST_F(RouterTest, EveryViewIsAWholePageWithTheWorstThing) {
  for (const char* path : kViews) {
    const PageAnswer answer = Get(path);
    EXPECT_EQ(answer.status, 200) << path;
    EXPECT_THAT(answer.body, HasSubstr("<!doctype html>")) << path;
    EXPECT_THAT(answer.body, HasSubstr("37 deletes wait for a person at Amsterdam")) << path;
    EXPECT_THAT(answer.body, HasSubstr("aria-current=page")) << path;
  }
}

TEST_F(RouterTest, OverviewNamesEveryStateInWords) {
  Show({.sites = 12});
  const std::string body = Get("/").body;
  for (int i = 1; i <= static_cast<int>(kLastLinkState); ++i)
    EXPECT_THAT(body, HasSubstr(std::string(LinkStateName(static_cast<LinkState>(i)))));
}

TEST_F(RouterTest, AllWell_SaysSo) {
  Show({.sites = 7, .troubles = false});
  const std::string body = Get("/").body;
  EXPECT_THAT(body, HasSubstr("all 7 sites are in sync; nothing is on its way"));
  EXPECT_THAT(body, Not(HasSubstr("Needs attention")));
}

TEST_F(RouterTest, LinkAndSiteHaveTheirOwnAddress) {
  const auto link = Get("/link", {{"stream", "Testorg/Bologna/PEOPLE"}, {"reader", "Amsterdam"}});
  EXPECT_EQ(link.status, 200);
  EXPECT_THAT(link.body, HasSubstr("<svg"));
  EXPECT_THAT(link.body, HasSubstr("FROM-Bologna"));
  EXPECT_EQ(Get("/link", {{"stream", "Testorg/Bologna/PEOPLE"}}).status, 404);
  EXPECT_EQ(Get("/site", {{"name", "Cork"}}).status, 200);
  EXPECT_EQ(Get("/site", {{"name", "Nowhere"}}).status, 404);
}

TEST_F(RouterTest, HundredSites_AreOneTableOfModestSize) {
  Show({.sites = 100});
  EXPECT_LT(Get("/").body.size(), 700'000U);
}

TEST_F(RouterTest, NothingBeforeTheFirstStats_IsStillAPage) {
  snapshot_.stats = std::make_shared<const BrokerStats>();
  snapshot_.overview = DeriveLinks(*snapshot_.stats);
  for (const char* path : kViews) EXPECT_EQ(Get(path).status, 200) << path;
  EXPECT_THAT(Get("/").body, HasSubstr("no site has joined yet"));
}

TEST_F(RouterTest, HostileTextsBecomeNoMarkup) {
  Show({.sites = 5, .hostile = true});
  std::vector<PageAnswer> answers;
  for (const char* path : kViews) answers.push_back(Get(path));
  for (const StreamStats& stream : snapshot_.stats->streams)
    for (const ReaderStats& reader : stream.readers)
      answers.push_back(
          Get("/link", {{"stream", stream.stream.ToString()}, {"reader", reader.site}}));
  for (const SiteStats& site : snapshot_.stats->sites)
    answers.push_back(Get("/site", {{"name", site.entry.site}}));
  for (const PageAnswer& answer : answers) {
    EXPECT_EQ(answer.status, 200);
    EXPECT_LT(answer.body.size(), 400'000U);
    for (const char* bad : {"<script>", "<img", "<iframe", "<plaintext", "onerror=alert(2)>",
                            "\" onclick", "<a href=javascript", "\x1b", "\u202E"})
      EXPECT_THAT(answer.body, Not(HasSubstr(bad)));
  }
}

TEST_F(RouterTest, ApiIsJsonForEveryPart) {
  for (const bool hostile : {false, true}) {
    Show({.sites = 5, .hostile = hostile});
    const json status = json::parse(Get("/api/v1/status").body);
    EXPECT_EQ(status["sites"], 5);
    EXPECT_EQ(status["severity"], "critical");
    EXPECT_EQ(json::parse(Get("/api/v1/streams").body).size(), 5U);
    EXPECT_EQ(json::parse(Get("/api/v1/readers").body).size(), 20U);
    EXPECT_EQ(json::parse(Get("/api/v1/sites").body).size(), 5U);
    EXPECT_EQ(json::parse(Get("/api/v1/events").body).size(), 8U);
  }
}

TEST_F(RouterTest, ApiFiltersAndShowsMinutesOfOneStream) {
  const json one = json::parse(Get("/api/v1/streams", {{"stream", "Testorg/Cork/PEOPLE"}}).body);
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(one[0]["minutes"].size(), 1440U);
  EXPECT_EQ(json::parse(Get("/api/v1/readers", {{"reader", "cork"}}).body).size(), 2U);
  EXPECT_EQ(json::parse(Get("/api/v1/events", {{"after", "40"}}).body).size(), 1U);
  EXPECT_EQ(Get("/api/v1/events", {{"after", "x"}}).status, 400);
  EXPECT_EQ(json::parse(Get("/api/v1/none").body)["code"], "NOT_FOUND");
}

TEST_F(RouterTest, OnlyReadingIsAnswered) {
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "get"}) {
    method_ = method;
    const PageAnswer answer = Get("/");
    EXPECT_EQ(answer.status, 405) << method;
    EXPECT_EQ(answer.headers.at("Allow"), "GET, HEAD");
  }
  method_ = "HEAD";
  EXPECT_EQ(Get("/").status, 200);
}

TEST_F(RouterTest, AnotherHostIsRefused) {
  for (const char* host : {"evil.example", "evil.example:8480", "127.0.0.1.evil.example", "",
                           "localhost.evil:8480", "127.0.0.2"}) {
    host_ = host;
    EXPECT_EQ(Get("/").status, 400) << host;
    EXPECT_EQ(Get("/metrics").status, 400) << host;
  }
  for (const char* host : {"localhost", "LOCALHOST:8480", "127.0.0.1", "[::1]:8480"}) {
    host_ = host;
    EXPECT_EQ(Get("/").status, 200) << host;
  }
  state_.settings.host_names = {"broker.example"};
  host_ = "broker.example:8480";
  EXPECT_EQ(Get("/").status, 200);
}

TEST_F(RouterTest, UnknownPathsAndTraversalsAreNotFound) {
  for (const char* path : {"/nothing", "/assets/", "/assets/../page.css", "/../../etc/passwd",
                           "/assets/page.css/", "//", "/api", ""})
    EXPECT_EQ(Get(path).status, 404) << path;
}

TEST_F(RouterTest, ATokenGuardsEverythingButHealth) {
  state_.settings.token = "correct horse battery";
  for (const char* path : {"/", "/metrics", "/api/v1/status", "/assets/page.js"})
    EXPECT_EQ(Get(path).status, 401) << path;
  EXPECT_EQ(Get("/livez").status, 200);
  authorization_ = "Basic " + EncodeBase64("anyone:correct horse battery");
  EXPECT_EQ(Get("/").status, 200);
  authorization_ = "Basic " + EncodeBase64("anyone:wrong");
  EXPECT_EQ(Get("/").status, 401);
}

TEST_F(RouterTest, HealthFollowsTheLoopAndTheChecks) {
  EXPECT_EQ(Get("/livez").status, 200);
  state_.silent = std::chrono::seconds(31);
  EXPECT_EQ(Get("/livez").status, 503);
  EXPECT_EQ(Get("/readyz").status, 503);
  state_.readiness = {{"store", true}, {"log tail", false}};
  EXPECT_EQ(Get("/readyz").status, 503);
  EXPECT_THAT(Get("/readyz", {{"verbose", ""}}).body, HasSubstr("not yet: log tail"));
  state_.readiness[1].passed = true;
  EXPECT_EQ(Get("/readyz").status, 200);
}

TEST_F(RouterTest, PolicyAllowsNothingFromElsewhereAndNothingInline) {
  const std::string policy = CommonHeaders().at("Content-Security-Policy");
  EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  Show({.sites = 12});
  for (const char* path : kViews) {
    const std::string body = Get(path).body;
    for (const char* inline_code :
         {" style=", " onclick", "<style", "<script>", "http://", "https://"})
      EXPECT_THAT(body, Not(HasSubstr(inline_code))) << path;
  }
  for (const Asset& asset : AllAssets()) {
    EXPECT_EQ(Get(std::string(asset.path)).type, asset.type);
    if (asset.path == "/assets/icon.svg") continue;  // it names its own grammar
    EXPECT_EQ(asset.bytes.find("http"), std::string_view::npos) << asset.path;
  }
}

TEST(Html, EscapesAndIsolates) {
  Html html;
  html.Name("<b>&\"'\u202E").Attribute("title", "\"><x");
  EXPECT_EQ(html.Take(),
            "<bdi>&lt;b&gt;&amp;&quot;&#39;\\xe2\\x80\\xae</bdi> title=\"&quot;&gt;&lt;x\"");
  EXPECT_EQ(UrlEscaped("a b&c/\xc3\xa9"), "a%20b%26c%2F%C3%A9");
}

TEST(SparkLine, SaysItsPeakInWordsAndStaysInItsBox) {
  EXPECT_THAT(SparkLine({}, kNow, "x", "y"), HasSubstr("nothing in the last 24 hours"));
  EXPECT_THAT(SparkLine({0, 0}, kNow, "x", "y"), HasSubstr("nothing"));
  std::vector<std::uint64_t> values(3000, 7);
  values[2990] = 1'000'000;
  const std::string drawn = SparkLine(values, kNow, "Changes", "changes a minute");
  EXPECT_THAT(drawn, HasSubstr("<b>1,000,000</b> changes a minute"));
  EXPECT_LT(drawn.size(), 4000U);
}

TEST(MatchesBasic, TakesThePasswordOnly) {
  EXPECT_TRUE(MatchesBasic("basic " + EncodeBase64("u:a:b"), "a:b"));
  for (const std::string bad : {"", "Basic", "Basic ***", "Bearer dTpw", "Basic dXA="})
    EXPECT_FALSE(MatchesBasic(bad, "p")) << bad;
}

}  // namespace
}  // namespace dirsync
