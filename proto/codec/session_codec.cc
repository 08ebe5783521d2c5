#include "proto/base/limits.h"
#include "proto/codec/message_parts.h"
#include "proto/codec/wire_parts.h"
#include "proto/wire/message.pb.h"

namespace dirsync::codec {
namespace {

constexpr int kStreamsMax = limits::kStreamsPerSite;
constexpr int kReadersMax = limits::kSites;

void FillReader(const ReaderPosition& reader, wire::ReaderPosition& out) {
  out.set_site(reader.site);
  Fill(reader.position, *out.mutable_position());
  out.set_needs_ranges(reader.needs_ranges);
}

bool ParseReader(const wire::ReaderPosition& in, ReaderPosition& reader) {
  reader.needs_ranges = in.needs_ranges();
  return ParseText(in.site(), limits::kNameBytes, reader.site) &&
         Parse(in.position(), reader.position);
}

}  // namespace

void Fill(const Hello& message, wire::Hello& out) {
  out.set_version_min(message.version_min);
  out.set_version_max(message.version_max);
  out.set_organization(message.organization);
  out.set_site(message.site);
  out.set_program(message.program);
  FillId(message.nonce, out.mutable_nonce());
  out.set_greeting(message.greeting);
  for (const Hello::Produced& produced : message.produced) {
    wire::Produced& row = *out.add_produced();
    Fill(produced.stream, *row.mutable_stream());
    Fill(produced.position, *row.mutable_position());
    row.set_first(produced.first);
  }
}

bool Parse(const wire::Hello& in, Hello& message) {
  message.version_min = in.version_min();
  message.version_max = in.version_max();
  message.greeting = in.greeting();
  if (in.produced_size() > kStreamsMax) return false;
  for (const wire::Produced& row : in.produced()) {
    Hello::Produced& produced = message.produced.emplace_back();
    produced.first = row.first();
    if (!Parse(row.stream(), produced.stream) || !Parse(row.position(), produced.position))
      return false;
  }
  return ParseText(in.organization(), limits::kNameBytes, message.organization) &&
         ParseText(in.site(), limits::kNameBytes, message.site) &&
         ParseText(in.program(), limits::kNameBytes, message.program) &&
         ParseId(in.nonce(), message.nonce);
}

void Fill(const Welcome& message, wire::Welcome& out) {
  out.set_version(message.version);
  FillId(message.nonce, out.mutable_nonce());
  out.set_restored(message.restored);
  out.set_message_bytes_max(message.message_bytes_max);
  out.set_window_bytes(message.window_bytes);
  out.set_heartbeat_seconds(message.heartbeat_seconds);
  out.set_greeting(message.greeting);
  for (const Welcome::Log& log : message.produced) {
    wire::ProducedLog& row = *out.add_produced();
    Fill(log.stream, *row.mutable_stream());
    FillId(log.incarnation, row.mutable_incarnation());
    Fill(log.tail, *row.mutable_tail());
    row.set_first(log.first);
    for (const ReaderPosition& reader : log.readers) FillReader(reader, *row.add_readers());
  }
}

bool Parse(const wire::Welcome& in, Welcome& message) {
  message.version = in.version();
  message.restored = in.restored();
  message.message_bytes_max = in.message_bytes_max();
  message.window_bytes = in.window_bytes();
  message.heartbeat_seconds = in.heartbeat_seconds();
  message.greeting = in.greeting();
  if (in.produced_size() > kStreamsMax) return false;
  for (const wire::ProducedLog& row : in.produced()) {
    Welcome::Log& log = message.produced.emplace_back();
    log.first = row.first();
    if (row.readers_size() > kReadersMax || !Parse(row.stream(), log.stream) ||
        !ParseId(row.incarnation(), log.incarnation) || !Parse(row.tail(), log.tail))
      return false;
    for (const wire::ReaderPosition& reader : row.readers())
      if (!ParseReader(reader, log.readers.emplace_back())) return false;
  }
  return ParseId(in.nonce(), message.nonce);
}

void Fill(const Bye& message, wire::Bye& out) {
  out.set_code(static_cast<std::uint32_t>(message.code));
  out.set_text(message.text);
  out.set_retry_seconds(message.retry_seconds);
}

bool Parse(const wire::Bye& in, Bye& message) {
  message.code = ParseCode(in.code());
  message.retry_seconds = in.retry_seconds();
  return ParseText(in.text(), kMessageTextBytes, message.text);
}

void Fill(const Ping& message, wire::Ping& out) { out.set_answer(message.answer); }

bool Parse(const wire::Ping& in, Ping& message) {
  message.answer = in.answer();
  return true;
}

}  // namespace dirsync::codec
