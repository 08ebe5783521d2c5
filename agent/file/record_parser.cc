#include "agent/file/record_parser.h"

#include <algorithm>
#include <array>

#include "agent/file/field_reader.h"
#include "agent/file/file_lines.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/model/attribute_table.h"

namespace dirsync {
namespace {

constexpr std::size_t kKeptValues = 16;
constexpr std::size_t kKeptBytes = 1024;

std::unexpected<Error> Bad(std::string reason) {
  return Fail(ErrorCode::kBadRecord, std::move(reason));
}
std::unexpected<Error> TooLarge(std::string reason) {
  return Fail(ErrorCode::kTooLarge, std::move(reason));
}

bool ParseRecordClass(std::string_view word, EntryClass& entry_class) {
  for (const EntryClass known : {EntryClass::kMailbox, EntryClass::kCustomRecipient,
                                 EntryClass::kDistributionList, EntryClass::kContainer})
    if (word == ClassName(known)) {
      entry_class = known;
      return true;
    }
  return false;
}

bool ParseRecordKind(std::string_view word, ChangeKind& kind) {
  for (const ChangeKind known :
       {ChangeKind::kAdd, ChangeKind::kModify, ChangeKind::kRename, ChangeKind::kDelete})
    if (word == ChangeKindName(known)) {
      kind = known;
      return true;
    }
  return false;
}

char LetterOf(ChangeKind kind) {
  if (kind == ChangeKind::kModify) return 'M';
  return kind == ChangeKind::kDelete ? 'D' : 'A';
}

// What stands in front of an attribute line's ':'.
struct Label {
  std::string_view name;
  AttributeOperation operation = AttributeOperation::kSet;
  std::size_t index = 0;
};

bool ParseLabel(std::string_view text, Label& label) {
  label = Label{text};
  if (text.ends_with(']')) {
    const std::size_t open = text.find('[');
    if (open == std::string_view::npos) return false;
    label.name = text.substr(0, open);
    const std::string_view inner = text.substr(open + 1, text.size() - open - 2);
    if (inner == "+") {
      label.operation = AttributeOperation::kAdd;
    } else if (inner == "-") {
      label.operation = AttributeOperation::kRemove;
    } else {
      FieldReader fields(inner);
      label.index = fields.Number();
      if (!fields.done()) return false;
    }
  }
  return IsFileAttributeName(label.name);
}

}  // namespace

Result<> RecordParser::MachineLine(std::string_view line) {
  const std::size_t blank = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, blank);
  const std::string_view rest = line.substr(std::min(blank + 1, line.size()));
  if (state_ == State::kIdle) return BeginRecord(word, rest);
  if (word == "+") {
    const std::size_t before =
        value_text_ ? change_.attributes[attributes_ - 1].values.back().size() : 0;
    if (!text_.GoOn(rest)) return Bad("a line '+' that goes on nothing, or beyond the limit");
    if (value_text_) bytes_ += change_.attributes[attributes_ - 1].values.back().size() - before;
    if (bytes_ > limits::kChangeBytes) return TooLarge("the values of the record are too long");
    return {};
  }
  text_.Close();
  value_text_ = false;
  if (state_ == State::kHead && word == "dn" && !has_dn_) {
    has_dn_ = true;
    if (!text_.Begin(rest, change_.dn, kFileTextBytes)) return Bad("the DN is not written so");
    return {};
  }
  if (state_ == State::kHead && word == "name" && !has_name_) {
    has_name_ = true;
    if (!text_.Begin(rest, change_.name, kFileTextBytes)) return Bad("the name is not written so");
    return {};
  }
  return ContainerLine(word, line, rest);
}

Result<> RecordParser::BeginRecord(std::string_view word, std::string_view rest) {
  half_ = word == "rename-from";
  change_.kind = ChangeKind::kRename;
  if (!half_ && !ParseRecordKind(word, change_.kind))
    return Bad("a '#!' line that this version does not know");
  FieldReader fields(rest);
  fields.Word("id=");
  change_.id = fields.Id<EntryId>();
  if (half_) {
    if (!fields.done() || half_rename_) return Bad("the line 'rename-from' is not written so");
  } else {
    fields.Word(" class=");
    const bool known = ParseRecordClass(fields.Token(), change_.entry_class);
    change_.parent = fields.Optional(" parent=") ? fields.Id<EntryId>() : EntryId{};
    change_.wanted = fields.Optional(" wanted");
    if (!known || !fields.done()) return Bad("the record's '#!' line is not written so");
    if (half_rename_ && (change_.kind != ChangeKind::kRename || change_.id != half_id_))
      return Bad("the second half of a rename is missing");
  }
  change_.unknown_kind = 0;
  change_.dn.clear();
  change_.name.clear();
  change_.old_dn.clear();
  change_.target_address.clear();
  attributes_ = values_ = bytes_ = 0;
  has_dn_ = shown_ = has_name_ = has_target_ = cleared_ = value_text_ = false;
  text_.Close();
  state_ = State::kHead;
  return {};
}

