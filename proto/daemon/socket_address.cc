#include "proto/daemon/socket_address.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "proto/base/text.h"

namespace dirsync {

Result<SocketAddress> SocketAddress::In(const std::string& folder, std::string_view name) {
  const int descriptor = open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0)
    return Fail(errno == ENOENT || errno == ENOTDIR ? ErrorCode::kNotFound : ErrorCode::kIo,
                "opening folder " + Printable(folder) + ": " + std::strerror(errno));
  SocketAddress address(descriptor);
  address.address_.sun_family = AF_UNIX;
  const std::string path =
      "/proc/self/fd/" + std::to_string(descriptor) + "/" + std::string(name.substr(0, 32));
  path.copy(address.address_.sun_path, sizeof address.address_.sun_path - 1);
  return address;
}

SocketAddress::SocketAddress(SocketAddress&& other) noexcept
    : folder_(std::exchange(other.folder_, -1)), address_(other.address_) {}

SocketAddress::~SocketAddress() {
  if (folder_ >= 0) close(folder_);
}

}  // namespace dirsync
