#include "proto/model/message.h"

#include <array>

namespace dirsync {

std::string_view PublishOutcomeName(PublishOutcome outcome) {
  switch (outcome) {
    case PublishOutcome::kStored:
      return "STORED";
    case PublishOutcome::kDuplicate:
      return "DUPLICATE";
    case PublishOutcome::kGap:
      return "GAP";
    case PublishOutcome::kConflict:
      return "CONFLICT";
    case PublishOutcome::kFenced:
      return "FENCED";
    case PublishOutcome::kQuota:
      return "QUOTA";
    case PublishOutcome::kReadOnly:
      return "READ_ONLY";
    case PublishOutcome::kTooLarge:
      return "TOO_LARGE";
    case PublishOutcome::kUnauthorized:
      return "UNAUTHORIZED";
    case PublishOutcome::kVersion:
      return "VERSION";
  }
  return "UNKNOWN";
}

std::string_view MessageName(const Message& message) {
  static constexpr std::array<std::string_view, std::variant_size_v<Message>> kNames = {
      "HELLO",   "WELCOME",   "BYE",         "PING",        "PUBLISH", "PUBLISHED",
      "STREAMS", "SUBSCRIBE", "UNSUBSCRIBE", "SUBSCRIBED",  "DELIVER", "CREDIT",
      "ACK",     "NACK",      "GET_RANGE",   "RANGE",       "FETCH",   "ROSTER",
      "JOIN",    "JOINED",    "ADMIN",       "ADMIN_REPLY", "REPORT"};
  return kNames[message.index()];
}

}  // namespace dirsync