// Containers have neither header line nor attribute lines that an old reader could see.
Result<> RecordParser::ContainerLine(std::string_view word, std::string_view line,
                                     std::string_view rest) {
  if (half_ || change_.entry_class != EntryClass::kContainer)
    return Bad("a '#!' line that no such record has");
  if (word == "-") {
    state_ = State::kBody;
    return AttributeLine(line, true);
  }
  if (state_ == State::kHead && word == "target-address" && !has_target_) {
    has_target_ = true;
    if (!text_.Begin(rest, change_.target_address, kFileTextBytes))
      return Bad("the target address is not written so");
    return {};
  }
  if (state_ == State::kHead && word == "old-dn" && change_.kind == ChangeKind::kRename &&
      change_.old_dn.empty()) {
    if (!text_.Begin(rest, change_.old_dn, kFileTextBytes))
      return Bad("the old DN is not written so");
    return {};
  }
  return Bad("a '#!' line that no container has here");
}

Result<> RecordParser::TextLine(std::string_view line) {
  if (state_ == State::kIdle) return Bad("a record without its '#!' line");
  if (!half_ && change_.entry_class == EntryClass::kContainer)
    return Bad("a container outside '#!' lines");
  text_.Close();
  if (line.front() == '-') {
    if (state_ != State::kBody || half_) return Bad("an attribute line without a header line");
    return AttributeLine(line, false);
  }
  if (state_ != State::kHead || line.size() < 3 || line[1] != ' ')
    return Bad("a header line that does not belong here");
  return HeaderLine(line[0], line.substr(2));
}

Result<> RecordParser::HeaderLine(char letter, std::string_view dn) {
  const char expected = half_ ? 'D' : LetterOf(change_.kind);
  if (letter != expected) return Bad("the header line's letter is not that of its '#!' line");
  if (dn.size() > 4 * kFileTextBytes) return TooLarge("the DN is too long");
  if (has_dn_) {
    if (dn != ShownDn(change_.dn))
      return Bad("the header line shows another DN than its '#!' line");
  } else {
    if (dn.size() > kFileTextBytes) return TooLarge("the DN is too long");
    if (!IsPlainText(dn)) return Bad("the DN has characters that need a '#! dn' line");
    AssignText(change_.dn, dn);
  }
  has_dn_ = shown_ = true;
  state_ = State::kBody;
  return {};
}

Result<> RecordParser::AttributeLine(std::string_view line, bool in_machine_line) {
  const std::size_t colon = line.find(':');
  Label label;
  if (colon == std::string_view::npos || !line.starts_with("- ") ||
      !ParseLabel(line.substr(2, colon - 2), label))
    return Bad("the attribute line is not '- Name:value'");
  const std::string_view text = line.substr(colon + 1);
  const bool bare = colon >= 1 && line[colon - 1] != ']';
  if (label.name == attribute::kTargetAddress && !in_machine_line) {
    if (!bare) return Bad("the target address has one value");
    return Target(text);
  }
  if (IsReservedAttribute(label.name))
    return Bad("the attribute " + std::string(label.name) + " has no line of its own");
  if (bare && text.empty()) {
    DIRSYNC_CHECK(BeginAttribute(label.name, AttributeOperation::kSet));
    cleared_ = true;
    return {};
  }
  if (bare || label.operation != AttributeOperation::kSet) label.index = 0;
  DIRSYNC_TRY(value, NewValue(label.name, label.operation, label.index));
  if (!ParseValueText(text, *value)) return Bad("the value is not written so");
  bytes_ += value->size();
  if (value->size() > limits::kValueBytes) return TooLarge("the value is too long");
  if (bytes_ > limits::kChangeBytes) return TooLarge("the values of the record are too long");
  if (in_machine_line) {
    value_text_ = true;
    change_.attributes[attributes_ - 1].values.resize(values_);
    text_.Begin(text, change_.attributes[attributes_ - 1].values.back(), limits::kValueBytes);
  }
  if (bare) cleared_ = true;
  return {};
}

