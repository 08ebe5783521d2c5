#include "agent/core/told.h"

#include <gtest/gtest.h>

#include "proto/base/crypto.h"
#include "proto/base/limits.h"
#include "storage/key.h"

namespace dirsync {
namespace {

const HashKey kKey = *HashKey::FromBytes("0123456789abcdef");

Change Whole() {
  Change change;
  change.id = DerivedId("entry");
  change.name = "Mailbox11";
  change.dn = "/o=Testorg/ou=Site1/cn=Recipients/cn=Mailbox11";
  change.target_address = "EDK:Mailbox11@Site1.Testorg.com";
  change.attributes = {{"Display-Name", AttributeOperation::kSet, {"Mailbox 11"}},
                       {"Member", AttributeOperation::kSet, {"b", "a"}},
                       {"X-Badge-No", AttributeOperation::kSet, {"7"}}};
  return change;
}

ToldRow Row() {
  ToldRow row;
  row.version = {3, 77};
  row.time = FromMillis(1234567);
  row.state = StateOf(kKey, Whole());
  row.name = "Mailbox11";
  row.container = DerivedId("Recipients");
  return row;
}

TEST(Told, Row_CutAnywhereIsCorrupt) {
  const std::string bytes = EncodeTold(Row());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const Result<ToldRow> row = DecodeTold(std::string_view(bytes).substr(0, size));
    ASSERT_FALSE(row) << size;
    EXPECT_EQ(row.error().code, ErrorCode::kCorrupt);
  }
  EXPECT_FALSE(DecodeTold(bytes + "x"));
}

TEST(Told, Row_AnyByteAlteredIsCorruptOrAnotherRow) {
  const std::string bytes = EncodeTold(Row());
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    std::string altered = bytes;
    altered[at] = static_cast<char>(altered[at] ^ 0x41);
    const Result<ToldRow> row = DecodeTold(altered);
    EXPECT_TRUE(!row || *row != Row()) << at;
  }
}

TEST(Told, Row_HugeCountIsCorruptWithoutMemory) {
  ToldRow row = Row();
  row.state.attributes.clear();
  std::string bytes = EncodeTold(row);
  bytes.pop_back();
  bytes += "\xff\xff\xff\xff\xff\xff\xff\xff\x7f";
  EXPECT_FALSE(DecodeTold(bytes));
}

TEST(Told, Row_SurvivesItsBytes) {
  EXPECT_EQ(*DecodeTold(EncodeTold(Row())), Row());
  ToldRow below = Row();
  below.state.parent = DerivedId("Sub");
  below.container = below.state.parent;
  EXPECT_EQ(*DecodeTold(EncodeTold(below)), below);
}

TEST(Told, Row_DecodesOverAnotherOne) {
  ToldRow target = Row();
  ToldRow small = Row();
  small.state.attributes.resize(1);
  small.state.parent = small.container = DerivedId("Sub");
  ASSERT_TRUE(DecodeToldInto(EncodeTold(small), target));
  EXPECT_EQ(target, small);
}

TEST(Told, Stamp_ChangesVersionAndTimeOnly) {
  std::string bytes = EncodeTold(Row());
  StampTold({9, 10}, FromMillis(42), bytes);
  ToldRow expected = Row();
  expected.version = {9, 10};
  expected.time = FromMillis(42);
  EXPECT_EQ(*DecodeTold(bytes), expected);
}

TEST(Told, State_IsOfContentNotOfDnOrOrder) {
  Change other = Whole();
  other.dn = "elsewhere";
  other.wanted = true;
  other.attributes[1].values = {"a", "b"};
  other.attributes.insert(other.attributes.begin(), {"City", AttributeOperation::kSet, {}});
  EXPECT_EQ(StateOf(kKey, other), StateOf(kKey, Whole()));
  EXPECT_TRUE(IsStateOf(kKey, other, StateOf(kKey, Whole())));
}

TEST(Told, State_DiffersInEveryPart) {
  const ToldState state = StateOf(kKey, Whole());
  const auto differs = [&](auto edit) {
    Change other = Whole();
    edit(other);
    EXPECT_FALSE(IsStateOf(kKey, other, state));
    EXPECT_NE(StateOf(kKey, other), state);
  };
  differs([](Change& c) { c.entry_class = EntryClass::kDistributionList; });
  differs([](Change& c) { c.parent = DerivedId("Sub"); });
  differs([](Change& c) { c.name = "mailbox11"; });
  differs([](Change& c) { c.target_address.clear(); });
  differs([](Change& c) { c.attributes.pop_back(); });
  differs([](Change& c) { c.attributes[0].values = {"mailbox 11"}; });
  differs([](Change& c) { c.attributes[0].name = "Description"; });
  differs([](Change& c) { c.attributes.push_back({"X-Z", AttributeOperation::kSet, {""}}); });
}

