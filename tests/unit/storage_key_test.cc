#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "storage/key.h"

namespace dirsync::storage {
namespace {

EntryId IdOf(std::uint8_t first) {
  EntryId id;
  id.bytes.fill(0xab);
  id.bytes[0] = first;
  return id;
}

const std::uint64_t kNumbers[] = {
    0, 1, 255, 256, 65535, 65536, 0xffffffffull, 0x100000000ull, ~0ull - 1, ~0ull};

bool InRange(const std::string& key, const std::pair<std::string, std::string>& range) {
  return key >= range.first && (range.second.empty() || key < range.second);
}

TEST(Key, NumbersKeepTheirOrder) {
  for (std::size_t i = 1; i < std::size(kNumbers); ++i) {
    std::uint64_t a = kNumbers[i - 1], b = kNumbers[i];
    EXPECT_LT(UsnKey(a), UsnKey(b));
    EXPECT_LT(RunKey(a), RunKey(b));
    EXPECT_LT(OutboxKey(7, a), OutboxKey(7, b));
    EXPECT_LT(DigestKey(7, a, 9), DigestKey(7, b, 1));
    EXPECT_LT(DigestKey(7, 1, a), DigestKey(7, 1, b));
    EXPECT_LT(BudgetKey(7, 1, a), BudgetKey(7, 1, b));
  }
}

TEST(Key, StreamsKeepTheirOrderBeforeAllElse) {
  EXPECT_LT(OutboxKey(1, ~0ull), OutboxKey(2, 0));
  EXPECT_LT(OutboxKey(255, ~0ull), OutboxKey(256, 0));
  EXPECT_LT(StreamKey(0x7fffffff), StreamKey(0x80000000));
}

TEST(Key, ContainersByDepthComeBeforeRecipients) {
  EXPECT_LT(ToldKey(1, 1, IdOf(0xff)), ToldKey(1, 2, IdOf(0)));
  EXPECT_LT(ToldKey(1, 64, IdOf(0xff)), ToldKey(1, kRecipientRank, IdOf(0)));
  EXPECT_LT(MirrorKey(1, kRecipientRank, IdOf(1)), MirrorKey(1, kRecipientRank, IdOf(2)));
}

TEST(Key, BytesAreAsTheFormatSays) {
  using namespace std::string_literals;
  EXPECT_EQ(MetaKey("usn"), "Musn");
  EXPECT_EQ(UsnKey(0x0102), "U\0\0\0\0\0\0\1\2"s);
  EXPECT_EQ(ToldKey(3, 255, IdOf(1)), "T\0\0\0\3\xff"s + std::string(IdOf(1).view()));
  EXPECT_EQ(NameKey(IdOf(2), "ann"), "N" + std::string(IdOf(2).view()) + "ann");
  EXPECT_EQ(OwnerKey(IdOf(2), 5), "O" + std::string(IdOf(2).view()) + "\0\0\0\5"s);
  EXPECT_EQ(DigestKey(1, 2, 3), "D\0\0\0\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0\3"s);
  EXPECT_EQ(BudgetKey(1, 2, 3), "B\0\0\0\1\2\0\0\0\0\0\0\0\3"s);
  EXPECT_EQ(AckKey(1, "Site1"), "C\0\0\0\1Site1"s);
}

// One key of each table, for stream 5 where it has one.
std::vector<std::string> OneOfEach(StreamNumber stream) {
  EntryId id = IdOf(9);
  return {MetaKey("a"),
          EntryKey(id),
          UsnKey(1),
          NameKey(id, "a"),
          AddressKey("a"),
          AliasKey(id),
          OwnerKey(id, stream),
          InstanceKey("a"),
          StreamKey(stream),
          ToldKey(stream, 1, id),
          OutboxKey(stream, 1),
          ReaderKey(stream),
          MirrorKey(stream, 1, id),
          DigestKey(stream, 1, 1),
          WantedKey(stream, id),
          HeldKey(stream, id),
          QuarantineKey(stream, id),
          ForeignKey(stream, "a"),
          AckKey(stream, "a"),
          FileKey(stream, "a"),
          RunKey(1),
          BudgetKey(stream, 1, 1),
          ProgressKey("a"),
          NumberKey("a")};
}

TEST(Key, TablesDoNotMeet) {
  std::set<char> prefixes;
  for (const std::string& key : OneOfEach(5)) {
    EXPECT_TRUE(prefixes.insert(key.front()).second) << key.front();
    for (const std::string& other : OneOfEach(5)) {
      auto range = TableRange(static_cast<Table>(other.front()));
      EXPECT_EQ(InRange(key, range), key == other) << key.front() << other.front();
    }
  }
  EXPECT_EQ(prefixes.size(), 24u);
}

TEST(Key, StreamRangeHoldsOneStream) {
  for (Table table : {Table::kStream, Table::kTold, Table::kOutbox, Table::kReader, Table::kMirror,
                      Table::kDigest, Table::kWanted, Table::kHeld, Table::kQuarantine,
                      Table::kForeign, Table::kAck, Table::kFile, Table::kBudget}) {
    for (StreamNumber stream : {0u, 1u, 255u, 0xffffffffu}) {
      auto range = StreamRange(table, stream);
      for (StreamNumber other : {0u, 1u, 2u, 255u, 256u, 0xffffffffu}) {
        for (const std::string& key : OneOfEach(other)) {
          bool inside = key.front() == static_cast<char>(table) && other == stream;
          EXPECT_EQ(InRange(key, range), inside);
        }
      }
    }
  }
}

TEST(Key, PrefixRangeEndsWhereThePrefixEnds) {
  using Range = std::pair<std::string, std::string>;
  EXPECT_EQ(PrefixRange("ab"), Range("ab", "ac"));
  EXPECT_EQ(PrefixRange("a\xff\xff"), Range("a\xff\xff", "b"));
  EXPECT_EQ(PrefixRange("\x7f"), Range("\x7f", "\x80"));
  EXPECT_EQ(PrefixRange("\xff"), Range("\xff", ""));
  EXPECT_EQ(PrefixRange(""), Range("", ""));
}

}  // namespace
}  // namespace dirsync::storage
