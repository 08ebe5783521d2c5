#include "agent/file/sync_file_reader.h"

#include <gmock/gmock.h>

#include <iostream>
#include <map>

#include "proto/base/limits.h"
#include "tests/unit/sync_file_samples.h"

namespace dirsync {
namespace {

struct Read {
  VerifiedFile file;
  std::vector<std::vector<Change>> changes;  // by batch
};

Result<Read> ReadAll(const std::string& bytes,
                     const std::optional<PublicKey>& expected = KeyOf('k').public_key()) {
  MemorySource source(bytes);
  Read read;
  auto see = [&](std::size_t batch, const Change& change) -> Result<> {
    if (read.changes.size() <= batch) read.changes.resize(batch + 1);
    read.changes[batch].push_back(change);
    return {};
  };
  DIRSYNC_TRY(file, VerifySyncFile(source, expected, see));
  read.file = std::move(file);
  read.changes.resize(std::max<std::size_t>(1, read.file.batches.size()));
  return read;
}

ErrorCode CodeOf(const std::string& bytes,
                 const std::optional<PublicKey>& expected = KeyOf('k').public_key()) {
  Result<Read> read = ReadAll(bytes, expected);
  return read ? ErrorCode{} : read.error().code;
}

// The file with its lines changed by hand, digested and signed anew: hostile but proved.
std::string Forge(const std::string& text) {
  std::string lines = "#! dirsync-file 1\n" + text;
  const std::string end =
      "#! end records=1 rows=0 sum=" + std::string(32, '0') + " text=" + DigestOf(lines).hex();
  const Signature signature = KeyOf('k').Sign("dirsync-file 1\n" + end + "\n");
  return lines + end + "\n#! signature " + signature.hex() + "\n";
}

std::string ForgedHeader() {
  return "#! kind full\n#! stream T/S/I\n#! epoch 1." + std::string(32, '1') + "\n#! signer " +
         KeyOf('k').public_key().hex() + "\n#! time 5\n#! hash-key " + std::string(32, '2') +
         "\n#! address-type EDK\n";
}

std::string ForgedRecord(const std::string& lines) {
  return Forge(ForgedHeader() + "#! records\n\n#! add id=" + std::string(32, '3') +
               " class=mailbox\nA /o=T/cn=M\n" + lines + "\n");
}

// Pass 2 over `bytes` after pass 1 over `proved`.
Result<std::vector<Change>> SecondPass(const std::string& proved, const std::string& bytes) {
  MemorySource first(proved), second(bytes);
  DIRSYNC_TRY(file, VerifySyncFile(first, std::nullopt));
  SyncFileRecords records(second, file);
  SyncFileRecords::Record record;
  std::vector<Change> changes;
  for (;;) {
    DIRSYNC_TRY(more, records.Next(record));
    if (!more) return changes;
    changes.push_back(record.change);
  }
}

TEST(SyncFileReader, EveryFieldOfHeaderAndBatches_ComesBack) {
  for (const FileKind kind : {FileKind::kChanges, FileKind::kFull, FileKind::kAdhoc}) {
    const FileHeader header = SampleHeader(kind);
    Content content = {{FileBatch{}, {SampleChange(ChangeKind::kAdd, 1)}}};
    if (kind == FileKind::kChanges) content = SampleContent(header);
    Result<Read> read = ReadAll(*WriteSample(header, content));
    ASSERT_TRUE(read) << read.error().ToString();
    EXPECT_EQ(read->file.header, header);
    EXPECT_EQ(read->file.trailer.rows, 42u);
    EXPECT_EQ(read->file.trailer.sum, (RowSum{0x1234, 0x5678}));
    for (std::size_t i = 0; i < content.size(); ++i) {
      if (kind == FileKind::kChanges) {
        EXPECT_EQ(read->file.batches[i], content[i].first);
      }
      EXPECT_EQ(read->changes[i], content[i].second);
    }
  }
}

TEST(SyncFileReader, ExtremeHeaders_ComeBack) {
  FileHeader header = SampleHeader(FileKind::kAdhoc);
  header.stream = {std::string(256, '/'), "ä \x01%", ""};
  header.epoch = Epoch{};
  header.time = FromMillis(-1);
  header.terms.address_type.clear();
  header.terms.attributes = {std::string(256, 'n'), "", " x", "\n#! records"};
  header.wants = {{{"a", "b", "c"}, {}}, {{"d", "e", "f"}, std::vector<EntryId>(1000)}};
  header.acks.assign(100, {{"o", "s", "i"}, {{~0ull, IdOf<EpochId>(0)}, ~0ull, Digest{}}});
  Result<Read> read = ReadAll(*WriteSample(header, {}));
  ASSERT_TRUE(read) << read.error().ToString();
  EXPECT_EQ(read->file.header, header);
}

TEST(SyncFileReader, RandomBatches_AreReadAsWritten) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    RandomChanges random(seed);
    const FileHeader header = SampleHeader(FileKind::kChanges);
    Content content;
    for (Sequence sequence = 1; sequence <= 3; ++sequence) {
      std::vector<Change> changes(random.Below(12));
      for (Change& change : changes) change = random.Next();
      content.emplace_back(SampleBatch(header, sequence, changes.size()), changes);
      if (random.Chance(2)) content.back().first.batch.terms.address_type = random.Text(20);
    }
    const std::string bytes = *WriteSample(header, content);
    Result<Read> read = ReadAll(bytes);
    ASSERT_TRUE(read) << "seed " << seed << ": " << read.error().ToString();
    std::vector<Change> all;
    for (std::size_t i = 0; i < content.size(); ++i) {
      ASSERT_EQ(read->file.batches[i], content[i].first) << "seed " << seed;
      ASSERT_EQ(read->changes[i], content[i].second) << "seed " << seed;
      all.insert(all.end(), content[i].second.begin(), content[i].second.end());
    }
    EXPECT_EQ(SecondPass(bytes, bytes).value(), all) << "seed " << seed;
  }
}

