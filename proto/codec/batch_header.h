// The fixed part of a stored batch, byte by byte as in PROTOCOL.md. Internal to the codec.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/base/error.h"
#include "proto/base/ids.h"
#include "proto/base/limits.h"
#include "proto/codec/batch_codec.h"

namespace dirsync::codec {

inline constexpr std::string_view kBatchMagic = "DSYB";
inline constexpr std::uint8_t kBatchVersion = 1;
inline constexpr std::uint8_t kFlagZstd = 1;
inline constexpr std::size_t kHeaderBytes = 152;
inline constexpr std::size_t kSignatureBytes = 64;
static_assert(kHeaderBytes + limits::kBatchPayloadBytes + kSignatureBytes <= limits::kBatchBytes);

// Everything the header says. The lengths are checked against the stored bytes by ReadHeader.
struct FullHeader {
  BatchHeader batch;
  bool compressed = false;
  std::uint32_t stored_bytes = 0;   // of the payload as stored
  std::uint32_t payload_bytes = 0;  // of the payload decompressed; a claim until decompressed
};

// Exactly kHeaderBytes.
std::string WriteHeader(const FullHeader& header);

// Errors: kTruncated, kDamaged, kUnknownVersion, kTooLarge.
Result<FullHeader> ReadHeader(std::string_view stored);

// What is signed: a label that no other signed object of ours begins with, and the digest of
// `header_and_payload`.
std::string SignedMessage(std::string_view header_and_payload);

}  // namespace dirsync::codec
