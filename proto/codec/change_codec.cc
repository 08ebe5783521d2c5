#include "proto/codec/change_codec.h"

#include <algorithm>

#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/codec/wire_id.h"
#include "proto/model/dn.h"
#include "proto/wire/batch.pb.h"

namespace dirsync::codec {
namespace {

std::unexpected<Error> Bad(std::string cause) {
  return Fail(ErrorCode::kBadRecord, std::move(cause));
}

bool IsKnownKind(std::uint32_t kind) {
  return kind >= static_cast<std::uint32_t>(ChangeKind::kAdd) &&
         kind <= static_cast<std::uint32_t>(ChangeKind::kDelete);
}

Result<AttributeChange> ParseAttribute(wire::AttributeChange& message) {
  AttributeChange attribute;
  attribute.name = message.name();
  // An operation beyond one byte must not wrap into a known one.
  attribute.operation = static_cast<AttributeOperation>(std::min(message.operation(), 255u));
  attribute.values.reserve(message.values_size());
  for (const std::string& value : message.values()) attribute.values.push_back(value);
  return attribute;
}

Result<> CheckAttribute(const AttributeChange& attribute, ChangeKind kind) {
  if (!IsAttributeName(attribute.name))
    return Bad("attribute name \"" + Printable(attribute.name, 80) + "\"");
  const auto operation = static_cast<std::uint8_t>(attribute.operation);
  if (operation < 1 || operation > 3)
    return Bad(attribute.name + ": unknown operation " + std::to_string(operation));
  if (kind == ChangeKind::kAdd && attribute.operation != AttributeOperation::kSet)
    return Bad(attribute.name + ": an add carries whole attributes");
  if (attribute.values.size() > limits::kValuesPerAttribute)
    return Bad(attribute.name + ": more than 4096 values");
  for (const std::string& value : attribute.values)
    if (value.size() > limits::kValueBytes) return Bad(attribute.name + ": a value over 1 MiB");
  return {};
}

Result<> CheckAttributes(const Change& change) {
  if (change.attributes.size() > limits::kAttributesPerEntry)
    return Bad("more than 256 attributes");
  const AttributeChange* before = nullptr;
  for (const AttributeChange& attribute : change.attributes) {
    DIRSYNC_CHECK(CheckAttribute(attribute, change.kind));
    if (before != nullptr && before->name >= attribute.name)
      return Bad(attribute.name + ": attributes are not ascending");
    before = &attribute;
  }
  return {};
}

}  // namespace

bool IsAttributeName(std::string_view name) {
  if (name.empty() || name.size() > limits::kAttributeNameBytes) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

bool IsLine(std::string_view text, std::size_t bytes_max) {
  if (text.size() > bytes_max || !IsUtf8(text)) return false;
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F;
  });
}

void FillChange(const Change& change, wire::Change& message) {
  message.Clear();
  message.set_kind(change.unknown_kind != 0 ? change.unknown_kind
                                            : static_cast<std::uint32_t>(change.kind));
  FillId(change.id, message.mutable_id());
  message.set_entry_class(static_cast<std::uint32_t>(change.entry_class));
  FillId(change.parent, message.mutable_parent());
  message.set_name(change.name);
  message.set_dn(change.dn);
  if (!change.old_dn.empty()) message.set_old_dn(change.old_dn);
  message.set_target_address(change.target_address);
  message.set_wanted(change.wanted);
  for (const AttributeChange& attribute : change.attributes) {
    wire::AttributeChange& out = *message.add_attributes();
    out.set_name(attribute.name);
    out.set_operation(static_cast<std::uint32_t>(attribute.operation));
    for (const std::string& value : attribute.values) out.add_values(value);
  }
}

Result<Change> ParseChange(std::string_view encoded, wire::Change& message) {
  if (!message.ParseFromArray(encoded.data(), static_cast<int>(encoded.size())))
    return Bad("no message of a change");
  Change change;
  if (message.kind() == 0) return Bad("kind 0");
  if (IsKnownKind(message.kind())) {
    change.kind = static_cast<ChangeKind>(message.kind());
  } else {
    change.unknown_kind = message.kind();
  }
  if (!ParseId(message.id(), change.id)) return Bad("id is not of 16 bytes");
  if (!ParseId(message.parent(), change.parent)) return Bad("parent is not of 16 bytes");
  change.entry_class = static_cast<EntryClass>(std::min(message.entry_class(), 255u));
  change.name = message.name();
  change.dn = message.dn();
  change.old_dn = message.old_dn();
  change.target_address = message.target_address();
  change.wanted = message.wanted();
  change.attributes.reserve(message.attributes_size());
  for (wire::AttributeChange& attribute : *message.mutable_attributes()) {
    DIRSYNC_TRY(parsed, ParseAttribute(attribute));
    change.attributes.push_back(std::move(parsed));
  }
  DIRSYNC_CHECK(CheckChange(change));
  return change;
}

Result<> CheckChange(const Change& change) {
  if (change.id.is_zero()) return Bad("id is missing");
  // Nobody but a newer version knows the rules of its kinds; the reader only keeps them.
  if (change.unknown_kind != 0) {
    if (IsKnownKind(change.unknown_kind)) return Bad("a known kind as an unknown one");
    return {};
  }
  if (!IsKnownKind(static_cast<std::uint32_t>(change.kind))) return Bad("kind out of range");
  const auto entry_class = static_cast<std::uint32_t>(change.entry_class);
  if (entry_class < 1 || entry_class > 4)
    return Bad("unknown class " + std::to_string(entry_class));
  if (Result<> name = CheckName("name", change.name); !name) return Bad(name.error().message);
  if (!IsLine(change.dn, limits::kDnBytes)) return Bad("dn is no line of text");
  if (!IsLine(change.old_dn, limits::kDnBytes)) return Bad("old dn is no line of text");
  if (!change.old_dn.empty() && change.kind != ChangeKind::kRename)
    return Bad("old dn of no rename");
  if (!IsLine(change.target_address, limits::kNameBytes))
    return Bad("target address is no line of text");
  return CheckAttributes(change);
}

}  // namespace dirsync::codec
