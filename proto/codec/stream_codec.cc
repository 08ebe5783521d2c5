#include "proto/base/limits.h"
#include "proto/codec/message_parts.h"
#include "proto/codec/wire_parts.h"
#include "proto/wire/message.pb.h"

namespace dirsync::codec {
namespace {

constexpr int kLogsMax = limits::kStreamsPerMessage;

// An enumeration whose values run from 1 to `last`.
template <class Enum>
bool ParseEnum(std::uint32_t number, Enum last, Enum& value) {
  if (number == 0 || number > static_cast<std::uint32_t>(last)) return false;
  value = static_cast<Enum>(number);
  return true;
}

}  // namespace

void Fill(const Publish& message, wire::Publish& out) {
  Fill(message.stream, *out.mutable_stream());
  Fill(message.position, *out.mutable_position());
  FillId(message.previous, out.mutable_previous());
  out.set_begins_log(message.begins_log);
}

bool Parse(const wire::Publish& in, Publish& message) {
  message.begins_log = in.begins_log();
  return Parse(in.stream(), message.stream) && Parse(in.position(), message.position) &&
         ParseId(in.previous(), message.previous);
}

void Fill(const Published& message, wire::Published& out) {
  Fill(message.stream, *out.mutable_stream());
  Fill(message.position, *out.mutable_position());
  out.set_outcome(static_cast<std::uint32_t>(message.outcome));
  out.set_expected(message.expected);
  out.set_retry_seconds(message.retry_seconds);
}

bool Parse(const wire::Published& in, Published& message) {
  message.expected = in.expected();
  message.retry_seconds = in.retry_seconds();
  return Parse(in.stream(), message.stream) && Parse(in.position(), message.position) &&
         ParseEnum(in.outcome(), PublishOutcome::kVersion, message.outcome);
}

void Fill(const Streams& message, wire::Streams& out) {
  for (const Streams::Log& log : message.logs) {
    wire::StreamLog& row = *out.add_logs();
    Fill(log.stream, *row.mutable_stream());
    FillId(log.incarnation, row.mutable_incarnation());
    Fill(log.tail, *row.mutable_tail());
    row.set_producer_online(log.producer_online);
  }
}

bool Parse(const wire::Streams& in, Streams& message) {
  if (in.logs_size() > kLogsMax) return false;
  for (const wire::StreamLog& row : in.logs()) {
    Streams::Log& log = message.logs.emplace_back();
    log.producer_online = row.producer_online();
    if (!Parse(row.stream(), log.stream) || !ParseId(row.incarnation(), log.incarnation) ||
        !Parse(row.tail(), log.tail))
      return false;
  }
  return true;
}

void Fill(const Subscribe& message, wire::Subscribe& out) {
  Fill(message.stream, *out.mutable_stream());
  Fill(message.cursor, *out.mutable_cursor());
  FillId(message.incarnation, out.mutable_incarnation());
}

bool Parse(const wire::Subscribe& in, Subscribe& message) {
  return Parse(in.stream(), message.stream) && Parse(in.cursor(), message.cursor) &&
         ParseId(in.incarnation(), message.incarnation);
}

void Fill(const Unsubscribe& message, wire::Unsubscribe& out) {
  Fill(message.stream, *out.mutable_stream());
  out.set_forget(message.forget);
}

bool Parse(const wire::Unsubscribe& in, Unsubscribe& message) {
  message.forget = in.forget();
  return Parse(in.stream(), message.stream);
}

void Fill(const Subscribed& message, wire::Subscribed& out) {
  Fill(message.stream, *out.mutable_stream());
  out.set_outcome(static_cast<std::uint32_t>(message.outcome));
  FillId(message.incarnation, out.mutable_incarnation());
  Fill(message.tail, *out.mutable_tail());
}

bool Parse(const wire::Subscribed& in, Subscribed& message) {
  return Parse(in.stream(), message.stream) && Parse(in.tail(), message.tail) &&
         ParseId(in.incarnation(), message.incarnation) &&
         ParseEnum(in.outcome(), SubscribeOutcome::kNotFound, message.outcome);
}

void Fill(const Deliver& message, wire::Deliver& out) {
  Fill(message.stream, *out.mutable_stream());
  FillId(message.incarnation, out.mutable_incarnation());
  Fill(message.position, *out.mutable_position());
}

bool Parse(const wire::Deliver& in, Deliver& message) {
  return Parse(in.stream(), message.stream) && Parse(in.position(), message.position) &&
         ParseId(in.incarnation(), message.incarnation);
}

void Fill(const Credit& message, wire::Credit& out) { out.set_bytes(message.bytes); }

bool Parse(const wire::Credit& in, Credit& message) {
  message.bytes = in.bytes();
  return true;
}

void Fill(const Ack& message, wire::Ack& out) {
  Fill(message.stream, *out.mutable_stream());
  out.set_reader(message.reader);
  Fill(message.position, *out.mutable_position());
  for (const EntryId& id : message.wants) out.add_wants(std::string(id.view()));
  out.set_needs_ranges(message.needs_ranges);
}

bool Parse(const wire::Ack& in, Ack& message) {
  message.needs_ranges = in.needs_ranges();
  if (in.wants_size() > static_cast<int>(limits::kWantIds)) return false;
  for (const std::string& id : in.wants())
    if (!ParseId(id, message.wants.emplace_back())) return false;
  return Parse(in.stream(), message.stream) && Parse(in.position(), message.position) &&
         ParseText(in.reader(), limits::kNameBytes, message.reader);
}

void Fill(const Nack& message, wire::Nack& out) {
  Fill(message.stream, *out.mutable_stream());
  Fill(message.position, *out.mutable_position());
  out.set_code(static_cast<std::uint32_t>(message.code));
  out.set_text(message.text);
}

bool Parse(const wire::Nack& in, Nack& message) {
  message.code = ParseCode(in.code());
  return Parse(in.stream(), message.stream) && Parse(in.position(), message.position) &&
         ParseText(in.text(), kMessageTextBytes, message.text);
}

void Fill(const GetRange& message, wire::GetRange& out) {
  Fill(message.stream, *out.mutable_stream());
  out.set_reader(message.reader);
  out.set_request(message.request);
  out.set_rank(message.rank);
  FillId(message.after, out.mutable_after());
  out.set_bytes(message.bytes);
}

bool Parse(const wire::GetRange& in, GetRange& message) {
  if (in.rank() > UINT8_MAX) return false;
  message.request = in.request();
  message.rank = static_cast<std::uint8_t>(in.rank());
  message.bytes = in.bytes();
  return Parse(in.stream(), message.stream) && ParseId(in.after(), message.after) &&
         ParseText(in.reader(), limits::kNameBytes, message.reader);
}

void Fill(const Range& message, wire::Range& out) {
  Fill(message.stream, *out.mutable_stream());
  out.set_reader(message.reader);
  out.set_request(message.request);
  out.set_code(static_cast<std::uint32_t>(message.code));
  out.set_text(message.text);
}

bool Parse(const wire::Range& in, Range& message) {
  message.request = in.request();
  message.code = ParseCode(in.code());
  return Parse(in.stream(), message.stream) &&
         ParseText(in.reader(), limits::kNameBytes, message.reader) &&
         ParseText(in.text(), kMessageTextBytes, message.text);
}

void Fill(const Fetch& message, wire::Fetch& out) {
  Fill(message.stream, *out.mutable_stream());
  Fill(message.position, *out.mutable_position());
}

bool Parse(const wire::Fetch& in, Fetch& message) {
  return Parse(in.stream(), message.stream) && Parse(in.position(), message.position);
}

}  // namespace dirsync::codec
