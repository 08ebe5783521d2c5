#include "agent/core/site_policy.h"

#include <gtest/gtest.h>

#include "agent/core/site_usage.h"
#include "tests/unit/reader_world.h"

namespace dirsync {
namespace {

constexpr auto kHour = std::chrono::hours(1);
constexpr auto kMinute = std::chrono::minutes(1);

class SitePolicyTest : public ::testing::Test {
 protected:
  SitePolicyTest() : transaction_(storage_) {}
  void Set(const std::string& site, std::optional<std::uint64_t> objects,
           std::optional<std::uint64_t> changes) {
    StorePolicy(transaction_, {site, objects, changes, {}});
  }
  SiteLimits Limits(std::string_view site) { return LimitsOf(transaction_, site).value(); }
  void Count(std::uint64_t changes) {
    EXPECT_OK(CountChanges(transaction_, "Site1", changes, now_));
  }
  SiteUsage Usage() { return LoadUsage(transaction_, "Site1", now_).value(); }
  std::uint64_t OfHour() { return ChangesOfHour(Usage(), now_); }

  storage::MemoryStorage storage_;
  storage::Transaction transaction_;
  Instant now_ = FromMillis(1'700'000'000'000 / 3'600'000 * 3'600'000);  // a full hour
};

// ---- rows

TEST_F(SitePolicyTest, ARowIsReadAsItWasWritten) {
  for (const SitePolicy& policy :
       {SitePolicy{"Site1", 5000, 2000, AttributeList{"City", "Title"}},
        SitePolicy{"*", kUnlimited, {}, {}}, SitePolicy{"B", {}, 0, AttributeList{}}})
    EXPECT_EQ(DecodePolicy(EncodePolicy(policy)).value(), policy);
}

TEST_F(SitePolicyTest, DamagedRowsAreReported) {
  const std::string row = EncodePolicy({"Site1", 5000, 2000, AttributeList{"Title"}});
  for (std::size_t size = 0; size < row.size(); ++size)
    ExpectError(DecodePolicy(row.substr(0, size)), ErrorCode::kCorrupt);
  ExpectError(DecodePolicy(row + "x"), ErrorCode::kCorrupt);
  std::string later = row;
  later[0] = 9;
  ExpectError(DecodePolicy(later), ErrorCode::kCorrupt);
}

TEST_F(SitePolicyTest, AValueIsTheSitesOwn_ElseThatOfAll_ElseTheDefault) {
  const SiteLimits none = Limits("Site1");
  EXPECT_EQ(none.max_objects, limits::kSiteObjects);
  EXPECT_EQ(none.max_changes_per_hour, limits::kSiteChangesPerHour);
  Set("*", 100, {});
  Set("Site1", {}, 7);
  EXPECT_EQ(Limits("site1").max_objects, 100u);
  EXPECT_EQ(Limits("site1").max_changes_per_hour, 7u);
  EXPECT_EQ(Limits("Site2").max_changes_per_hour, limits::kSiteChangesPerHour);
  Set("SITE1", 5, {});
  EXPECT_EQ(Limits("Site1").max_objects, 5u);
  EXPECT_EQ(Limits("Site1").max_changes_per_hour, limits::kSiteChangesPerHour);
  Set("Site1", {}, {});
  EXPECT_EQ(Limits("Site1").max_objects, 100u);
  EXPECT_EQ(ListPolicies(transaction_).value().size(), 1u) << "an empty one leaves no row";
}

TEST_F(SitePolicyTest, AListTakesWhatItNames_AndWhatAlwaysComes) {
  const AttributeList list = {"City", "Title"};
  for (const char* name : {"City", "Title", "Proxy-Addresses", "Hide-From-AB"})
    EXPECT_TRUE(IsTaken(list, name)) << name;
  EXPECT_FALSE(IsTaken(list, "Display-Name"));
  EXPECT_FALSE(IsTaken({}, "City"));
  EXPECT_TRUE(IsTaken({"*"}, "City"));
}

// ---- changes of an hour

TEST_F(SitePolicyTest, ChangesFadeEvenlyInTheHourAfterTheirs) {
  now_ += 30 * kMinute;
  Count(60);
  Count(40);
  EXPECT_EQ(OfHour(), 100u);
  now_ += 30 * kMinute;
  EXPECT_EQ(OfHour(), 100u);
  now_ += 15 * kMinute;
  EXPECT_EQ(OfHour(), 75u);
  Count(5);
  EXPECT_EQ(OfHour(), 80u);
  now_ += 45 * kMinute;
  EXPECT_EQ(OfHour(), 5u);
  now_ += kHour;
  EXPECT_EQ(OfHour(), 0u);
}

TEST_F(SitePolicyTest, OneRowASiteIsKept) {
  for (int hour = 0; hour < 100; ++hour, now_ += kHour) Count(3);
  const auto [lower, upper] = storage::TableRange(storage::Table::kUsage);
  std::size_t rows = 0;
  for (auto cursor = transaction_.Scan(lower, upper); cursor->Valid(); cursor->Next()) ++rows;
  EXPECT_EQ(rows, 1u);
}

TEST_F(SitePolicyTest, AClockThatGoesBackFreesNothing_AndStopsNobodyForLong) {
  Count(100);
  now_ -= 1000 * kHour;
  EXPECT_EQ(OfHour(), 100u);
  Count(1);
  now_ += 2 * kHour;
  EXPECT_EQ(OfHour(), 0u);
}

// The first second at which they fit, found by trying all of them.
TEST_F(SitePolicyTest, TheTimeAtWhichMoreFitsIsTheFirstOne) {
  constexpr std::uint64_t kMost = 100;
  for (std::uint64_t previous : {0u, 1u, 37u, 100u, 250u})
    for (std::uint64_t current : {0u, 1u, 49u, 99u, 100u, 180u})
      for (std::uint64_t changes : {1u, 51u, 99u, 100u}) {
        const std::uint64_t hour = static_cast<std::uint64_t>(ToMillis(now_)) / 3'600'000;
        const SiteUsage usage{hour, current, previous};
        Instant first = now_ + 20 * kMinute;
        const auto fits = [&](Instant at) {
          const bool later = at >= now_ + kHour;
          const SiteUsage then = later ? SiteUsage{hour + 1, 0, current} : usage;
          if (at >= now_ + 2 * kHour) return true;
          return ChangesOfHour(then, at) + changes <= kMost;
        };
        const Instant asked = first;
        while (!fits(first)) first += std::chrono::seconds(1);
        EXPECT_EQ(FitsAt(usage, changes, kMost, asked), first)
            << previous << " " << current << " " << changes;
      }
}

TEST_F(SitePolicyTest, MoreThanAWholeHoursNeverFit) {
  EXPECT_EQ(FitsAt({}, 101, 100, now_), std::nullopt);
  EXPECT_EQ(FitsAt({}, 1, 0, now_), std::nullopt);
  EXPECT_EQ(FitsAt({1, UINT64_MAX / 8000, 0}, 101, kUnlimited, now_), now_);
}

// ---- objects

TEST_F(SitePolicyTest, ObjectsAreTheRowsOfAllStreamsOfASite) {
  const auto add = [&](storage::StreamNumber number, const StreamName& stream, SourceKind source) {
    ReaderState state;
    state.number = number;
    state.source = source;
    state.stream = stream;
    state.rows = {{EntryClass::kMailbox, 10}, {EntryClass::kContainer, number}};
    StoreReader(transaction_, state);
  };
  add(1, {"Testorg", "Site1", "A"}, SourceKind::kStream);
  add(2, {"Testorg", "site1", "B"}, SourceKind::kStream);
  add(3, {"Testorg", "Site3", "A"}, SourceKind::kStream);
  add(4, {"Testorg", "Site1", "C"}, SourceKind::kForeign);
  EXPECT_EQ(ObjectsOf(transaction_, "Site1", 0).value(), 23u);
  EXPECT_EQ(ObjectsOf(transaction_, "SITE1", 2).value(), 11u);
  EXPECT_EQ(ObjectsBySite(transaction_).value().size(), 2u);
}

}  // namespace
}  // namespace dirsync