TEST(Told, State_OverAnotherOne) {
  ToldState state = StateOf(kKey, Whole());
  Change small = Whole();
  small.attributes.erase(small.attributes.begin());
  StateInto(kKey, small, state);
  EXPECT_EQ(state, StateOf(kKey, small));
}

TEST(Difference, Nothing_IsNothing) {
  const ToldState state = StateOf(kKey, Whole());
  EXPECT_EQ(Difference(state, state, Whole()), std::nullopt);
}

TEST(Difference, CarriesOnlyWhatDiffersAndClears) {
  Change after = Whole();
  after.attributes = {{"City", AttributeOperation::kSet, {"Bern"}},
                      {"Display-Name", AttributeOperation::kSet, {"Mailbox 11"}},
                      {"Member", AttributeOperation::kSet, {"a"}}};
  const auto change = Difference(StateOf(kKey, Whole()), StateOf(kKey, after), after);
  ASSERT_TRUE(change);
  EXPECT_EQ(change->kind, ChangeKind::kModify);
  EXPECT_EQ(change->target_address, after.target_address);
  const std::vector<AttributeChange> expected = {{"City", AttributeOperation::kSet, {"Bern"}},
                                                 {"Member", AttributeOperation::kSet, {"a"}},
                                                 {"X-Badge-No", AttributeOperation::kSet, {}}};
  EXPECT_EQ(change->attributes, expected);
}

TEST(Difference, NewNameOrParentIsARename) {
  Change after = Whole();
  after.name = "Mailbox12";
  auto change = Difference(StateOf(kKey, Whole()), StateOf(kKey, after), after);
  EXPECT_EQ(change->kind, ChangeKind::kRename);
  EXPECT_TRUE(change->attributes.empty());
  after = Whole();
  after.parent = DerivedId("Sub");
  change = Difference(StateOf(kKey, Whole()), StateOf(kKey, after), after);
  EXPECT_EQ(change->kind, ChangeKind::kRename);
  EXPECT_EQ(change->parent, after.parent);
}

TEST(Difference, AnotherClassIsToldWhole) {
  Change after = Whole();
  after.entry_class = EntryClass::kCustomRecipient;
  EXPECT_EQ(Difference(StateOf(kKey, Whole()), StateOf(kKey, after), after), after);
}

TEST(StateAfter, RefusesWhatItCannotKnow) {
  const ToldState state = StateOf(kKey, Whole());
  Change change = Whole();
  change.kind = ChangeKind::kDelete;
  EXPECT_EQ(StateAfter(kKey, state, change).error().code, ErrorCode::kInvalid);
  change.kind = ChangeKind::kModify;
  change.unknown_kind = 9;
  EXPECT_EQ(StateAfter(kKey, state, change).error().code, ErrorCode::kInvalid);
  change.unknown_kind = 0;
  for (AttributeOperation one : {AttributeOperation::kAdd, AttributeOperation::kRemove}) {
    change.attributes[1].operation = one;
    EXPECT_EQ(StateAfter(kKey, state, change).error().code, ErrorCode::kInvalid);
  }
}

// A reader of `before` who is told the difference holds `after`, for all pairs.
TEST(StateAfter, IsWhereDifferenceLeads) {
  std::vector<Change> states;
  for (int i = 0; i < 64; ++i) {
    Change whole = Whole();
    whole.attributes.clear();
    if (i & 1) whole.attributes.push_back({"City", AttributeOperation::kSet, {"Bern"}});
    if (i & 2) whole.attributes.push_back({"Member", AttributeOperation::kSet, {"a", "b"}});
    if (i & 4) whole.attributes.push_back({"X-One", AttributeOperation::kSet, {"1"}});
    if (i & 8) whole.name = "Other";
    if (i & 16) whole.parent = DerivedId("Sub");
    if (i & 32) whole.target_address = "SMTP:m@site1.example";
    states.push_back(whole);
  }
  for (const Change& from : states) {
    for (const Change& to : states) {
      const ToldState before = StateOf(kKey, from);
      const ToldState after = StateOf(kKey, to);
      const auto change = Difference(before, after, to);
      ASSERT_EQ(change.has_value(), before != after);
      ASSERT_TRUE(!change || *StateAfter(kKey, before, *change) == after);
    }
  }
}

TEST(StateAfter, NoTargetAddressLeavesIt) {
  const ToldState state = StateOf(kKey, Whole());
  Change change;
  change.kind = ChangeKind::kModify;
  EXPECT_EQ(*StateAfter(kKey, state, change), state);
}

}  // namespace
}  // namespace dirsync
