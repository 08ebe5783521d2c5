#include "proto/daemon/command_socket.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/daemon/socket_address.h"

namespace dirsync {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kBacklog = 64;

Error SocketError(const std::string& folder) {
  const int why = errno;
  return {why == ENOSPC || why == EDQUOT ? ErrorCode::kDiskFull : ErrorCode::kIo,
          "opening the command socket in " + Printable(folder) + ": " + std::strerror(why), ""};
}

bool IsOurs(int descriptor) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
         (peer.uid == geteuid() || peer.uid == 0);
}

// A client whose request has not come whole yet.
struct Waiting {
  int descriptor = -1;
  FrameReader reader;
  Clock::time_point until;
};

// One whole request, or nothing yet, or (error) nothing to wait for.
Result<std::optional<CommandRequest>> ReadRequest(Waiting& client) {
  std::array<char, 65536> buffer;
  for (;;) {
    DIRSYNC_TRY(frame, client.reader.Next());
    if (frame) {
      if (frame->kind != FrameKind::kRequest)
        return Fail(ErrorCode::kInvalid, "reading a command: another frame came first");
      DIRSYNC_TRY(request, DecodeRequest(frame->body));
      return std::move(request);
    }
    const ssize_t got = recv(client.descriptor, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (got > 0) {
      client.reader.Append({buffer.data(), static_cast<std::size_t>(got)});
    } else if (got == 0) {
      return Fail(ErrorCode::kInterrupted, "reading a command: the client left");
    } else if (errno == EAGAIN) {
      return std::nullopt;
    } else if (errno != EINTR) {
      return Fail(ErrorCode::kIo, "reading a command: the client left");
    }
  }
}

// Best effort: the client may be of another release, and deserves the reason.
void TurnAway(int descriptor, const Error& error) {
  std::string bytes = EncodeFrame(FrameKind::kErrors, "error: " + error.ToString() + "\n");
  const char status = static_cast<char>(error.exit_status());
  bytes += EncodeFrame(FrameKind::kExit, {&status, 1});
  static_cast<void>(!send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
  close(descriptor);
}

}  // namespace

struct CommandSocket::State {
  explicit State(SocketAddress address_in) : address(std::move(address_in)) {}
  ~State() {
    for (const Waiting& client : waiting) close(client.descriptor);
    if (listener < 0) return;
    close(listener);
    unlinkat(address.folder(), kCommandSocketName.data(), 0);
  }
  void AcceptAll();
  std::unique_ptr<CommandCall> TakeWhole();

  SocketAddress address;
  int listener = -1;
  std::vector<Waiting> waiting;
};

void CommandSocket::State::AcceptAll() {
  while (waiting.size() < limits::kClientsWaiting) {
    const int descriptor = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0 && errno == EINTR) continue;
    if (descriptor < 0) return;
    if (!IsOurs(descriptor)) {
      close(descriptor);
      continue;
    }
    waiting.push_back(
        {descriptor, {}, Clock::now() + std::chrono::seconds(limits::kClientSilenceSeconds)});
  }
}

std::unique_ptr<CommandCall> CommandSocket::State::TakeWhole() {
  for (std::size_t i = 0; i < waiting.size();) {
    Waiting& client = waiting[i];
    auto request = ReadRequest(client);
    if (request && !*request && Clock::now() < client.until) {
      ++i;
      continue;
    }
    Waiting taken = std::move(client);
    waiting.erase(waiting.begin() + static_cast<std::ptrdiff_t>(i));
    if (request && *request)
      return std::make_unique<CommandCall>(taken.descriptor, std::move(taken.reader),
                                           std::move(**request));
    if (request) {
      close(taken.descriptor);
    } else {
      TurnAway(taken.descriptor, request.error());
    }
  }
  return nullptr;
}

CommandSocket::CommandSocket(std::unique_ptr<State> state) : state_(std::move(state)) {}
CommandSocket::~CommandSocket() = default;

Result<std::unique_ptr<CommandSocket>> CommandSocket::Listen(const std::string& folder) {
  DIRSYNC_TRY(address, SocketAddress::In(folder, kCommandSocketName));
  auto state = std::make_unique<State>(std::move(address));
  if (unlinkat(state->address.folder(), kCommandSocketName.data(), 0) != 0 && errno != ENOENT)
    return std::unexpected(SocketError(folder));
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) return std::unexpected(SocketError(folder));
  const mode_t before = umask(0177);
  const bool bound = bind(listener, state->address.get(), state->address.size()) == 0;
  umask(before);
  if (!bound || listen(listener, kBacklog) != 0) {
    Error error = SocketError(folder);
    close(listener);
    return std::unexpected(std::move(error));
  }
  state->listener = listener;
  return std::unique_ptr<CommandSocket>(new CommandSocket(std::move(state)));
}

std::vector<int> CommandSocket::descriptors() const {
  std::vector<int> all;
  // With the waiting room full, the kernel's queue holds the others.
  if (state_->waiting.size() < limits::kClientsWaiting) all.push_back(state_->listener);
  for (const Waiting& client : state_->waiting) all.push_back(client.descriptor);
  return all;
}

int CommandSocket::timeout_ms() const {
  if (state_->waiting.empty()) return -1;
  auto first = std::ranges::min_element(state_->waiting, {}, &Waiting::until)->until;
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(first - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left + 1, 0, 60'000));
}

std::unique_ptr<CommandCall> CommandSocket::Take() {
  state_->AcceptAll();
  return state_->TakeWhole();
}

}  // namespace dirsync
