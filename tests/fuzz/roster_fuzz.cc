// Roster entries and invitations, as anybody may hand them over.
#include <cstdint>
#include <string>

#include "proto/codec/roster_codec.h"
#include "proto/trust/invitation.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static_cast<void>(dirsync::PeekRosterEntry(bytes));
  static_cast<void>(dirsync::Invitation::Parse(bytes));
  static_cast<void>(dirsync::Invitation::Parse("dirsync-invite-" + std::string(bytes)));
  return 0;
}
