#include "agent/file/sync_file_writer.h"

#include <utility>

#include "agent/file/file_lines.h"
#include "agent/file/record_lines.h"
#include "proto/base/limits.h"

namespace dirsync {
namespace {

constexpr std::size_t kPieceBytes = 256 * limits::kKiB;  // handed to the sink beyond this

constexpr std::string_view kComment =
    "# A directory synchronisation file. Its signature covers every line: do not edit it.\n\n";

std::unexpected<Error> Invalid(std::string reason) {
  return Fail(ErrorCode::kInvalid, "write sync file: " + std::move(reason));
}

}  // namespace

struct SyncFileWriter::State {
  State(FileHeader file_header, const SigningKey& signing_key, ByteSink byte_sink)
      : header(std::move(file_header)), key(signing_key), sink(std::move(byte_sink)) {}

  Result<> Flush();
  Result<> Send(std::string_view text);
  Result<> EndBatch() const;

  FileHeader header;
  SigningKey key;
  ByteSink sink;
  Result<> failed;    // once failed, always failed
  std::string text;   // ends of lines LF, as digested
  std::string bytes;  // the same with CR LF, for the sink
  DigestStream digest;
  std::uint64_t records = 0;
  std::size_t batches = 0;
  std::size_t weight = 0;
  std::uint64_t changes = 0;  // of the batch so far
  std::uint64_t promised = 0;
  Sequence last_sequence = 0;
  Digest last_digest;
};

// `whole_lines` with CR LF to the sink.
Result<> SyncFileWriter::State::Send(std::string_view whole_lines) {
  bytes.clear();
  while (!whole_lines.empty()) {
    const std::size_t size = whole_lines.find('\n');
    bytes.append(whole_lines.data(), size);
    bytes.append("\r\n", 2);
    whole_lines.remove_prefix(size + 1);
  }
  failed = sink(bytes);
  return failed;
}

Result<> SyncFileWriter::State::Flush() {
  digest.Update(text);
  Result<> sent = Send(text);
  text.clear();
  return sent;
}

Result<> SyncFileWriter::State::EndBatch() const {
  if (batches > 0 && changes != promised)
    return Invalid("batch " + std::to_string(last_sequence) + " has " + std::to_string(changes) +
                   " changes where " + std::to_string(promised) + " were announced");
  return {};
}

SyncFileWriter::SyncFileWriter(FileHeader header, const SigningKey& key, ByteSink sink)
    : state_(std::make_unique<State>(std::move(header), key, std::move(sink))) {
  state_->header.signer = key.public_key();
  state_->failed = CheckHeader(state_->header);
  if (!state_->failed) return;
  AppendHeaderLines(state_->text, state_->header);
  state_->text.append(kComment);
}

SyncFileWriter::~SyncFileWriter() = default;

Result<> SyncFileWriter::BeginBatch(const FileBatch& info) {
  State& s = *state_;
  DIRSYNC_CHECK(s.failed);
  const Batch& batch = info.batch;
  const std::string what = "batch " + std::to_string(batch.sequence);
  if (s.header.kind != FileKind::kChanges) return Invalid(what + " in a file of another kind");
  if (batch.stream != s.header.stream || batch.epoch != s.header.epoch)
    return Invalid(what + " is of another stream or epoch than the file");
  if (batch.sequence == 0) return Invalid("a batch without a sequence");
  if (s.batches > 0 && (batch.sequence != s.last_sequence + 1 || batch.previous != s.last_digest))
    return Invalid(what + " does not follow " + std::to_string(s.last_sequence));
  DIRSYNC_CHECK(s.EndBatch());
  DIRSYNC_CHECK(CheckTerms(batch.terms));
  const std::size_t weight = BatchWeight(batch);
  if (s.batches == kFileBatches || s.weight + weight > kFileBatchBytes ||
      info.change_count > limits::kChangesPerBatch)
    return Fail(ErrorCode::kTooLarge, "write sync file: " + what + ": more than one file takes");
  AppendBatchLines(s.text, info, s.header.terms);
  ++s.batches;
  s.weight += weight;
  s.changes = 0;
  s.promised = info.change_count;
  s.last_sequence = batch.sequence;
  s.last_digest = info.digest;
  return s.text.size() < kPieceBytes ? Result<>() : s.Flush();
}

Result<> SyncFileWriter::Write(const Change& change) {
  State& s = *state_;
  DIRSYNC_CHECK(s.failed);
  if (s.header.kind != FileKind::kChanges) {
    if (change.kind != ChangeKind::kAdd && change.unknown_kind == 0)
      return Invalid("a file of this kind carries adds only");
  } else if (s.batches == 0 || s.changes == s.promised) {
    return Invalid("a change that no batch announced");
  }
  const std::size_t mark = s.text.size();
  if (auto appended = AppendRecord(s.text, change); !appended) {
    s.text.resize(mark);
    return appended;
  }
  ++s.changes;
  ++s.records;
  return s.text.size() < kPieceBytes ? Result<>() : s.Flush();
}

Result<FileTrailer> SyncFileWriter::Finish(const RowSum& sum, std::uint64_t rows) {
  State& s = *state_;
  DIRSYNC_CHECK(s.failed);
  DIRSYNC_CHECK(s.EndBatch());
  DIRSYNC_CHECK(s.Flush());
  FileTrailer trailer;
  trailer.records = s.records;
  trailer.sum = sum;
  trailer.rows = rows;
  trailer.text = s.digest.Finish();
  s.failed = Invalid("the file is finished");
  const std::string end = EndLine(trailer);
  const std::string signature = SignatureLine(s.key.Sign(SignedText(end)));
  if (auto sent = s.Send(end + "\n" + signature + "\n"); !sent)
    return std::unexpected(std::move(sent).error());
  s.failed = Invalid("the file is finished");
  return trailer;
}

}  // namespace dirsync
