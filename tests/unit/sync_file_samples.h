// Files and changes for the tests of sync files: small ones with everything in them, random ones.
#pragma once

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "agent/file/sync_file_reader.h"
#include "agent/file/sync_file_writer.h"
#include "proto/base/crypto.h"

namespace dirsync {

inline SigningKey KeyOf(char letter) { return *SigningKey::FromSeed(std::string(32, letter)); }

template <class FixedIdType>
FixedIdType IdOf(std::uint8_t value) {
  FixedIdType id;
  id.bytes.fill(value);
  return id;
}

inline FileHeader SampleHeader(FileKind kind) {
  FileHeader header;
  header.kind = kind;
  header.stream = {"Testorg", "Site1", "INSTANCE1"};
  header.epoch = {3, IdOf<EpochId>(0xE1)};
  header.signer = KeyOf('k').public_key();
  header.time = FromMillis(1795376000123);
  header.terms = {IdOf<HashKey>(0xAB), "EDK", {"Display-Name", "Proxy-Addresses"}};
  header.acks = {{{"Testorg", "Site2", "I2"}, {{1, IdOf<EpochId>(7)}, 9, IdOf<Digest>(8)}}};
  header.wants = {{{"Testorg", "Site2", "I2"}, {IdOf<EntryId>(1), IdOf<EntryId>(2)}}};
  if (kind == FileKind::kFull) {
    header.as_of = {{3, IdOf<EpochId>(0xE1)}, 17, IdOf<Digest>(5)};
    header.totals.run = IdOf<RunId>(4);
    header.totals.by_class[EntryClass::kMailbox].adds = 2;
  }
  return header;
}

inline Change SampleChange(ChangeKind kind, std::uint8_t id) {
  Change change;
  change.kind = kind;
  change.id = IdOf<EntryId>(id);
  change.parent = IdOf<EntryId>(0xCC);
  change.name = "Mailbox" + std::to_string(id);
  change.dn = "/o=Testorg/ou=Site1/cn=Recipients/cn=" + change.name;
  if (kind == ChangeKind::kDelete) return change;
  change.target_address = "EDK:" + change.name + "@Site1.Testorg.com";
  change.attributes.push_back({"Display-Name", AttributeOperation::kSet, {"Someone"}});
  return change;
}

// One of each: what a record can be.
inline std::vector<Change> SampleChanges() {
  Change container = SampleChange(ChangeKind::kAdd, 1);
  container.entry_class = EntryClass::kContainer;
  container.parent = EntryId{};
  container.target_address.clear();
  Change add = SampleChange(ChangeKind::kAdd, 2);
  add.wanted = true;
  add.attributes.push_back({"Proxy-Addresses", AttributeOperation::kSet, {"EDK:a@b", "SMTP:c@d"}});
  add.attributes.push_back(
      {"Thumbnail-Photo", AttributeOperation::kSet, {std::string("\0\xff", 2)}});
  Change modify = SampleChange(ChangeKind::kModify, 3);
  modify.entry_class = EntryClass::kDistributionList;
  modify.attributes = {{"Display-Name", AttributeOperation::kSet, {}},
                       {"Info", AttributeOperation::kSet, {""}},
                       {"Member", AttributeOperation::kAdd, {"Site1/x", "Site1/y"}},
                       {"Member", AttributeOperation::kRemove, {"Site1/z"}}};
  Change rename = SampleChange(ChangeKind::kRename, 4);
  rename.entry_class = EntryClass::kCustomRecipient;
  rename.old_dn = "/o=Testorg/ou=Site1/cn=Recipients/cn=Old";
  Change strange = SampleChange(ChangeKind::kRename, 5);
  strange.name = "a/b\\c";
  strange.dn = "/o=Testorg/cn=\x1b[2J";
  Change removed = SampleChange(ChangeKind::kDelete, 6);
  return {container, add, modify, rename, strange, removed};
}

inline FileBatch SampleBatch(const FileHeader& header, Sequence sequence, std::size_t changes) {
  FileBatch info;
  info.batch.stream = header.stream;
  info.batch.epoch = header.epoch;
  info.batch.sequence = sequence;
  info.batch.previous = IdOf<Digest>(static_cast<std::uint8_t>(sequence - 1));
  info.batch.time = FromMillis(1795376000000 + static_cast<std::int64_t>(sequence));
  info.batch.terms = header.terms;
  info.batch.run.run = IdOf<RunId>(0x77);
  info.batch.run.by_class[EntryClass::kMailbox] = {1, 2, 3, 4, 5};
  info.batch.sum_after = {1, 2};
  info.batch.rows_after = 6;
  info.digest = IdOf<Digest>(static_cast<std::uint8_t>(sequence));
  info.change_count = changes;
  return info;
}

// Batches with their changes, as a file carries them and as it is read back.
using Content = std::vector<std::pair<FileBatch, std::vector<Change>>>;

inline Result<std::string> WriteSample(const FileHeader& header, const Content& content,
                                       const SigningKey& key = KeyOf('k')) {
  std::string bytes;
  SyncFileWriter writer(header, key, [&](std::string_view piece) -> Result<> {
    bytes.append(piece);
    return {};
  });
  for (const auto& [batch, changes] : content) {
    if (header.kind == FileKind::kChanges) DIRSYNC_CHECK(writer.BeginBatch(batch));
    for (const Change& change : changes) DIRSYNC_CHECK(writer.Write(change));
  }
  DIRSYNC_TRY(trailer, writer.Finish({0x1234, 0x5678}, 42));
  static_cast<void>(trailer);
  return bytes;
}

// A start, all kinds of change, and a canary with other terms.
inline Content SampleContent(const FileHeader& header) {
  Content content;
  content.emplace_back(SampleBatch(header, 1, 0), std::vector<Change>{});
  content.back().first.batch.kind = BatchKind::kStart;
  content.back().first.batch.previous = Digest{};
  content.back().first.batch.previous_epoch = {{2, IdOf<EpochId>(2)}, 99, IdOf<Digest>(3)};
  content.emplace_back(SampleBatch(header, 2, 6), SampleChanges());
  content.emplace_back(SampleBatch(header, 3, 0), std::vector<Change>{});
  content.back().first.batch.kind = BatchKind::kCanary;
  content.back().first.batch.terms = {IdOf<HashKey>(1), "SMTP", {"*"}};
  return content;
}

inline std::string SampleFile() {
  const FileHeader header = SampleHeader(FileKind::kChanges);
  return *WriteSample(header, SampleContent(header));
}

// Random content: bytes of any kind in values, any UTF-8 in names.
class RandomChanges {
 public:
  explicit RandomChanges(std::uint64_t seed) : random_(seed) {}

