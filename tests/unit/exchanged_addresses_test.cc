#include "agent/core/exchanged_addresses.h"

#include "tests/unit/reader_world.h"

namespace dirsync {
namespace {

class ExchangedAddresses : public ::testing::Test {
 protected:
  // The person `number` with the address of `of`.
  static Change WithAddressOf(unsigned number, const std::string& name, const std::string& of) {
    Change change = Person(number, name);
    change.target_address = "EDK:" + of + "@Site1.Testorg.com";
    SetValue(change, "Proxy-Addresses", {change.target_address});
    return change;
  }
  std::string AddressOf(unsigned number) {
    const std::optional<Entry> entry = reader_.Here(IdOf(number));
    return entry ? std::string(entry->attributes.First("Target-Address")) : "nobody";
  }
  Source source_;
  Reader reader_;
};

TEST_F(ExchangedAddresses, TwoWhoSwapThemInOneRunBothLand) {
  reader_.Must(source_.AddAll({Person(1, "Anna"), Person(2, "Bert")}));
  const Change anna = source_.Modify(WithAddressOf(1, "Anna", "Bert"));
  const Change bert = source_.Modify(WithAddressOf(2, "Bert", "Anna"));
  reader_.plan.clear();
  const ApplyCounts counts = reader_.Must(source_.Number({anna, bert}));
  EXPECT_EQ(counts.modified, 2u);
  EXPECT_EQ(counts.quarantined, 0u);
  EXPECT_TRUE(reader_.Quarantined().empty());
  EXPECT_EQ(AddressOf(1), "EDK:Bert@Site1.Testorg.com");
  EXPECT_EQ(AddressOf(2), "EDK:Anna@Site1.Testorg.com");
  EXPECT_EQ(reader_.Here(IdOf(1))->attributes.First("Title"), "Engineer");
  EXPECT_EQ(reader_.state.sum, source_.Sum());
  reader_.Check();
}

TEST_F(ExchangedAddresses, ThreeWhoPassThemRoundInSeveralRunsLandWithTheLast) {
  reader_.Must(source_.AddAll({Person(1, "Anna"), Person(2, "Bert"), Person(3, "Carl")}));
  const Change anna = source_.Modify(WithAddressOf(1, "Anna", "Bert"));
  EXPECT_EQ(reader_.Must(source_.Number({anna})).quarantined, 1u);
  const Change bert = source_.Modify(WithAddressOf(2, "Bert", "Carl"));
  EXPECT_EQ(reader_.Must(source_.Number({bert})).quarantined, 1u);
  const Change carl = source_.Modify(WithAddressOf(3, "Carl", "Anna"));
  EXPECT_EQ(reader_.Must(source_.Number({carl})).quarantined, 0u);
  EXPECT_TRUE(reader_.Quarantined().empty());
  EXPECT_EQ(AddressOf(1), "EDK:Bert@Site1.Testorg.com");
  EXPECT_EQ(AddressOf(2), "EDK:Carl@Site1.Testorg.com");
  EXPECT_EQ(AddressOf(3), "EDK:Anna@Site1.Testorg.com");
  EXPECT_EQ(reader_.state.sum, source_.Sum());
  reader_.Check();
}

TEST_F(ExchangedAddresses, AFullCopyThatSwapsThemLandsToo) {
  reader_.Must(source_.AddAll({Person(1, "Anna"), Person(2, "Bert")}));
  source_.Modify(WithAddressOf(1, "Anna", "Bert"));
  source_.Modify(WithAddressOf(2, "Bert", "Anna"));
  ++source_.sequence;
  const Result<ApplyCounts> counts = reader_.Full(source_);
  EXPECT_OK(counts);
  EXPECT_TRUE(reader_.Quarantined().empty());
  EXPECT_EQ(AddressOf(1), "EDK:Bert@Site1.Testorg.com");
  EXPECT_EQ(AddressOf(2), "EDK:Anna@Site1.Testorg.com");
  EXPECT_EQ(reader_.state.sum, source_.Sum());
  reader_.Check();
}

TEST_F(ExchangedAddresses, WhoeverWaitsForSomebodyElseKeepsTheOldOne) {
  reader_.Must(source_.AddAll({Person(1, "Anna"), Person(2, "Bert"), Person(3, "Carl")}));
  reader_.AddLocal(1, EntryClass::kMailbox, "Ours", {"EDK:boss@Site1.Testorg.com"});
  const Change carl = source_.Modify(WithAddressOf(3, "Carl", "boss"));
  const Change anna = source_.Modify(WithAddressOf(1, "Anna", "Bert"));
  const Change bert = source_.Modify(WithAddressOf(2, "Bert", "Anna"));
  const ApplyCounts counts = reader_.Must(source_.Number({carl, anna, bert}));
  EXPECT_EQ(counts.quarantined, 1u);
  ASSERT_EQ(reader_.Quarantined().size(), 1u);
  EXPECT_EQ(reader_.Quarantined().front().id, IdOf(3));
  EXPECT_EQ(AddressOf(3), "EDK:Carl@Site1.Testorg.com");
  EXPECT_EQ(AddressOf(1), "EDK:Bert@Site1.Testorg.com");
  EXPECT_EQ(reader_.state.sum, source_.Sum());
  reader_.Check();
}

TEST_F(ExchangedAddresses, WhenOneOfThemCannotLandNobodyIsLeftWithoutAnAddress) {
  reader_.Must(source_.AddAll({Person(1, "Anna"), Person(2, "Bert"), Person(3, "Carl")}));
  // Both want Bert's: whoever comes second has to wait, and Bert waits for the first.
  const Change anna = source_.Modify(WithAddressOf(1, "Anna", "Bert"));
  const Change carl = source_.Modify(WithAddressOf(3, "Carl", "Bert"));
  const Change bert = source_.Modify(WithAddressOf(2, "Bert", "Anna"));
  reader_.Must(source_.Number({anna, carl, bert}));
  ASSERT_EQ(reader_.Quarantined().size(), 1u);
  EXPECT_EQ(AddressOf(3), "EDK:Carl@Site1.Testorg.com");
  EXPECT_EQ(AddressOf(1), "EDK:Bert@Site1.Testorg.com");
  EXPECT_EQ(AddressOf(2), "EDK:Anna@Site1.Testorg.com");
  EXPECT_EQ(reader_.state.sum, source_.Sum());
  reader_.Check();
}

}  // namespace
}  // namespace dirsync
