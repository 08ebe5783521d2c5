// zstd with bounds. Internal to the codec.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "proto/base/error.h"

namespace dirsync::codec {

// `bytes` compressed, if that saves at least a tenth; else nullopt.
std::optional<std::string> CompressIfSmaller(std::string_view bytes);

// Exactly `size` bytes out of one frame; nothing is written beyond them, whatever the frame holds.
// REQUIRES `size` <= limits::kBatchPayloadBytes, for so much is allocated. Errors: kDamaged: no
// frame, another size, bytes behind it.
Result<std::string> Decompress(std::string_view frame, std::size_t size);

}  // namespace dirsync::codec
