#include "agent/core/instance.h"

#include <gtest/gtest.h>

#include "storage/key.h"
#include "storage/memory_storage.h"

namespace dirsync {
namespace {

InstanceSettings Full() {
  InstanceSettings settings;
  settings.name = "To Site2";
  settings.exports = settings.imports = true;
  settings.export_file = "out/SYNC";
  settings.containers = {"Recipients", "/cn=Other/cn=Sub"};
  settings.subs = true;
  settings.attributes = {"Display-Name", "X-Badge-No"};
  settings.classes = {EntryClass::kMailbox, EntryClass::kDistributionList};
  settings.filter = "(Department=Sales)";
  settings.address_type = "SMTP";
  settings.server = "Server1";
  settings.hidden = true;
  settings.readers = {"Site2", "Site3"};
  settings.import_file = "in/SYNC";
  settings.import_container = "Imported";
  settings.domains = {"site2.example"};
  settings.target = "PROFS:%m";
  settings.join = JoinBy::kName;
  settings.max_deletes = DeleteBudget{10, true};
  settings.display_name_format = "%d (%{site})";
  settings.mv_append = true;
  settings.import_class = EntryClass::kMailbox;
  settings.home_server = "Server9";
  settings.complete = true;
  return settings;
}

TEST(Instance, Row_CutAnywhereIsCorrupt) {
  const std::string row = EncodeInstance(Full());
  for (std::size_t size = 0; size < row.size(); ++size) {
    const auto read = DecodeInstance(std::string_view(row).substr(0, size));
    ASSERT_FALSE(read) << size;
    EXPECT_EQ(read.error().code, ErrorCode::kCorrupt);
  }
  EXPECT_FALSE(DecodeInstance(row + "x"));
}

TEST(Instance, Row_OfAnotherFormatOrClassIsCorrupt) {
  std::string row = EncodeInstance(Full());
  row[0] = 9;
  EXPECT_FALSE(DecodeInstance(row));
  InstanceSettings settings = Full();
  settings.classes = {static_cast<EntryClass>(9)};
  EXPECT_FALSE(DecodeInstance(EncodeInstance(settings)));
  settings = Full();
  settings.join = static_cast<JoinBy>(0);
  EXPECT_FALSE(DecodeInstance(EncodeInstance(settings)));
}

TEST(Instance, Row_SurvivesItsBytes) {
  EXPECT_EQ(*DecodeInstance(EncodeInstance(Full())), Full());
  EXPECT_EQ(*DecodeInstance(EncodeInstance({})), InstanceSettings{});
}

TEST(Instance, Unknown_SuggestsTheNearest) {
  storage::MemoryStorage storage;
  storage::Transaction transaction(storage);
  EXPECT_EQ(LoadInstance(transaction, "X").error().code, ErrorCode::kNotFound);
  StoreInstance(transaction, Full());
  const auto missing = LoadInstance(transaction, "To Site3");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::kNotFound);
  EXPECT_NE(missing.error().hint.find("To Site2"), std::string::npos) << missing.error().hint;
}

TEST(Instance, Name_IsComparedFolded) {
  storage::MemoryStorage storage;
  storage::Transaction transaction(storage);
  StoreInstance(transaction, Full());
  EXPECT_EQ(*LoadInstance(transaction, " to  SITE2 "), Full());
  InstanceSettings again = Full();
  again.name = "TO SITE2";
  StoreInstance(transaction, again);
  EXPECT_EQ(ListInstances(transaction)->size(), 1u);
}

TEST(Instance, ScopeDigest_MovesWithTheScopeOnly) {
  const InstanceSettings settings = Full();
  const Digest digest = ScopeDigest(settings, "SMTP");
  const auto moves = [&](auto edit) {
    InstanceSettings other = settings;
    edit(other);
    return ScopeDigest(other, "SMTP") != digest;
  };
  EXPECT_TRUE(moves([](auto& s) { s.containers.pop_back(); }));
  EXPECT_TRUE(moves([](auto& s) { s.subs = false; }));
  EXPECT_TRUE(moves([](auto& s) { s.attributes.push_back("City"); }));
  EXPECT_TRUE(moves([](auto& s) { s.attributes.clear(); }));
  EXPECT_TRUE(moves([](auto& s) { s.classes.pop_back(); }));
  EXPECT_TRUE(moves([](auto& s) { s.filter.clear(); }));
  EXPECT_TRUE(moves([](auto& s) { s.server = "Server2"; }));
  EXPECT_TRUE(moves([](auto& s) { s.hidden = false; }));
  EXPECT_NE(ScopeDigest(settings, "EDK"), digest);
  EXPECT_FALSE(moves([](auto& s) { s.export_file = "elsewhere"; }));
  EXPECT_FALSE(moves([](auto& s) { s.readers.clear(); }));
  EXPECT_FALSE(moves([](auto& s) { s.name = "Other"; }));
  EXPECT_FALSE(moves([](auto& s) { s.import_file.clear(); }));
  EXPECT_FALSE(moves([](auto& s) { std::swap(s.containers[0], s.containers[1]); }));
  EXPECT_FALSE(moves([](auto& s) { std::swap(s.classes[0], s.classes[1]); }));
  EXPECT_FALSE(moves([](auto& s) { s.server = "SERVER1"; }));
}

// Lists must not run into one another: ["a","b"] and ["a"] + "b" are other scopes.
TEST(Instance, ScopeDigest_KeepsListsApart) {
  InstanceSettings one;
  one.containers = {"a", "b"};
  one.attributes = {};
  InstanceSettings two;
  two.containers = {"a"};
  two.attributes = {"b"};
  EXPECT_NE(ScopeDigest(one, "EDK"), ScopeDigest(two, "EDK"));
}

TEST(StreamNumber, DamagedRowIsCorrupt) {
  storage::MemoryStorage storage;
  storage::Transaction transaction(storage);
  transaction.Put(storage::NumberKey("export/a"), "abc");
  EXPECT_EQ(FindNumber(transaction, "export/a").error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(NumberOf(transaction, "export/b").error().code, ErrorCode::kCorrupt);
}

TEST(StreamNumber, IsDenseFromOneAndStays) {
  storage::MemoryStorage storage;
  storage::Transaction transaction(storage);
  EXPECT_EQ(*FindNumber(transaction, "export/a"), std::nullopt);
  EXPECT_EQ(*NumberOf(transaction, "export/a"), 1u);
  EXPECT_EQ(*NumberOf(transaction, "import/a"), 2u);
  EXPECT_EQ(*NumberOf(transaction, "EXPORT/A"), 1u);
  EXPECT_EQ(*NumberOf(transaction, "adhoc/Site9"), 3u);
  EXPECT_EQ(*FindNumber(transaction, "import/a"), 2u);
}

}  // namespace
}  // namespace dirsync
