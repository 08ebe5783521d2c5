#include "broker/core/broker_rows.h"

#include "proto/base/bytes.h"

namespace dirsync {
namespace {

constexpr std::size_t kCountBytes = 8;  // at the beginning of a nonce
constexpr std::uint64_t kCountEnd = std::uint64_t{1} << 48;

constexpr std::uint8_t kFormat = 1;

std::uint64_t Millis(Instant time) { return static_cast<std::uint64_t>(ToMillis(time)); }
Instant Time(std::uint64_t millis) { return FromMillis(static_cast<std::int64_t>(millis)); }

void Write(RowWriter& writer, const Position& position) {
  writer.Varint(position.epoch.counter);
  writer.Id(position.epoch.id);
  writer.Varint(position.sequence);
  writer.Id(position.digest);
}

Position ReadPosition(RowReader& reader) {
  Position position;
  position.epoch.counter = reader.Varint();
  position.epoch.id = reader.Id<EpochId>();
  position.sequence = reader.Varint();
  position.digest = reader.Id<Digest>();
  return position;
}

Result<> Whole(const RowReader& reader, std::uint8_t format, std::string_view what) {
  if (format == kFormat && reader.ok() && reader.at_end()) return {};
  return Fail(ErrorCode::kCorrupt, "read " + std::string(what) + ": broken row");
}

}  // namespace

std::string EncodeHold(const ReaderHold& hold) {
  std::string row;
  RowWriter writer(row);
  writer.U8(kFormat);
  writer.Bytes(hold.site);
  Write(writer, hold.acked);
  Write(writer, hold.from);
  writer.Varint(hold.total);
  writer.Varint(Millis(hold.since));
  writer.U8(hold.holds ? 1 : 0);
  return row;
}

Result<ReaderHold> DecodeHold(std::string_view row) {
  RowReader reader(row);
  ReaderHold hold;
  const std::uint8_t format = reader.U8();
  hold.site = std::string(reader.Bytes());
  hold.acked = ReadPosition(reader);
  hold.from = ReadPosition(reader);
  hold.total = reader.Varint();
  hold.since = Time(reader.Varint());
  hold.holds = reader.U8() == 1;
  DIRSYNC_CHECK(Whole(reader, format, "reader"));
  return hold;
}

std::uint64_t CountOf(const Nonce& nonce) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i < kCountBytes; ++i) count = count << 8 | nonce.bytes[i];
  return count < kCountEnd ? count : 0;
}

Nonce Counted(Nonce drawn, std::uint64_t count) {
  if (count >= kCountEnd) count = 1;
  for (std::size_t i = kCountBytes; i-- > 0; count >>= 8)
    drawn.bytes[i] = static_cast<std::uint8_t>(count);
  return drawn;
}

std::string EncodeNonces(const SessionNonces& nonces) {
  std::string row;
  RowWriter writer(row);
  writer.U8(kFormat);
  writer.Id(nonces.given);
  writer.Id(nonces.confirmed);
  writer.Id(nonces.refused);
  writer.Varint(Millis(nonces.refused_at));
  return row;
}

Result<SessionNonces> DecodeNonces(std::string_view row) {
  RowReader reader(row);
  SessionNonces nonces;
  const std::uint8_t format = reader.U8();
  nonces.given = reader.Id<Nonce>();
  nonces.confirmed = reader.Id<Nonce>();
  if (reader.ok() && !reader.at_end()) {  // older rows end here
    nonces.refused = reader.Id<Nonce>();
    nonces.refused_at = Time(reader.Varint());
  }
  DIRSYNC_CHECK(Whole(reader, format, "session"));
  return nonces;
}

std::string EncodeJoin(const JoinRow& join) {
  std::string row;
  RowWriter writer(row);
  writer.U8(kFormat);
  writer.U8(join.refused ? 1 : 0);
  writer.Varint(Millis(join.request.time));
  writer.Bytes(join.request.site);
  writer.Bytes(join.request.server);
  writer.Bytes(join.request.replaces);
  writer.Id(join.request.signing_key);
  writer.Id(join.request.transport_key);
  for (const std::string& domain : join.request.domains) writer.Bytes(domain);
  return row;
}

Result<JoinRow> DecodeJoin(std::string_view row) {
  RowReader reader(row);
  JoinRow join;
  const std::uint8_t format = reader.U8();
  join.refused = reader.U8() == 1;
  join.request.time = Time(reader.Varint());
  join.request.site = std::string(reader.Bytes());
  join.request.server = std::string(reader.Bytes());
  join.request.replaces = std::string(reader.Bytes());
  join.request.signing_key = reader.Id<PublicKey>();
  join.request.transport_key = reader.Id<TransportKey>();
  while (reader.ok() && !reader.at_end()) join.request.domains.emplace_back(reader.Bytes());
  DIRSYNC_CHECK(Whole(reader, format, "request to join"));
  return join;
}

std::string EncodeDoor(const OpenedDoor& door) {
  std::string row;
  RowWriter writer(row);
  writer.U8(kFormat);
  writer.Id(door.token);
  writer.Varint(Millis(door.until));
  return row;
}

Result<OpenedDoor> DecodeDoor(std::string_view row) {
  RowReader reader(row);
  OpenedDoor door;
  const std::uint8_t format = reader.U8();
  door.token = reader.Id<Digest>();
  door.until = Time(reader.Varint());
  DIRSYNC_CHECK(Whole(reader, format, "door"));
  return door;
}

std::string EncodeEvent(const BrokerEvent& event) {
  std::string row;
  RowWriter writer(row);
  writer.U8(kFormat);
  writer.Varint(event.number);
  writer.Varint(Millis(event.time));
  for (const std::string* part : {&event.kind, &event.site, &event.stream, &event.text})
    writer.Bytes(*part);
  return row;
}

Result<BrokerEvent> DecodeEvent(std::string_view row) {
  RowReader reader(row);
  BrokerEvent event;
  const std::uint8_t format = reader.U8();
  event.number = reader.Varint();
  event.time = Time(reader.Varint());
  for (std::string* part : {&event.kind, &event.site, &event.stream, &event.text})
    *part = std::string(reader.Bytes());
  DIRSYNC_CHECK(Whole(reader, format, "event"));
  return event;
}

}  // namespace dirsync
