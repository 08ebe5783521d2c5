#include "proto/codec/message_codec.h"

#include "proto/base/limits.h"
#include "proto/codec/message_parts.h"
#include "proto/codec/message_scan.h"
#include "proto/wire/message.pb.h"

namespace dirsync {
namespace {

// The body of an envelope that stands for each kind.
struct Bodies {
  wire::Envelope& envelope;
  auto& operator()(const Hello&) { return *envelope.mutable_hello(); }
  auto& operator()(const Welcome&) { return *envelope.mutable_welcome(); }
  auto& operator()(const Bye&) { return *envelope.mutable_bye(); }
  auto& operator()(const Ping&) { return *envelope.mutable_ping(); }
  auto& operator()(const Publish&) { return *envelope.mutable_publish(); }
  auto& operator()(const Published&) { return *envelope.mutable_published(); }
  auto& operator()(const Streams&) { return *envelope.mutable_streams(); }
  auto& operator()(const Subscribe&) { return *envelope.mutable_subscribe(); }
  auto& operator()(const Unsubscribe&) { return *envelope.mutable_unsubscribe(); }
  auto& operator()(const Subscribed&) { return *envelope.mutable_subscribed(); }
  auto& operator()(const Deliver&) { return *envelope.mutable_deliver(); }
  auto& operator()(const Credit&) { return *envelope.mutable_credit(); }
  auto& operator()(const Ack&) { return *envelope.mutable_ack(); }
  auto& operator()(const Nack&) { return *envelope.mutable_nack(); }
  auto& operator()(const GetRange&) { return *envelope.mutable_get_range(); }
  auto& operator()(const Range&) { return *envelope.mutable_range(); }
  auto& operator()(const Fetch&) { return *envelope.mutable_fetch(); }
  auto& operator()(const RosterNews&) { return *envelope.mutable_roster(); }
  auto& operator()(const JoinRequest&) { return *envelope.mutable_join(); }
  auto& operator()(const JoinReply&) { return *envelope.mutable_joined(); }
  auto& operator()(const AdminRequest&) { return *envelope.mutable_admin(); }
  auto& operator()(const AdminReply&) { return *envelope.mutable_admin_reply(); }
  auto& operator()(const AgentReport&) { return *envelope.mutable_report(); }
};

std::unexpected<Error> Bad(ErrorCode code, std::string cause) {
  return Fail(code, "decode message: " + std::move(cause));
}

// `Kind` from its body, with the payload if the kind carries one.
template <class Kind, class Body>
Result<Message> Parsed(const Body& body, Payload&& payload) {
  Kind kind;
  if (!codec::Parse(body, kind))
    return Bad(ErrorCode::kBadRecord, "a field of " + std::string(MessageName(Message(kind))) +
                                          " is not as any sender writes it");
  if constexpr (requires { kind.payload; }) {
    kind.payload = std::move(payload);
  } else {
    if (payload) return Bad(ErrorCode::kBadRecord, "a payload where none belongs");
  }
  return Message(std::move(kind));
}

Result<Message> ParseBody(const wire::Envelope& e, Payload payload) {
  using wire::Envelope;
  switch (e.body_case()) {
    case Envelope::kHello:
      return Parsed<Hello>(e.hello(), std::move(payload));
    case Envelope::kWelcome:
      return Parsed<Welcome>(e.welcome(), std::move(payload));
    case Envelope::kBye:
      return Parsed<Bye>(e.bye(), std::move(payload));
    case Envelope::kPing:
      return Parsed<Ping>(e.ping(), std::move(payload));
    case Envelope::kPublish:
      return Parsed<Publish>(e.publish(), std::move(payload));
    case Envelope::kPublished:
      return Parsed<Published>(e.published(), std::move(payload));
    case Envelope::kStreams:
      return Parsed<Streams>(e.streams(), std::move(payload));
    case Envelope::kSubscribe:
      return Parsed<Subscribe>(e.subscribe(), std::move(payload));
    case Envelope::kUnsubscribe:
      return Parsed<Unsubscribe>(e.unsubscribe(), std::move(payload));
    case Envelope::kSubscribed:
      return Parsed<Subscribed>(e.subscribed(), std::move(payload));
    case Envelope::kDeliver:
      return Parsed<Deliver>(e.deliver(), std::move(payload));
    case Envelope::kCredit:
      return Parsed<Credit>(e.credit(), std::move(payload));
    case Envelope::kAck:
      return Parsed<Ack>(e.ack(), std::move(payload));
    case Envelope::kNack:
      return Parsed<Nack>(e.nack(), std::move(payload));
    case Envelope::kGetRange:
      return Parsed<GetRange>(e.get_range(), std::move(payload));
    case Envelope::kRange:
      return Parsed<Range>(e.range(), std::move(payload));
    case Envelope::kFetch:
      return Parsed<Fetch>(e.fetch(), std::move(payload));
    case Envelope::kRoster:
      return Parsed<RosterNews>(e.roster(), std::move(payload));
    case Envelope::kJoin:
      return Parsed<JoinRequest>(e.join(), std::move(payload));
    case Envelope::kJoined:
      return Parsed<JoinReply>(e.joined(), std::move(payload));
    case Envelope::kAdmin:
      return Parsed<AdminRequest>(e.admin(), std::move(payload));
    case Envelope::kAdminReply:
      return Parsed<AdminReply>(e.admin_reply(), std::move(payload));
    case Envelope::kReport:
      return Parsed<AgentReport>(e.report(), std::move(payload));
    case Envelope::BODY_NOT_SET:
      break;
  }
  return Bad(ErrorCode::kUnknownVersion, "a kind that this version does not know");
}

}  // namespace

WireMessage EncodeMessage(const Message& message) {
  WireMessage out;
  wire::Envelope envelope;
  std::visit(
      [&](const auto& kind) {
        codec::Fill(kind, Bodies{envelope}(kind));
        if constexpr (requires { kind.payload; }) out.payload = kind.payload;
      },
      message);
  out.header = envelope.SerializeAsString();
  return out;
}

Result<Message> DecodeMessage(std::string_view header, Payload payload) {
  if (header.size() > limits::kMessageHeaderBytes)
    return Bad(ErrorCode::kTooLarge, "a header of " + std::to_string(header.size()) + " bytes");
  if (payload && payload->size() > limits::kBatchBytes)
    return Bad(ErrorCode::kTooLarge, "a payload of " + std::to_string(payload->size()) + " bytes");
  DIRSYNC_CHECK(codec::ScanHeader(header));
  wire::Envelope envelope;
  if (!envelope.ParseFromArray(header.data(), static_cast<int>(header.size())))
    return Bad(ErrorCode::kBadRecord, "no message");
  return ParseBody(envelope, std::move(payload));
}

}  // namespace dirsync
