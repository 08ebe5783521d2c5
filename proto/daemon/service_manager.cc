#include "proto/daemon/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "proto/base/text.h"

namespace dirsync {

void TellServiceManager(std::string_view state) {
  const char* path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  const std::size_t length = std::strlen(path);
  if (length >= sizeof to.sun_path) return;
  std::memcpy(to.sun_path, path, length);
  if (path[0] == '@') to.sun_path[0] = '\0';  // a name that is in no folder
  const int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return;
  static_cast<void>(!sendto(descriptor, state.data(), state.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                            reinterpret_cast<const sockaddr*>(&to),
                            static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length)));
  close(descriptor);
}

Duration WatchdogTime() {
  const char* microseconds = std::getenv("WATCHDOG_USEC");
  const char* process = std::getenv("WATCHDOG_PID");
  if (microseconds == nullptr) return Duration(0);
  if (process != nullptr && ParseNumber(process) != static_cast<std::uint64_t>(getpid()))
    return Duration(0);
  return Duration(static_cast<std::int64_t>(ParseNumber(microseconds).value_or(0) / 1000));
}

}  // namespace dirsync
