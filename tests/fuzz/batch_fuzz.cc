// Everything that reads a batch, from any bytes. The first byte chooses how deep the rest begins.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "proto/base/limits.h"
#include "proto/codec/batch_codec.h"
#include "proto/codec/payload_scan.h"
#include "tests/fuzz/sealed_batch.h"

namespace dirsync {
namespace {

void Require(bool holds) {
  if (!holds) std::abort();
}

// What was accepted must be encodable again, and must come back equal.
void CheckAccepted(const Result<Batch>& batch) {
  if (!batch) return;
  const Result<std::string> stored = EncodeBatch(*batch, SealKey());
  Require(stored.has_value());
  const Result<Batch> again = DecodeBatch(*stored, SealKey().public_key());
  Require(again.has_value() && *again == *batch);
}

void AsPayload(std::string_view payload) {
  if (payload.size() > limits::kBatchPayloadBytes) return;
  const Result<codec::PayloadParts> parts = codec::ScanPayload(payload);
  const std::size_t changes = parts ? parts->changes.size() : 0;
  const codec::FullHeader header = HeaderFor(payload, static_cast<std::uint32_t>(changes));
  CheckAccepted(DecodeBatch(Seal(header, payload), SealKey().public_key()));
}

// Two bytes of declared size, then the frame.
void AsFrame(std::string_view input) {
  if (input.size() < 2 || input.size() > limits::kBatchPayloadBytes) return;
  const auto high = static_cast<unsigned char>(input[0]);
  const auto low = static_cast<unsigned char>(input[1]);
  const std::string_view frame = input.substr(2);
  codec::FullHeader header = HeaderFor(frame, 4);
  header.compressed = true;
  header.payload_bytes = high * 256u + low;
  CheckAccepted(DecodeBatch(Seal(header, frame), SealKey().public_key()));
}

void AsChange(std::string_view encoded) {
  const Result<Change> change = DecodeChange(encoded);
  if (!change) return;
  const Result<Change> again = DecodeChange(EncodeChange(*change));
  Require(again.has_value() && *again == *change);
}

void AsStored(std::string_view stored) {
  const Result<BatchHeader> header = PeekBatch(stored);
  const Result<Batch> batch = DecodeBatch(stored, SealKey().public_key());
  Require(header.has_value() || !batch.has_value());
  CheckAccepted(batch);
}

}  // namespace
}  // namespace dirsync

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      dirsync::AsPayload(rest);
      break;
    case 1:
      dirsync::AsChange(rest);
      break;
    case 2:
      dirsync::AsFrame(rest);
      break;
    default:
      dirsync::AsStored(rest);
      break;
  }
  return 0;
}
