#include "proto/codec/wire_parts.h"

#include "proto/base/limits.h"
#include "proto/model/dn.h"
#include "proto/wire/message.pb.h"

namespace dirsync::codec {

void Fill(const StreamName& stream, wire::Stream& out) {
  out.set_organization(stream.organization);
  out.set_site(stream.site);
  out.set_instance(stream.instance);
}

bool Parse(const wire::Stream& message, StreamName& stream) {
  stream = {message.organization(), message.site(), message.instance()};
  for (const std::string* part : {&stream.organization, &stream.site, &stream.instance})
    if (!part->empty() && !CheckName("stream name", *part)) return false;
  return stream.organization.empty() == stream.site.empty() &&
         stream.site.empty() == stream.instance.empty();
}

void Fill(const Position& position, wire::Position& out) {
  out.set_epoch_counter(position.epoch.counter);
  FillId(position.epoch.id, out.mutable_epoch_id());
  out.set_sequence(position.sequence);
  FillId(position.digest, out.mutable_digest());
}

bool Parse(const wire::Position& message, Position& position) {
  position.epoch.counter = message.epoch_counter();
  position.sequence = message.sequence();
  return ParseId(message.epoch_id(), position.epoch.id) &&
         ParseId(message.digest(), position.digest);
}

ErrorCode ParseCode(std::uint32_t number) {
  for (const ErrorInfo& info : ErrorRegistry())
    if (static_cast<std::uint32_t>(info.code) == number) return info.code;
  return ErrorCode::kInternal;
}

bool ParseText(const std::string& raw, std::size_t bytes_max, std::string& text) {
  if (raw.size() > bytes_max) return false;
  text = raw;
  return true;
}

}  // namespace dirsync::codec
