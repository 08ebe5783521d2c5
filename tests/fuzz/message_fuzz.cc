// Messages from the other end of a connection: first byte, how much of the rest is the payload.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "proto/codec/message_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view all(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t tail = all.size() * data[0] / 256;
  dirsync::Payload payload;
  if (tail > 0) payload = std::make_shared<const std::string>(all.substr(all.size() - tail));
  auto message = dirsync::DecodeMessage(all.substr(0, all.size() - tail), payload);
  if (!message) return 0;
  // What was understood is said the same way again.
  const dirsync::WireMessage wire = dirsync::EncodeMessage(*message);
  auto again = dirsync::DecodeMessage(wire.header, wire.payload);
  if (!again || again->index() != message->index()) std::abort();
  if (dirsync::EncodeMessage(*again).header != wire.header) std::abort();
  return 0;
}