TEST(SyncFileReader, LineEndsOfEitherKind_AreTheSameFile) {
  std::string bytes = SampleFile();
  std::erase(bytes, '\r');
  EXPECT_TRUE(ReadAll(bytes));
}

TEST(SyncFileReader, EveryTruncation_IsAnError) {
  const std::string bytes = SampleFile();
  std::map<std::string, int> table;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    Result<Read> read = ReadAll(bytes.substr(0, size));
    ASSERT_FALSE(read) << "cut at " << size;
    ++table[std::string(InfoOf(read.error().code).text)];
  }
  std::cout << "truncated at every byte (" << bytes.size() << "):\n";
  for (const auto& [code, count] : table) std::cout << "  " << code << " " << count << "\n";
  EXPECT_EQ(table.size(), 3u);  // HEADERLESS, TRUNCATED, and UNSIGNED at one byte
  EXPECT_EQ(table["UNSIGNED"], 1);
}

TEST(SyncFileReader, EveryAlteredByte_IsAnError) {
  const std::string bytes = SampleFile();
  std::map<std::string, std::map<std::string, int>> table;
  const auto try_with = [&](const std::string& name, std::size_t at, char with) {
    if (bytes[at] == with) return;
    std::string altered = bytes;
    altered[at] = with;
    Result<Read> read = ReadAll(altered);
    ASSERT_FALSE(read) << name << " at " << at;
    ++table[name][std::string(InfoOf(read.error().code).text)];
  };
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const char c = bytes[at];
    try_with("lowest bit", at, static_cast<char>(c ^ 1));
    try_with("letter's case", at, static_cast<char>(std::isalpha(c) ? c ^ 0x20 : c ^ 0x80));
    try_with("newline", at, '\n');
    try_with("blank", at, ' ');
  }
  for (const auto& [name, codes] : table) {
    std::cout << "altered: " << name << "\n";
    for (const auto& [code, count] : codes) std::cout << "  " << code << " " << count << "\n";
  }
}

