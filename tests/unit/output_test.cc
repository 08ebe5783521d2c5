// Tables, JSON text, progress and base64 of the command.
#include "cli/output.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/json.h"
#include "cli/progress.h"
#include "cli/runner.h"
#include "proto/base/base64.h"
#include "proto/base/text.h"
#include "proto/base/utf8.h"

namespace dirsync::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(Output, Numbers_AreGroupedInThrees) {
  EXPECT_EQ(Grouped(0), "0");
  EXPECT_EQ(Grouped(999), "999");
  EXPECT_EQ(Grouped(1000), "1,000");
  EXPECT_EQ(Grouped(1234567), "1,234,567");
  EXPECT_EQ(Counted(1, "mailbox", "mailboxes"), "1 mailbox");
  EXPECT_EQ(Counted(2, "mailbox", "mailboxes"), "2 mailboxes");
}

TEST(Output, Shortened_CutsAtCharactersNotBytes) {
  EXPECT_EQ(Shortened("Müller", 6), "Müller");
  EXPECT_EQ(Shortened("Müller", 3), "Mü…");
  EXPECT_EQ(Shortened("ééé", 2), "é…");
  EXPECT_TRUE(IsUtf8(Shortened("日本語テキスト", 4)));
}

TEST(Output, Table_FitsTheTerminal) {
  std::ostringstream out;
  Table table(out, {"NAME", "REASON"}, 40, false);
  table.Add({"Mailbox11", std::string(200, 'x')});
  table.Finish();
  std::istringstream lines(out.str());
  for (std::string line; std::getline(lines, line);) EXPECT_LE(WidthOf(line), 40u) << line;
}

TEST(Output, Table_InAPipeCutsNothing) {
  std::ostringstream out;
  Table table(out, {"NAME", "REASON"}, 0, false);
  table.Add({"a", "b"});
  for (int i = 0; i < 2000; ++i) table.Add({std::string(300, 'n'), "z"});
  table.Finish();
  EXPECT_THAT(out.str(), Not(HasSubstr("…")));
  EXPECT_EQ(table.rows(), 2001u);
}

TEST(Output, Table_CellsAreNeutral) {
  std::ostringstream out;
  {
    Table table(out, {"NAME"}, 80, false);
    table.Add({"a\x1b[31mb\nD forged"});
  }
  EXPECT_THAT(out.str(), Not(HasSubstr("\x1b")));
  EXPECT_THAT(out.str(), HasSubstr("\\x0a"));
}

TEST(Output, Table_WithoutRowsWritesNothing) {
  std::ostringstream out;
  {
    Table table(out, {"NAME"}, 80, false);
  }
  EXPECT_EQ(out.str(), "");
}

TEST(Output, Messages_KeepTheirLinesAndNothingElse) {
  EXPECT_EQ(PrintableLines("a\n  b\x1b"), "a\n  b\\x1b");
}

TEST(Output, Colours_OnlyWhenAskedFor) {
  EXPECT_EQ(Coloured("x", Colour::kRed, false), "x");
  EXPECT_EQ(Coloured("x", Colour::kRed, true), "\x1b[31mx\x1b[0m");
}

TEST(Json, Text_OfEveryByteIsValidAndNeutral) {
  std::string bytes;
  for (int i = 0; i < 256; ++i) bytes += static_cast<char>(i);
  bytes += "\xc2\x9b\xe2\x80\xae\xf0\x9f\x98\x80";
  for (std::size_t length = 0; length <= bytes.size(); ++length) {
    const std::string text = JsonText(std::string_view(bytes).substr(bytes.size() - length));
    EXPECT_FALSE(nlohmann::json::parse(text, nullptr, false).is_discarded());
    for (char c : text) EXPECT_GE(static_cast<unsigned char>(c), 0x20u);
  }
}

TEST(Json, Text_IsLosslessForUtf8) {
  const std::string text =
      "quote \" slash \\ tab \t line \n esc \x1b C1 \xc2\x9b bidi \xe2\x80\xae "
      "é 日本 \xf0\x9f\x98\x80 DEL \x7f";
  const std::string json = JsonText(text);
  EXPECT_EQ(nlohmann::json::parse(json).get<std::string>(), text);
  EXPECT_THAT(json, Not(HasSubstr("\xc2\x9b")));
  EXPECT_THAT(json, Not(HasSubstr("\xe2\x80\xae")));
  EXPECT_THAT(json, HasSubstr("é"));
}

