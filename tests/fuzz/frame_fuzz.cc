// The command socket: frames of a client, and the command line in them.
#include <cstdint>
#include <string>

#include "proto/daemon/command_frame.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  dirsync::FrameReader reader;
  reader.Append({reinterpret_cast<const char*>(data), size});
  for (;;) {
    auto frame = reader.Next();
    if (!frame || !*frame) return 0;
    if ((*frame)->kind == dirsync::FrameKind::kRequest)
      static_cast<void>(dirsync::DecodeRequest((*frame)->body));
  }
}