TEST(SyncFileReader, SwappedHalvesAndMoreBehindTheEnd_AreDamage) {
  const std::string bytes = SampleFile();
  EXPECT_EQ(CodeOf(bytes + "x"), ErrorCode::kDamaged);
  EXPECT_EQ(CodeOf(bytes + "\r\n"), ErrorCode::kDamaged);
  EXPECT_EQ(CodeOf(bytes + bytes), ErrorCode::kDamaged);
  const std::size_t middle = bytes.find("#! add");
  EXPECT_EQ(CodeOf(bytes.substr(middle) + bytes.substr(0, middle)), ErrorCode::kHeaderless);
}

TEST(SyncFileReader, EachFault_HasItsCode) {
  const std::string bytes = SampleFile();
  EXPECT_EQ(CodeOf(""), ErrorCode::kHeaderless);
  EXPECT_EQ(CodeOf("A Mailbox1\r\n- Display-Name:x\r\n"), ErrorCode::kHeaderless);
  std::string version = bytes;
  version.replace(0, 17, "#! dirsync-file 2");
  EXPECT_EQ(CodeOf(version), ErrorCode::kUnknownVersion);
  const std::size_t signature = bytes.find("#! signature");
  EXPECT_EQ(CodeOf(bytes.substr(0, signature)), ErrorCode::kUnsigned);
  EXPECT_EQ(CodeOf(bytes.substr(0, bytes.find("#! end"))), ErrorCode::kTruncated);
  std::string value = bytes;
  value.replace(value.find("Someone"), 7, "Anybody");
  EXPECT_EQ(CodeOf(value), ErrorCode::kDamaged);
  std::string sum = bytes;
  sum.replace(sum.find("rows=42"), 7, "rows=43");
  EXPECT_EQ(CodeOf(sum), ErrorCode::kBadSignature);
  EXPECT_EQ(CodeOf(bytes, KeyOf('o').public_key()), ErrorCode::kKeyChanged);
  EXPECT_EQ(CodeOf(bytes, std::nullopt), ErrorCode{});
}

TEST(SyncFileReader, LinesStrippedOfTheirMark_AreHeaderless) {
  std::string stripped;
  const std::string bytes = SampleFile();
  for (std::size_t begin = 0; begin < bytes.size();) {
    const std::size_t end = bytes.find('\n', begin) + 1;
    if (bytes[begin] != '#') stripped += bytes.substr(begin, end - begin);
    begin = end;
  }
  EXPECT_EQ(CodeOf(stripped), ErrorCode::kHeaderless);
}

TEST(SyncFileReader, SignedByAStrangerUnderOurName_IsBadSignature) {
  std::string bytes = SampleFile();
  const std::string digest = bytes.substr(bytes.find(" text=") + 6, 64);
  const std::size_t end = bytes.find("#! end");
  const std::string end_line = bytes.substr(end, bytes.find('\r', end) - end);
  const std::string forged = KeyOf('o').Sign("dirsync-file 1\n" + end_line + "\n").hex();
  bytes.replace(bytes.find("#! signature ") + 13, 128, forged);
  EXPECT_EQ(CodeOf(bytes), ErrorCode::kBadSignature);
}

TEST(SyncFileReader, DamageComesBeforeABadRecord) {
  std::string bytes = SampleFile();
  bytes.replace(bytes.find("A /o=Testorg"), 1, "Q");
  EXPECT_EQ(CodeOf(bytes), ErrorCode::kDamaged);
  EXPECT_EQ(CodeOf(bytes.substr(0, bytes.size() - 200)), ErrorCode::kTruncated);
}

