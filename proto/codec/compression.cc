#include "proto/codec/compression.h"

#include <zstd.h>

namespace dirsync::codec {
namespace {

constexpr int kLevel = 1;
constexpr std::size_t kSmallBytes = 256;  // below, a frame saves nothing

std::unexpected<Error> Bad(std::string_view cause) {
  return Fail(ErrorCode::kDamaged, "decompress payload: " + std::string(cause));
}

}  // namespace

std::optional<std::string> CompressIfSmaller(std::string_view bytes) {
  if (bytes.size() < kSmallBytes) return std::nullopt;
  // A buffer too small for the bound makes zstd give up where the result would not pay anyway.
  std::string frame;
  frame.resize_and_overwrite(bytes.size() - bytes.size() / 10, [&](char* data, std::size_t room) {
    const std::size_t used = ZSTD_compress(data, room, bytes.data(), bytes.size(), kLevel);
    return ZSTD_isError(used) ? 0 : used;
  });
  if (frame.empty()) return std::nullopt;
  return frame;
}

Result<std::string> Decompress(std::string_view frame, std::size_t size) {
  if (ZSTD_findFrameCompressedSize(frame.data(), frame.size()) != frame.size())
    return Bad("not exactly one whole frame");
  // In one call the output is the window: no frame can ask for memory of its own.
  std::string out;
  std::size_t used = 0;
  out.resize_and_overwrite(size, [&](char* data, std::size_t) {
    used = ZSTD_decompress(data, size, frame.data(), frame.size());
    return ZSTD_isError(used) ? 0 : used;
  });
  if (ZSTD_isError(used)) return Bad(ZSTD_getErrorName(used));
  if (used != size) return Bad("shorter than its header says");
  return out;
}

}  // namespace dirsync::codec
