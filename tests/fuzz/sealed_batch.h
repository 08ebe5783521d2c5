// Any bytes as the validly signed payload of a batch, so that tests reach what lies behind the
// signature check.
#pragma once

#include <string>
#include <string_view>

#include "proto/base/crypto.h"
#include "proto/codec/batch_header.h"

namespace dirsync {

inline const SigningKey& SealKey() {
  static const SigningKey key = *SigningKey::FromSeed("a fixed seed of thirty-two bytes");
  return key;
}

// A header that fits `body` as the payload of the stream Testorg/Site1/INSTANCE1.
inline codec::FullHeader HeaderFor(std::string_view body, std::uint32_t changes) {
  codec::FullHeader header;
  header.batch.stream_digest = DigestOf("Testorg/Site1/INSTANCE1");
  header.batch.epoch.counter = 1;
  header.batch.sequence = 1;
  header.batch.signer = SealKey().public_key();
  header.batch.changes = changes;
  header.stored_bytes = static_cast<std::uint32_t>(body.size());
  header.payload_bytes = header.stored_bytes;
  return header;
}

inline std::string Seal(const codec::FullHeader& header, std::string_view body) {
  std::string stored = codec::WriteHeader(header);
  stored += body;
  stored += SealKey().Sign(codec::SignedMessage(stored)).view();
  return stored;
}

}  // namespace dirsync
