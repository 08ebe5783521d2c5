#include "agent/file/ldif.h"

#include <algorithm>

#include "agent/file/base64.h"
#include "agent/file/line_reader.h"
#include "agent/file/value_text.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::size_t kColumns = 76;
constexpr std::size_t kRecordValues = 65536;  // of one record
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::unexpected<Error> Refuse(ErrorCode code, std::uint64_t line, std::string reason) {
  return Fail(code, "read ldif: line " + std::to_string(line) + ": " + std::move(reason));
}

bool IsAttributeCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == ';' || c == '.' || c == '_';
}

bool IsAttributeDescription(std::string_view name) {
  return !name.empty() && name.front() != ';' && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), IsAttributeCharacter);
}

// Lines unfolded, comments left out.
class LogicalLines {
 public:
  LogicalLines(ByteSource& source, std::uint64_t offset)
      : lines_(source, offset), from_start_(offset == 0) {}

  // False at the end. Valid until the next call. Errors: kTooLarge, kIo.
  Result<bool> Next(std::string_view& line) {
    do {
      if (!lines_.Next(line)) return End();
      number_ = lines_.number();
      // A byte order mark means nothing in UTF-8, but editors write it.
      if (from_start_ && number_ == 1 && line.starts_with(kByteOrderMark))
        line.remove_prefix(kByteOrderMark.size());
      if (lines_.PeekByte() != ' ' || line.empty()) continue;
      DIRSYNC_CHECK(Unfold(line));
    } while (line.starts_with('#'));
    return true;
  }
  std::uint64_t number() const { return number_; }
  std::uint64_t offset() const { return lines_.offset(); }

 private:
  Result<bool> End() {
    DIRSYNC_CHECK(lines_.status());
    return false;
  }

  Result<> Unfold(std::string_view& line) {
    const bool comment = line.starts_with('#');
    unfolded_.assign(line.substr(0, comment ? 1 : line.size()));
    std::string_view more;
    while (lines_.PeekByte() == ' ' && lines_.Next(more)) {
      if (comment) continue;
      unfolded_.append(more.substr(1));
      if (unfolded_.size() > limits::kLineBytes)
        return Refuse(ErrorCode::kTooLarge, number_, "the folded line is too long");
    }
    DIRSYNC_CHECK(lines_.status());
    line = unfolded_;
    return {};
  }

  LineReader lines_;
  const bool from_start_;
  std::string unfolded_;
  std::uint64_t number_ = 0;  // of the first piece
};

// One line "name: value" in its parts.
struct Item {
  std::string_view name;
  bool base64 = false;
  std::string_view text;
};

Result<Item> ParseItem(std::string_view line, std::uint64_t number) {
  const std::size_t colon = line.find(':');
  Item item;
  item.name = line.substr(0, std::min(colon, line.size()));
  if (colon == std::string_view::npos || !IsAttributeDescription(item.name))
    return Refuse(ErrorCode::kInvalid, number, "it is not 'attribute: value'");
  item.text = line.substr(colon + 1);
  if (item.text.starts_with('<'))
    return Refuse(ErrorCode::kInvalid, number,
                  "values are not fetched from elsewhere (':<'): put the value in the file");
  if (item.text.starts_with(':')) {
    item.base64 = true;
    item.text.remove_prefix(1);
  }
  item.text.remove_prefix(std::min(item.text.find_first_not_of(' '), item.text.size()));
  return item;
}

Result<> TakeValue(const Item& item, std::uint64_t number, std::string& value) {
  if (!item.base64) {
    AssignText(value, item.text);
    return {};
  }
  AssignText(value, {});
  if (!ParseBase64(item.text, value)) {
    return Refuse(ErrorCode::kInvalid, number, "the value behind '::' is not base64");
  }
  return {};
}

// The record being read; slots for values are used again.
class RecordReader {
 public:
  bool open() const { return open_; }