TEST(Json, Value_ThatIsBinaryOrNotUtf8IsBase64) {
  EXPECT_EQ(JsonValue("abc", false), "\"abc\"");
  EXPECT_EQ(JsonValue("abc", true), "{\"base64\":\"YWJj\"}");
  EXPECT_EQ(JsonValue("\xff", false), "{\"base64\":\"/w==\"}");
}

TEST(Json, Report_HasTheDocumentedKeys) {
  RunReport report;
  report.instance = "INSTANCE1";
  report.counts.added = 3;
  report.stream = "Testorg/Site1/INSTANCE1";
  report.sequence = 4;
  report.file = "/x/SYNC1";
  const auto json = nlohmann::json::parse(ReportJson(report));
  for (const char* key : {"added", "modified", "renamed", "deleted", "unchanged", "held",
                          "quarantined", "stream", "epoch", "sequence", "file"})
    EXPECT_TRUE(json.contains(key)) << key;
  EXPECT_EQ(json["added"], 3);
  EXPECT_FALSE(json.contains("problem"));
  report.problem = Error{ErrorCode::kGap, "early", ""};
  EXPECT_EQ(nlohmann::json::parse(ReportJson(report))["problem"], "GAP");
}

TEST(Json, Array_OfNoneAndOfTwo) {
  EXPECT_EQ(JsonArray({}), "[]");
  const std::vector<std::string> items = {"{}", "{\"a\":1}"};
  EXPECT_EQ(nlohmann::json::parse(JsonArray(items)).size(), 2u);
}

TEST(Base64, RoundTripOfEveryLength) {
  std::string bytes;
  for (int i = 0; i < 70; ++i) {
    EXPECT_EQ(DecodeBase64(EncodeBase64(bytes)), bytes);
    bytes += static_cast<char>(i * 37);
  }
  EXPECT_EQ(EncodeBase64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(EncodeBase64("fo"), "Zm8=");
}

TEST(Base64, MalformedTextIsRefused) {
  for (const char* text : {"Zg", "Zg=", "Z===", "====", "Zm=v", "Zg==Zg==", "Zm 9", "Zg\n="})
    EXPECT_FALSE(DecodeBase64(text)) << text;
}

class ProgressTest : public testing::Test {
 protected:
  ProgressMeter Meter(ProgressMeter::Style style) {
    return ProgressMeter(err_, style, [this] { return now_; });
  }
  std::ostringstream err_;
  std::chrono::steady_clock::time_point now_{};
};

TEST_F(ProgressTest, Lines_OneAMinute) {
  auto meter = Meter(ProgressMeter::Style::kLines);
  for (std::uint64_t second = 0; second <= 150; ++second) {
    meter.Update({"reading SYNC1", second * 1000, 300'000});
    now_ += std::chrono::seconds(1);
  }
  const std::string text = err_.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
  EXPECT_THAT(text, HasSubstr("reading SYNC1: 60,000 of 300,000 (20 %), 1,000/s, 4:01 left"));
}

TEST_F(ProgressTest, Bar_IsDrawnInPlaceAndErased) {
  {
    auto meter = Meter(ProgressMeter::Style::kBar);
    meter.Update({"x", 0, 100});
    now_ += std::chrono::seconds(1);
    meter.Update({"x", 50, 100});
  }
  EXPECT_THAT(err_.str(), HasSubstr("############............] 50 %, 50/s, 0:02 left"));
  EXPECT_THAT(err_.str(), testing::EndsWith("\r\x1b[K"));
}

TEST_F(ProgressTest, Json_IsOneObjectALine) {
  auto meter = Meter(ProgressMeter::Style::kJson);
  meter.Update({"x", 0, 0});
  now_ += std::chrono::seconds(2);
  meter.Update({"x", 10, 0});
  const auto json = nlohmann::json::parse(err_.str());
  EXPECT_EQ(json["done"], 10);
  EXPECT_EQ(json["rate"], 5);
}

TEST_F(ProgressTest, ShortJobs_ShowNothing) {
  auto meter = Meter(ProgressMeter::Style::kBar);
  meter.Update({"x", 0, 100});
  meter.Update({"x", 100, 100});
  EXPECT_EQ(err_.str(), "");
}

}  // namespace
}  // namespace dirsync::cli