TEST(SyncFileReader, ProvedButUngrammaticalFiles_AreBadRecords) {
  EXPECT_EQ(CodeOf(ForgedRecord("- Info:x\n")), ErrorCode{});
  for (const char* lines : {"- Info: x\n",
                            "- Info:\"x\"\n",
                            "- Info:\\xAA\n",
                            "-Info:x\n",
                            "- Info :x\n",
                            "- Info\n",
                            "- Common-Name:x\n",
                            "- obj-class:Mailbox\n",
                            "- Info:x\n- Info:y\n",
                            "- B:x\n- A:x\n",
                            "- Info[1]:x\n",
                            "- Info[0]:x\n- Info[2]:x\n",
                            "- Info[0]:\n",
                            "- Info[00]:x\n",
                            "- Info[*]:x\n",
                            "- Info]:x\n",
                            "- Info:x\n- Target-Address:EDK:x\n",
                            "- Target-Address:EDK:x\n- Target-Address:EDK:x\n",
                            "- Target-Address[0]:EDK:x\n",
                            "#! what\n",
                            "#! name x\n",
                            "#!x\n",
                            "#! + x\n",
                            "D /o=x\n",
                            "x\n",
                            "- Info[+]:\n",
                            "- Target-Address:\n"})
    EXPECT_EQ(CodeOf(ForgedRecord(lines)), ErrorCode::kBadRecord) << lines;
  EXPECT_EQ(CodeOf(Forge("#! kind full\n#! kind full\n")), ErrorCode::kBadRecord);
  EXPECT_EQ(CodeOf(Forge(ForgedHeader())), ErrorCode::kBadRecord) << "no #! records";
  EXPECT_EQ(CodeOf(Forge(ForgedHeader() + "#! records\n")), ErrorCode::kBadRecord) << "count";
  EXPECT_EQ(CodeOf(Forge(ForgedHeader() + "#! ack T/S/I\n#! records\n")), ErrorCode::kBadRecord);
}

TEST(SyncFileReader, BadRecord_NamesItsLine) {
  Result<Read> read = ReadAll(ForgedRecord("- Info:\\xzz\n"));
  ASSERT_FALSE(read);
  EXPECT_THAT(read.error().message, testing::HasSubstr("line 13:"));
}

TEST(SyncFileReader, HostileCounts_AreRefusedWithoutMemory) {
  std::string values;
  for (int i = 0; i < 5000; ++i) values += "- A[" + std::to_string(i) + "]:\\x\n";
  EXPECT_EQ(CodeOf(ForgedRecord(values)), ErrorCode::kTooLarge);
  std::string attributes;
  for (int i = 1000; i < 2000; ++i) attributes += "- A" + std::to_string(i) + ":x\n";
  EXPECT_EQ(CodeOf(ForgedRecord(attributes)), ErrorCode::kTooLarge);
  const std::string big(limits::kValueBytes, 'a');
  EXPECT_EQ(CodeOf(ForgedRecord("- A:" + big + "a\n")), ErrorCode::kTooLarge);
  EXPECT_EQ(CodeOf(ForgedRecord("- A:" + big + "\n- B:" + big + "\n")), ErrorCode::kTooLarge);
  EXPECT_EQ(CodeOf(ForgedRecord("- A:" + big + "\n")), ErrorCode{});
  EXPECT_EQ(CodeOf("#! dirsync-file 1\n" + std::string(limits::kLineBytes + 2, 'a')),
            ErrorCode::kTooLarge);
  EXPECT_EQ(CodeOf(Forge("#! kind " + std::string(600, 'a') + "\n")), ErrorCode::kBadRecord);
  std::string acks = ForgedHeader();
  for (int i = 0; i < 5000; ++i)
    acks +=
        "#! ack T/S/I\n#! ack-at 1." + std::string(32, '1') + " 1 " + std::string(64, '1') + "\n";
  EXPECT_NE(CodeOf(Forge(acks + "#! records\n")), ErrorCode{});
}

