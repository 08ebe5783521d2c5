#include "agent/file/file_lines.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "agent/file/field_reader.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/model/attribute_table.h"

namespace dirsync {
namespace {

constexpr std::size_t kChunkBytes = 200;  // of text in one line: as hex it still fits
constexpr std::size_t kIdsPerLine = 14;   // of wants
constexpr std::size_t kStringBytes = 48;  // what a short string costs in memory

constexpr std::array<bool, 256> MakeNameCharacters() {
  std::array<bool, 256> allowed{};
  for (int c = 'a'; c <= 'z'; ++c) allowed[c] = allowed[c - 'a' + 'A'] = true;
  for (int c = '0'; c <= '9'; ++c) allowed[c] = true;
  allowed['-'] = true;
  return allowed;
}
constexpr std::array<bool, 256> kNameCharacters = MakeNameCharacters();

// As much of `text` as one line takes, not splitting a character.
std::string_view Chunk(std::string_view text) {
  if (text.size() <= kChunkBytes) return text;
  std::size_t size = kChunkBytes;
  while (size > kChunkBytes - 4 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
  return text.substr(0, size);
}

void AppendId(std::string& out, std::string_view key, std::string_view bytes) {
  out.append(key);
  AppendHex(out, bytes);
}

void AppendField(std::string& out, std::string_view key, std::uint64_t number) {
  out.append(key);
  AppendNumber(out, number);
}

void AppendPositionLine(std::string& out, std::string_view keyword, const Position& position) {
  out.append(kMachineMark).append(keyword).append(" ").append(position.epoch.ToString());
  AppendField(out, " ", position.sequence);
  AppendId(out, " ", position.digest.view());
  out.push_back('\n');
}

void AppendTerms(std::string& out, const StreamTerms& terms) {
  AppendId(out, "#! hash-key ", terms.hash_key.view());
  out.push_back('\n');
  AppendTextLines(out, "address-type", terms.address_type);
  for (const std::string& name : terms.attributes) AppendTextLines(out, "attribute", name);
}

void AppendTotals(std::string& out, const RunTotals& totals) {
  if (totals == RunTotals{}) return;
  AppendId(out, "#! run ", totals.run.view());
  out.push_back('\n');
  for (const auto& [entry_class, counts] : totals.by_class) {
    out.append("#! total ").append(ClassName(entry_class));
    AppendField(out, " adds=", counts.adds);
    AppendField(out, " modifies=", counts.modifies);
    AppendField(out, " renames=", counts.renames);
    AppendField(out, " deletes=", counts.deletes);
    AppendField(out, " retargets=", counts.retargets);
    out.push_back('\n');
  }
}

void AppendWant(std::string& out, const FileWant& want) {
  AppendTextLines(out, "want", want.stream.ToString());
  for (std::size_t i = 0; i < want.ids.size(); ++i) {
    if (i % kIdsPerLine == 0) out.append("#! want-ids");
    AppendId(out, " ", want.ids[i].view());
    if (i % kIdsPerLine == kIdsPerLine - 1 || i + 1 == want.ids.size()) out.push_back('\n');
  }
}

Result<> CheckStream(std::string_view what, const StreamName& stream) {
  if (ParseStreamText(stream.ToString()) == stream) return {};
  return Fail(ErrorCode::kInvalid, "write sync file: " + std::string(what) + " " +
                                       Printable(stream.ToString()) +
                                       ": organisation or site is empty or too long");
}

Result<> CheckCount(std::string_view what, std::size_t count, std::size_t limit) {
  if (count <= limit) return {};
  return Fail(ErrorCode::kTooLarge, "write sync file: " + std::to_string(count) + " " +
                                        std::string(what) + " where " + std::to_string(limit) +
                                        " are allowed");
}

}  // namespace

std::size_t BatchWeight(const Batch& batch) {
  std::size_t weight = sizeof(FileBatch) + batch.run.by_class.size() * 2 * kStringBytes;
  for (const std::string& name : batch.terms.attributes) weight += kStringBytes + name.size();
  return weight;
}

void AppendNumber(std::string& out, std::uint64_t number) {
  char digits[20];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number);
  out.append(digits, static_cast<std::size_t>(end - digits));
}

void AppendTextLines(std::string& out, std::string_view keyword, std::string_view text) {
  for (bool first = true; first || !text.empty(); first = false) {
    const std::string_view chunk = Chunk(text);
    out.append(kMachineMark).append(first ? keyword : "+");
    if (!first || !keyword.ends_with(':')) out.push_back(' ');
    AppendValueText(out, chunk);
    out.push_back('\n');
    text.remove_prefix(chunk.size());
  }
}

void AppendHeaderLines(std::string& out, const FileHeader& header) {
  out.append(kFirstLine).append("\n#! kind ").append(FileKindName(header.kind)).append("\n");
  AppendTextLines(out, "stream", header.stream.ToString());
  out.append("#! epoch ").append(header.epoch.ToString());
  AppendId(out, "\n#! signer ", header.signer.view());
  out.append("\n#! time ").append(std::to_string(ToMillis(header.time))).append("\n");
  AppendTerms(out, header.terms);
  if (header.as_of != Position{}) AppendPositionLine(out, "as-of", header.as_of);
  AppendTotals(out, header.totals);
  for (const FileAck& ack : header.acks) {
    AppendTextLines(out, "ack", ack.stream.ToString());
    AppendPositionLine(out, "ack-at", ack.position);
  }
  for (const FileWant& want : header.wants) AppendWant(out, want);
  out.append("#! records\n\n");
}

void AppendBatchLines(std::string& out, const FileBatch& info, const StreamTerms& terms) {
  const Batch& batch = info.batch;
  AppendField(out, "#! batch sequence=", batch.sequence);
  out.append(" kind=").append(BatchKindName(batch.kind));
  out.append(" time=").append(std::to_string(ToMillis(batch.time)));
  AppendField(out, " changes=", info.change_count);
  AppendField(out, " rows=", batch.rows_after);
  out.append(" sum=").append(batch.sum_after.hex());
  AppendId(out, " previous=", batch.previous.view());
  AppendId(out, " digest=", info.digest.view());
  out.push_back('\n');
  AppendTotals(out, batch.run);
  if (batch.previous_epoch != Position{})
    AppendPositionLine(out, "previous-epoch", batch.previous_epoch);
  if (batch.terms != terms) {
    out.append("#! terms\n");
    AppendTerms(out, batch.terms);
  }
  out.push_back('\n');
}

Result<> CheckTerms(const StreamTerms& terms) {
  DIRSYNC_CHECK(CheckCount("attributes", terms.attributes.size(), kFileTermsAttributes));
  for (const std::string& name : terms.attributes)
    DIRSYNC_CHECK(CheckCount("bytes of an attribute name", name.size(), limits::kNameBytes));
  return CheckCount("bytes of address type", terms.address_type.size(), limits::kNameBytes);
}

Result<> CheckHeader(const FileHeader& header) {
  DIRSYNC_CHECK(CheckStream("stream", header.stream));
  DIRSYNC_CHECK(CheckTerms(header.terms));
  DIRSYNC_CHECK(CheckCount("acks", header.acks.size(), kFileAcks));
  for (const FileAck& ack : header.acks) DIRSYNC_CHECK(CheckStream("ack of", ack.stream));
  DIRSYNC_CHECK(CheckCount("wants", header.wants.size(), kFileWants));
  std::size_t ids = 0;
  for (const FileWant& want : header.wants) {
    DIRSYNC_CHECK(CheckStream("want from", want.stream));
    DIRSYNC_CHECK(CheckCount("ids in a want", want.ids.size(), limits::kWantIds));
    ids += want.ids.size();
  }
  return CheckCount("ids in all wants", ids, kFileWantIds);
}

std::string EndLine(const FileTrailer& trailer) {
  std::string line(kEndMark);
  AppendField(line, "records=", trailer.records);
  AppendField(line, " rows=", trailer.rows);
  line.append(" sum=").append(trailer.sum.hex());
  AppendId(line, " text=", trailer.text.view());
  return line;
}

std::string SignedText(std::string_view end_line) {
  return std::string("dirsync-file 1\n").append(end_line).append("\n");
}

std::string SignatureLine(const Signature& signature) {
  return std::string(kSignatureMark) + signature.hex();
}

bool ParseEndLine(std::string_view line, FileTrailer& trailer) {
  FieldReader fields(line);
  fields.Word(kEndMark);
  fields.Word("records=");
  trailer.records = fields.Number();
  fields.Word(" rows=");
  trailer.rows = fields.Number();
  fields.Word(" sum=");
  trailer.sum = fields.Sum();
  fields.Word(" text=");
  trailer.text = fields.Id<Digest>();
  return fields.done();
}

bool ParseSignatureLine(std::string_view line, Signature& signature) {
  FieldReader fields(line);
  fields.Word(kSignatureMark);
  signature = fields.Id<Signature>();
  return fields.done();
}

std::string_view BatchKindName(BatchKind kind) {
  switch (kind) {
    case BatchKind::kStart:
      return "start";
    case BatchKind::kChanges:
      return "changes";
    case BatchKind::kCanary:
      return "canary";
    case BatchKind::kRange:
      return "range";
  }
  return "unknown";
}

bool IsFileAttributeName(std::string_view name) {
  if (name.empty() || name.size() > limits::kAttributeNameBytes) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return kNameCharacters[static_cast<unsigned char>(c)]; });
}

bool IsReservedAttribute(std::string_view name) {
  for (const std::string_view reserved :
       {attribute::kCommonName, attribute::kObjClass, attribute::kTargetAddress})
    if (name.size() == reserved.size() && EqualsIgnoreCase(name, reserved)) return true;
  return false;
}

std::optional<StreamName> ParseStreamText(std::string_view text) {
  if (!text.ends_with('/')) return StreamName::Parse(text);
  std::optional<StreamName> stream = StreamName::Parse(std::string(text) + "-");
  if (stream) stream->instance.clear();
  return stream;
}

std::string ShownDn(std::string_view dn) {
  const std::string shown = Printable(dn, 4 * kFileTextBytes);
  const std::string_view trimmed = TrimBlanks(shown);
  return trimmed.empty() ? std::string("/cn=?") : std::string(trimmed);
}

std::string_view ShortName(std::string_view dn) {
  const std::size_t slash = dn.rfind('/');
  if (slash != std::string_view::npos) dn.remove_prefix(slash + 1);
  const std::size_t equals = dn.find('=');
  return equals == std::string_view::npos ? std::string_view{} : dn.substr(equals + 1);
}

}  // namespace dirsync
