#include "proto/codec/batch_codec.h"

#include "proto/base/bytes.h"
#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/codec/batch_header.h"
#include "proto/codec/change_codec.h"
#include "proto/codec/compression.h"
#include "proto/codec/head_codec.h"
#include "proto/codec/payload_scan.h"
#include "proto/wire/batch.pb.h"

namespace dirsync {
namespace {

// Tags of BatchPayload in proto/wire/batch.proto: field number, length-delimited.
constexpr char kHeadTag = 1 << 3 | 2;
constexpr char kChangeTag = 2 << 3 | 2;
constexpr std::size_t kTypicalChangeBytes = 1024;

std::string BatchText(const Batch& batch) {
  return Printable(batch.stream.ToString()) + " " + std::to_string(batch.epoch.counter) + "/" +
         std::to_string(batch.sequence);
}

std::unexpected<Error> EncodeFailure(const Batch& batch, ErrorCode code, std::string cause) {
  return Fail(code, "encode batch " + BatchText(batch) + ": " + std::move(cause));
}

std::unexpected<Error> DecodeFailure(const BatchHeader& header, const Error& error,
                                     std::size_t change = 0) {
  std::string message = "decode batch " + std::to_string(header.epoch.counter) + "/" +
                        std::to_string(header.sequence) + ": ";
  if (change > 0) message += "change " + std::to_string(change) + ": ";
  return Fail(error.code, message + error.message, error.hint);
}

void AppendMessage(const wire::Change& message, std::string& out) {
  const std::size_t size = message.ByteSizeLong();
  const std::size_t begin = out.size();
  out.resize(begin + size);
  message.SerializeWithCachedSizesToArray(reinterpret_cast<std::uint8_t*>(out.data() + begin));
}

Result<> CheckForEncode(const Batch& batch) {
  if (batch.changes.size() > limits::kChangesPerBatch)
    return EncodeFailure(batch, ErrorCode::kTooLarge, "more than 4096 changes");
  if (batch.epoch.counter == 0 || batch.sequence == 0)
    return EncodeFailure(batch, ErrorCode::kInvalid, "epoch or sequence 0");
  if (batch.kind < BatchKind::kStart || batch.kind > BatchKind::kRange)
    return EncodeFailure(batch, ErrorCode::kInvalid, "unknown kind of batch");
  if (Result<> head = codec::CheckHead(batch); !head)
    return EncodeFailure(batch, ErrorCode::kInvalid, head.error().message);
  std::size_t values = 0;
  for (std::size_t i = 0; i < batch.changes.size(); ++i) {
    if (Result<> change = codec::CheckChange(batch.changes[i]); !change) {
      return EncodeFailure(batch, ErrorCode::kInvalid,
                           "change " + std::to_string(i + 1) + ": " + change.error().message);
    }
    for (const AttributeChange& attribute : batch.changes[i].attributes)
      values += attribute.values.size();
  }
  if (values > limits::kValuesPerBatch)
    return EncodeFailure(batch, ErrorCode::kTooLarge, "more than 524288 values");
  return {};
}

Result<std::string> EncodePayload(const Batch& batch) {
  const std::string head = codec::EncodeHead(batch);
  std::string payload;
  payload.reserve(head.size() + batch.changes.size() * kTypicalChangeBytes);
  RowWriter writer(payload);
  writer.U8(kHeadTag);
  writer.Bytes(head);
  wire::Change message;
  for (std::size_t i = 0; i < batch.changes.size(); ++i) {
    codec::FillChange(batch.changes[i], message);
    const std::size_t size = message.ByteSizeLong();
    if (size > limits::kChangeBytes) {
      return EncodeFailure(
          batch, ErrorCode::kTooLarge,
          "change " + std::to_string(i + 1) + ": " + std::to_string(size) + " bytes");
    }
    writer.U8(kChangeTag);
    writer.Varint(size);
    AppendMessage(message, payload);
    if (payload.size() > limits::kBatchPayloadBytes)
      return EncodeFailure(batch, ErrorCode::kTooLarge, "payload over 4 MiB");
  }
  return payload;
}

// The header's own claims are worth nothing before this.
Result<> CheckSignature(const BatchHeader& header, std::string_view stored, const PublicKey& key) {
  const std::size_t signed_bytes = stored.size() - codec::kSignatureBytes;
  const std::string message = codec::SignedMessage(stored.substr(0, signed_bytes));
  const Signature signature = *Signature::FromBytes(stored.substr(signed_bytes));
  if (header.signer == key && Verify(key, message, signature)) return {};
  // Only a key that really signed it is named: else the bytes were altered.
  if (header.signer == key || !Verify(header.signer, message, signature))
    return Fail(ErrorCode::kBadSignature, "its signature does not match");
  return Fail(ErrorCode::kKeyChanged,
              "signed by key " + Fingerprint(header.signer) + ", expected " + Fingerprint(key));
}

Result<> DecodePayload(const BatchHeader& header, std::string_view payload, Batch& batch) {
  Result<codec::PayloadParts> parts = codec::ScanPayload(payload);
  if (!parts) return DecodeFailure(header, parts.error());
  if (Result<> head = codec::ParseHead(parts->head, batch); !head)
    return DecodeFailure(header, head.error());
  if (parts->changes.size() != header.changes) {
    return DecodeFailure(header, {ErrorCode::kBadRecord,
                                  "header and payload differ in the number "
                                  "of changes"});
  }
  if (DigestOf(batch.stream.ToString()) != header.stream_digest)
    return DecodeFailure(header,
                         {ErrorCode::kBadRecord, "header and payload differ in the stream"});
  wire::Change message;
  batch.changes.reserve(parts->changes.size());
  for (std::string_view encoded : parts->changes) {
    Result<Change> change = codec::ParseChange(encoded, message);
    if (!change) return DecodeFailure(header, change.error(), batch.changes.size() + 1);
    batch.changes.push_back(std::move(*change));
  }
  return {};
}

}  // namespace

Result<std::string> EncodeBatch(const Batch& batch, const SigningKey& key) {
  DIRSYNC_CHECK(CheckForEncode(batch));
  DIRSYNC_TRY(payload, EncodePayload(batch));
  codec::FullHeader header;
  header.batch = {DigestOf(batch.stream.ToString()),
                  batch.epoch,
                  batch.sequence,
                  batch.previous,
                  key.public_key(),
                  batch.kind,
                  static_cast<std::uint32_t>(batch.changes.size())};
  header.payload_bytes = static_cast<std::uint32_t>(payload.size());
  const std::optional<std::string> smaller = codec::CompressIfSmaller(payload);
  header.compressed = smaller.has_value();
  const std::string& body = smaller ? *smaller : payload;
  header.stored_bytes = static_cast<std::uint32_t>(body.size());
  std::string stored;
  stored.reserve(codec::kHeaderBytes + body.size() + codec::kSignatureBytes);
  stored += codec::WriteHeader(header);
  stored += body;
  stored += key.Sign(codec::SignedMessage(stored)).view();
  return stored;
}

Result<BatchHeader> PeekBatch(std::string_view stored) {
  DIRSYNC_TRY(header, codec::ReadHeader(stored));
  return header.batch;
}

Result<Batch> DecodeBatch(std::string_view stored, const PublicKey& key) {
  DIRSYNC_TRY(header, codec::ReadHeader(stored));
  if (Result<> valid = CheckSignature(header.batch, stored, key); !valid)
    return DecodeFailure(header.batch, valid.error());
  Batch batch;
  batch.epoch = header.batch.epoch;
  batch.sequence = header.batch.sequence;
  batch.previous = header.batch.previous;
  batch.kind = header.batch.kind;
  const std::string_view body = stored.substr(codec::kHeaderBytes, header.stored_bytes);
  if (!header.compressed) {
    DIRSYNC_CHECK(DecodePayload(header.batch, body, batch));
    return batch;
  }
  Result<std::string> payload = codec::Decompress(body, header.payload_bytes);
  if (!payload) return DecodeFailure(header.batch, payload.error());
  DIRSYNC_CHECK(DecodePayload(header.batch, *payload, batch));
  return batch;
}

std::string EncodeChange(const Change& change) {
  wire::Change message;
  codec::FillChange(change, message);
  std::string out;
  AppendMessage(message, out);
  return out;
}

Result<Change> DecodeChange(std::string_view bytes) {
  DIRSYNC_CHECK(codec::ScanChange(bytes));
  wire::Change message;
  Result<Change> change = codec::ParseChange(bytes, message);
  if (!change) return Fail(change.error().code, "decode change: " + change.error().message);
  return change;
}

}  // namespace dirsync