  Result<> Line(std::string_view line, std::uint64_t number) {
    DIRSYNC_TRY(item, ParseItem(line, number));
    bytes_ += line.size();
    if (bytes_ > limits::kLineBytes || used_ == kRecordValues)
      return Refuse(ErrorCode::kTooLarge, number, "the record is too long");
    if (!open_) return Begin(item, number);
    if (EqualsIgnoreCase(item.name, "changetype") || EqualsIgnoreCase(item.name, "control"))
      return Refuse(
          ErrorCode::kInvalid, number,
          "change records ('" + ToLowerAscii(item.name) + "') are not read here, only entries");
    if (EqualsIgnoreCase(item.name, "dn"))
      return Refuse(ErrorCode::kInvalid, number, "a second dn: a blank line is missing before it");
    if (used_ == record_.values.size()) record_.values.emplace_back();
    auto& [name, value] = record_.values[used_++];
    name.assign(item.name);
    return TakeValue(item, number, value);
  }

  // At the blank line or the end. The visitor may take from the record.
  Result<> Finish(std::uint64_t offset, const std::function<Result<>(LdifRecord&)>& visit) {
    if (used_ == 0)
      return Refuse(ErrorCode::kInvalid, record_.line, "the record has no attributes");
    record_.values.resize(used_);
    record_.offset = offset;
    open_ = false;
    return visit(record_);
  }

 private:
  Result<> Begin(const Item& item, std::uint64_t number) {
    if (!EqualsIgnoreCase(item.name, "dn"))
      return Refuse(ErrorCode::kInvalid, number, "the record does not begin with 'dn:'");
    open_ = true;
    used_ = 0;
    bytes_ = 0;
    record_.line = number;
    return TakeValue(item, number, record_.dn);
  }

  LdifRecord record_;
  std::size_t used_ = 0;   // of record_.values
  std::size_t bytes_ = 0;  // of the record's lines
  bool open_ = false;
};

// "version: 1" may be the first line that is not a comment.
Result<bool> IsVersionLine(std::string_view line, std::uint64_t number) {
  if (line.size() < 8 || !EqualsIgnoreCase(line.substr(0, 8), "version:")) return false;
  if (TrimBlanks(line.substr(8)) != "1")
    return Refuse(ErrorCode::kInvalid, number, "only version 1 of LDIF is known");
  return true;
}

bool IsSafe(std::string_view value) {
  if (value.empty()) return true;
  if (value.front() == ' ' || value.front() == ':' || value.front() == '<') return false;
  if (value.back() == ' ') return false;
  return std::all_of(value.begin(), value.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte >= 0x20 && byte < 0x7F;
  });
}

}  // namespace

Result<> ReadLdif(ByteSource& source, std::uint64_t offset,
                  const std::function<Result<>(LdifRecord&)>& visit) {
  LogicalLines lines(source, offset);
  RecordReader record;
  std::string_view line;
  bool first = offset == 0;  // only there a version may stand
  for (;;) {
    DIRSYNC_TRY(any, lines.Next(line));
    if (any && !line.empty()) {
      if (first) {
        first = false;
        DIRSYNC_TRY(version, IsVersionLine(line, lines.number()));
        if (version) continue;
      }
      DIRSYNC_CHECK(record.Line(line, lines.number()));
      continue;
    }
    if (record.open()) DIRSYNC_CHECK(record.Finish(lines.offset(), visit));
    if (!any) return {};
  }
}

void AppendLdifLine(std::string& out, std::string_view name, std::string_view value) {
  const std::size_t begin = out.size();
  out.append(name).push_back(':');
  if (!IsSafe(value)) {
    out.append(": ");
    AppendBase64(out, value);
  } else if (!value.empty()) {
    out.push_back(' ');
    out.append(value);
  }
  if (out.size() - begin > kColumns) {
    const std::string whole = out.substr(begin);
    out.resize(begin + kColumns);
    for (std::size_t i = kColumns; i < whole.size(); i += kColumns - 1)
      out.append("\n ").append(whole, i, kColumns - 1);
  }
  out.push_back('\n');
}

}  // namespace dirsync
