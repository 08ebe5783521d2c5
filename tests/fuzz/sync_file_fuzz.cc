// The sync file's reader on any bytes, and on any lines under a true digest and signature: what is
// read there must be written and read again as it was.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "agent/file/sync_file_reader.h"
#include "agent/file/sync_file_writer.h"
#include "proto/base/crypto.h"

namespace dirsync {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

const SigningKey& Key() {
  static const SigningKey key = *SigningKey::FromSeed(std::string(32, 'k'));
  return key;
}

struct Content {
  VerifiedFile file;
  std::vector<std::pair<std::size_t, Change>> changes;
};

Result<Content> Read(const std::string& bytes, std::uint64_t& seen) {
  MemorySource source(bytes);
  Content content;
  seen = 0;
  DIRSYNC_TRY(file, VerifySyncFile(source, std::nullopt,
                                   [&](std::size_t batch, const Change& change) -> Result<> {
                                     ++seen;
                                     content.changes.emplace_back(batch, change);
                                     return {};
                                   }));
  content.file = std::move(file);
  return content;
}

// `lines` as a whole file; the signer's line is replaced by our key's.
std::string Sealed(std::string lines, std::uint64_t records) {
  const std::size_t signer = lines.find("#! signer ");
  if (signer != std::string::npos && lines.size() >= signer + 10 + 64)
    lines.replace(signer + 10, 64, Key().public_key().hex());
  lines = "#! dirsync-file 1\n" + lines;
  if (!lines.ends_with('\n')) lines += '\n';
  std::string text;
  for (std::size_t i = 0; i < lines.size(); ++i)
    if (lines[i] != '\r' || lines[i + 1] != '\n') text.push_back(lines[i]);
  const std::string end = "#! end records=" + std::to_string(records) +
                          " rows=0 sum=" + std::string(32, '0') + " text=" + DigestOf(text).hex();
  const std::string signature = Key().Sign("dirsync-file 1\n" + end + "\n").hex();
  return lines + end + "\n#! signature " + signature + "\n";
}

std::string Written(const Content& content) {
  std::string bytes;
  SyncFileWriter writer(content.file.header, Key(), [&](std::string_view piece) -> Result<> {
    bytes.append(piece);
    return {};
  });
  std::size_t next = 0;
  const auto write_changes_of = [&](std::size_t batch) {
    for (; next < content.changes.size() && content.changes[next].first == batch; ++next)
      Require(writer.Write(content.changes[next].second).has_value());
  };
  for (std::size_t i = 0; i < content.file.batches.size(); ++i) {
    Require(writer.BeginBatch(content.file.batches[i]).has_value());
    write_changes_of(i);
  }
  if (content.file.batches.empty()) write_changes_of(0);
  Require(next == content.changes.size());
  Require(writer.Finish(content.file.trailer.sum, content.file.trailer.rows).has_value());
  return bytes;
}

void CheckSecondPass(const std::string& bytes, const Content& content) {
  MemorySource source(bytes);
  SyncFileRecords records(source, content.file);
  SyncFileRecords::Record record;
  for (const auto& [batch, change] : content.changes) {
    Result<bool> more = records.Next(record);
    Require(more && *more && record.batch == batch && record.change == change);
  }
  Result<bool> more = records.Next(record);
  Require(more && !*more);
}

void Try(const std::string& input) {
  std::uint64_t seen = 0;
  static_cast<void>(Read(input, seen));
  MemorySource source(input);
  static_cast<void>(PeekSyncFile(source));
  static_cast<void>(Read(Sealed(input, 0), seen));
  const std::string sealed = Sealed(input, seen);
  Result<Content> content = Read(sealed, seen);
  if (!content) return;
  CheckSecondPass(sealed, *content);
  const std::string written = Written(*content);
  Result<Content> again = Read(written, seen);
  Require(again.has_value());
  Require(again->file.header == content->file.header);
  Require(again->file.batches == content->file.batches);
  Require(again->changes == content->changes);
}

}  // namespace
}  // namespace dirsync

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dirsync::Try(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
