#include "agent/file/sync_file_reader.h"

#include <utility>

#include "agent/file/file_lines.h"
#include "agent/file/line_reader.h"
#include "agent/file/sync_file_parser.h"
#include "agent/file/text_digest.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

using Event = SyncFileParser::Event;

std::unexpected<Error> Refuse(ErrorCode code, std::string reason) {
  return Fail(code, "read sync file: " + std::move(reason));
}

// The first line says that the file is ours and of a version that is known here.
Result<> CheckFirstLine(LineReader& lines) {
  std::string_view line;
  const bool any = lines.Next(line);
  DIRSYNC_CHECK(lines.status());
  if (!any || !line.starts_with(kFileMagic))
    return Refuse(ErrorCode::kHeaderless,
                  "its first line is not '" + std::string(kFirstLine) + "'");
  if (!lines.had_newline()) return Refuse(ErrorCode::kTruncated, "it ends in its first line");
  if (line != kFirstLine)
    return Refuse(ErrorCode::kUnknownVersion,
                  "line 1: this version reads '" + std::string(kFirstLine) + "', the file says '" +
                      Printable(line, limits::kAttributeNameBytes) + "'");
  return {};
}

// What the visitors and the parser said, until the trailer has been seen: damage comes first.
class Verification {
 public:
  Verification(VerifiedFile& file, const RecordVisitor& visit, const BatchVisitor& visit_batch)
      : file_(file), visit_(visit), visit_batch_(visit_batch) {}

  // Errors: only such of a visitor that no damage of the file explains (kIo, kInterrupted).
  Result<> Line(std::string_view line, std::uint64_t number) {
    if (!outcome_) return {};
    Result<Event> event = parser_.Line(line, number);
    if (!event) {
      outcome_ = std::unexpected(std::move(event).error());
    } else if (*event == Event::kHeader) {
      file_.header = parser_.header();
      has_header_ = true;
    } else if (*event == Event::kBatch) {
      file_.batches.push_back(parser_.batch());
      if (visit_batch_) outcome_ = visit_batch_(parser_.batch_index(), parser_.batch());
    } else if (*event == Event::kChange && visit_) {
      outcome_ = visit_(parser_.batch_index(), parser_.change());
    }
    if (outcome_) return {};
    const ErrorCode code = outcome_.error().code;
    if (code == ErrorCode::kIo || code == ErrorCode::kInterrupted) return outcome_;
    return {};
  }

  // Signature and signer of the trailer, then what was put off.
  Result<> Judge(std::string_view end_line, const Signature& signature,
                 const std::optional<PublicKey>& expected, std::uint64_t number) {
    if (has_header_) {
      const PublicKey& signer = file_.header.signer;
      if (!Verify(signer, SignedText(end_line), signature))
        return Refuse(ErrorCode::kBadSignature, "the signature is not that of the key it names");
      if (expected && *expected != signer)
        return Refuse(ErrorCode::kKeyChanged, "it is signed by " + Fingerprint(signer) +
                                                  ", the pinned key is " + Fingerprint(*expected));
    }
    DIRSYNC_CHECK(outcome_);
    DIRSYNC_CHECK(parser_.Finish(number));
    if (parser_.records() != file_.trailer.records)
      return Refuse(ErrorCode::kBadRecord,
                    "line " + std::to_string(number) + ": the trailer counts other records");
    return {};
  }

 private:
  VerifiedFile& file_;
  const RecordVisitor& visit_;
  const BatchVisitor& visit_batch_;
  SyncFileParser parser_;
  bool has_header_ = false;
  Result<> outcome_;
};

// The signature line behind the end line, and nothing behind it.
Result<Signature> ReadSignature(LineReader& lines) {
  std::string_view line;
  Signature signature;
  if (!lines.Next(line)) {
    DIRSYNC_CHECK(lines.status());
    return Refuse(ErrorCode::kUnsigned, "it has no signature line");
  }
  if (!lines.had_newline()) return Refuse(ErrorCode::kTruncated, "it ends in its signature line");
  if (!ParseSignatureLine(line, signature))
    return Refuse(ErrorCode::kDamaged, "the line behind '#! end' is no signature line");
  if (lines.Next(line)) return Refuse(ErrorCode::kDamaged, "something stands behind its end");
  DIRSYNC_CHECK(lines.status());
  return signature;
}

}  // namespace

Result<FileNature> NatureOf(ByteSource& source) {
  std::string start;
  DIRSYNC_CHECK(source.Read(0, kFileMagic.size(), start));
  return start == kFileMagic ? FileNature::kOurs : FileNature::kForeign;
}

Result<FileHeader> PeekSyncFile(ByteSource& source) {
  LineReader lines(source);
  DIRSYNC_CHECK(CheckFirstLine(lines));
  SyncFileParser parser;
  std::string_view line;
  while (lines.Next(line)) {
    if (!lines.had_newline()) break;
    DIRSYNC_TRY(event, parser.Line(line, lines.number()));
    if (event == Event::kHeader) return parser.header();
  }
  DIRSYNC_CHECK(lines.status());
  return Refuse(ErrorCode::kTruncated, "it ends in its header");
}

Result<VerifiedFile> VerifySyncFile(ByteSource& source, const std::optional<PublicKey>& expected,
                                    const RecordVisitor& visit, const BatchVisitor& visit_batch) {
  VerifiedFile file;
  file.size = source.size();
  LineReader lines(source);
  DIRSYNC_CHECK(CheckFirstLine(lines));
  TextDigest digest;
  digest.Line(kFirstLine, lines.offset());
  Verification verification(file, visit, visit_batch);
  std::string_view line;
  for (;;) {
    const bool any = lines.Next(line);
    DIRSYNC_CHECK(lines.status());
    if (!any || !lines.had_newline()) return Refuse(ErrorCode::kTruncated, "its end is missing");
    if (line.starts_with(kEndMark)) break;
    digest.Line(line, lines.offset());
    DIRSYNC_CHECK(verification.Line(line, lines.number()));
  }
  const std::string end(line);
  const std::uint64_t number = lines.number();
  DIRSYNC_TRY(signature, ReadSignature(lines));
  if (!ParseEndLine(end, file.trailer))
    return Refuse(ErrorCode::kDamaged, "the line '#! end' is not written so");
  file.blocks = digest.Finish();
  if (file.blocks.back() != file.trailer.text)
    return Refuse(ErrorCode::kDamaged, "its text is not the one that was written");
  DIRSYNC_CHECK(verification.Judge(end, signature, expected, number));
  return file;
}

}  // namespace dirsync
