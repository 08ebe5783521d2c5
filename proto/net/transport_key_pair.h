// Keys of connections (X25519), in the form that CURVE takes.
#pragma once

#include <string>
#include <string_view>

#include "proto/base/error.h"
#include "proto/base/ids.h"

namespace dirsync {

struct TransportKeyPair {
  TransportKey public_key;
  std::string secret;  // 32 bytes; wiped by whoever holds it last
};

// From 32 bytes that the caller drew (or read from its key file). Errors: kInvalid: another length,
// or a key that the ZeroMQ manual prints.
Result<TransportKeyPair> TransportKeysFrom(std::string_view secret);

}  // namespace dirsync
