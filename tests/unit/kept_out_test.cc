// Attributes that this site does not take of another: never written here, and never missed.
#include <gtest/gtest.h>

#include <random>

#include "agent/core/site_policy.h"
#include "tests/unit/reader_world.h"

namespace dirsync {
namespace {

constexpr std::string_view kTitle = "Title";
constexpr std::string_view kPhones = "Telephone-Office2";

class KeptOutTest : public ::testing::Test {
 protected:
  KeptOutTest() { reader_.Must(source_.Start()); }
  void TearDown() override { reader_.Check(); }
  void Take(std::optional<AttributeList> list, const std::string& site = "Site1") {
    storage::Transaction transaction(reader_.storage);
    StorePolicy(transaction, {site, {}, {}, std::move(list)});
    EXPECT_OK(reader_.storage.Commit(transaction.Take()));
  }
  std::string Value(unsigned number, std::string_view name) {
    const std::optional<Entry> entry = reader_.Here(IdOf(number));
    return entry ? std::string(entry->attributes.First(name)) : "no entry";
  }
  std::vector<std::string> KeptOut(unsigned number) {
    const std::optional<MirrorRow> row = reader_.Mirror(IdOf(number));
    return row ? row->kept_out : std::vector<std::string>{"no row"};
  }
  // The source says another value of Anna.
  ApplyCounts Tell(std::string_view name, std::vector<std::string> values) {
    Change anna = source_.told.at(IdOf(1));
    if (values.empty()) {
      EraseValue(anna, name);
    } else {
      SetValue(anna, name, std::move(values));
    }
    return reader_.Must(source_.Number({source_.Modify(anna)}));
  }
  ApplyCounts Copy() {
    Result<ApplyCounts> counts = reader_.Full(source_);
    EXPECT_OK(counts);
    return counts.value_or(ApplyCounts{});
  }
  bool CopyDue() { return IsCopyDue(reader_.storage, reader_.state).value(); }
  // A contact of ours for Anna, with a title of its own.
  void AddContact() {
    const EntryId contact = reader_.AddLocal(1, EntryClass::kCustomRecipient, "Contact", {},
                                             "EDK:Anna@Site1.Testorg.com");
    storage::Transaction transaction(reader_.storage);
    EntryStore entries(transaction, reader_.now);
    Entry entry = entries.Get(contact).value().value();
    entry.attributes.Set(kTitle, {"ours"});
    EXPECT_OK(entries.Update(entry));
    EXPECT_OK(reader_.storage.Commit(transaction.Take()));
  }

