#include "agent/core/foreign_apply.h"

#include <gtest/gtest.h>

#include "tests/unit/reader_world.h"

namespace dirsync {
namespace {

constexpr auto kSet = AttributeOperation::kSet;

class ForeignTest : public ::testing::Test {
 protected:
  ForeignTest() {
    reader_.settings.name = "Profs";
    reader_.settings.target = "PROFS:%m";
  }
  void TearDown() override { reader_.Check(); }

  static ForeignChange Record(ChangeKind kind, const std::string& dn,
                              std::vector<AttributeChange> attributes = {}) {
    return {kind, dn, std::move(attributes), {}};
  }
  static ForeignChange Add(const std::string& dn, std::vector<AttributeChange> attributes = {}) {
    return Record(ChangeKind::kAdd, dn, std::move(attributes));
  }

  // One file; errors of records are collected.
  ApplyCounts Import(const std::vector<ForeignChange>& records) {
    errors_.clear();
    std::uint64_t deletes = 0;
    for (const ForeignChange& record : records) deletes += record.kind == ChangeKind::kDelete;
    ForeignApply apply(reader_.Input(), ids_, reader_.state);
    auto transaction = std::make_unique<storage::Transaction>(reader_.storage);
    apply.Begin(*transaction);
    EXPECT_OK(apply.Judge(0, 0, deletes));
    for (const ForeignChange& record : records) {
      Result<> taken = apply.Take(record);
      if (!taken) errors_.push_back(taken.error().code);
      reader_.Commit(*transaction, reader_.state);
      transaction = std::make_unique<storage::Transaction>(reader_.storage);
      apply.Begin(*transaction);
    }
    for (;;) {
      Result<bool> end = apply.End();
      EXPECT_OK(end);
      reader_.Commit(*transaction, reader_.state);
      if (!end || *end) return apply.counts();
      transaction = std::make_unique<storage::Transaction>(reader_.storage);
      apply.Begin(*transaction);
    }
  }
  // One file of records that cannot be read.
  ApplyCounts ImportUnread(const std::vector<std::pair<ChangeKind, std::string>>& records) {
    ForeignApply apply(reader_.Input(), ids_, reader_.state);
    storage::Transaction transaction(reader_.storage);
    apply.Begin(transaction);
    EXPECT_OK(apply.Judge(0, 0, 0));
    for (const auto& [kind, dn] : records) {
      if (dn.empty()) {
        apply.DoubtAbsence();
      } else {
        EXPECT_OK(apply.Meet(kind, dn));
      }
    }
    const Result<bool> end = apply.End();
    EXPECT_OK(end);
    EXPECT_TRUE(end && *end);
    reader_.Commit(transaction, reader_.state);
    return apply.counts();
  }
  std::optional<Entry> Named(const std::string& name) {
    storage::Transaction transaction(reader_.storage);
    EntryStore entries(transaction, reader_.now);
    const EntryId container = reader_.ImportContainer();
    Result<std::optional<EntryId>> id = entries.FindChild(container, name);
    if (!id || !*id) return std::nullopt;
    return entries.Get(**id).value();
  }
  std::string Value(const std::string& name, std::string_view attribute) {
    const std::optional<Entry> entry = Named(name);
    return entry ? std::string(entry->attributes.First(attribute)) : "no entry";
  }
  std::vector<std::string> Values(const std::string& name, std::string_view attribute) {
    const std::optional<Entry> entry = Named(name);
    const Attribute* held = entry ? entry->attributes.Find(attribute) : nullptr;
    return held == nullptr ? std::vector<std::string>{} : held->values;
  }

