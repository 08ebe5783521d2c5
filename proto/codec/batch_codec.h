// Batch <-> stored bytes: fixed header, protobuf payload (zstd when it pays), Ed25519 signature.
// The stored bytes are never made again from a Batch that was read: keep them. See PROTOCOL.md.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/base/crypto.h"
#include "proto/base/error.h"
#include "proto/model/batch.h"

namespace dirsync {

// Deterministic for equal input. Errors: kTooLarge beyond limits::kBatchPayloadBytes or
// kChangesPerBatch or kValuesPerBatch, or a change beyond kChangeBytes; kInvalid, naming the
// change, for what DecodeBatch would refuse: nothing unreadable is ever signed.
Result<std::string> EncodeBatch(const Batch& batch, const SigningKey& key);

// Only the fixed header: no signature is checked, nothing is decompressed.
struct BatchHeader {
  Digest stream_digest;  // DigestOf(StreamName::ToString())
  Epoch epoch;
  Sequence sequence = 0;
  Digest previous;
  PublicKey signer;
  BatchKind kind = BatchKind::kChanges;
  std::uint32_t changes = 0;  // number of changes in the payload
};
// Errors: kTruncated, kDamaged, kUnknownVersion, kTooLarge.
Result<BatchHeader> PeekBatch(std::string_view stored);

// Checks in this order: size, magic and version, signature under `key`, decompressed size (bounded
// while decompressing), counts (before parsing), payload, then that header and payload agree.
// Errors: kTruncated, kDamaged, kUnknownVersion, kKeyChanged (signed by another key, named),
// kBadSignature, kTooLarge, kBadRecord. Unknown change kinds are kept (Change::unknown_kind).
// Thread-safe, as everything here.
Result<Batch> DecodeBatch(std::string_view stored, const PublicKey& key);

// One change alone (held and quarantined rows). Unsigned and unchecked.
std::string EncodeChange(const Change& change);
// Errors: kTooLarge beyond limits::kChangeBytes, kBadRecord.
Result<Change> DecodeChange(std::string_view bytes);

}  // namespace dirsync