  Source source_;
  Reader reader_;
};

// ---- what comes

TEST_F(KeptOutTest, WhatIsNotInTheListIsNotHere_AndSumsAreEqualAllTheSame) {
  Take(AttributeList{"Display-Name"});
  EXPECT_EQ(reader_.Must(source_.AddAll({Person(1, "Anna")})).added, 1u);
  EXPECT_EQ(Value(1, kTitle), "");
  EXPECT_EQ(Value(1, "Display-Name"), "Person Anna");
  EXPECT_EQ(KeptOut(1), std::vector<std::string>{std::string(kTitle)});
  EXPECT_EQ(reader_.state.sum, source_.Sum());
  Tell(kTitle, {"Boss"});
  EXPECT_EQ(Value(1, kTitle), "");
  EXPECT_EQ(reader_.state.sum, source_.Sum());
  Tell(kTitle, {});
  EXPECT_EQ(KeptOut(1), std::vector<std::string>{});
  EXPECT_EQ(reader_.state.sum, source_.Sum());
}

TEST_F(KeptOutTest, AddressesAndWhatHidesComeAlways) {
  Take(AttributeList{});
  Change anna = Person(1, "Anna");
  SetValue(anna, "Hide-From-AB", {"1"});
  reader_.Must(source_.AddAll({anna}));
  EXPECT_EQ(Value(1, "Proxy-Addresses"), "EDK:Anna@Site1.Testorg.com");
  EXPECT_EQ(Value(1, "Target-Address"), "EDK:Anna@Site1.Testorg.com");
  EXPECT_EQ(Value(1, "Hide-From-AB"), "1");
  EXPECT_EQ(Value(1, "Display-Name"), "");
}

TEST_F(KeptOutTest, WithoutTheToldDisplayName_AFormatTakesTheName) {
  reader_.settings.display_name_format = "%d (%{site})";
  Take(AttributeList{});
  reader_.Must(source_.AddAll({Person(1, "Anna")}));
  EXPECT_EQ(Value(1, "Display-Name"), "Anna (Site1)");
  Tell("Display-Name", {"Secret"});
  EXPECT_EQ(Value(1, "Display-Name"), "Anna (Site1)");
}

TEST_F(KeptOutTest, TheListOfAllOthersGoesForASiteWithoutOne) {
  Take(AttributeList{}, "*");
  Take(AttributeList{"Title"}, "Site3");
  reader_.Must(source_.AddAll({Person(1, "Anna")}));
  EXPECT_EQ(Value(1, kTitle), "");
}

// ---- another list

TEST_F(KeptOutTest, AWiderList_IsCaughtUpByACopy_ThoughNoHashDiffers) {
  Take(AttributeList{});
  reader_.Must(source_.AddAll({Person(1, "Anna"), Person(2, "Berta")}));
  EXPECT_FALSE(CopyDue());
  Take(AttributeList{"Title"});
  EXPECT_TRUE(CopyDue());
  EXPECT_EQ(Copy().modified, 2u);
  EXPECT_EQ(Value(2, kTitle), "Engineer");
  EXPECT_EQ(Value(2, "Display-Name"), "");
  EXPECT_FALSE(CopyDue());
  EXPECT_EQ(Copy().unchanged, 2u);
  EXPECT_EQ(reader_.state.sum, source_.Sum());
}

TEST_F(KeptOutTest, ANarrowerList_TakesAwayWhatCameBefore) {
  reader_.Must(source_.AddAll({Person(1, "Anna")}));
  Take(AttributeList{"Display-Name"});
  EXPECT_EQ(Value(1, kTitle), "Engineer");
  EXPECT_EQ(Copy().modified, 1u);
  EXPECT_EQ(Value(1, kTitle), "");
  EXPECT_EQ(Value(1, "Display-Name"), "Person Anna");
  Take(std::nullopt);
  EXPECT_TRUE(CopyDue());
  Copy();
  EXPECT_EQ(Value(1, kTitle), "Engineer");
  EXPECT_EQ(KeptOut(1), std::vector<std::string>{});
}

TEST_F(KeptOutTest, AWholeEntryThatWasToldBefore_FollowsTheListToo) {
  reader_.Must(source_.AddAll({Person(1, "Anna")}));
  Take(AttributeList{"Display-Name"});
  EXPECT_EQ(reader_.Must(source_.Number({source_.told.at(IdOf(1))})).modified, 1u);
  EXPECT_EQ(Value(1, kTitle), "");
}

TEST_F(KeptOutTest, BeforeTheCopy_AChangeOfWhatIsNoLongerTakenTakesItAway) {
  reader_.Must(source_.AddAll({Person(1, "Anna")}));
  Take(AttributeList{"Display-Name"});
  Tell(kTitle, {"Boss"});
  EXPECT_EQ(Value(1, kTitle), "");
  EXPECT_EQ(reader_.state.sum, source_.Sum());
}

TEST_F(KeptOutTest, AListThatChangesWhileACopyIsUnderWay_NeedsAnother) {
  reader_.Must(source_.AddAll({Person(1, "Anna"), Person(2, "Berta"), Person(3, "Clara")}));
  Take(AttributeList{});
  EXPECT_OK(reader_.Full(source_, 1, 2));
  Take(AttributeList{"Title"});
  EXPECT_OK(reader_.Full(source_, 1));
  EXPECT_TRUE(CopyDue());
  Copy();
  EXPECT_FALSE(CopyDue());
  for (unsigned number : {1u, 2u, 3u}) EXPECT_EQ(Value(number, kTitle), "Engineer") << number;
}

TEST_F(KeptOutTest, ACopyIsNotDue_WhereARunWaitsForAPersonOrWasRejected) {
  reader_.Must(source_.AddAll({Person(1, "Anna")}));
  Take(AttributeList{});
  ReaderState suspect = reader_.state;
  suspect.suspect = RunTotals{};
  EXPECT_FALSE(IsCopyDue(reader_.storage, suspect).value());
  ReaderState rejected = reader_.state;
  rejected.rejected_run = FilledId<RunId>(3);
  EXPECT_FALSE(IsCopyDue(reader_.storage, rejected).value());
}

// ---- what stood here before

TEST_F(KeptOutTest, AnAdoptedEntryKeepsItsOwnValue) {
  AddContact();
  Take(AttributeList{"Display-Name"});
  EXPECT_EQ(reader_.Must(source_.AddAll({Person(1, "Anna")})).adopted, 1u);
  EXPECT_EQ(Value(1, kTitle), "ours");
  Tell(kTitle, {"Boss"});
  EXPECT_EQ(Value(1, kTitle), "ours");
  Copy();
  EXPECT_EQ(Value(1, kTitle), "ours");
  Tell(kTitle, {});
  EXPECT_EQ(Value(1, kTitle), "ours");
  reader_.Must(source_.AddAll({source_.told.at(IdOf(1))}));
  EXPECT_EQ(Value(1, kTitle), "ours");
}

TEST_F(KeptOutTest, OneThatIsTakenLaterIsTheSourcesFromThenOn) {
  AddContact();
  Take(AttributeList{});
  reader_.Must(source_.AddAll({Person(1, "Anna")}));
  Take(AttributeList{"Title"});
  Copy();
  EXPECT_EQ(Value(1, kTitle), "Engineer");
  Take(AttributeList{});
  Copy();
  EXPECT_EQ(Value(1, kTitle), "");
}

// Told while its content could not land: none of it is here when it does.
TEST_F(KeptOutTest, ThroughTheQuarantine_OwnValuesStayToo) {
  AddContact();
  Take(AttributeList{"Display-Name"});
  Change anna = Person(1, "Anna");
  EraseValue(anna, kTitle);
  reader_.Must(source_.AddAll({anna}));
  const EntryId holder =
      reader_.AddLocal(2, EntryClass::kMailbox, "Holder", {"EDK:Taken@Site1.Testorg.com"});
  SetValue(anna, kTitle, {"Boss"});
  SetValue(anna, "Proxy-Addresses", {"EDK:Taken@Site1.Testorg.com"});
  EXPECT_EQ(reader_.Must(source_.Number({source_.Modify(anna)})).quarantined, 1u);
  EXPECT_EQ(Value(1, kTitle), "ours");
  storage::Transaction transaction(reader_.storage);
  EXPECT_OK(EntryStore(transaction, reader_.now).Bury(holder));
  EXPECT_OK(reader_.storage.Commit(transaction.Take()));
  Tell("Display-Name", {"Anna Again"});
  reader_.Must(source_.Number({source_.Wanted(IdOf(1))}));
  EXPECT_EQ(Value(1, "Display-Name"), "Anna Again");
  EXPECT_EQ(Value(1, "Proxy-Addresses"), "EDK:Taken@Site1.Testorg.com");
  EXPECT_EQ(Value(1, kTitle), "ours");
  EXPECT_EQ(reader_.state.sum, source_.Sum());
}

TEST_F(KeptOutTest, PeopleWhoSwapTheirAddresses_KeepOutWhatIsKeptOutToo) {
  Take(AttributeList{"City"});
  reader_.Must(source_.AddAll({Person(1, "Anna"), Person(2, "Bert")}));
  const auto with_address_of = [&](unsigned number, const std::string& name) {
    Change change = source_.told.at(IdOf(number));
    change.target_address = "EDK:" + name + "@Site1.Testorg.com";
    SetValue(change, "Proxy-Addresses", {change.target_address});
    SetValue(change, kTitle, {"Boss"});
    SetValue(change, "City", {"Kiel"});
    return source_.Modify(change);
  };
  const Change anna = with_address_of(1, "Bert");
  const Change bert = with_address_of(2, "Anna");
  EXPECT_EQ(reader_.Must(source_.Number({anna, bert})).quarantined, 0u);
  for (unsigned number : {1u, 2u}) {
    EXPECT_EQ(Value(number, "City"), "Kiel");
    EXPECT_EQ(Value(number, kTitle), "");
  }
  EXPECT_EQ(reader_.state.sum, source_.Sum());
}

// ---- single values

TEST_F(KeptOutTest, SingleValuesOfWhatIsKeptOut_AskForTheEntryWhole) {
  Take(AttributeList{});
  Change anna = Person(1, "Anna");
  SetValue(anna, kPhones, {"1", "2"});
  reader_.Must(source_.AddAll({anna}));
  Change part = anna;
  part.kind = ChangeKind::kModify;
  part.attributes = {{std::string(kPhones), AttributeOperation::kRemove, {"1"}}};
  SetValue(anna, kPhones, {"2"});
  source_.told[anna.id] = anna;
  const ApplyCounts counts = reader_.Must(source_.Number({part}));
  EXPECT_EQ(counts.wanted, 1u);
  EXPECT_FALSE(counts.diverged);
  EXPECT_EQ(reader_.Wanted(), std::vector<EntryId>{IdOf(1)});
  reader_.Must(source_.Number({source_.Wanted(IdOf(1))}));
  EXPECT_EQ(Value(1, kPhones), "");
  EXPECT_EQ(reader_.state.sum, source_.Sum());
  EXPECT_TRUE(reader_.Wanted().empty());
}

TEST_F(KeptOutTest, SingleValuesOfWhatIsTakenAreAsBefore) {
  Take(AttributeList{std::string(kPhones)});
  Change anna = Person(1, "Anna");
  SetValue(anna, kPhones, {"1", "2"});
  reader_.Must(source_.AddAll({anna}));
  Change part = anna;
  part.kind = ChangeKind::kModify;
  part.attributes = {{std::string(kPhones), AttributeOperation::kRemove, {"1"}}};
  SetValue(anna, kPhones, {"2"});
  source_.told[anna.id] = anna;
  EXPECT_EQ(reader_.Must(source_.Number({part})).modified, 1u);
  EXPECT_EQ(Value(1, kPhones), "2");
  EXPECT_EQ(reader_.state.sum, source_.Sum());
}

// ---- any history

// Whatever was told and taken in whatever order: behind a copy, an entry has of its source what is
// told and taken, and nothing else; sums are equal at every step.
TEST_F(KeptOutTest, BehindACopyEveryEntryHasWhatIsToldAndTaken) {
  const std::vector<std::string> names = {"City", "Department", "Title"};
  for (unsigned seed = 1; seed <= 40; ++seed) {
    std::mt19937 random(seed);
    const auto draw = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
    Source source("Site" + std::to_string(seed + 10));
    Reader reader;
    reader.Must(source.Start());
    AttributeList list = {"*"};
    const auto choose = [&] {
      list.clear();
      for (const std::string& name : names)
        if (draw(2) == 0) list.push_back(name);
      storage::Transaction transaction(reader.storage);
      StorePolicy(transaction, {source.stream.site, {}, {}, list});
      EXPECT_OK(reader.storage.Commit(transaction.Take()));
    };
    const auto tell = [&] {
      const unsigned number = 1 + draw(4);
      Change whole = Person(number, "M" + std::to_string(number));
      const bool held = source.told.contains(IdOf(number));
      if (held) whole = source.told.at(IdOf(number));
      const std::string& name = names[draw(3)];
      if (draw(3) == 0) {
        EraseValue(whole, name);
      } else {
        SetValue(whole, name, {std::to_string(draw(1000))});
      }
      if (held && whole.attributes == source.told.at(IdOf(number)).attributes) return;
      const bool part = held && draw(3) != 0;
      reader.Must(source.Number({part ? source.Modify(whole) : source.Add(whole)}));
    };
    for (int step = 0; step < 60; ++step) {
      const unsigned what = draw(10);
      if (what == 0) choose();
      if (what > 1) tell();
      ASSERT_EQ(reader.state.sum, source.Sum()) << "seed " << seed << " step " << step;
      if (what != 1) continue;
      ASSERT_TRUE(reader.Full(source, 2));
      for (const auto& [id, told] : source.told) {
        const auto entry = reader.Here(id, source.stream.site);
        ASSERT_TRUE(entry);
        for (const std::string& name : names) {
          const auto of = std::ranges::find(told.attributes, name, &AttributeChange::name);
          const bool here = of != told.attributes.end() && IsTaken(list, name);
          EXPECT_EQ(entry->attributes.First(name), here ? of->values.front() : "")
              << "seed " << seed << " step " << step << " " << name;
        }
      }
    }
    reader.Check();
  }
}

}  // namespace
}  // namespace dirsync
