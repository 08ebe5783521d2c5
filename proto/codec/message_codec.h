// Message <-> the frames of one unit on the wire: header frame (protobuf) and payload frame.
#pragma once

#include <string>
#include <string_view>

#include "proto/base/error.h"
#include "proto/model/message.h"

namespace dirsync {

struct WireMessage {
  std::string header;
  Payload payload;  // null: no second frame
};

WireMessage EncodeMessage(const Message& message);

// Checks sizes before parsing (limits::kMessageHeaderBytes, kBatchBytes, counts of repeated
// fields), then every field. Unknown fields are passed over; an unknown kind is kUnknownVersion.
// Errors: kTooLarge, kBadRecord, kUnknownVersion. Thread-safe.
Result<Message> DecodeMessage(std::string_view header, Payload payload);

}  // namespace dirsync
