#include "broker/core/broker_rows.h"

#include "proto/base/bytes.h"

namespace dirsync {
namespace {

constexpr std::uint8_t kFormat = 1;

std::uint64_t Millis(Instant time) { return static_cast<std::uint64_t>(ToMillis(time)); }
Instant Time(std::uint64_t millis) { return FromMillis(static_cast<std::int64_t>(millis)); }

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
  writer.Varint(hold.acked.epoch.counter);
  writer.Id(hold.acked.epoch.id);
  writer.Varint(hold.acked.sequence);
  writer.Id(hold.acked.digest);
  writer.Varint(hold.from.epoch.counter);
  writer.Id(hold.from.epoch.id);
  writer.Varint(hold.from.sequence);
  writer.Id(hold.from.digest);
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
  hold.acked.epoch.counter = reader.Varint();
  hold.acked.epoch.id = reader.Id<EpochId>();
  hold.acked.sequence = reader.Varint();
  hold.acked.digest = reader.Id<Digest>();
  hold.from.epoch.counter = reader.Varint();
  hold.from.epoch.id = reader.Id<EpochId>();
  hold.from.sequence = reader.Varint();
  hold.from.digest = reader.Id<Digest>();
  hold.total = reader.Varint();
  hold.since = Time(reader.Varint());
  hold.holds = reader.U8() == 1;
  DIRSYNC_CHECK(Whole(reader, format, "reader"));
  return hold;
}

std::string EncodeNonces(const SessionNonces& nonces) {
  std::string row;
  RowWriter writer(row);
  writer.U8(kFormat);
  writer.Id(nonces.given);
  writer.Id(nonces.confirmed);
  return row;
}

Result<SessionNonces> DecodeNonces(std::string_view row) {
  RowReader reader(row);
  SessionNonces nonces;
  const std::uint8_t format = reader.U8();
  nonces.given = reader.Id<Nonce>();
  nonces.confirmed = reader.Id<Nonce>();
  DIRSYNC_CHECK(Whole(reader, format, "session"));
  return nonces;
}

std::string EncodePending(const JoinRequest& join, Instant time) {
  std::string row;
  RowWriter writer(row);
  writer.U8(kFormat);
  writer.Varint(Millis(time));
  writer.Bytes(join.site);
  writer.Bytes(join.server);
  writer.Bytes(join.replaces);
  writer.Id(join.signing_key);
  writer.Id(join.transport_key);
  for (const std::string& domain : join.domains) writer.Bytes(domain);
  return row;
}

Result<PendingJoin> DecodePending(std::string_view row) {
  RowReader reader(row);
  PendingJoin pending;
  const std::uint8_t format = reader.U8();
  pending.time = Time(reader.Varint());
  pending.site = std::string(reader.Bytes());
  pending.server = std::string(reader.Bytes());
  pending.replaces = std::string(reader.Bytes());
  pending.signing_key = reader.Id<PublicKey>();
  pending.transport_key = reader.Id<TransportKey>();
  while (reader.ok() && !reader.at_end()) pending.domains.emplace_back(reader.Bytes());
  DIRSYNC_CHECK(Whole(reader, format, "pending join"));
  return pending;
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