// A file of batches that each hold these changes.
std::string FileOfBatches(const std::vector<Change>& changes, Sequence batches = 1) {
  const FileHeader header = SampleHeader(FileKind::kChanges);
  Content content;
  for (Sequence sequence = 1; sequence <= batches; ++sequence)
    content.emplace_back(SampleBatch(header, sequence, changes.size()), changes);
  return *WriteSample(header, content);
}

TEST(SyncFileReader, ABatchHasNoMoreBytesThanOneThatIsStored) {
  Change large = SampleChange(ChangeKind::kAdd, 1);
  large.attributes[0].values[0].assign(limits::kValueBytes - 1000, 'a');
  const std::size_t most = limits::kBatchPayloadBytes / (limits::kValueBytes - 1000);
  EXPECT_EQ(CodeOf(FileOfBatches(std::vector<Change>(most, large), 3)), ErrorCode{});
  const Result<Read> read = ReadAll(FileOfBatches(std::vector<Change>(most + 1, large)));
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kTooLarge);
  EXPECT_THAT(read.error().message, testing::HasSubstr("batch 1 has more bytes"));
}

TEST(SyncFileReader, ABatchHasNoMoreValuesThanOneThatIsStored) {
  Change many = SampleChange(ChangeKind::kAdd, 1);
  many.attributes[0].values.assign(limits::kValuesPerAttribute, "");
  std::vector<Change> changes(limits::kValuesPerBatch / limits::kValuesPerAttribute, many);
  EXPECT_EQ(CodeOf(FileOfBatches(changes)), ErrorCode{});
  changes.push_back(SampleChange(ChangeKind::kAdd, 2));
  EXPECT_EQ(CodeOf(FileOfBatches(changes)), ErrorCode::kTooLarge);
}

TEST(SyncFileReader, ManyBatchesWithLongTerms_AreBounded) {
  FileHeader header = SampleHeader(FileKind::kChanges);
  header.terms.attributes.assign(4096, std::string(200, 'n'));
  SyncFileWriter writer(header, KeyOf('k'), [](std::string_view) { return Result<>(); });
  Result<> begun;
  Sequence sequence = 1;
  for (; begun && sequence < 1000; ++sequence) {
    FileBatch info = SampleBatch(header, sequence, 0);
    begun = writer.BeginBatch(info);
  }
  ASSERT_FALSE(begun);
  EXPECT_EQ(begun.error().code, ErrorCode::kTooLarge);
}

TEST(SyncFileReader, VisitorsError_IsReportedUnlessTheFileIsDamaged) {
  const std::string bytes = SampleFile();
  const RecordVisitor refuse = [](std::size_t, const Change&) -> Result<> {
    return Fail(ErrorCode::kSuspect, "no");
  };
  MemorySource good(bytes), cut(bytes.substr(0, bytes.size() - 300));
  EXPECT_EQ(VerifySyncFile(good, std::nullopt, refuse).error().code, ErrorCode::kSuspect);
  EXPECT_EQ(VerifySyncFile(cut, std::nullopt, refuse).error().code, ErrorCode::kTruncated);
}

TEST(SyncFileReader, BatchVisitor_SeesEachBatchBeforeItsChanges) {
  MemorySource source(SampleFile());
  std::string order;
  ASSERT_TRUE(VerifySyncFile(
      source, std::nullopt,
      [&](std::size_t batch, const Change&) -> Result<> {
        order += "c" + std::to_string(batch);
        return {};
      },
      [&](std::size_t batch, const FileBatch&) -> Result<> {
        order += "B" + std::to_string(batch);
        return {};
      }));
  EXPECT_EQ(order, "B0B1c1c1c1c1c1c1B2");
}

