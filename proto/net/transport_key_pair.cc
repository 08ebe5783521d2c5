#include "proto/net/transport_key_pair.h"

#include <zmq.h>

#include <array>

namespace dirsync {
namespace {

constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kZ85Bytes = 40;
// The pairs that ZeroMQ's manual prints (zmq_curve): everybody has their secrets.
constexpr std::array<std::string_view, 2> kManualSecrets = {
    "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6", "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"};

}  // namespace

Result<TransportKeyPair> TransportKeysFrom(std::string_view secret) {
  if (secret.size() != kKeyBytes)
    return Fail(ErrorCode::kInvalid, "read transport key: not 32 bytes");
  std::array<char, kZ85Bytes + 1> text{};
  std::array<char, kZ85Bytes + 1> derived{};
  std::array<std::uint8_t, kKeyBytes> raw{};
  zmq_z85_encode(text.data(), reinterpret_cast<const std::uint8_t*>(secret.data()), kKeyBytes);
  for (const std::string_view known : kManualSecrets)
    if (std::string_view(text.data(), kZ85Bytes) == known)
      return Fail(ErrorCode::kInvalid, "read transport key: it is printed in ZeroMQ's manual",
                  "remove the file: a new key is made");
  if (zmq_curve_public(derived.data(), text.data()) != 0)
    return Fail(ErrorCode::kInternal, "derive transport key: ZeroMQ was built without CURVE");
  zmq_z85_decode(raw.data(), derived.data());
  TransportKeyPair pair;
  pair.public_key.bytes = raw;
  pair.secret = std::string(secret);
  return pair;
}

}  // namespace dirsync
