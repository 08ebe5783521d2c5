#include "proto/codec/payload_scan.h"

#include <cstdint>
#include <string>

#include "proto/base/limits.h"
#include "proto/codec/wire_field.h"

namespace dirsync::codec {
namespace {

// Numbers of proto/wire/batch.proto.
constexpr std::uint32_t kPayloadHead = 1;
constexpr std::uint32_t kPayloadChange = 2;
constexpr std::uint32_t kChangeAttribute = 8;
constexpr std::uint32_t kAttributeValue = 3;

std::unexpected<Error> Bad(ErrorCode code, std::string cause) {
  return Fail(code, "scan payload: " + std::move(cause));
}

Result<std::size_t> CountValues(std::string_view attribute) {
  std::size_t values = 0;
  RowReader reader(attribute);
  for (WireField field; !reader.at_end();) {
    if (!NextField(reader, field)) return Bad(ErrorCode::kBadRecord, "broken attribute");
    if (field.number == kAttributeValue && field.delimited) ++values;
  }
  if (values > limits::kValuesPerAttribute)
    return Bad(ErrorCode::kTooLarge, std::to_string(values) + " values of one attribute");
  return values;
}

}  // namespace

Result<std::size_t> ScanChange(std::string_view change) {
  if (change.size() > limits::kChangeBytes)
    return Bad(ErrorCode::kTooLarge, "a change of " + std::to_string(change.size()) + " bytes");
  std::size_t values = 0;
  std::size_t attributes = 0;
  RowReader reader(change);
  for (WireField field; !reader.at_end();) {
    if (!NextField(reader, field)) return Bad(ErrorCode::kBadRecord, "broken change");
    if (field.number != kChangeAttribute || !field.delimited) continue;
    if (++attributes > limits::kAttributesPerEntry)
      return Bad(ErrorCode::kTooLarge, "more than 256 attributes of one entry");
    DIRSYNC_TRY(count, CountValues(field.bytes));
    values += count;
  }
  return values;
}

Result<PayloadParts> ScanPayload(std::string_view payload) {
  PayloadParts parts;
  bool has_head = false;
  RowReader reader(payload);
  for (WireField field; !reader.at_end();) {
    if (!NextField(reader, field)) return Bad(ErrorCode::kBadRecord, "broken message");
    if (!field.delimited) continue;
    if (field.number == kPayloadHead) {
      if (has_head) return Bad(ErrorCode::kBadRecord, "two heads");
      has_head = true;
      parts.head = field.bytes;
    } else if (field.number == kPayloadChange) {
      if (parts.changes.size() == limits::kChangesPerBatch)
        return Bad(ErrorCode::kTooLarge, "more than 4096 changes");
      DIRSYNC_TRY(count, ScanChange(field.bytes));
      parts.values += count;
      if (parts.values > limits::kValuesPerBatch)
        return Bad(ErrorCode::kTooLarge, "more than 524288 values");
      parts.changes.push_back(field.bytes);
    }
  }
  if (!has_head) return Bad(ErrorCode::kBadRecord, "no head");
  return parts;
}

}  // namespace dirsync::codec
