#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <random>
#include <string>

#include "storage/memory_storage.h"
#include "storage/transaction.h"
#include "tests/faulty_storage.h"

namespace dirsync::storage {
namespace {

using Rows = std::map<std::string, std::string>;

class TransactionTest : public testing::Test {
 protected:
  TransactionTest() { base_.Restore({{"a", "1"}, {"b", "1"}, {"c", "1"}, {"d", "1"}}); }

  static Rows Rest(Cursor& cursor) {
    Rows rows;
    for (; cursor.Valid(); cursor.Next()) rows.emplace(cursor.Key(), cursor.Value());
    EXPECT_TRUE(cursor.status());
    return rows;
  }
  static Rows All(const ReadView& view) { return Rest(*view.Scan("", "")); }

  MemoryStorage base_;
  Transaction transaction_{base_};
};

TEST_F(TransactionTest, ReadsThrough) {
  EXPECT_EQ(**transaction_.Get("a"), "1");
  EXPECT_EQ(*transaction_.Get("x"), std::nullopt);
  EXPECT_EQ(All(transaction_).size(), 4u);
}

TEST_F(TransactionTest, SeesItsOwnWritesAndDeletes) {
  transaction_.Put("b", "2");
  transaction_.Put("bb", "2");
  transaction_.Delete("c");
  transaction_.Delete("x");
  EXPECT_EQ(**transaction_.Get("b"), "2");
  EXPECT_EQ(*transaction_.Get("c"), std::nullopt);
  EXPECT_EQ(All(transaction_), (Rows{{"a", "1"}, {"b", "2"}, {"bb", "2"}, {"d", "1"}}));
  EXPECT_EQ(All(base_).size(), 4u);
}

TEST_F(TransactionTest, ScanEndsWhenTheLastRowsAreDeleted) {
  transaction_.Delete("c");
  transaction_.Delete("d");
  EXPECT_EQ(All(transaction_), (Rows{{"a", "1"}, {"b", "1"}}));
  auto cursor = transaction_.Scan("c", "");
  EXPECT_FALSE(cursor->Valid());
  EXPECT_TRUE(cursor->status());
}

TEST_F(TransactionTest, ADeletedRowCanComeBack) {
  transaction_.Delete("b");
  transaction_.Put("b", "3");
  EXPECT_EQ(**transaction_.Get("b"), "3");
  EXPECT_EQ(All(transaction_)["b"], "3");
}

TEST_F(TransactionTest, CursorDoesNotSeeLaterWrites) {
  transaction_.Put("b", "2");
  auto cursor = transaction_.Scan("", "");
  transaction_.Put("b", "3");
  transaction_.Put("aa", "3");
  transaction_.Delete("c");
  transaction_.Put("d", "3");
  EXPECT_EQ(Rest(*cursor), (Rows{{"a", "1"}, {"b", "2"}, {"c", "1"}, {"d", "1"}}));
  EXPECT_EQ(All(transaction_), (Rows{{"a", "1"}, {"aa", "3"}, {"b", "3"}, {"d", "3"}}));
}

TEST_F(TransactionTest, EachCursorSeesItsOwnMoment) {
  transaction_.Put("b", "2");
  auto first = transaction_.Scan("b", "c");
  transaction_.Put("b", "3");
  auto second = transaction_.Scan("b", "c");
  transaction_.Put("b", "4");
  transaction_.Delete("b");
  auto third = transaction_.Scan("b", "c");
  transaction_.Put("b", "5");
  EXPECT_EQ(Rest(*first), (Rows{{"b", "2"}}));
  EXPECT_EQ(Rest(*second), (Rows{{"b", "3"}}));
  EXPECT_EQ(Rest(*third), Rows());
  EXPECT_EQ(**transaction_.Get("b"), "5");
}

TEST_F(TransactionTest, KeyAndValueStayWhileTheCursorStands) {
  std::string value(100, 'v');
  transaction_.Put("b", value);
  auto cursor = transaction_.Scan("b", "");
  std::string_view key_seen = cursor->Key(), value_seen = cursor->Value();
  transaction_.Put("b", std::string(200, 'w'));
  transaction_.Take();
  EXPECT_EQ(key_seen, "b");
  EXPECT_EQ(value_seen, value);
}

TEST_F(TransactionTest, CursorOutlivesTakeAndRollback) {
  transaction_.Put("b", "2");
  auto cursor = transaction_.Scan("", "");
  transaction_.Put("b", "3");
  EXPECT_EQ(transaction_.Take().operations().at(0).value, "3");
  EXPECT_EQ(Rest(*cursor)["b"], "2");
  transaction_.Put("c", "2");
  cursor = transaction_.Scan("", "");
  transaction_.Rollback();
  EXPECT_EQ(Rest(*cursor)["c"], "2");
  EXPECT_EQ(All(transaction_)["c"], "1");
}

TEST_F(TransactionTest, TakeGivesTheLastWritesInKeyOrder) {
  transaction_.Put("d", "2");
  transaction_.Put("a", "2");
  transaction_.Delete("c");
  transaction_.Put("a", "3");
  EXPECT_EQ(transaction_.rows(), 3u);
  EXPECT_EQ(transaction_.bytes(), 5u);
  WriteBatch batch = transaction_.Take();
  EXPECT_TRUE(batch.ascending());
  EXPECT_EQ(batch.bytes(), 5u);
  ASSERT_EQ(batch.operations().size(), 3u);
  EXPECT_EQ(batch.operations()[0].value, "3");
  EXPECT_EQ(batch.operations()[1].value, std::nullopt);
  EXPECT_EQ(transaction_.rows(), 0u);
  EXPECT_EQ(transaction_.bytes(), 0u);
  EXPECT_EQ(All(transaction_), All(base_));
}

// Keys that agree in many bytes, begin one another, and hold zeros.
TEST_F(TransactionTest, TakeSortsWhateverTheKeys) {
  std::mt19937_64 random(3);
  std::map<std::string, std::string> expected;
  for (int i = 0; i < 5000; ++i) {
    std::string key(random() % 3, 'N');
    for (std::uint64_t parts = random() % 4; parts > 0; --parts)
      key += std::string(random() % 9, random() % 2 == 0 ? '\0' : 'p');
    if (random() % 2 == 0) key += std::to_string(random() % 1000);
    if (random() % 8 == 0) key.push_back('\xFF');
    expected[key] = std::to_string(i);
    transaction_.Put(key, std::to_string(i));
    ASSERT_EQ(*transaction_.Get(key), expected[key]);
  }
  EXPECT_EQ(transaction_.rows(), expected.size());
  WriteBatch batch = transaction_.Take();
  EXPECT_TRUE(batch.ascending());
  std::map<std::string, std::string> taken;
  for (const auto& [key, value] : batch.operations()) taken.emplace(key, *value);
  EXPECT_EQ(taken, expected);
}

TEST_F(TransactionTest, ScansMeetRowsWrittenBeforeAndAfterTheFirstScan) {
  for (int i = 0; i < 100; ++i) transaction_.Put("m" + std::to_string(i), "1");
  EXPECT_EQ(Rest(*transaction_.Scan("m", "n")).size(), 100u);
  for (int i = 0; i < 100; ++i) transaction_.Put("n" + std::to_string(i), "1");
  EXPECT_EQ(Rest(*transaction_.Scan("n", "o")).size(), 100u);
  EXPECT_EQ(Rest(*transaction_.Scan("m9", "n1")).size(), 12u);
  EXPECT_FALSE(transaction_.Scan("o", "")->Valid());
  EXPECT_EQ(Rest(*transaction_.Scan("", "b")), (Rows{{"a", "1"}}));
}

TEST_F(TransactionTest, NestedIsAbsorbedOrForgotten) {
  transaction_.Put("a", "2");
  {
    Transaction nested(transaction_);
    nested.Put("b", "3");
    nested.Delete("a");
    EXPECT_EQ(All(nested), (Rows{{"b", "3"}, {"c", "1"}, {"d", "1"}}));
    EXPECT_EQ(**transaction_.Get("a"), "2");
  }
  EXPECT_EQ(**transaction_.Get("b"), "1");
  Transaction nested(transaction_);
  nested.Put("b", "3");
  nested.Delete("a");
  transaction_.Absorb(nested);
  EXPECT_EQ(nested.rows(), 0u);
  EXPECT_EQ(All(transaction_), (Rows{{"b", "3"}, {"c", "1"}, {"d", "1"}}));
  EXPECT_EQ(transaction_.bytes(), 3u);
}

TEST_F(TransactionTest, ErrorsOfTheBaseComeThrough) {
  tests::FaultyStorage faulty(base_);
  Transaction transaction(faulty);
  transaction.Put("c", "2");
  faulty.FailRead(1, ErrorCode::kCorrupt);
  EXPECT_EQ(transaction.Get("a").error().code, ErrorCode::kCorrupt);
  faulty.FailRead(1, ErrorCode::kCorrupt);
  EXPECT_TRUE(transaction.Get("c"));  // its own write needs no base
  auto cursor = transaction.Scan("", "");
  EXPECT_FALSE(cursor->Valid());  // rows before "c" may be missing
  EXPECT_EQ(cursor->status().error().code, ErrorCode::kCorrupt);
}

TEST_F(TransactionTest, LivingCursorsAndWritesDoNotDisturbEachOther) {
  std::mt19937 random(3);
  Rows model = All(transaction_);
  std::map<int, std::pair<std::unique_ptr<Cursor>, Rows>> living;
  for (int i = 0; i < 4000; ++i) {
    std::string key(1, static_cast<char>('a' + random() % 12));
    switch (random() % 4) {
      case 0:
        transaction_.Delete(key);
        model.erase(key);
        break;
      case 1: {
        Rows expected(model.lower_bound(key), model.end());
        living.insert_or_assign(random() % 5, std::pair(transaction_.Scan(key, ""), expected));
        break;
      }
      case 2: {
        auto one = living.find(random() % 5);
        if (one == living.end()) break;
        EXPECT_EQ(Rest(*one->second.first), one->second.second);
        if (random() % 2 == 0) {
          one->second.first->Seek("");
        } else {
          living.erase(one);
        }
        break;
      }
      default:
        transaction_.Put(key, std::to_string(i));
        model[key] = std::to_string(i);
    }
  }
  EXPECT_EQ(All(transaction_), model);
}

}  // namespace
}  // namespace dirsync::storage
