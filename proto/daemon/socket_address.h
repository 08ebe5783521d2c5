// Address of a socket file in a folder, however long the folder's name is: a UNIX socket's own name
// has room for 107 bytes only, so the folder goes in as an open descriptor.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <string>
#include <string_view>

#include "proto/base/error.h"

namespace dirsync {

// Keeps the folder open while the address is in use.
class SocketAddress {
 public:
  // Errors: kNotFound, kIo. `name` without slashes, at most 32 bytes.
  static Result<SocketAddress> In(const std::string& folder, std::string_view name);
  SocketAddress(SocketAddress&& other) noexcept;
  SocketAddress& operator=(SocketAddress&& other) = delete;
  ~SocketAddress();

  int folder() const { return folder_; }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address_); }
  socklen_t size() const { return sizeof address_; }

 private:
  explicit SocketAddress(int folder) : folder_(folder) {}
  int folder_ = -1;
  sockaddr_un address_{};
};

}  // namespace dirsync
