#include "agent/file/foreign_file.h"

#include <algorithm>
#include <optional>

#include "agent/file/code_page.h"
#include "agent/file/file_lines.h"
#include "agent/file/foreign_line.h"
#include "agent/file/line_reader.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

constexpr std::size_t kRecordTextBytes = 4 * limits::kMiB;  // kept for FILE.err
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::unexpected<Error> Bad(std::string reason) {
  return Fail(ErrorCode::kBadRecord, std::move(reason));
}

// The record being read.
class RecordBuilder {
 public:
  bool open() const { return open_; }

  // `raw`: the line as read; `line`: the same as UTF-8.
  void Line(ForeignLineKind kind, std::string_view raw, std::string_view line,
            std::uint64_t number) {
    if (!open_) {
      *this = RecordBuilder();
      open_ = true;
      record_.line = number;
    }
    Keep(raw, number);
    may_hide_another_ = may_hide_another_ || kind == ForeignLineKind::kOther;
    if (error_) return;
    Result<> taken = Take(kind, line);
    if (!taken) Note(taken.error(), number);
  }

  // Hands the record or its error to the visitor; the next line begins another.
  Result<> Finish(const ForeignVisitor& visitor) {
    open_ = false;
    if (error_) {
      error_->text = std::move(record_.text);
      error_->kind = record_.kind;
      error_->dn = std::move(record_.dn);
      error_->may_hide_another = may_hide_another_;
      return visitor.error ? visitor.error(*error_) : Result<>();
    }
    std::sort(record_.attributes.begin(), record_.attributes.end(),
              [](const AttributeChange& a, const AttributeChange& b) {
                return a.name != b.name ? a.name < b.name : a.operation < b.operation;
              });
    return visitor.record ? visitor.record(record_) : Result<>();
  }

 private:
  void Keep(std::string_view raw, std::uint64_t number) {
    if (record_.text.size() + raw.size() < kRecordTextBytes) {
      record_.text.append(raw).push_back('\n');
    } else if (!error_) {
      Note(Bad("the record is too long").error(), number);
    }
  }

  void Note(const Error& error, std::uint64_t number) {
    error_.emplace();
    error_->line = number;
    error_->reason = error.message;
    if (!error.hint.empty()) error_->reason += " (" + error.hint + ")";
  }

  Result<> Take(ForeignLineKind kind, std::string_view line) {
    if (kind == ForeignLineKind::kHeader) {
      DIRSYNC_TRY(header, ParseForeignHeader(line));
      record_.kind = header.kind;
      record_.dn = header.dn;
      rdn_ = std::move(header.rdn);
      return {};
    }
    if (record_.dn.empty()) return Bad("a record begins with A, M or D and a name");
    if (kind == ForeignLineKind::kOther)
      return Bad("neither '- Name:value' nor a record's first line");
    DIRSYNC_TRY(attribute, ParseForeignAttribute(line));
    if (EqualsIgnoreCase(attribute.name, attribute::kCommonName)) return CommonName(attribute);
    if (EqualsIgnoreCase(attribute.name, attribute::kObjClass)) return ObjClass(attribute);
    return Value(attribute);
  }

  // The first line names the entry already; the same name again does no harm.
  Result<> CommonName(const ForeignAttribute& line) {
    DIRSYNC_TRY(name, ForeignText(line.text));
    if (FoldName(name) == FoldName(rdn_)) return {};
    return Bad("Common-Name is not the name in the record's first line");
  }

  Result<> ObjClass(const ForeignAttribute& line) {
    DIRSYNC_TRY(name, ForeignText(line.text));
    if (!ParseClass(name)) return Bad("the class " + Printable(name, 64) + " is not known");
    record_.entry_class = name;
    return {};
  }

  Result<> Value(const ForeignAttribute& line) {
    DIRSYNC_TRY(name, CanonicalAttribute(line.name));
    const AttributeInfo& info = *FindAttribute(name);
    DIRSYNC_TRY(value, ForeignValue(line.text, info));
    DIRSYNC_TRY(values, ValuesOf(name, line.operation));
    if (value.empty()) {
      if (line.operation == AttributeOperation::kSet) return {};
      return Bad("nothing to add to or remove from " + name);
    }
    if (!values->empty() && !info.multi_valued) return Bad(name + " takes one value");
    if (values->size() == limits::kValuesPerAttribute) return Bad(name + " has too many values");
    bytes_ += value.size();
    if (bytes_ > limits::kEntryBytes) return Bad("the values of the record are too long");
    values->push_back(std::move(value));
    return {};
  }

  // The values of `name` under `operation`, begun if this is the first.
  Result<std::vector<std::string>*> ValuesOf(const std::string& name,
                                             AttributeOperation operation) {
    for (AttributeChange& held : record_.attributes) {
      if (held.name != name) continue;
      if (held.operation == operation) return &held.values;
      if (held.operation == AttributeOperation::kSet || operation == AttributeOperation::kSet)
        return Bad(name + " is both set and changed by value");
    }
    if (record_.attributes.size() == limits::kAttributesPerEntry)
      return Bad("the record has too many attributes");
    return &record_.attributes.emplace_back(AttributeChange{name, operation, {}}).values;
  }

  bool open_ = false;
  ForeignRecord record_;
  std::string rdn_;
  std::size_t bytes_ = 0;
  bool may_hide_another_ = false;
  std::optional<ForeignError> error_;
};

}  // namespace

Result<> ReadForeignFile(ByteSource& source, const ForeignVisitor& visitor) {
  LineReader lines(source);
  RecordBuilder record;
  std::string converted;
  std::string_view raw;
  while (lines.Next(raw)) {
    if (lines.number() == 1 && raw.starts_with(kByteOrderMark))
      raw.remove_prefix(kByteOrderMark.size());
    std::string_view line = raw;
    if (!IsUtf8(raw)) {
      converted.clear();
      AppendFromCodePage(converted, raw);
      line = converted;
    }
    const ForeignLineKind kind = ForeignLineKindOf(line);
    if (kind == ForeignLineKind::kNothing) continue;
    if (kind == ForeignLineKind::kHeader && record.open()) DIRSYNC_CHECK(record.Finish(visitor));
    record.Line(kind, raw, line, lines.number());
  }
  if (record.open() && lines.status()) DIRSYNC_CHECK(record.Finish(visitor));
  return lines.status();
}

}  // namespace dirsync
