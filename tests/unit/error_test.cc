#include "proto/base/error.h"

#include <gmock/gmock.h>

#include <set>

namespace dirsync {
namespace {

using ::testing::HasSubstr;

Result<int> Half(int n) {
  if (n % 2 != 0) return Fail(ErrorCode::kInvalid, "halve " + std::to_string(n) + ": odd");
  return n / 2;
}

Result<int> Quarter(int n) {
  DIRSYNC_TRY(half, Half(n));
  return Half(half);
}

Result<> CheckEven(int n) {
  DIRSYNC_CHECK(Half(n));
  return {};
}

TEST(ErrorRegistry, NumbersAscendAndAreUnique) {
  int before = 0;
  for (const ErrorInfo& info : ErrorRegistry()) {
    EXPECT_LT(before, static_cast<int>(info.code)) << info.text;
    before = static_cast<int>(info.code);
  }
}

TEST(ErrorRegistry, TextsAreUniqueAndFindTheirCode) {
  std::set<std::string_view> texts;
  for (const ErrorInfo& info : ErrorRegistry()) {
    EXPECT_TRUE(texts.insert(info.text).second) << info.text;
    EXPECT_EQ(ErrorCodeOf(info.text), info.code);
  }
  EXPECT_EQ(ErrorCodeOf("NO_SUCH_CODE"), std::nullopt);
  EXPECT_EQ(ErrorCodeOf(""), std::nullopt);
}

TEST(ErrorRegistry, ExitStatusesAreDocumentedOnes) {
  for (const ErrorInfo& info : ErrorRegistry()) {
    EXPECT_TRUE((info.exit_status >= 0 && info.exit_status <= 12) || info.exit_status == 130)
        << info.text;
    EXPECT_FALSE(info.next.empty()) << info.text;
    EXPECT_NE(info.next.back(), '.') << info.text;
  }
}

TEST(ErrorRegistry, UnregisteredNumberIsInternal) {
  EXPECT_EQ(InfoOf(static_cast<ErrorCode>(9999)).code, ErrorCode::kInternal);
}

TEST(Error, TextShowsMessageCodeAndHint) {
  const Error error{ErrorCode::kGap, "import F: expected 4, got 6", "run `dirsync ack`"};
  EXPECT_EQ(error.ToString(), "import F: expected 4, got 6 (GAP)\n  run `dirsync ack`");
  EXPECT_EQ(error.exit_status(), 7);
}

TEST(Error, EmptyHintBecomesTheRegistrysNextStep) {
  const Error error{ErrorCode::kLocked, "open store: in use", ""};
  EXPECT_THAT(error.ToString(), HasSubstr(std::string(InfoOf(ErrorCode::kLocked).next)));
}

TEST(Result, TryPassesTheErrorOn) {
  EXPECT_EQ(Quarter(8), 2);
  EXPECT_EQ(Quarter(6).error().message, "halve 3: odd");
  EXPECT_EQ(Quarter(5).error().message, "halve 5: odd");
}

TEST(Result, CheckPassesTheErrorOn) {
  EXPECT_TRUE(CheckEven(2));
  EXPECT_EQ(CheckEven(3).error().code, ErrorCode::kInvalid);
}

}  // namespace
}  // namespace dirsync
