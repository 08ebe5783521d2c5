// The frames of the command socket, and the command line that one of them carries. A frame is four
// bytes of length (big-endian, of the body), one byte of kind, and the body.
//
//   client -> server: REQUEST first, once; INPUT, one for each ASK; INTERRUPT
//   server -> client: OUTPUT and ERRORS in the order of writing; ASK; EXIT last
//
// Pure: bytes in, frames out. Hostile bytes give kInvalid or kTooLarge and cost no memory beyond
// the bounds.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/base/error.h"

namespace dirsync {

enum class FrameKind : std::uint8_t {
  kRequest = 1,    // body: EncodeRequest()
  kInput = 2,      // a line of the client's standard input with its end; empty: there is no more
  kInterrupt = 3,  // Ctrl-C
  kOutput = 16,    // for standard output
  kErrors = 17,    // for standard error
  kAsk = 18,       // a line of standard input is wanted
  kExit = 19,      // body: the exit status, one byte
};

// One of them.
struct Frame {
  FrameKind kind = FrameKind::kExit;
  std::string body;
  auto operator<=>(const Frame&) const = default;
};

// At most limits::kCommandFrameBytes of body, a request limits::kCommandBytes.
std::string EncodeFrame(FrameKind kind, std::string_view body);

// Cuts a stream of bytes into frames.
class FrameReader {
 public:
  void Append(std::string_view bytes) { bytes_.append(bytes); }
  // nullopt: more bytes are needed. Errors: kInvalid (unknown kind), kTooLarge; then the stream is
  // of no more use.
  Result<std::optional<Frame>> Next();

 private:
  std::string bytes_;
};

// Everything of the client's that a command can see.
struct CommandRequest {
  std::vector<std::string> words;
  std::string folder;  // current folder
  std::string store;   // DIRSYNC_STORE; empty: not set
  bool in_terminal = false;
  bool out_terminal = false;
  bool err_terminal = false;
  bool no_color = false;
  std::uint32_t width = 0;  // columns of the terminal; 0 = no limit
  auto operator<=>(const CommandRequest&) const = default;
};

std::string EncodeRequest(const CommandRequest& request);
// Errors: kInvalid; kUnknownVersion when client and server are of different releases.
Result<CommandRequest> DecodeRequest(std::string_view body);

}  // namespace dirsync
