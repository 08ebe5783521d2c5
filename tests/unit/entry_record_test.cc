#include "agent/directory/entry_record.h"

#include <gmock/gmock.h>

#include <random>

#include "agent/directory/attribute_number.h"
#include "proto/base/bytes.h"
#include "proto/model/attribute_table.h"

namespace dirsync {
namespace {

const EntryId kId = *EntryId::FromHex("00112233445566778899aabbccddeeff");
const EntryId kParent = *EntryId::FromHex("ffeeddccbbaa99887766554433221100");

Entry Sample() {
  Entry entry;
  entry.id = kId;
  entry.entry_class = EntryClass::kCustomRecipient;
  entry.parent = kParent;
  entry.name = "Mailbox11";
  entry.usn_created = 7;
  entry.usn_changed = 1234567;
  entry.created = FromMillis(1795000000000);
  entry.changed = FromMillis(1795000000001);
  entry.origin = Reference{"Site1", kParent};
  entry.deleted = FromMillis(1795000000002);
  entry.attributes.Set("Display-Name", {"Ada Lovelace"});
  entry.attributes.Set("Proxy-Addresses", {"EDK:m11@site1", "SMTP:m11@site1"});
  entry.attributes.Set("Thumbnail-Photo", {std::string("\0\xFF\n", 3)});
  entry.attributes.Set("X-Own", {"value", ""});
  return entry;
}

bool Same(const Entry& a, const Entry& b) {
  return a.id == b.id && a.entry_class == b.entry_class && a.parent == b.parent &&
         a.name == b.name && a.usn_created == b.usn_created && a.usn_changed == b.usn_changed &&
         a.created == b.created && a.changed == b.changed && a.origin == b.origin &&
         a.deleted == b.deleted && a.attributes == b.attributes;
}

void ExpectCorrupt(std::string_view row) {
  const auto decoded = DecodeEntry(kId, row);
  ASSERT_FALSE(decoded.has_value()) << ToHex(row);
  EXPECT_EQ(decoded.error().code, ErrorCode::kCorrupt);
}

// A row up to its attribute count.
std::string Head() {
  Entry entry;
  entry.name = "n";
  std::string row = EncodeEntry(entry);
  row.pop_back();
  return row;
}

TEST(EntryRecord, EveryCutIsCorrupt) {
  const std::string row = EncodeEntry(Sample());
  for (std::size_t size = 0; size < row.size(); ++size) ExpectCorrupt(row.substr(0, size));
  ExpectCorrupt(row + std::string(1, '\0'));
}

TEST(EntryRecord, UnknownFormatClassAndFlagsAreCorrupt) {
  const std::string row = EncodeEntry(Sample());
  for (const auto& [at, value] : {std::pair<std::size_t, char>{0, 0}, {0, 2}, {1, 0}, {1, 5}}) {
    std::string wrong = row;
    wrong[at] = value;
    ExpectCorrupt(wrong);
  }
  std::string flags = Head();
  flags.back() = 4;
  ExpectCorrupt(flags + std::string(1, '\0'));
}

TEST(EntryRecord, HugeCountsClaimNoMemory) {
  std::string attributes = Head();
  RowWriter(attributes).Varint(~std::uint64_t{0});
  ExpectCorrupt(attributes);
  std::string values = Head();
  RowWriter writer(values);
  writer.Varint(1);
  writer.Varint(AttributeNumber("City"));
  writer.Varint(std::uint64_t{1} << 62);
  ExpectCorrupt(values);
}

TEST(EntryRecord, AttributesOutOfOrderWithoutValuesOrNameAreCorrupt) {
  const auto row_of = [](std::vector<std::pair<std::string, std::size_t>> attributes) {
    std::string row = Head();
    RowWriter writer(row);
    writer.Varint(attributes.size());
    for (const auto& [name, count] : attributes) {
      writer.Varint(0);
      writer.Bytes(name);
      writer.Varint(count);
      for (std::size_t i = 0; i < count; ++i) writer.Bytes("v");
    }
    return row;
  };
  EXPECT_TRUE(DecodeEntry(kId, row_of({{"A", 1}, {"B", 2}})).has_value());
  ExpectCorrupt(row_of({{"B", 1}, {"A", 1}}));
  ExpectCorrupt(row_of({{"A", 1}, {"A", 1}}));
  ExpectCorrupt(row_of({{"A", 0}}));
  ExpectCorrupt(row_of({{"", 1}}));
}

TEST(EntryRecord, UnknownAttributeNumbersAreCorrupt) {
  std::string row = Head();
  RowWriter writer(row);
  writer.Varint(1);
  writer.Varint(255);
  writer.Varint(1);
  writer.Bytes("v");
  ExpectCorrupt(row);
}

TEST(EntryRecord, AlteredBytesNeverCrash) {
  const std::string row = EncodeEntry(Sample());
  for (std::size_t at = 0; at < row.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      std::string wrong = row;
      wrong[at] = static_cast<char>(value);
      const auto decoded = DecodeEntry(kId, wrong);
      if (decoded) {
        EXPECT_LE(decoded->name.size(), row.size());
      }
    }
  }
}

TEST(EntryRecord, AllFieldsComeBack) {
  const auto decoded = DecodeEntry(kId, EncodeEntry(Sample()));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_TRUE(Same(*decoded, Sample()));
  Entry plain;
  plain.id = kId;
  plain.name = "n";
  plain.created = FromMillis(-1);
  const auto small = DecodeEntry(kId, EncodeEntry(plain));
  ASSERT_TRUE(small.has_value());
  EXPECT_TRUE(Same(*small, plain));
}

TEST(EntryRecord, RandomEntriesComeBackThroughReusedMemory) {
  std::mt19937 random(7);
  const auto number = [&](std::size_t max) { return random() % (max + 1); };
  const auto bytes = [&](std::size_t max) {
    std::string text(number(max), '\0');
    for (char& c : text) c = static_cast<char>(random());
    return text;
  };
  Entry reused;
  for (int round = 0; round < 2000; ++round) {
    Entry entry;
    entry.id = kId;
    entry.entry_class = static_cast<EntryClass>(1 + number(3));
    entry.name = bytes(40);
    entry.usn_created = std::uint64_t{random()} << number(32);
    entry.usn_changed = std::uint64_t{random()} << number(32);
    if (number(1) == 0) entry.origin = Reference{bytes(10), kParent};
    if (number(1) == 0) entry.deleted = FromMillis(random());
    for (std::size_t i = number(12); i > 0; --i) {
      const auto& info = AttributeTable()[number(AttributeTable().size() - 1)];
      const std::string name = number(4) == 0 ? "X-" + ToHex(bytes(8)) : std::string(info.name);
      std::vector<std::string> values(1 + number(3));
      for (std::string& value : values) value = bytes(60);
      entry.attributes.Set(name, values);
    }
    ASSERT_TRUE(DecodeEntryInto(kId, EncodeEntry(entry), reused).has_value());
    ASSERT_TRUE(Same(reused, entry)) << round;
  }
}

// Rows of old stores hold these numbers: a change here makes them say other things.
TEST(EntryRecord, AttributeNumbersAreFrozen) {
  EXPECT_EQ(AttributeNumber("Address"), 1);
  EXPECT_EQ(AttributeNumber("Display-Name"), 13);
  EXPECT_EQ(AttributeNumber("Extension-Attribute-15"), 32);
  EXPECT_EQ(AttributeNumber("Member"), 45);
  EXPECT_EQ(AttributeNumber("Proxy-Addresses"), 51);
  EXPECT_EQ(AttributeNumber("Web-Page"), 72);
  EXPECT_EQ(AttributeNumber("displayName"), 0);
  EXPECT_EQ(AttributeNumber("display-name"), 0);
  EXPECT_EQ(AttributeNumber("X-Own"), 0);
  EXPECT_EQ(AttributeNumber(""), 0);
  EXPECT_EQ(AttributeOfNumber(0), "");
  EXPECT_EQ(AttributeOfNumber(73), "");
  for (std::uint64_t i = 1; i <= 72; ++i) EXPECT_EQ(AttributeNumber(AttributeOfNumber(i)), i);
}

TEST(EntryRecord, TheFormatIsFrozen) {
  Entry entry;
  entry.id = kId;
  entry.entry_class = EntryClass::kMailbox;
  entry.name = "ab";
  entry.usn_created = 1;
  entry.usn_changed = 300;
  entry.created = FromMillis(1);
  entry.changed = FromMillis(2);
  entry.attributes.Set("City", {"x"});
  entry.attributes.Set("X-Own", {"y", "z"});
  EXPECT_EQ(ToHex(EncodeEntry(entry)), "0102" + std::string(32, '0') +
                                           "026162"
                                           "01"
                                           "ac02"
                                           "01"
                                           "02"
                                           "00"
                                           "02"
                                           "06"
                                           "01"
                                           "0178"
                                           "00"
                                           "05582d4f776e"
                                           "02"
                                           "0179"
                                           "017a");
}

}  // namespace
}  // namespace dirsync