Result<> RecordParser::Target(std::string_view text) {
  if (has_target_ || attributes_ > 0) return Bad("the target address is not in its place");
  has_target_ = true;
  if (!ParseValueText(text, change_.target_address) || change_.target_address.empty())
    return Bad("the target address is not written so");
  if (change_.target_address.size() > kFileTextBytes) return TooLarge("the target is too long");
  return {};
}

// The slot for one more value. `index` counts the values of a set.
Result<std::string*> RecordParser::NewValue(std::string_view name, AttributeOperation operation,
                                            std::size_t index) {
  const bool set = operation == AttributeOperation::kSet;
  if (set ? index == 0 : !GoesOn(name, operation)) {
    DIRSYNC_CHECK(BeginAttribute(name, operation));
  } else if (cleared_ || !GoesOn(name, operation) || (set && index != values_)) {
    return Bad("the values of " + std::string(name) + " are not in order");
  }
  if (values_ == limits::kValuesPerAttribute)
    return TooLarge("the attribute " + std::string(name) + " has too many values");
  std::vector<std::string>& values = change_.attributes[attributes_ - 1].values;
  if (values_ == values.size()) values.emplace_back();
  return &values[values_++];
}

bool RecordParser::GoesOn(std::string_view name, AttributeOperation operation) const {
  if (attributes_ == 0) return false;
  const AttributeChange& last = change_.attributes[attributes_ - 1];
  return last.operation == operation && last.name == name;
}

Result<> RecordParser::BeginAttribute(std::string_view name, AttributeOperation operation) {
  if (attributes_ == kFileAttributes) return TooLarge("the record has too many attributes");
  if (attributes_ > 0) {
    EndAttribute();
    const AttributeChange& last = change_.attributes[attributes_ - 1];
    const int order = name.compare(last.name);
    const bool with_set = operation == AttributeOperation::kSet ||
                          last.operation == AttributeOperation::kSet || last.operation == operation;
    if (order < 0 || (order == 0 && with_set))
      return Bad("the attribute " + std::string(name) + " is not in order");
  }
  if (attributes_ == change_.attributes.size()) {
    if (spare_.empty()) {
      change_.attributes.emplace_back();
    } else {
      change_.attributes.push_back(std::move(spare_.back()));
      spare_.pop_back();
    }
  }
  AttributeChange& next = change_.attributes[attributes_++];
  next.name.assign(name);
  next.operation = operation;
  values_ = 0;
  cleared_ = false;
  return {};
}

void RecordParser::EndAttribute() {
  std::vector<std::string>& values = change_.attributes[attributes_ - 1].values;
  values.resize(values_);
  if (values.capacity() > kKeptValues && values_ < values.capacity() / 4) values.shrink_to_fit();
}

// Keeps the memory of attributes that this record has no use for, unless it is large: what one
// huge record left behind must not add up.
void RecordParser::DropSurplus() {
  while (change_.attributes.size() > attributes_) {
    AttributeChange& surplus = change_.attributes.back();
    const bool small = surplus.values.capacity() <= kKeptValues &&
                       std::all_of(surplus.values.begin(), surplus.values.end(),
                                   [](const auto& v) { return v.capacity() <= kKeptBytes; });
    if (small && spare_.size() < kFileAttributes) spare_.push_back(std::move(surplus));
    change_.attributes.pop_back();
  }
}

Result<bool> RecordParser::BlankLine() {
  if (state_ == State::kIdle) return false;
  DIRSYNC_CHECK(Finish());
  state_ = State::kIdle;
  if (half_) {
    half_rename_ = true;
    half_id_ = change_.id;
    half_dn_ = change_.dn;
    return false;
  }
  if (half_rename_) change_.old_dn = half_dn_;
  half_rename_ = false;
  return true;
}

Result<> RecordParser::Finish() {
  text_.Close();
  const bool hidden = !half_ && change_.entry_class == EntryClass::kContainer;
  if (!has_dn_ || (!hidden && !shown_)) return Bad("the record has no DN");
  if (half_rename_ && !half_ && hidden) return Bad("a container's rename has no 'rename-from'");
  if (attributes_ > 0) EndAttribute();
  DropSurplus();
  if (!has_name_) AssignText(change_.name, ShortName(change_.dn));
  return {};
}

}  // namespace dirsync
