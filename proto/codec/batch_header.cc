#include "proto/codec/batch_header.h"

#include "proto/base/bytes.h"
#include "proto/base/crypto.h"

namespace dirsync::codec {
namespace {

constexpr std::string_view kSignLabel = "dirsync batch 1\n";
constexpr std::size_t kVersionAt = 4;

std::unexpected<Error> Bad(ErrorCode code, std::string cause) {
  return Fail(code, "read batch header: " + std::move(cause));
}

Result<> CheckMagic(std::string_view stored) {
  if (stored.substr(0, kBatchMagic.size()) != kBatchMagic.substr(0, stored.size()))
    return Bad(ErrorCode::kDamaged, "this is no batch");
  if (stored.size() <= kVersionAt) return Bad(ErrorCode::kTruncated, "cut within the header");
  const auto version = static_cast<std::uint8_t>(stored[kVersionAt]);
  if (version == 0) return Bad(ErrorCode::kDamaged, "version 0");
  if (version != kBatchVersion)
    return Bad(ErrorCode::kUnknownVersion, "version " + std::to_string(version) + ", known is 1");
  return {};
}

Result<> CheckKind(std::uint8_t kind) {
  if (kind == 0) return Bad(ErrorCode::kDamaged, "kind 0");
  if (kind > static_cast<std::uint8_t>(BatchKind::kRange))
    return Bad(ErrorCode::kUnknownVersion, "unknown kind " + std::to_string(kind));
  return {};
}

Result<> CheckLengths(const FullHeader& header, std::size_t stored_size) {
  if (header.stored_bytes > limits::kBatchPayloadBytes ||
      header.payload_bytes > limits::kBatchPayloadBytes)
    return Bad(ErrorCode::kTooLarge, "payload over 4 MiB");
  const std::size_t whole = kHeaderBytes + header.stored_bytes + kSignatureBytes;
  if (stored_size < whole) {
    return Bad(ErrorCode::kTruncated,
               std::to_string(stored_size) + " bytes of " + std::to_string(whole));
  }
  if (stored_size > whole)
    return Bad(ErrorCode::kDamaged, std::to_string(stored_size - whole) + " bytes behind its end");
  if (!header.compressed && header.stored_bytes != header.payload_bytes)
    return Bad(ErrorCode::kDamaged, "two lengths of one payload");
  if (header.batch.changes > limits::kChangesPerBatch)
    return Bad(ErrorCode::kTooLarge, std::to_string(header.batch.changes) + " changes");
  return {};
}

}  // namespace

std::string WriteHeader(const FullHeader& header) {
  std::string out;
  out.reserve(kHeaderBytes);
  RowWriter writer(out);
  writer.Raw(kBatchMagic);
  writer.U8(kBatchVersion);
  writer.U8(header.compressed ? kFlagZstd : 0);
  writer.U8(static_cast<std::uint8_t>(header.batch.kind));
  writer.U8(0);
  writer.Id(header.batch.stream_digest);
  writer.U64Big(header.batch.epoch.counter);
  writer.Id(header.batch.epoch.id);
  writer.U64Big(header.batch.sequence);
  writer.Id(header.batch.previous);
  writer.Id(header.batch.signer);
  writer.U32Big(header.stored_bytes);
  writer.U32Big(header.payload_bytes);
  writer.U32Big(header.batch.changes);
  writer.U32Big(0);
  return out;
}

Result<FullHeader> ReadHeader(std::string_view stored) {
  if (stored.size() > limits::kBatchBytes)
    return Bad(ErrorCode::kTooLarge, std::to_string(stored.size()) + " bytes");
  DIRSYNC_CHECK(CheckMagic(stored));
  if (stored.size() < kHeaderBytes) return Bad(ErrorCode::kTruncated, "cut within the header");
  RowReader reader(stored.substr(kVersionAt + 1, kHeaderBytes - kVersionAt - 1));
  FullHeader header;
  const std::uint8_t flags = reader.U8();
  const std::uint8_t kind = reader.U8();
  std::uint32_t reserved = reader.U8();
  header.batch.stream_digest = reader.Id<Digest>();
  header.batch.epoch.counter = reader.U64Big();
  header.batch.epoch.id = reader.Id<EpochId>();
  header.batch.sequence = reader.U64Big();
  header.batch.previous = reader.Id<Digest>();
  header.batch.signer = reader.Id<PublicKey>();
  header.stored_bytes = reader.U32Big();
  header.payload_bytes = reader.U32Big();
  header.batch.changes = reader.U32Big();
  reserved |= reader.U32Big();
  header.compressed = (flags & kFlagZstd) != 0;
  header.batch.kind = static_cast<BatchKind>(kind);
  if ((flags & ~kFlagZstd) != 0 || reserved != 0)
    return Bad(ErrorCode::kUnknownVersion, "flags that this version does not know");
  DIRSYNC_CHECK(CheckKind(kind));
  DIRSYNC_CHECK(CheckLengths(header, stored.size()));
  if (header.batch.epoch.counter == 0 || header.batch.sequence == 0)
    return Bad(ErrorCode::kDamaged, "epoch or sequence 0");
  return header;
}

std::string SignedMessage(std::string_view header_and_payload) {
  std::string message(kSignLabel);
  message += DigestOf(header_and_payload).view();
  return message;
}

}  // namespace dirsync::codec
