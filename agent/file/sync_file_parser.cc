#include "agent/file/sync_file_parser.h"

#include "agent/file/file_lines.h"
#include "proto/base/limits.h"

namespace dirsync {
namespace {

constexpr std::string_view kBatchWord = "batch ";

std::unexpected<Error> Bad(std::string reason) {
  return Fail(ErrorCode::kBadRecord, std::move(reason));
}

Error AtLine(Error error, std::uint64_t number) {
  error.message = "read sync file: line " + std::to_string(number) + ": " + error.message;
  return error;
}

// What the change takes in the stored form of a batch at least: every text whole, two bytes in
// front of each value, four in front of each attribute. So no batch that a site can store is
// refused here.
std::size_t StoredBytesLeast(const Change& change) {
  std::size_t bytes =
      change.name.size() + change.dn.size() + change.old_dn.size() + change.target_address.size();
  for (const AttributeChange& attribute : change.attributes) {
    bytes += 4 + attribute.name.size();
    for (const std::string& value : attribute.values) bytes += 2 + value.size();
  }
  return bytes;
}

}  // namespace

Result<SyncFileParser::Event> SyncFileParser::Line(std::string_view line, std::uint64_t number) {
  Result<Event> event = Dispatch(line);
  if (!event) event.error() = AtLine(std::move(event.error()), number);
  return event;
}

Result<SyncFileParser::Event> SyncFileParser::Dispatch(std::string_view line) {
  if (line.empty()) return BlankLine();
  const char first = line.front();
  if (first == '-' || first == 'A' || first == 'M' || first == 'D') {
    if (phase_ != Phase::kRecords) return Bad("a record inside the header");
    if (auto taken = record_.TextLine(line); !taken)
      return std::unexpected(std::move(taken).error());
    return Event::kNone;
  }
  if (line.starts_with(kMachineMark)) return MachineLine(line);
  if (first == '#' && !line.starts_with("#!")) return Event::kNone;
  return Bad("not a line of a sync file");
}

Result<SyncFileParser::Event> SyncFileParser::MachineLine(std::string_view line) {
  if (line.size() >= limits::kOldLineBytes) return Bad("the '#!' line is too long");
  line.remove_prefix(kMachineMark.size());
  if (phase_ == Phase::kHeader) {
    DIRSYNC_TRY(whole, header_.Line(line));
    if (!whole) return Event::kNone;
    phase_ = Phase::kRecords;
    return Event::kHeader;
  }
  if (phase_ == Phase::kBatch) {
    DIRSYNC_CHECK(batch_.Line(line));
    return Event::kNone;
  }
  if (record_.idle() && line.starts_with(kBatchWord)) {
    DIRSYNC_CHECK(BeginBatch(line.substr(kBatchWord.size())));
    return Event::kNone;
  }
  DIRSYNC_CHECK(record_.MachineLine(line));
  return Event::kNone;
}

Result<SyncFileParser::Event> SyncFileParser::BlankLine() {
  if (phase_ == Phase::kHeader) return Event::kNone;
  if (phase_ == Phase::kBatch) {
    DIRSYNC_CHECK(batch_.Finish());
    weight_ += BatchWeight(batch_.batch().batch);
    if (++batches_ > kFileBatches || weight_ > kFileBatchBytes)
      return Fail(ErrorCode::kTooLarge, "the file has too many batches");
    phase_ = Phase::kRecords;
    changes_ = 0;
    bytes_ = values_ = 0;
    return Event::kBatch;
  }
  DIRSYNC_TRY(whole, record_.BlankLine());
  if (!whole) return Event::kNone;
  DIRSYNC_CHECK(CheckChange());
  return Event::kChange;
}

Result<> SyncFileParser::BeginBatch(std::string_view rest) {
  if (header().kind != FileKind::kChanges) return Bad("a batch in a file that has none");
  DIRSYNC_CHECK(CheckBatchWhole());
  DIRSYNC_CHECK(batch_.Begin(rest, header()));
  const Batch& batch = batch_.batch().batch;
  if (batch.sequence == 0) return Bad("a batch without a sequence");
  if (batches_ > 0 && (batch.sequence != last_sequence_ + 1 || batch.previous != last_digest_))
    return Bad("the batch does not follow the one before");
  last_sequence_ = batch.sequence;
  last_digest_ = batch_.batch().digest;
  phase_ = Phase::kBatch;
  return {};
}

Result<> SyncFileParser::CheckChange() {
  ++records_;
  ++changes_;
  if (header().kind != FileKind::kChanges) {
    if (record_.change().kind != ChangeKind::kAdd) return Bad("only adds may stand in this file");
    return {};
  }
  if (batches_ == 0) return Bad("a record before the first batch");
  if (changes_ > batch().change_count) return Bad("the batch has more changes than it says");
  return CountChange();
}

// Whoever applies a batch holds it whole: it is no larger than one that comes by the broker.
Result<> SyncFileParser::CountChange() {
  const Change& change = record_.change();
  bytes_ += StoredBytesLeast(change);
  for (const AttributeChange& attribute : change.attributes) values_ += attribute.values.size();
  if (bytes_ <= limits::kBatchPayloadBytes && values_ <= limits::kValuesPerBatch) return {};
  return Fail(ErrorCode::kTooLarge, "batch " + std::to_string(batch().batch.sequence) +
                                        " has more bytes or values than a batch can have");
}

Result<> SyncFileParser::CheckBatchWhole() const {
  if (!record_.whole()) return Bad("the record is not whole");
  if (batches_ > 0 && changes_ != batch().change_count)
    return Bad("the batch has fewer changes than it says");
  return {};
}

Result<> SyncFileParser::Finish(std::uint64_t number) const {
  Result<> whole;
  if (phase_ != Phase::kRecords) {
    whole = Bad("the header is not whole");
  } else {
    whole = CheckBatchWhole();
  }
  if (!whole) whole.error() = AtLine(std::move(whole.error()), number);
  return whole;
}

}  // namespace dirsync
