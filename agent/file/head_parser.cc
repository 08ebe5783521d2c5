#include "agent/file/head_parser.h"

#include <array>

#include "agent/file/field_reader.h"
#include "agent/file/file_lines.h"
#include "proto/base/limits.h"

namespace dirsync {
namespace {

// Three parts of limits::kNameBytes, escaped.
constexpr std::size_t kStreamTextBytes = 3 * (3 * limits::kNameBytes + 1);

// Items of a header in their order.
enum HeaderItem {
  kKind = 1,
  kStream,
  kEpoch,
  kSigner,
  kTime,
  kHashKey,
  kAddressType,  // the last that every header has
  kAttribute,
  kAsOf,
  kRun,
  kTotal,
  kAck,
  kAckAt,
  kWant,
  kWantIds,
  kRecords,
};
constexpr std::array<std::string_view, 16> kHeaderWords = {
    "kind",  "stream", "epoch", "signer", "time",   "hash-key", "address-type", "attribute",
    "as-of", "run",    "total", "ack",    "ack-at", "want",     "want-ids",     "records"};

// Items of a batch's head in their order.
enum BatchItem {
  kBatchRun = 1,
  kBatchTotal,
  kPreviousEpoch,
  kTerms,
  kTermsHashKey,
  kTermsAddressType,
  kTermsAttribute,
};
constexpr std::array<std::string_view, 7> kBatchWords = {
    "run", "total", "previous-epoch", "terms", "hash-key", "address-type", "attribute"};

std::unexpected<Error> Bad(std::string reason) {
  return Fail(ErrorCode::kBadRecord, std::move(reason));
}
std::unexpected<Error> Wrong(std::string_view word) {
  return Bad("the line '" + std::string(word) + "' is not written so");
}

struct Split2 {
  std::string_view word, rest;
};
Split2 SplitWord(std::string_view line) {
  const std::size_t blank = line.find(' ');
  if (blank == std::string_view::npos) return {line, {}};
  return {line.substr(0, blank), line.substr(blank + 1)};
}

template <std::size_t N>
int RankOf(const std::array<std::string_view, N>& words, std::string_view word) {
  for (std::size_t i = 0; i < N; ++i)
    if (words[i] == word) return static_cast<int>(i) + 1;
  return 0;
}

bool MayFollow(int last, int next) {
  if (last == kAck) return next == kAckAt;
  if (next <= kAddressType || last < kAddressType) return next == last + 1;
  switch (next) {
    case kAttribute:
    case kWant:
      return last <= next || (next == kWant && last == kWantIds);
    case kTotal:
      return last == kRun || last == kTotal;
    case kAck:
      return last < kAck || last == kAckAt;
    case kAckAt:
      return false;
    case kWantIds:
      return last == kWant || last == kWantIds;
    default:
      return last < next;
  }
}

bool BatchMayFollow(int last, int next) {
  switch (next) {
    case kBatchTotal:
      return last == kBatchRun || last == kBatchTotal;
    case kTermsHashKey:
    case kTermsAddressType:
      return last == next - 1;
    case kTermsAttribute:
      return last == kTermsAddressType || last == kTermsAttribute;
    default:
      return last < next;
  }
}

bool ParseKind(std::string_view rest, FileKind& kind) {
  for (const FileKind known : {FileKind::kChanges, FileKind::kFull, FileKind::kAdhoc})
    if (rest == FileKindName(known)) {
      kind = known;
      return true;
    }
  return false;
}

bool ParseBatchKind(std::string_view word, BatchKind& kind) {
  for (const BatchKind known : {BatchKind::kStart, BatchKind::kChanges, BatchKind::kCanary})
    if (word == BatchKindName(known)) {
      kind = known;
      return true;
    }
  return false;
}

bool ParseTotal(std::string_view rest, RunTotals& totals) {
  FieldReader fields(rest);
  const std::string_view word = fields.Token();
  const std::optional<EntryClass> entry_class = ParseClass(word);
  if (!entry_class || ClassName(*entry_class) != word) return false;
  ClassTotals counts;
  fields.Word(" adds=");
  counts.adds = fields.Number();
  fields.Word(" modifies=");
  counts.modifies = fields.Number();
  fields.Word(" renames=");
  counts.renames = fields.Number();
  fields.Word(" deletes=");
  counts.deletes = fields.Number();
  fields.Word(" retargets=");
  counts.retargets = fields.Number();
  return fields.done() && totals.by_class.emplace(*entry_class, counts).second;
}

bool ParsePosition(std::string_view rest, Position& position) {
  FieldReader fields(rest);
  position = fields.ReadPosition();
  return fields.done();
}

bool ParseTime(std::string_view rest, Instant& time) {
  FieldReader fields(rest);
  time = FromMillis(fields.Signed());
  return fields.done();
}

bool ParseEpoch(std::string_view rest, Epoch& epoch) {
  FieldReader fields(rest);
  epoch = fields.ReadEpoch();
  return fields.done();
}

bool ParseIds(std::string_view rest, std::vector<EntryId>& ids) {
  FieldReader fields(rest);
  do {
    ids.push_back(fields.Id<EntryId>());
  } while (fields.Optional(" "));
  return fields.done() && ids.size() <= limits::kWantIds;
}

}  // namespace

bool TextTarget::Begin(std::string_view text, std::string& target, std::size_t bytes_max) {
  target_ = &target;
  bytes_max_ = bytes_max;
  return ParseValueText(text, target) && target.size() <= bytes_max;
}

bool TextTarget::GoOn(std::string_view text) {
  if (target_ == nullptr || !ParseValueText(text, piece_)) return false;
  if (target_->size() + piece_.size() > bytes_max_) return false;
  target_->append(piece_);
  return true;
}

Result<bool> HeaderParser::Line(std::string_view line) {
  const auto [word, rest] = SplitWord(line);
  if (word == "+") {
    if (!text_.GoOn(rest)) return Wrong(word);
    return false;
  }
  const int rank = RankOf(kHeaderWords, word);
  if (rank == 0) return Bad("a '#!' line of the header that this version does not know");
  if (!MayFollow(last_, rank)) return Bad("the line '" + std::string(word) + "' is out of order");
  last_ = rank;
  text_.Close();
  DIRSYNC_CHECK(Item(rank, rest));
  return rank == kRecords;
}

Result<> HeaderParser::Item(int rank, std::string_view rest) {
  bool good = false;
  switch (rank) {
    case kKind:
      good = ParseKind(rest, header_.kind);
      break;
    case kStream:
      good = text_.Begin(rest, stream_, kStreamTextBytes);
      break;
    case kEpoch:
      good = ParseEpoch(rest, header_.epoch);
      break;
    case kSigner:
      good = ParseLowerHex(rest, header_.signer);
      break;
    case kTime:
      good = ParseTime(rest, header_.time);
      break;
    case kHashKey:
      good = ParseLowerHex(rest, header_.terms.hash_key);
      break;
    case kAddressType:
      good = text_.Begin(rest, header_.terms.address_type, limits::kNameBytes);
      break;
    case kAttribute:
      good = text_.Begin(rest, header_.terms.attributes.emplace_back(), limits::kNameBytes);
      break;
    case kAsOf:
      good = ParsePosition(rest, header_.as_of);
      break;
    case kRun:
      good = ParseLowerHex(rest, header_.totals.run);
      break;
    case kTotal:
      good = ParseTotal(rest, header_.totals);
      break;
    case kAck:
      header_.acks.emplace_back();
      good = text_.Begin(rest, acks_.emplace_back(), kStreamTextBytes) && acks_.size() <= kFileAcks;
      break;
    case kAckAt:
      good = ParsePosition(rest, header_.acks.back().position);
      break;
    case kWant:
      header_.wants.emplace_back();
      good =
          text_.Begin(rest, wants_.emplace_back(), kStreamTextBytes) && wants_.size() <= kFileWants;
      break;
    case kWantIds: {
      std::vector<EntryId>& ids = header_.wants.back().ids;
      want_ids_ -= ids.size();
      good = ParseIds(rest, ids);
      want_ids_ += ids.size();
      good = good && want_ids_ <= kFileWantIds;
      break;
    }
    case kRecords:
      return rest.empty() ? Finish() : Result<>(Wrong("records"));
    default:
      break;
  }
  if (!good) return Wrong(kHeaderWords[static_cast<std::size_t>(rank) - 1]);
  if (header_.terms.attributes.size() > kFileTermsAttributes)
    return Fail(ErrorCode::kTooLarge, "the attribute list is too long");
  return {};
}

Result<> HeaderParser::Finish() {
  const std::optional<StreamName> stream = ParseStreamText(stream_);
  if (!stream) return Bad("the stream's name is not ORGANISATION/SITE/INSTANCE");
  header_.stream = *stream;
  for (std::size_t i = 0; i < acks_.size(); ++i) {
    const std::optional<StreamName> of = ParseStreamText(acks_[i]);
    if (!of) return Bad("the stream of an ack is not ORGANISATION/SITE/INSTANCE");
    header_.acks[i].stream = *of;
  }
  for (std::size_t i = 0; i < wants_.size(); ++i) {
    const std::optional<StreamName> from = ParseStreamText(wants_[i]);
    if (!from) return Bad("the stream of a want is not ORGANISATION/SITE/INSTANCE");
    header_.wants[i].stream = *from;
  }
  return CheckTerms(header_.terms);
}

Result<> BatchParser::Begin(std::string_view rest, const FileHeader& header) {
  info_ = FileBatch{};
  last_ = 0;
  text_.Close();
  Batch& batch = info_.batch;
  batch.stream = header.stream;
  batch.epoch = header.epoch;
  batch.terms = header.terms;
  FieldReader fields(rest);
  fields.Word("sequence=");
  batch.sequence = fields.Number();
  fields.Word(" kind=");
  const bool known = ParseBatchKind(fields.Token(), batch.kind);
  fields.Word(" time=");
  batch.time = FromMillis(fields.Signed());
  fields.Word(" changes=");
  info_.change_count = fields.Number();
  fields.Word(" rows=");
  batch.rows_after = fields.Number();
  fields.Word(" sum=");
  batch.sum_after = fields.Sum();
  fields.Word(" previous=");
  batch.previous = fields.Id<Digest>();
  fields.Word(" digest=");
  info_.digest = fields.Id<Digest>();
  if (!known || !fields.done()) return Wrong("batch");
  if (info_.change_count > limits::kChangesPerBatch)
    return Fail(ErrorCode::kTooLarge, "the batch has too many changes");
  return {};
}

Result<> BatchParser::Line(std::string_view line) {
  const auto [word, rest] = SplitWord(line);
  Batch& batch = info_.batch;
  if (word == "+") {
    if (!text_.GoOn(rest)) return Wrong(word);
    return {};
  }
  const int rank = RankOf(kBatchWords, word);
  if (rank == 0) return Bad("a '#!' line of the batch that this version does not know");
  if (!BatchMayFollow(last_, rank))
    return Bad("the line '" + std::string(word) + "' is out of order");
  last_ = rank;
  text_.Close();
  bool good = false;
  switch (rank) {
    case kBatchRun:
      good = ParseLowerHex(rest, batch.run.run);
      break;
    case kBatchTotal:
      good = ParseTotal(rest, batch.run);
      break;
    case kPreviousEpoch:
      good = ParsePosition(rest, batch.previous_epoch);
      break;
    case kTerms:
      batch.terms = StreamTerms{};
      good = rest.empty();
      break;
    case kTermsHashKey:
      good = ParseLowerHex(rest, batch.terms.hash_key);
      break;
    case kTermsAddressType:
      good = text_.Begin(rest, batch.terms.address_type, limits::kNameBytes);
      break;
    case kTermsAttribute:
      if (batch.terms.attributes.size() >= kFileTermsAttributes)
        return Fail(ErrorCode::kTooLarge, "the attribute list is too long");
      good = text_.Begin(rest, batch.terms.attributes.emplace_back(), limits::kNameBytes);
      break;
    default:
      break;
  }
  if (!good) return Wrong(word);
  return {};
}

Result<> BatchParser::Finish() {
  text_.Close();
  if (last_ == kTerms || last_ == kTermsHashKey) return Bad("the batch's terms are not whole");
  return CheckTerms(info_.batch.terms);
}

}  // namespace dirsync
