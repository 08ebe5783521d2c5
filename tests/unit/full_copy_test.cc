#include "agent/core/full_copy.h"

#include "tests/unit/producer_world.h"

namespace dirsync {
namespace {

class FullCopyTest : public testing::Test, protected ProducerWorld {
 protected:
  // Goes through the copy; the error it ends with, if any.
  std::optional<Error> Walk(const std::function<void(FullCopy&, Change&)>& seen = {}) {
    storage::Transaction transaction(storage);
    EntryStore entries(transaction, now);
    Result<Scope> scope = Scope::Make(entries, profile, settings);
    if (!scope) return scope.error();
    FullCopy copy(storage, entries, *scope, state);
    Change change;
    for (;;) {
      const Result<bool> next = copy.Next(change);
      if (!next) return next.error();
      if (!*next) return std::nullopt;
      if (seen) seen(copy, change);
    }
  }
  std::vector<EntryId> Ids() {
    std::vector<EntryId> all;
    EXPECT_EQ(Walk([&](FullCopy&, Change& change) { all.push_back(change.id); }), std::nullopt);
    return all;
  }
  ErrorCode Refusal() {
    const std::optional<Error> error = Walk();
    return error ? error->code : ErrorCode::kInternal;
  }
};

TEST_F(FullCopyTest, BeforeTheFirstScan_IsRefused) {
  AddMailbox("Mailbox11");
  EXPECT_EQ(Refusal(), ErrorCode::kRefused);
}

TEST_F(FullCopyTest, EntryChangedBehindTheMark_IsRefused) {
  const EntryId id = AddMailbox("Mailbox11");
  Export();
  Set(id, "City", {"Bern"});
  const std::optional<Error> error = Walk();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::kRefused);
  EXPECT_NE(error->hint.find("dirsync run INSTANCE1"), std::string::npos);
  Export();
  EXPECT_EQ(Walk(), std::nullopt);
}

TEST_F(FullCopyTest, EntryGoneOrHiddenBehindTheMark_IsRefused) {
  const EntryId id = AddMailbox("Mailbox11");
  Export();
  Set(id, "Hide-From-AB", {"1"});
  EXPECT_EQ(Refusal(), ErrorCode::kRefused);
  Set(id, "Hide-From-AB", {});
  EXPECT_EQ(Walk(), std::nullopt);
  Delete(id);
  EXPECT_EQ(Refusal(), ErrorCode::kRefused);
  Edit([&](Directory& directory) { Must(directory.entries().Purge(now + Duration(1))); });
  EXPECT_EQ(Refusal(), ErrorCode::kRefused);
}

TEST_F(FullCopyTest, AnotherScopeOrACompareUnderWay_IsRefused) {
  AddMailbox("Mailbox11");
  AddMailbox("Mailbox12");
  Export();
  settings.attributes = {"City"};
  EXPECT_EQ(Refusal(), ErrorCode::kRefused);
  bounds = {1, 1};
  Must(TryStep());
  EXPECT_EQ(Refusal(), ErrorCode::kRefused);
  Export();
  EXPECT_EQ(Walk(), std::nullopt);
}

TEST_F(FullCopyTest, DamagedRows_AreErrors) {
  const EntryId id = AddMailbox("Mailbox11");
  Export();
  storage::WriteBatch batch;
  batch.Put(storage::EntryKey(id), "damaged");
  Must(storage.Commit(batch));
  EXPECT_EQ(Refusal(), ErrorCode::kCorrupt);
}

TEST_F(FullCopyTest, WhatWasNotTold_IsNotShown) {
  const EntryId id = AddMailbox("Mailbox11");
  Export();
  AddMailbox("Later");
  EXPECT_EQ(Ids(), std::vector<EntryId>{id});
}

TEST_F(FullCopyTest, ChangeThatTellsNothing_IsShown) {
  settings.attributes = {"City"};
  const EntryId id = AddMailbox("Mailbox11");
  Export();
  Set(id, "Title", {"Dr"});
  EXPECT_EQ(Ids(), std::vector<EntryId>{id});
}

TEST_F(FullCopyTest, EmptyScope_IsAnEmptyCopy) {
  Export();
  EXPECT_TRUE(Ids().empty());
}

TEST_F(FullCopyTest, Order_IsContainersByDepthThenIds) {
  settings.subs = true;
  const EntryId late_deep = AddContainer("A", "Recipients");
  const EntryId sub = AddContainer("B", "Recipients");
  const EntryId deep = AddContainer("C", "Recipients/cn=B");
  Move(late_deep, deep);
  std::vector<EntryId> expected = {sub, deep, late_deep};
  for (int i = 0; i < 30; ++i) {
    const EntryId id =
        AddMailbox("Mailbox" + std::to_string(i), i % 2 ? "Recipients" : "Recipients/cn=B");
    expected.push_back(id);
  }
  std::sort(expected.begin() + 3, expected.end());
  Export();
  EXPECT_EQ(Ids(), expected);
}

TEST_F(FullCopyTest, Imported_AreSteppedOver) {
  std::vector<EntryId> expected;
  for (int i = 0; i < 100; ++i) {
    const EntryId id = AddMailbox("Mailbox" + std::to_string(i));
    if (i % 25 == 7) {
      expected.push_back(id);
    } else {
      Alter(id, [&](Entry& entry) { entry.origin = Reference{"Site2", id}; });
    }
  }
  std::sort(expected.begin(), expected.end());
  Export();
  EXPECT_EQ(Ids(), expected);
}

TEST_F(FullCopyTest, Seek_GoesOnBehindAnyKey) {
  settings.subs = true;
  AddContainer("A", "Recipients");
  AddContainer("B", "Recipients/cn=A");
  for (int i = 0; i < 20; ++i) AddMailbox("Mailbox" + std::to_string(i), "Recipients/cn=A");
  Export();
  const std::vector<EntryId> all = Ids();
  ASSERT_EQ(all.size(), 22u);
  for (std::size_t at = 0; at < all.size(); ++at) {
    const auto rank = static_cast<storage::Rank>(at < 2 ? at + 1 : storage::kRecipientRank);
    std::vector<EntryId> rest;
    bool sought = false;
    Walk([&](FullCopy& copy, Change& change) {
      if (sought) rest.push_back(change.id);
      if (!sought) copy.SeekAfter(rank, all[at]);
      sought = true;
    });
    const auto behind = all.begin() + static_cast<std::ptrdiff_t>(at) + 1;
    EXPECT_EQ(rest, std::vector<EntryId>(behind, all.end()));
  }
}

TEST_F(FullCopyTest, Entries_AreAsScopeTellsThem) {
  settings.classes = {EntryClass::kMailbox, EntryClass::kDistributionList};
  for (int i = 0; i < 10; ++i) {
    const EntryId id = AddMailbox("Mailbox" + std::to_string(i));
    if (i % 3 == 0) Set(id, "X-Badge-No", {std::to_string(i)});
  }
  Export();
  EXPECT_EQ(Copy(), Scratch());
}

}  // namespace
}  // namespace dirsync
