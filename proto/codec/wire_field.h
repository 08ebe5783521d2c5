// The next field of an encoded protobuf message, without building anything. Internal to the codec.
#pragma once

#include <cstdint>
#include <string_view>

#include "proto/base/bytes.h"

namespace dirsync::codec {

// One field; `bytes` only of length-delimited ones.
struct WireField {
  std::uint32_t number = 0;
  bool delimited = false;
  std::string_view bytes;
};

// False: no protobuf, or a group; groups are refused: they nest without a length, and we have none.
inline bool NextField(RowReader& reader, WireField& field) {
  const std::uint64_t tag = reader.Varint();
  const std::uint64_t number = tag >> 3;
  if (!reader.ok() || number == 0 || tag > UINT32_MAX) return false;
  field = {static_cast<std::uint32_t>(number), false, {}};
  switch (tag & 7) {
    case 0:
      reader.Varint();
      break;
    case 1:
      reader.Raw(8);
      break;
    case 2:
      field.delimited = true;
      field.bytes = reader.Bytes();
      break;
    case 5:
      reader.Raw(4);
      break;
    default:
      return false;
  }
  return reader.ok();
}

}  // namespace dirsync::codec
