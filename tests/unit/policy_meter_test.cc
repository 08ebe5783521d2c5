// A site's limits, as batches meet them.
#include "agent/core/policy_meter.h"

#include <gtest/gtest.h>

#include "agent/core/site_policy.h"
#include "agent/core/site_usage.h"
#include "tests/unit/reader_world.h"

namespace dirsync {
namespace {

constexpr auto kHour = std::chrono::hours(1);

class PolicyMeterTest : public ::testing::Test {
 protected:
  PolicyMeterTest() { reader_.Must(source_.Start()); }
  void TearDown() override { reader_.Check(); }
  void Limit(std::optional<std::uint64_t> objects, std::optional<std::uint64_t> changes,
             const std::string& site = "Site1") {
    storage::Transaction transaction(reader_.storage);
    StorePolicy(transaction, {site, objects, changes, {}});
    EXPECT_OK(reader_.storage.Commit(transaction.Take()));
  }
  // A batch that adds so many people.
  Batch People(unsigned count) {
    std::vector<Change> people;
    for (unsigned i = 0; i < count; ++i, ++next_)
      people.push_back(Person(next_, "M" + std::to_string(next_)));
    return source_.AddAll(people);
  }
  Batch Deletes(unsigned first, unsigned count) {
    std::vector<Change> changes;
    for (unsigned i = first; i < first + count; ++i) changes.push_back(source_.Delete(IdOf(i)));
    return source_.Number(std::move(changes));
  }
  Batch Titles(unsigned first, unsigned count, const std::string& title) {
    std::vector<Change> changes;
    for (unsigned i = first; i < first + count; ++i) {
      Change whole = source_.told.at(IdOf(i));
      SetValue(whole, "Title", {title});
      changes.push_back(source_.Modify(whole));
    }
    return source_.Number(std::move(changes));
  }
  // Refused, with nothing written and the state as it was.
  Error Refused(const Batch& batch) {
    const ReaderState state = reader_.state;
    const auto rows = reader_.storage.rows();
    const auto counts = reader_.Apply(batch);
    ExpectError(counts, ErrorCode::kOverLimit);
    EXPECT_EQ(reader_.state, state);
    EXPECT_EQ(reader_.storage.rows(), rows);
    return counts ? Error{} : counts.error();
  }

