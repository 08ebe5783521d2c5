#include "proto/daemon/command_frame.h"

#include "proto/base/bytes.h"
#include "proto/base/limits.h"

namespace dirsync {
namespace {

constexpr std::size_t kHeaderBytes = 5;
constexpr std::uint8_t kRequestVersion = 1;

bool IsKnown(std::uint8_t kind) {
  switch (static_cast<FrameKind>(kind)) {
    case FrameKind::kRequest:
    case FrameKind::kInput:
    case FrameKind::kInterrupt:
    case FrameKind::kOutput:
    case FrameKind::kErrors:
    case FrameKind::kAsk:
    case FrameKind::kExit:
      return true;
  }
  return false;
}

std::size_t BodyMax(FrameKind kind) {
  return kind == FrameKind::kRequest ? limits::kCommandBytes : limits::kCommandFrameBytes;
}

}  // namespace

std::string EncodeFrame(FrameKind kind, std::string_view body) {
  std::string bytes;
  bytes.reserve(kHeaderBytes + body.size());
  RowWriter out(bytes);
  out.U32Big(static_cast<std::uint32_t>(body.size()));
  out.U8(static_cast<std::uint8_t>(kind));
  out.Raw(body);
  return bytes;
}

Result<std::optional<Frame>> FrameReader::Next() {
  if (bytes_.size() < kHeaderBytes) return std::nullopt;
  RowReader in(bytes_);
  const std::size_t size = in.U32Big();
  const std::uint8_t kind = in.U8();
  if (!IsKnown(kind))
    return Fail(ErrorCode::kInvalid, "reading the command socket: no frame of dirsync");
  if (size > BodyMax(static_cast<FrameKind>(kind)))
    return Fail(ErrorCode::kTooLarge, "reading the command socket: a frame is too long");
  if (bytes_.size() < kHeaderBytes + size) return std::nullopt;
  Frame frame{static_cast<FrameKind>(kind), bytes_.substr(kHeaderBytes, size)};
  bytes_.erase(0, kHeaderBytes + size);
  return frame;
}

std::string EncodeRequest(const CommandRequest& request) {
  std::string body;
  RowWriter out(body);
  out.U8(kRequestVersion);
  out.Varint(request.words.size());
  for (const std::string& word : request.words) out.Bytes(word);
  out.Bytes(request.folder);
  out.Bytes(request.store);
  out.U8(static_cast<std::uint8_t>((request.in_terminal ? 1 : 0) | (request.out_terminal ? 2 : 0) |
                                   (request.err_terminal ? 4 : 0) | (request.no_color ? 8 : 0)));
  out.Varint(request.width);
  return body;
}

Result<CommandRequest> DecodeRequest(std::string_view body) {
  RowReader in(body);
  if (in.U8() != kRequestVersion)
    return Fail(ErrorCode::kUnknownVersion,
                "reading a command: the two programs are of different versions",
                "start the process that has the store open again, with the new program");
  CommandRequest request;
  const std::uint64_t count = in.Varint();
  // Each word takes a byte at least: a count beyond that is a lie, and must not cost memory.
  if (count > in.rest().size()) return Fail(ErrorCode::kInvalid, "reading a command: malformed");
  for (std::uint64_t i = 0; i < count && in.ok(); ++i) request.words.emplace_back(in.Bytes());
  request.folder = in.Bytes();
  request.store = in.Bytes();
  const std::uint8_t flags = in.U8();
  request.in_terminal = (flags & 1) != 0;
  request.out_terminal = (flags & 2) != 0;
  request.err_terminal = (flags & 4) != 0;
  request.no_color = (flags & 8) != 0;
  const std::uint64_t width = in.Varint();
  request.width = static_cast<std::uint32_t>(width);
  if (!in.ok() || !in.at_end() || width > UINT32_MAX)
    return Fail(ErrorCode::kInvalid, "reading a command: malformed");
  return request;
}

}  // namespace dirsync
