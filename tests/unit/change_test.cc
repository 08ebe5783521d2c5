#include "proto/model/change.h"

#include <gtest/gtest.h>

#include <set>

#include "proto/base/crypto.h"
#include "proto/model/attribute_table.h"

namespace dirsync {
namespace {

const HashKey kKey = *HashKey::FromBytes("0123456789abcdef");

std::uint64_t HashOf(std::string_view name, std::vector<std::string> values) {
  return HashValues(kKey, name, values);
}

TEST(ChangeKind, NamesAreLowerCaseWords) {
  EXPECT_EQ(ChangeKindName(ChangeKind::kAdd), "add");
  EXPECT_EQ(ChangeKindName(ChangeKind::kModify), "modify");
  EXPECT_EQ(ChangeKindName(ChangeKind::kRename), "rename");
  EXPECT_EQ(ChangeKindName(ChangeKind::kDelete), "delete");
  EXPECT_EQ(ChangeKindName(static_cast<ChangeKind>(77)), "unknown");
}

TEST(HashValues, OrderOfASetDoesNotMatter) {
  EXPECT_EQ(HashOf("Member", {"a", "b", "c"}), HashOf("Member", {"c", "a", "b"}));
}

TEST(HashValues, NameNumberBytesAndKeyMatter) {
  const std::uint64_t hash = HashOf("Title", {"a"});
  EXPECT_NE(hash, HashOf("City", {"a"}));
  EXPECT_NE(hash, HashOf("Title", {"A"}));
  EXPECT_NE(hash, HashOf("Title", {"a", "a"}));
  EXPECT_NE(hash, HashOf("Title", {"a", ""}));
  EXPECT_NE(hash, HashOf("Title", {}));
  EXPECT_NE(hash, HashOf("Title", {std::string("a\0", 2)}));
  EXPECT_NE(HashOf("Title", {"ab", "c"}), HashOf("Title", {"a", "bc"}));
  EXPECT_NE(hash, HashValues(HashKey{}, "Title", {"a"}));
}

TEST(HashValues, IsStableAcrossVersions) {
  // Producer and reader may run different builds: these numbers never change.
  EXPECT_EQ(HashOf("Title", {"Engineer"}), 13262094068068295383u);
  EXPECT_EQ(HashOf("Proxy-Addresses", {"SMTP:a@b", "smtp:c@d", "EDK:x"}), 7627342314626202256u);
}

TEST(HashValues, NamesOfAnyLengthAreHashed) {
  std::set<std::uint64_t> seen;
  for (std::size_t length = 0; length < 200; ++length)
    EXPECT_TRUE(seen.insert(HashOf(std::string(length, 'a'), {"v"})).second) << length;
}

TEST(HashValues, PrimaryAddressOfEachTypeMatters) {
  const std::string_view name = attribute::kProxyAddresses;
  const std::uint64_t hash = HashOf(name, {"SMTP:a", "SMTP:b", "EDK:c"});
  EXPECT_NE(hash, HashOf(name, {"SMTP:b", "SMTP:a", "EDK:c"}));
  EXPECT_NE(hash, HashOf(name, {"smtp:b", "SMTP:a", "EDK:c"}));
  EXPECT_EQ(hash, HashOf(name, {"EDK:c", "SMTP:a", "SMTP:b"}));
  EXPECT_EQ(hash, HashOf(name, {"SMTP:a", "EDK:c", "SMTP:b"}));
  EXPECT_EQ(HashOf(name, {"SMTP:a", "SMTP:b", "SMTP:c"}),
            HashOf(name, {"SMTP:a", "SMTP:c", "SMTP:b"}));
}

TEST(HashValues, TypeOfAnAddressIgnoresCase) {
  const std::string_view name = attribute::kProxyAddresses;
  EXPECT_NE(HashOf(name, {"SMTP:a", "smtp:b"}), HashOf(name, {"smtp:b", "SMTP:a"}));
}

ToldState StateOf() {
  return {EntryClass::kMailbox,
          *EntryId::FromBytes("parentparentpare"),
          1,
          2,
          {{"City", 3}, {"Title", 4}}};
}

TEST(SumOf, EveryFieldMatters) {
  const EntryId id = *EntryId::FromBytes("entryentryentrye");
  std::set<std::string> seen;
  const auto is_new = [&](const EntryId& entry, const ToldState& state) {
    return seen.insert(SumOf(kKey, entry, state).hex()).second;
  };
  EXPECT_TRUE(is_new(id, StateOf()));
  EXPECT_FALSE(is_new(id, StateOf()));
  EXPECT_TRUE(is_new(EntryId{}, StateOf()));
  ToldState state = StateOf();
  state.entry_class = EntryClass::kDistributionList;
  EXPECT_TRUE(is_new(id, state));
  (state = StateOf()).parent = EntryId{};
  EXPECT_TRUE(is_new(id, state));
  (state = StateOf()).name_hash = 9;
  EXPECT_TRUE(is_new(id, state));
  (state = StateOf()).target_hash = 9;
  EXPECT_TRUE(is_new(id, state));
  (state = StateOf()).attributes[0].hash = 9;
  EXPECT_TRUE(is_new(id, state));
  (state = StateOf()).attributes[0].name = "Citz";
  EXPECT_TRUE(is_new(id, state));
  (state = StateOf()).attributes.pop_back();
  EXPECT_TRUE(is_new(id, state));
  EXPECT_NE(SumOf(HashKey{}, id, StateOf()), SumOf(kKey, id, StateOf()));
}

TEST(SumOf, IsStableAcrossVersions) {
  EXPECT_EQ(SumOf(kKey, *EntryId::FromBytes("entryentryentrye"), StateOf()).hex(),
            "528a9fc0b733649d5521f778e22924c7");
}

}  // namespace
}  // namespace dirsync
