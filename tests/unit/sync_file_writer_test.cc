#include "agent/file/sync_file_writer.h"

#include <gmock/gmock.h>

#include "proto/base/limits.h"
#include "tests/unit/sync_file_samples.h"

namespace dirsync {
namespace {

using testing::HasSubstr;
using testing::Not;

class WriterTest : public testing::Test {
 protected:
  SyncFileWriter Writer(FileKind kind) {
    header_ = SampleHeader(kind);
    return SyncFileWriter(header_, KeyOf('k'), [this](std::string_view piece) -> Result<> {
      if (fail_) return Fail(ErrorCode::kDiskFull, "write: no room");
      largest_ = std::max(largest_, piece.size());
      bytes_.append(piece);
      return {};
    });
  }
  // The code with which `change` is refused as the only one of a batch.
  ErrorCode Refusal(const Change& change) {
    SyncFileWriter writer = Writer(FileKind::kChanges);
    EXPECT_TRUE(writer.BeginBatch(SampleBatch(header_, 1, 1)));
    Result<> written = writer.Write(change);
    return written ? ErrorCode{} : written.error().code;
  }

  FileHeader header_;
  std::string bytes_;
  std::size_t largest_ = 0;
  bool fail_ = false;
};

TEST_F(WriterTest, Lines_EndInCrLfAndAreReadableByTheOldReader) {
  const std::string file = SampleFile();
  EXPECT_THAT(file, testing::StartsWith("#! dirsync-file 1\r\n#! kind changes\r\n"));
  std::size_t begin = 0;
  while (begin < file.size()) {
    const std::size_t end = file.find('\n', begin);
    ASSERT_NE(end, std::string::npos);
    ASSERT_EQ(file[end - 1], '\r');
    const std::string_view line = std::string_view(file).substr(begin, end - 1 - begin);
    EXPECT_LT(line.size(), limits::kOldLineBytes);
    EXPECT_EQ(line.find_first_of("\r\x1b"), std::string_view::npos);
    begin = end + 1;
  }
}

TEST_F(WriterTest, Record_LooksLikeTheOldOne) {
  const std::string file = SampleFile();
  EXPECT_THAT(file, HasSubstr("A /o=Testorg/ou=Site1/cn=Recipients/cn=Mailbox2\r\n"
                              "- Target-Address:EDK:Mailbox2@Site1.Testorg.com\r\n"
                              "- Display-Name:Someone\r\n"
                              "- Proxy-Addresses[0]:EDK:a@b\r\n"
                              "- Proxy-Addresses[1]:SMTP:c@d\r\n"
                              "- Thumbnail-Photo:\\x00ff\r\n\r\n"));
  EXPECT_THAT(file, HasSubstr("- Display-Name:\r\n- Info:\\x\r\n- Member[+]:Site1/x\r\n"
                              "- Member[+]:Site1/y\r\n- Member[-]:Site1/z\r\n\r\n"));
}

TEST_F(WriterTest, Rename_IsDeleteAndAddUnderOneId) {
  EXPECT_THAT(SampleFile(), HasSubstr("#! rename-from id=04040404040404040404040404040404\r\n"
                                      "D /o=Testorg/ou=Site1/cn=Recipients/cn=Old\r\n\r\n"
                                      "#! rename id=04040404040404040404040404040404 class=custom-"
                                      "recipient parent=cccccccccccccccccccccccccccccccc\r\n"
                                      "A /o=Testorg/ou=Site1/cn=Recipients/cn=Mailbox4\r\n"));
}

TEST_F(WriterTest, Container_IsInvisibleToOldReaders) {
  EXPECT_THAT(SampleFile(),
              Not(HasSubstr("\r\nA /o=Testorg/ou=Site1/cn=Recipients/cn=Mailbox1\r")));
  EXPECT_THAT(SampleFile(), HasSubstr("#! dn /o=Testorg/ou=Site1/cn=Recipients/cn=Mailbox1\r\n"
                                      "#! - Display-Name:Someone\r\n"));
}

TEST_F(WriterTest, ReservedNames_AreRefused) {
  for (const char* name : {"Common-Name", "common-name", "Obj-Class", "OBJ-CLASS", "Target-Address",
                           "", "a b", "a:b", "a[0]", "a\n", "na\xC3\xA4"}) {
    Change change = SampleChange(ChangeKind::kAdd, 1);
    change.attributes = {{name, AttributeOperation::kSet, {"x"}}};
    EXPECT_EQ(Refusal(change), ErrorCode::kInvalid) << name;
  }
}

TEST_F(WriterTest, WhatNoRecordCanSay_IsRefused) {
  Change unknown = SampleChange(ChangeKind::kAdd, 1);
  unknown.unknown_kind = 9;
  EXPECT_EQ(Refusal(unknown), ErrorCode::kInvalid);
  Change no_values = SampleChange(ChangeKind::kModify, 1);
  no_values.attributes = {{"Member", AttributeOperation::kAdd, {}}};
  EXPECT_EQ(Refusal(no_values), ErrorCode::kInvalid);
  Change disorder = SampleChange(ChangeKind::kAdd, 1);
  disorder.attributes = {{"B", AttributeOperation::kSet, {"x"}},
                         {"A", AttributeOperation::kSet, {"x"}}};
  EXPECT_EQ(Refusal(disorder), ErrorCode::kInvalid);
  Change twice = SampleChange(ChangeKind::kAdd, 1);
  twice.attributes = {{"A", AttributeOperation::kSet, {"x"}},
                      {"A", AttributeOperation::kSet, {"y"}}};
  EXPECT_EQ(Refusal(twice), ErrorCode::kInvalid);
  Change old_dn = SampleChange(ChangeKind::kAdd, 1);
  old_dn.old_dn = "/o=x";
  EXPECT_EQ(Refusal(old_dn), ErrorCode::kInvalid);
}

TEST_F(WriterTest, HugeChanges_AreTooLarge) {
  Change value = SampleChange(ChangeKind::kAdd, 1);
  value.attributes = {{"A", AttributeOperation::kSet, {std::string(limits::kValueBytes + 1, 'a')}}};
  EXPECT_EQ(Refusal(value), ErrorCode::kTooLarge);
  Change values = SampleChange(ChangeKind::kAdd, 1);
  values.attributes = {{"A", AttributeOperation::kSet, std::vector<std::string>(4097, "a")}};
  EXPECT_EQ(Refusal(values), ErrorCode::kTooLarge);
  Change dn = SampleChange(ChangeKind::kAdd, 1);
  dn.dn.assign(1 << 20, 'a');
  EXPECT_EQ(Refusal(dn), ErrorCode::kTooLarge);
}

TEST_F(WriterTest, RefusedChange_LeavesNoTrace) {
  SyncFileWriter writer = Writer(FileKind::kFull);
  Change bad = SampleChange(ChangeKind::kAdd, 9);
  bad.attributes.push_back({"Obj-Class", AttributeOperation::kSet, {"x"}});
  ASSERT_TRUE(writer.Write(SampleChange(ChangeKind::kAdd, 1)));
  EXPECT_FALSE(writer.Write(bad));
  ASSERT_TRUE(writer.Write(SampleChange(ChangeKind::kAdd, 2)));
  Result<FileTrailer> trailer = writer.Finish({}, 2);
  ASSERT_TRUE(trailer);
  EXPECT_EQ(trailer->records, 2u);
  EXPECT_THAT(bytes_, Not(HasSubstr("Mailbox9")));
  MemorySource source(bytes_);
  EXPECT_TRUE(VerifySyncFile(source, std::nullopt));
}

TEST_F(WriterTest, FullAndAdhocFiles_CarryAddsOnly) {
  for (const FileKind kind : {FileKind::kFull, FileKind::kAdhoc}) {
    SyncFileWriter writer = Writer(kind);
    for (const ChangeKind bad : {ChangeKind::kModify, ChangeKind::kRename, ChangeKind::kDelete})
      EXPECT_EQ(writer.Write(SampleChange(bad, 1)).error().code, ErrorCode::kInvalid);
    EXPECT_EQ(writer.BeginBatch(SampleBatch(header_, 1, 0)).error().code, ErrorCode::kInvalid);
  }
}

TEST_F(WriterTest, CallsOutOfOrder_AreRefused) {
  SyncFileWriter writer = Writer(FileKind::kChanges);
  EXPECT_FALSE(writer.Write(SampleChange(ChangeKind::kAdd, 1))) << "no batch";
  ASSERT_TRUE(writer.BeginBatch(SampleBatch(header_, 4, 1)));
  EXPECT_FALSE(writer.BeginBatch(SampleBatch(header_, 5, 0))) << "a change is missing";
  ASSERT_TRUE(writer.Write(SampleChange(ChangeKind::kAdd, 1)));
  EXPECT_FALSE(writer.Write(SampleChange(ChangeKind::kAdd, 1))) << "a change too many";
  EXPECT_FALSE(writer.BeginBatch(SampleBatch(header_, 6, 0))) << "a gap";
  FileBatch fork = SampleBatch(header_, 5, 0);
  fork.batch.previous = IdOf<Digest>(0x55);
  EXPECT_FALSE(writer.BeginBatch(fork));
  FileBatch other = SampleBatch(header_, 5, 0);
  other.batch.epoch.counter = 9;
  EXPECT_FALSE(writer.BeginBatch(other));
  EXPECT_TRUE(writer.Finish({}, 1));
  EXPECT_FALSE(writer.Finish({}, 1)) << "finished twice";
  EXPECT_FALSE(writer.Write(SampleChange(ChangeKind::kAdd, 1)));
}

TEST_F(WriterTest, FileWithoutBatches_CarriesItsAcks) {
  SyncFileWriter writer = Writer(FileKind::kChanges);
  ASSERT_TRUE(writer.Finish({}, 0));
  MemorySource source(bytes_);
  Result<VerifiedFile> file = VerifySyncFile(source, std::nullopt);
  ASSERT_TRUE(file) << file.error().ToString();
  EXPECT_EQ(file->header.acks, header_.acks);
  EXPECT_TRUE(file->batches.empty());
}

TEST_F(WriterTest, FailedSink_StaysFailed) {
  SyncFileWriter writer = Writer(FileKind::kFull);
  fail_ = true;
  EXPECT_EQ(writer.Finish({}, 0).error().code, ErrorCode::kDiskFull);
  fail_ = false;
  EXPECT_EQ(writer.Write(SampleChange(ChangeKind::kAdd, 1)).error().code, ErrorCode::kDiskFull);
  EXPECT_EQ(writer.Finish({}, 0).error().code, ErrorCode::kDiskFull);
}

TEST_F(WriterTest, Header_OfNamesThatNoStreamHas_IsRefused) {
  FileHeader header = SampleHeader(FileKind::kFull);
  header.stream.site.clear();
  EXPECT_EQ(WriteSample(header, {}).error().code, ErrorCode::kInvalid);
  header = SampleHeader(FileKind::kFull);
  header.wants[0].ids.resize(limits::kWantIds + 1);
  EXPECT_EQ(WriteSample(header, {}).error().code, ErrorCode::kTooLarge);
}

TEST_F(WriterTest, Memory_DoesNotGrowWithTheFile) {
  SyncFileWriter writer = Writer(FileKind::kFull);
  for (int i = 0; i < 20000; ++i) ASSERT_TRUE(writer.Write(SampleChange(ChangeKind::kAdd, 7)));
  ASSERT_TRUE(writer.Finish({}, 20000));
  EXPECT_GT(bytes_.size(), 4 * limits::kMiB);
  EXPECT_LT(largest_, limits::kMiB);
}

}  // namespace
}  // namespace dirsync