  Source source_;
  Reader reader_;
  unsigned next_ = 1;
};

// ---- objects

TEST_F(PolicyMeterTest, ABatchThatPassesTheObjects_IsNotAppliedAtAll_AndIsOnceTheyAreMore) {
  Limit(200, {});
  reader_.Must(People(150));
  const Batch more = People(51);
  const Error error = Refused(more);
  EXPECT_EQ(error.again, Instant{});
  EXPECT_NE(error.message.find("Site1 has 150 objects here and would have 201 objects"),
            std::string::npos)
      << error.message;
  EXPECT_EQ(error.hint, "dirsync sites policy Site1 --max-objects 201");
  Limit(201, {});
  EXPECT_EQ(reader_.Must(more).added, 51u);
}

TEST_F(PolicyMeterTest, ExactlyTheMostPasses) {
  Limit(200, {});
  EXPECT_EQ(reader_.Must(People(200)).added, 200u);
  Refused(People(1));
}

TEST_F(PolicyMeterTest, AboveTheObjects_ChangesAndDeletesPass_AndSoDoesWhatOnlyShrinks) {
  reader_.Must(People(100));
  Limit(50, {});
  EXPECT_EQ(reader_.Must(Titles(1, 10, "Boss")).modified, 10u);
  EXPECT_EQ(reader_.Must(Deletes(1, 5)).deleted, 5u);
  Batch exchange = People(2);
  exchange.changes.push_back(source_.Delete(IdOf(10)));
  exchange.changes.push_back(source_.Delete(IdOf(11)));
  exchange.sum_after = source_.Sum();
  exchange.run.by_class[EntryClass::kMailbox].deletes = 2;
  EXPECT_EQ(reader_.Must(exchange).deleted, 2u);
  Refused(People(1));
}

TEST_F(PolicyMeterTest, ObjectsOfOtherStreamsOfTheSiteCount_ThoseOfOtherSitesDoNot) {
  Limit(100, {});
  for (const auto& [number, site] : {std::pair{7u, "Site1"}, std::pair{8u, "Site3"}}) {
    ReaderState other;
    other.number = number;
    other.source = SourceKind::kStream;
    other.stream = {"Testorg", site, "OTHER"};
    other.rows[EntryClass::kMailbox] = 60;
    storage::Transaction transaction(reader_.storage);
    reader_.Commit(transaction, other);
  }
  reader_.Must(People(40));
  Refused(People(1));
}

TEST_F(PolicyMeterTest, NearTheObjects_AWarningIsGivenOnce) {
  Limit(200, {});
  EXPECT_EQ(reader_.Must(People(159)).warning, "");
  EXPECT_NE(reader_.Must(People(1)).warning.find("160 objects here of at most 200"),
            std::string::npos);
  EXPECT_EQ(reader_.Must(People(10)).warning, "");
}

// ---- rate

TEST_F(PolicyMeterTest, ChangesOfAnHourAreCounted_AndTheNextOnesWaitForTheHour) {
  Limit({}, 50);
  reader_.Must(People(30));
  reader_.Must(Titles(1, 20, "Boss"));
  const Batch more = People(1);
  const Error error = Refused(more);
  ASSERT_GT(error.again, reader_.now);
  EXPECT_LE(error.again, reader_.now + 2 * kHour);
  EXPECT_NE(error.message.find("it goes on by itself at " + FormatTime(error.again)),
            std::string::npos);
  EXPECT_NE(error.hint.find("dirsync sites policy Site1 --max-changes-per-hour 51"),
            std::string::npos);
  reader_.now = error.again - std::chrono::seconds(1);
  Refused(more);
  reader_.now = error.again;
  EXPECT_EQ(reader_.Must(more).added, 1u);
}

TEST_F(PolicyMeterTest, ABatchOfMoreThanAWholeHour_SaysThatItWaitsForAPerson) {
  Limit({}, 50);
  const Batch many = People(51);
  const Error error = Refused(many);
  EXPECT_EQ(error.again, Instant{});
  EXPECT_NE(error.message.find("waits for a person"), std::string::npos) << error.message;
  Limit({}, kUnlimited);
  reader_.Must(many);
}

TEST_F(PolicyMeterTest, WhatTheBatchDeclaresIsNotBelieved) {
  Limit({}, 50);
  Batch many = People(51);
  many.run.by_class.clear();
  many.rows_after = 0;
  Refused(many);
}

TEST_F(PolicyMeterTest, RepeatsAreFree) {
  Limit({}, 50);
  reader_.Must(People(50));
  std::vector<Change> same;
  for (const auto& [id, whole] : source_.told) same.push_back(whole);
  EXPECT_EQ(reader_.Must(source_.Number(same)).unchanged, 50u);
  EXPECT_EQ(LoadUsage(reader_.storage, "Site1", reader_.now).value().current, 50u);
}

TEST_F(PolicyMeterTest, OneSitesRateIsNotAnothers) {
  Limit({}, 50, "*");
  reader_.Must(People(50));
  Source third("Site3");
  ReaderState state;
  state.number = 2;
  state.source = SourceKind::kStream;
  state.stream = third.stream;
  EXPECT_OK(reader_.Apply(third.Start(), state));
  Change other = Person(1, "Cecil");
  other.target_address = "EDK:Cecil@Site3.Testorg.com";
  SetValue(other, "Proxy-Addresses", {other.target_address});
  EXPECT_OK(reader_.Apply(third.AddAll({other}), state));
  Refused(People(1));
}

// ---- what is judged besides batches

TEST_F(PolicyMeterTest, AFreeOneIsHeldToTheObjectsOnly_AndDeletesAreCountedOnly) {
  Limit(10, 1);
  ReaderState state = reader_.state;
  ApplyCounts counts;
  storage::Transaction transaction(reader_.storage);
  PolicyMeter meter(state, counts);
  counts.added = 10;
  state.rows[EntryClass::kMailbox] = 10;
  EXPECT_OK(meter.Judge(transaction, state, counts, reader_.now, RateRule::kFree));
  counts.deleted = 5;
  EXPECT_OK(meter.Judge(transaction, state, counts, reader_.now, RateRule::kOnlyCounted));
  EXPECT_EQ(LoadUsage(transaction, "Site1", reader_.now).value().current, 5u);
  counts.added = 11;
  state.rows[EntryClass::kMailbox] = 11;
  ExpectError(meter.Judge(transaction, state, counts, reader_.now, RateRule::kFree),
              ErrorCode::kOverLimit);
}

}  // namespace
}  // namespace dirsync