  Reader reader_;
  IdSource ids_{FilledId<Digest>(5)};
  std::vector<ErrorCode> errors_;
};

using Codes = std::vector<ErrorCode>;

// ---- bad records

TEST_F(ForeignTest, ABadRecordWritesNothingAndTheNextIsTaken) {
  const ApplyCounts counts = Import({
      Add("/o=Testorg/ou"),
      Add(""),
      Add("Anna", {{"Title", kSet, {"one", "two"}}}),
      Add("Berta", {{"Target-Address", kSet, {"no address"}}}),
      Record(ChangeKind::kDelete, "Nobody"),
      Add("Clara"),
  });
  EXPECT_EQ(counts.added, 1u);
  EXPECT_EQ(errors_, (Codes{ErrorCode::kInvalid, ErrorCode::kInvalid, ErrorCode::kInvalid,
                            ErrorCode::kInvalid, ErrorCode::kNotFound}));
  EXPECT_FALSE(Named("Anna"));
  EXPECT_TRUE(Named("Clara"));
}

TEST_F(ForeignTest, WithoutAddressOrFormatThereIsNoTarget) {
  reader_.settings.target.clear();
  Import({Add("Anna"), Add("Berta", {{"Target-Address", kSet, {"SMTP:berta@x.org"}}})});
  EXPECT_EQ(errors_, Codes{ErrorCode::kNoTarget});
  EXPECT_TRUE(Named("Berta"));
}

TEST_F(ForeignTest, ATakenAddressIsAnErrorOfTheRecord) {
  const EntryId ours = reader_.AddLocal(1, EntryClass::kMailbox, "Ours", {"SMTP:a@x.org"});
  const Usn usn = reader_.Get(ours)->usn_changed;
  Import({Add("Anna", {{"Target-Address", kSet, {"SMTP:a@x.org"}}})});
  EXPECT_EQ(errors_, Codes{ErrorCode::kAddressTaken});
  EXPECT_EQ(reader_.Get(ours)->usn_changed, usn);
  Import({Add("Anna"),
          Record(ChangeKind::kModify, "Anna", {{"Target-Address", kSet, {"SMTP:a@x.org"}}})});
  EXPECT_EQ(errors_, Codes{ErrorCode::kAddressTaken});
  EXPECT_EQ(Value("Anna", "Target-Address"), "PROFS:Anna");
}

TEST_F(ForeignTest, ClassesThatCannotComeAreRefused) {
  ForeignChange container = Add("Anna");
  container.entry_class = "container";
  ForeignChange odd = Add("Berta");
  odd.entry_class = "Starship";
  Import({container, odd});
  EXPECT_EQ(errors_, (Codes{ErrorCode::kInvalid, ErrorCode::kInvalid}));
}

// ---- upserts

TEST_F(ForeignTest, ARecordBecomesAContactOfTheInstance) {
  Import({Add("Anna Berg", {{"Given-Name", kSet, {"Anna"}}, {"Surname", kSet, {"Berg"}}})});
  const std::optional<Entry> entry = Named("Anna Berg");
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->entry_class, EntryClass::kCustomRecipient);
  EXPECT_EQ(entry->origin->site, "foreign:profs");
  EXPECT_EQ(entry->attributes.First("Target-Address"), "PROFS:AnnaBerg");
  EXPECT_EQ(entry->attributes.First("Display-Name"), "Anna Berg");
  EXPECT_EQ(entry->attributes.First("Imported-From"), "foreign:Profs");
  EXPECT_EQ(reader_.state.source, SourceKind::kForeign);
  EXPECT_EQ(reader_.state.cursor.sequence, 1u);
}

TEST_F(ForeignTest, AllSpellingsOfADnAreOneEntry) {
  Import({Add("Anna"), Add("/o=Testorg/ou=Site2/cn=Imported/cn=anna"), Add("/cn=ANNA")});
  EXPECT_TRUE(errors_.empty());
  EXPECT_EQ(reader_.state.rows[EntryClass::kCustomRecipient], 1u);
}

TEST_F(ForeignTest, AddAndModifyAreBothUpserts) {
  EXPECT_EQ(Import({Record(ChangeKind::kModify, "Anna")}).added, 1u);
  EXPECT_EQ(Import({Add("Anna", {{"Title", kSet, {"Boss"}}})}).modified, 1u);
  EXPECT_EQ(Value("Anna", "Title"), "Boss");
  EXPECT_EQ(Import({Add("Anna", {{"Title", kSet, {"Boss"}}})}).unchanged, 1u);
  Import({Add("Anna", {{"City", kSet, {"Kiel"}}})});
  EXPECT_EQ(Value("Anna", "Title"), "Boss");
  Import({Record(ChangeKind::kModify, "Anna", {{"Title", kSet, {}}})});
  EXPECT_EQ(Value("Anna", "Title"), "");
}

TEST_F(ForeignTest, MultiValuesReplaceOrAppendBySetting) {
  const auto phones = [](std::vector<std::string> values, AttributeOperation operation = kSet) {
    return std::vector<AttributeChange>{{"Telephone-Office2", operation, std::move(values)}};
  };
  const auto modify = [&](std::vector<AttributeChange> attributes) {
    Import({Record(ChangeKind::kModify, "Anna", std::move(attributes))});
    return Values("Anna", "Telephone-Office2");
  };
  using Strings = std::vector<std::string>;
  Import({Add("Anna", phones({"1", "2"}))});
  EXPECT_EQ(modify(phones({"3"})), Strings{"3"});
  reader_.settings.mv_append = true;
  EXPECT_EQ(modify(phones({"3", "4"})), (Strings{"3", "4"}));
  EXPECT_EQ(modify(phones({"5"}, AttributeOperation::kAdd)), (Strings{"3", "4", "5"}));
  EXPECT_EQ(modify(phones({"4"}, AttributeOperation::kRemove)), (Strings{"3", "5"}));
  Import({Add("Anna", phones({"9"}))});
  EXPECT_EQ(Values("Anna", "Telephone-Office2"), Strings{"9"});
  EXPECT_EQ(modify(phones({})), Strings{});
}

TEST_F(ForeignTest, MailboxesOnlyWhereTheInstanceMakesThem) {
  reader_.profile.templates = {AddressTemplate::Parse("EDK:%m@Site2.Testorg.com").value()};
  ForeignChange asked = Add("Anna");
  asked.entry_class = "Mailbox";
  Import({asked});
  EXPECT_EQ(Named("Anna")->entry_class, EntryClass::kCustomRecipient);
  reader_.settings.import_class = EntryClass::kMailbox;
  reader_.settings.home_server = "Server9";
  reader_.settings.target.clear();
  reader_.AddLocal(1, EntryClass::kMailbox, "Ours", {"EDK:Berta@Site2.Testorg.com"});
  Import({Add("Berta")});
  EXPECT_TRUE(errors_.empty());
  EXPECT_EQ(Named("Berta")->entry_class, EntryClass::kMailbox);
  EXPECT_EQ(Value("Berta", "Home-Server"), "Server9");
  EXPECT_TRUE(Value("Berta", "Proxy-Addresses").starts_with("EDK:Berta"));
  EXPECT_NE(Value("Berta", "Proxy-Addresses"), "EDK:Berta@Site2.Testorg.com");
  // A mailbox that is there is never taken for a contact.
  Import({Record(ChangeKind::kModify, "Berta", {{"Title", kSet, {"Boss"}}})});
  EXPECT_EQ(Named("Berta")->entry_class, EntryClass::kMailbox);
}

TEST_F(ForeignTest, NobodysContactIsAdopted) {
  const EntryId contact =
      reader_.AddLocal(1, EntryClass::kCustomRecipient, "Old", {}, "PROFS:Anna");
  const ApplyCounts counts = Import({Add("Anna")});
  EXPECT_EQ(counts.adopted, 1u);
  EXPECT_EQ(counts.modified, 0u);
  EXPECT_TRUE(reader_.Get(contact)->is_imported());
  EXPECT_EQ(Import({Add("Anna", {{"Title", kSet, {"Boss"}}})}).modified, 1u);
  EXPECT_EQ(reader_.Get(contact)->attributes.First("Title"), "Boss");
}

TEST_F(ForeignTest, ANameThatIsTakenGetsASuffix) {
  reader_.AddLocal(1, EntryClass::kMailbox, "Anna", {}, "", true);
  EXPECT_EQ(Import({Add("Anna")}).added, 1u);
  EXPECT_EQ(Import({Add("Anna")}).unchanged, 1u);
}

// ---- deletes

TEST_F(ForeignTest, ADeleteAndAReturnKeepTheIdentity) {
  Import({Add("Anna")});
  const EntryId id = Named("Anna")->id;
  EXPECT_EQ(Import({Record(ChangeKind::kDelete, "anna")}).deleted, 1u);
  EXPECT_FALSE(Named("Anna"));
  EXPECT_EQ(Import({Add("Anna")}).added, 1u);
  EXPECT_EQ(Named("Anna")->id, id);
}

TEST_F(ForeignTest, WhatAnotherSourceBroughtIsNotDeleted) {
  Source source;
  ReaderState other;
  other.number = 2;
  EXPECT_OK(reader_.Apply(source.Start(), other));
  EXPECT_OK(reader_.Apply(source.AddAll({Person(1, "Anna")}), other));
  Import({Record(ChangeKind::kDelete, "Anna")});
  EXPECT_EQ(errors_, Codes{ErrorCode::kNotFound});
  EXPECT_TRUE(reader_.Here(IdOf(1)));
}

TEST_F(ForeignTest, TooManyDeletesOfAFileAreAllHeld) {
  std::vector<ForeignChange> adds, deletes;
  for (int i = 0; i < 30; ++i) {
    adds.push_back(Add("P" + std::to_string(i)));
    if (i < 21) deletes.push_back(Record(ChangeKind::kDelete, "P" + std::to_string(i)));
  }
  Import(adds);
  const ApplyCounts counts = Import(deletes);
  EXPECT_EQ(counts.held, 21u);
  EXPECT_EQ(counts.deleted, 0u);
  const HeldRow row = reader_.Held().at(0);
  storage::Transaction transaction(reader_.storage);
  EXPECT_OK(ApproveHeld(transaction, reader_.Input(), row, reader_.state));
  reader_.Commit(transaction, reader_.state);
  EXPECT_EQ(reader_.Held().size(), 20u);
  EXPECT_EQ(Import({Add("P0"), Add("P1"), Add("P2")}).superseded, 2u);
}

TEST_F(ForeignTest, AbsenceDeletesOnlyWithComplete) {
  Import({Add("Anna"), Add("Berta")});
  EXPECT_EQ(Import({Add("Anna")}).deleted, 0u);
  EXPECT_TRUE(Named("Berta"));
  reader_.settings.complete = true;
  EXPECT_EQ(Import({Add("Anna"), Add("Clara")}).deleted, 1u);
  EXPECT_TRUE(Named("Anna"));
  EXPECT_FALSE(Named("Berta"));
  EXPECT_TRUE(Named("Clara"));
}

TEST_F(ForeignTest, ABadRecordIsNoAbsence) {
  reader_.settings.complete = true;
  Import({Add("Anna"), Add("Berta")});
  const ApplyCounts counts = Import({Add("Anna", {{"Title", kSet, {"one", "two"}}}), Add("Berta")});
  EXPECT_EQ(errors_, Codes{ErrorCode::kInvalid});
  EXPECT_EQ(counts.deleted, 0u);
  EXPECT_TRUE(Named("Anna"));
}

TEST_F(ForeignTest, ARecordThatCannotBeReadIsNoAbsence_ButADeleteIs) {
  reader_.settings.complete = true;
  Import({Add("Anna"), Add("Berta"), Add("Clara")});
  EXPECT_EQ(ImportUnread({{ChangeKind::kModify, "Anna"}, {ChangeKind::kDelete, "Berta"}}).deleted,
            2u);
  EXPECT_TRUE(Named("Anna"));
}

TEST_F(ForeignTest, WhereARecordMayBeAnybodys_NobodyIsAbsent) {
  reader_.settings.complete = true;
  Import({Add("Anna"), Add("Berta")});
  EXPECT_EQ(Import({Add("Anna"), Add("/o=Testorg/ou")}).deleted, 0u);
  EXPECT_EQ(ImportUnread({{ChangeKind::kAdd, "AC/DC"}}).deleted, 0u);
  EXPECT_EQ(ImportUnread({{ChangeKind::kAdd, ""}}).deleted, 0u);
  EXPECT_TRUE(Named("Berta"));
  // Of one file only: who is absent from the next one goes.
  EXPECT_EQ(Import({Add("Anna")}).deleted, 1u);
  EXPECT_FALSE(Named("Berta"));
}

TEST_F(ForeignTest, ACompleteFileThatShrankIsHeld) {
  reader_.settings.complete = true;
  std::vector<ForeignChange> adds;
  for (int i = 0; i < 30; ++i) adds.push_back(Add("P" + std::to_string(i)));
  Import(adds);
  EXPECT_EQ(Import({}).held, 30u);
  EXPECT_TRUE(Named("P0"));
  // Held ones that stay away are not held twice.
  EXPECT_EQ(Import({}).held, 0u);
}

}  // namespace
}  // namespace dirsync
