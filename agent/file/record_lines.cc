#include "agent/file/record_lines.h"

#include "agent/file/file_lines.h"
#include "agent/file/value_text.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"

namespace dirsync {
namespace {

std::unexpected<Error> Invalid(const Change& change, std::string reason) {
  return Fail(ErrorCode::kInvalid,
              "write sync file: change of " + Printable(change.dn) + ": " + std::move(reason));
}
std::unexpected<Error> TooLarge(const Change& change, std::string reason) {
  return Fail(ErrorCode::kTooLarge,
              "write sync file: change of " + Printable(change.dn) + ": " + std::move(reason));
}

Result<> CheckChange(const Change& change) {
  if (change.unknown_kind != 0)
    return Invalid(change, "kind " + std::to_string(change.unknown_kind) + " is not known here");
  if (change.kind < ChangeKind::kAdd || change.kind > ChangeKind::kDelete)
    return Invalid(change, "its kind has no name");
  if (change.entry_class < EntryClass::kContainer ||
      change.entry_class > EntryClass::kDistributionList)
    return Invalid(change, "its class has no name");
  if (change.dn.size() > kFileTextBytes || change.old_dn.size() > kFileTextBytes ||
      change.name.size() > kFileTextBytes || change.target_address.size() > kFileTextBytes)
    return TooLarge(change, "its DN, name or target address is too long");
  if (!change.old_dn.empty() && change.kind != ChangeKind::kRename)
    return Invalid(change, "only a rename has an old DN");
  if (change.attributes.size() > kFileAttributes)
    return TooLarge(change, "it has too many attributes");
  return {};
}

Result<> CheckAttribute(const Change& change, std::size_t index, std::size_t& bytes) {
  const AttributeChange& item = change.attributes[index];
  if (!IsFileAttributeName(item.name) || IsReservedAttribute(item.name))
    return Invalid(change, "the attribute name " + Printable(item.name) + " is not allowed");
  const bool set = item.operation == AttributeOperation::kSet;
  if (item.values.empty() && !set)
    return Invalid(change, "attribute " + item.name + ": nothing to add or remove");
  if (index > 0) {
    const AttributeChange& last = change.attributes[index - 1];
    const bool twice =
        set || last.operation == AttributeOperation::kSet || last.operation == item.operation;
    if (item.name < last.name || (item.name == last.name && twice))
      return Invalid(change, "attribute " + item.name + " is out of order");
  }
  if (item.values.size() > limits::kValuesPerAttribute)
    return TooLarge(change, "attribute " + item.name + " has too many values");
  for (const std::string& value : item.values) {
    bytes += value.size();
    if (value.size() > limits::kValueBytes || bytes > limits::kChangeBytes)
      return TooLarge(change, "its values are too long");
  }
  return {};
}

// "- Name" and what is in brackets, if anything.
void AppendLabel(std::string& out, const AttributeChange& item, std::size_t index) {
  out.append("- ").append(item.name);
  if (item.operation == AttributeOperation::kAdd) {
    out.append("[+]");
  } else if (item.operation == AttributeOperation::kRemove) {
    out.append("[-]");
  } else if (item.values.size() > 1) {
    out.push_back('[');
    AppendNumber(out, index);
    out.push_back(']');
  }
  out.push_back(':');
}

Result<> AppendAttributes(std::string& out, const Change& change, bool in_machine_lines) {
  std::size_t bytes = 0;
  std::string label;
  for (std::size_t i = 0; i < change.attributes.size(); ++i) {
    const AttributeChange& item = change.attributes[i];
    DIRSYNC_CHECK(CheckAttribute(change, i, bytes));
    if (item.values.empty()) {
      if (in_machine_lines) out.append(kMachineMark);
      AppendLabel(out, item, 0);
      out.push_back('\n');
    }
    for (std::size_t k = 0; k < item.values.size(); ++k) {
      if (in_machine_lines) {
        label.clear();
        AppendLabel(label, item, k);
        AppendTextLines(out, label, item.values[k]);
        continue;
      }
      AppendLabel(out, item, k);
      AppendValueText(out, item.values[k]);
      out.push_back('\n');
    }
  }
  return {};
}

// The header line, and the DN in a line of its own if it cannot stand there raw.
void AppendHeaderLine(std::string& out, char letter, std::string_view dn) {
  const bool plain = IsPlainText(dn);
  if (!plain) AppendTextLines(out, "dn", dn);
  out.push_back(letter);
  out.push_back(' ');
  if (plain) {
    out.append(dn);
  } else {
    out.append(ShownDn(dn));
  }
  out.push_back('\n');
}

void AppendRecordLine(std::string& out, const Change& change) {
  out.append(kMachineMark).append(ChangeKindName(change.kind)).append(" id=");
  AppendHex(out, change.id.view());
  out.append(" class=").append(ClassName(change.entry_class));
  if (!change.parent.is_zero()) {
    out.append(" parent=");
    AppendHex(out, change.parent.view());
  }
  if (change.wanted) out.append(" wanted");
  out.push_back('\n');
}

Result<> AppendContainer(std::string& out, const Change& change) {
  AppendRecordLine(out, change);
  AppendTextLines(out, "dn", change.dn);
  if (ShortName(change.dn) != change.name) AppendTextLines(out, "name", change.name);
  if (!change.target_address.empty()) AppendTextLines(out, "target-address", change.target_address);
  if (!change.old_dn.empty()) AppendTextLines(out, "old-dn", change.old_dn);
  DIRSYNC_CHECK(AppendAttributes(out, change, true));
  out.push_back('\n');
  return {};
}

char LetterOf(ChangeKind kind) {
  if (kind == ChangeKind::kModify) return 'M';
  return kind == ChangeKind::kDelete ? 'D' : 'A';
}

}  // namespace

Result<> AppendRecord(std::string& out, const Change& change) {
  DIRSYNC_CHECK(CheckChange(change));
  if (change.entry_class == EntryClass::kContainer) return AppendContainer(out, change);
  if (!change.old_dn.empty()) {
    out.append("#! rename-from id=");
    AppendHex(out, change.id.view());
    out.push_back('\n');
    AppendHeaderLine(out, 'D', change.old_dn);
    out.push_back('\n');
  }
  AppendRecordLine(out, change);
  if (ShortName(change.dn) != change.name) AppendTextLines(out, "name", change.name);
  AppendHeaderLine(out, LetterOf(change.kind), change.dn);
  if (!change.target_address.empty()) {
    out.append("- Target-Address:");
    AppendValueText(out, change.target_address);
    out.push_back('\n');
  }
  DIRSYNC_CHECK(AppendAttributes(out, change, false));
  out.push_back('\n');
  return {};
}

}  // namespace dirsync
