#include "agent/directory/attribute_check.h"

#include <algorithm>
#include <set>

#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/model/address.h"

namespace dirsync {
namespace {

constexpr std::size_t kShownBytes = 80;
constexpr std::size_t kFewValues = 8;  // compared with each other, without a set

// What an entry has by its place, its class and its history.
constexpr std::string_view kPseudo[] = {
    "Common-Name", "Obj-Class", "Obj-Container", "Obj-Dist-Name", "USN-Changed", "USN-Created",
};

bool IsPseudo(std::string_view name) {
  return std::find(std::begin(kPseudo), std::end(kPseudo), name) != std::end(kPseudo);
}

// UTF-8 without control characters except tab and line breaks.
bool IsPlainText(std::string_view value) {
  bool ascii = true;
  for (char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') return false;
    if (byte == 0x7F) return false;
    ascii = ascii && byte < 0x80;
  }
  if (ascii) return true;
  if (!IsUtf8(value)) return false;
  for (std::size_t at = value.find('\xC2'); at != std::string_view::npos;
       at = value.find('\xC2', at + 1))
    if (static_cast<unsigned char>(value[at + 1]) < 0xA0) return false;  // U+0080 to U+009F
  return true;
}

// Cause why `value` is none of `kind`; empty if it is.
std::string_view Fault(ValueKind kind, std::string_view value) {
  if (value.empty()) return "empty value";
  switch (kind) {
    case ValueKind::kText:
      return IsPlainText(value) ? "" : "not UTF-8, or control characters";
    case ValueKind::kBinary:
      return "";
    case ValueKind::kReference:
      return Reference::Parse(value) ? "" : "no reference of the form Site/ID";
    case ValueKind::kAddress:
      return ParseAddress(value) ? "" : "no address of the form TYPE:address";
    case ValueKind::kBoolean:
      return value == "0" || value == "1" ? "" : "neither 0 nor 1";
  }
  return "unknown kind";
}

std::unexpected<Error> Refuse(ErrorCode code, const Attribute& attribute, std::string_view cause) {
  return Fail(code, "check attribute " + attribute.name + ": " + std::string(cause));
}

Result<> CheckAttribute(const Attribute& attribute, std::size_t& bytes) {
  DIRSYNC_TRY(info, CheckAttributeName(attribute.name));
  const std::size_t count = attribute.values.size();
  if (count == 0) return Refuse(ErrorCode::kInvalid, attribute, "no values");
  if (count > 1 && !info->multi_valued)
    return Refuse(ErrorCode::kInvalid, attribute, "it takes one value only");
  if (count > limits::kValuesPerAttribute) {
    return Refuse(ErrorCode::kTooLarge, attribute,
                  "more than " + std::to_string(limits::kValuesPerAttribute) + " values");
  }
  for (const std::string& value : attribute.values) {
    if (value.size() > limits::kValueBytes)
      return Refuse(ErrorCode::kTooLarge, attribute, "value of more than 1 MiB");
    const std::string_view fault = Fault(info->kind, value);
    if (!fault.empty()) {
      return Refuse(ErrorCode::kInvalid, attribute,
                    "\"" + Printable(value, kShownBytes) + "\": " + std::string(fault));
    }
    bytes += value.size();
  }
  return {};
}

// Of values that mean the same the first one stays.
void DropRepeats(ValueKind kind, std::vector<std::string>& values) {
  if (values.size() < 2) return;
  std::vector<std::string> forms;
  std::set<std::string> seen;
  const bool few = values.size() <= kFewValues;
  std::erase_if(values, [&](const std::string& value) {
    std::string form = ComparisonForm(kind, value);
    if (!few) return !seen.insert(std::move(form)).second;
    if (std::find(forms.begin(), forms.end(), form) != forms.end()) return true;
    forms.push_back(std::move(form));
    return false;
  });
}

}  // namespace

Result<const AttributeInfo*> CheckAttributeName(std::string_view name) {
  const AttributeInfo* info = FindAttribute(name);
  const bool canonical = info != nullptr && info->name == name;
  if (canonical && !IsPseudo(name)) return info;
  if (canonical) {
    return Fail(
        ErrorCode::kInvalid,
        "check attribute " + std::string(name) + ": it follows from the entry and is not stored",
        "rename or move the entry instead");
  }
  DIRSYNC_TRY(wanted, CanonicalAttribute(name));
  if (wanted == name) return info;
  return Fail(ErrorCode::kInvalid,
              "check attribute " + Printable(name, kShownBytes) + ": not spelled " + wanted);
}

Result<> CheckAttributes(const Attributes& attributes) {
  if (attributes.size() > limits::kAttributesPerEntry)
    return Fail(ErrorCode::kTooLarge,
                "check attributes: more than " + std::to_string(limits::kAttributesPerEntry));
  std::size_t bytes = 0;
  for (const Attribute& attribute : attributes) DIRSYNC_CHECK(CheckAttribute(attribute, bytes));
  if (bytes > limits::kEntryBytes)
    return Fail(ErrorCode::kTooLarge, "check attributes: all values together exceed 1 MiB");
  return {};
}

std::string ComparisonForm(ValueKind kind, std::string_view value) {
  if (kind != ValueKind::kAddress) return std::string(value);
  const Result<Address> address = ParseAddress(value);
  return address ? address->Folded() : std::string(value);
}

void TidyAttributes(Attributes& attributes) {
  std::vector<Attribute> list = attributes.Release();
  for (Attribute& attribute : list) {
    const AttributeInfo* info = FindAttribute(attribute.name);
    const ValueKind kind = info == nullptr ? ValueKind::kText : info->kind;
    if (kind == ValueKind::kAddress) {
      for (std::string& value : attribute.values)
        if (const Result<Address> address = ParseAddress(value)) value = address->ToString();
    }
    DropRepeats(kind, attribute.values);
  }
  attributes = Attributes(std::move(list));
}

}  // namespace dirsync
