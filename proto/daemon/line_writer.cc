#include "proto/daemon/line_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <limits>
#include <string>

namespace dirsync {
namespace {

// How soon a writer that waits sees that it is to give up.
constexpr int kLookMs = 100;

std::int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

// A pipe or terminal is opened once more, so that not waiting is a matter of this opening alone.
// Where that is not permitted (a pipe of another user) each write is of what has room for sure.
LineWriter::LineWriter(int descriptor)
    : descriptor_(descriptor), give_up_at_(std::numeric_limits<std::int64_t>::max()) {
  struct stat info{};
  if (fstat(descriptor, &info) != 0) return;
  is_socket_ = S_ISSOCK(info.st_mode);
  if (!S_ISFIFO(info.st_mode) && !S_ISCHR(info.st_mode)) return;
  const std::string path = "/proc/self/fd/" + std::to_string(descriptor);
  const int own = open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (own < 0) return;
  descriptor_ = own;
  is_own_ = true;
}

LineWriter::~LineWriter() {
  if (is_own_) close(descriptor_);
}

bool LineWriter::Write(std::string_view text) {
  while (!text.empty()) {
    if (!WaitForRoom()) return false;
    const std::int64_t written = WriteSome(text);
    if (written > 0) text.remove_prefix(static_cast<std::size_t>(written));
    if (written < 0 && errno != EAGAIN && errno != EINTR) return false;
  }
  return true;
}

void LineWriter::GiveUpAfter(std::chrono::milliseconds patience) {
  give_up_at_ = NowMs() + patience.count();
}

// A descriptor that is in error has room: writing says what is wrong.
bool LineWriter::WaitForRoom() const {
  pollfd item{descriptor_, POLLOUT, 0};
  while (poll(&item, 1, 0) <= 0) {
    const std::int64_t left = give_up_at_ - NowMs();
    if (left <= 0) return false;
    poll(&item, 1, static_cast<int>(std::min<std::int64_t>(left, kLookMs)));
  }
  return true;
}

// A pipe with room takes PIPE_BUF bytes whole.
std::int64_t LineWriter::WriteSome(std::string_view text) const {
  const std::size_t size = std::min<std::size_t>(text.size(), PIPE_BUF);
  if (is_socket_) return send(descriptor_, text.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL);
  return write(descriptor_, text.data(), size);
}

}  // namespace dirsync
