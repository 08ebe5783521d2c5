// Parts that many messages share <-> their wire form. Parsing returns false for what no encoder of
// ours writes. Internal to the codec.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/codec/wire_id.h"
#include "proto/model/message.h"

namespace dirsync::wire {
class Stream;
class Position;
}  // namespace dirsync::wire

namespace dirsync::codec {

// Fill overwrites; of a stream's name the parts are checked (CheckName), or all are empty.
void Fill(const StreamName& stream, wire::Stream& out);
// false: not a name.
bool Parse(const wire::Stream& message, StreamName& stream);
// Every position can be written.
void Fill(const Position& position, wire::Position& out);
// false: an id or digest of another size.
bool Parse(const wire::Position& message, Position& position);

// A number of the registry; those of newer versions become kInternal.
ErrorCode ParseCode(std::uint32_t number);

// Whether `text` is at most `bytes_max` long, with the text copied.
bool ParseText(const std::string& raw, std::size_t bytes_max, std::string& text);
inline constexpr std::size_t kMessageTextBytes = 4096;

}  // namespace dirsync::codec