  std::size_t Below(std::size_t n) { return random_() % n; }
  bool Chance(std::size_t one_in) { return Below(one_in) == 0; }

  std::string Bytes(std::size_t most) {
    std::string bytes(Below(most + 1), '\0');
    for (char& c : bytes) c = static_cast<char>(Below(256));
    return bytes;
  }
  // Favours what formats stumble over.
  std::string Value() {
    static const std::vector<std::string> kHard = {
        "",          " ",   "\\x",      "\\x00",        "\"",     "\"quoted\"",
        "a\nD /o=x", "a\r", "\r\n",     " lead",        "trail ", "#! end records=0",
        "- Name:x",  ":",   "\xC2\x85", "\xE2\x80\xA8", "\xff",   "A /o=x",
        "ä€"};
    if (Chance(3)) return kHard[Below(kHard.size())];
    return Chance(2) ? Bytes(Chance(10) ? 2000 : 20) : Text(40);
  }
  std::string Text(std::size_t most) {
    std::string text;
    while (text.size() < most && !Chance(12)) AppendPoint(text);
    return text;
  }
  Change Next() {
    Change change;
    change.kind = static_cast<ChangeKind>(1 + Below(4));
    for (auto& byte : change.id.bytes) byte = static_cast<std::uint8_t>(Below(256));
    if (!Chance(4)) change.parent = IdOf<EntryId>(static_cast<std::uint8_t>(Below(256)));
    change.entry_class = static_cast<EntryClass>(1 + Below(4));
    change.name = Text(Chance(5) ? 256 : 30);
    change.dn = Chance(5) ? Text(600) : "/o=Testorg/cn=" + change.name;
    if (change.kind == ChangeKind::kRename && Chance(2)) change.old_dn = "/o=x/cn=" + Text(30);
    if (!Chance(3)) change.target_address = "EDK:" + Text(20);
    change.wanted = Chance(5);
    const std::size_t attributes = Below(6);
    for (std::size_t i = 0; i < attributes; ++i) change.attributes.push_back(Attribute(i));
    return change;
  }

 private:
  void AppendPoint(std::string& text) {
    const std::size_t kind = Below(8);
    const std::uint32_t p = static_cast<std::uint32_t>(kind < 4   ? 0x20 + Below(0x5F)
                                                       : kind < 5 ? Below(0xA0)
                                                                  : 0xA0 + Below(0xD000 - 0xA0));
    if (p < 0x80) {
      text.push_back(static_cast<char>(p));
    } else if (p < 0x800) {
      text.push_back(static_cast<char>(0xC0 | p >> 6));
      text.push_back(static_cast<char>(0x80 | (p & 63)));
    } else {
      text.push_back(static_cast<char>(0xE0 | p >> 12));
      text.push_back(static_cast<char>(0x80 | (p >> 6 & 63)));
      text.push_back(static_cast<char>(0x80 | (p & 63)));
    }
  }
  AttributeChange Attribute(std::size_t index) {
    AttributeChange attribute;
    attribute.name = "X-Name-" + std::to_string(index);
    attribute.operation = static_cast<AttributeOperation>(1 + Below(3));
    const std::size_t values = Below(4);
    for (std::size_t i = 0; i < values; ++i) attribute.values.push_back(Value());
    if (values == 0) attribute.operation = AttributeOperation::kSet;
    return attribute;
  }

  std::mt19937_64 random_;
};

}  // namespace dirsync