TEST(SyncFileReader, Peek_ReadsTheHeaderAlone) {
  const std::string bytes = SampleFile();
  MemorySource source(bytes.substr(0, bytes.find("#! batch")));
  EXPECT_EQ(PeekSyncFile(source).value(), SampleHeader(FileKind::kChanges));
  EXPECT_EQ(NatureOf(source).value(), FileNature::kOurs);
  MemorySource cut(bytes.substr(0, 200)), foreign("A Mailbox1\n"), version("#! dirsync-file 7\n");
  EXPECT_EQ(PeekSyncFile(cut).error().code, ErrorCode::kTruncated);
  EXPECT_EQ(PeekSyncFile(foreign).error().code, ErrorCode::kHeaderless);
  EXPECT_EQ(PeekSyncFile(version).error().code, ErrorCode::kUnknownVersion);
  EXPECT_EQ(NatureOf(foreign).value(), FileNature::kForeign);
}

// A full file of several blocks.
std::string LargeFile(char letter) {
  std::vector<Change> changes;
  for (int i = 0; i < 12000; ++i) {
    changes.push_back(SampleChange(ChangeKind::kAdd, static_cast<std::uint8_t>(i)));
    changes.back().attributes[0].values[0].assign(i == 6000 ? limits::kValueBytes : 700, letter);
  }
  return *WriteSample(SampleHeader(FileKind::kFull), {{FileBatch{}, changes}});
}

TEST(SyncFileReader, SecondPass_GivesEveryRecordOfManyBlocks) {
  const std::string bytes = LargeFile('a');
  ASSERT_GT(bytes.size(), 2 * limits::kFileBlockBytes);
  Result<std::vector<Change>> changes = SecondPass(bytes, bytes);
  ASSERT_TRUE(changes) << changes.error().ToString();
  EXPECT_EQ(changes->size(), 12000u);
  EXPECT_EQ((*changes)[6000].attributes[0].values[0].size(), limits::kValueBytes);
}

TEST(SyncFileReader, SecondPass_GivesNothingOfABlockThatChanged) {
  const std::string proved = LargeFile('a');
  for (const std::size_t at : {std::size_t{900}, limits::kFileBlockBytes / 2,
                               limits::kFileBlockBytes + 4096, proved.size() - 3000}) {
    std::string changed = proved;
    const std::size_t letter = changed.find("aaaa", at);
    changed[letter] = 'b';
    MemorySource first(proved), second(changed);
    const VerifiedFile file = *VerifySyncFile(first, std::nullopt);
    SyncFileRecords records(second, file);
    SyncFileRecords::Record record;
    Result<bool> more = true;
    while ((more = records.Next(record)) && *more)
      ASSERT_EQ(record.change.attributes[0].values[0].find('b'), std::string::npos);
    ASSERT_FALSE(more) << at;
    EXPECT_EQ(more.error().code, ErrorCode::kDamaged);
    EXPECT_EQ(records.Next(record).error().code, ErrorCode::kDamaged) << "it stays refused";
  }
  EXPECT_FALSE(SecondPass(proved, proved.substr(0, proved.size() / 2)));
  EXPECT_FALSE(SecondPass(proved, LargeFile('b')));
  EXPECT_FALSE(SecondPass(proved, ""));
  EXPECT_FALSE(
      SecondPass(proved, proved.substr(0, 600) + proved
                                                     .substr(600)  // same, then more
                                                     .insert(proved.size() / 2, "#! end\n")));
}

TEST(SyncFileReader, LineLongerThanABlock_KeepsItsBlocksApart) {
  const std::string comment = "# " + std::string(3 * limits::kFileBlockBytes, 'c') + "\n";
  const std::string bytes =
      Forge(ForgedHeader() + comment + "#! records\n\n#! add id=" + std::string(32, '3') +
            " class=mailbox\nA /o=T/cn=M\n\n");
  EXPECT_EQ(SecondPass(bytes, bytes).value().size(), 1u);
  std::string changed = bytes;
  changed[2 * limits::kFileBlockBytes] = 'd';
  EXPECT_FALSE(SecondPass(bytes, changed));
}

}  // namespace
}  // namespace dirsync
