#include "proto/daemon/command_client.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <span>
#include <utility>

#include "proto/base/limits.h"
#include "proto/base/text.h"
#include "proto/daemon/command_socket.h"
#include "proto/daemon/output_spool.h"
#include "proto/daemon/socket_address.h"

namespace dirsync {
namespace {

using Clock = std::chrono::steady_clock;

constexpr timespec kLook{.tv_sec = 1, .tv_nsec = 0};  // between two looks at a silent process
constexpr timespec kRetry{.tv_sec = 0, .tv_nsec = 50'000'000};

// Waits for several descriptors; signals come in only here. False: one came.
bool Wait(std::span<pollfd> waited, std::optional<timespec> at_most = std::nullopt) {
  sigset_t none;
  sigemptyset(&none);
  return ppoll(waited.data(), waited.size(), at_most ? &*at_most : nullptr, &none) >= 0;
}

// Who listens at the other end; 0: not known here.
pid_t PeerOf(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 ? peer.pid : 0;
}

// Whether a signal or a debugger stopped it. What cannot be told is taken for alive.
bool IsStopped(pid_t process) {
  std::ifstream in("/proc/" + std::to_string(process) + "/stat");
  std::string line;
  std::getline(in, line);
  // Behind the program's name, which may hold anything: " STATE …".
  const std::size_t end = line.rfind(')');
  if (end == std::string::npos || end + 2 >= line.size()) return false;
  return line[end + 2] == 'T' || line[end + 2] == 't';
}

// Looked at while a process is silent: one that stands still is given up after kStoppedPatience.
class Patience {
 public:
  // 0: not known, and waited for without end.
  explicit Patience(pid_t process) : process_(process) {}

  void Heard() { stopped_since_.reset(); }
  Result<> Look() {
    if (process_ <= 0 || !IsStopped(process_)) {
      stopped_since_.reset();
      return {};
    }
    const auto now = Clock::now();
    if (!stopped_since_) stopped_since_ = now;
    if (now - *stopped_since_ < kStoppedPatience) return {};
    const std::string number = std::to_string(process_);
    return Fail(ErrorCode::kUnreachable,
                "running the command: process " + number +
                    ", which has the store open, was stopped and does not answer",
                "`kill -CONT " + number + "` lets it go on; `kill -KILL " + number +
                    "` ends it, and what it acknowledged is safe");
  }

 private:
  pid_t process_;
  std::optional<Clock::time_point> stopped_since_;
};

class Conversation {
 public:
  Conversation(int socket, const ClientStreams& streams, const std::atomic<bool>& interrupted)
      : socket_(socket), patience_(PeerOf(socket)), streams_(streams), interrupted_(interrupted) {}
  ~Conversation() { close(socket_); }
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  void Send(FrameKind kind, std::string_view body) { outgoing_ += EncodeFrame(kind, body); }
  Result<int> Run();

 private:
  Result<> Turn();
  Result<> SendSome();
  Result<> ReceiveSome();
  Result<> Take(const Frame& frame);
  Result<> ReadLine();
  void AnswerIfWhole(bool at_end);

  int socket_;
  Patience patience_;
  ClientStreams streams_;
  const std::atomic<bool>& interrupted_;
  bool told_interrupt_ = false;
  bool asked_ = false;
  std::string outgoing_;
  std::string typed_;  // read, and not yet given as an answer
  FrameReader reader_;
  OutputSpool spool_{limits::kClientSpoolBytes};
  std::optional<int> status_;
};

Result<int> Conversation::Run() {
  while (!status_ || !spool_.empty()) DIRSYNC_CHECK(Turn());
  return *status_;
}

Result<> Conversation::Turn() {
  if (interrupted_ && !told_interrupt_) {
    told_interrupt_ = true;
    asked_ = false;
    Send(FrameKind::kInterrupt, "");
  }
  // A descriptor of -1 is passed over.
  const short socket_events = static_cast<short>(POLLIN | (outgoing_.empty() ? 0 : POLLOUT));
  std::array<pollfd, 3> waited{{{status_ ? -1 : socket_, socket_events, 0},
                                {asked_ && spool_.empty() ? streams_.in : -1, POLLIN, 0},
                                {spool_.empty() ? -1 : spool_.descriptor(), POLLOUT, 0}}};
  if (!Wait(waited, kLook)) {
    if (errno == EINTR) return {};
    return Fail(ErrorCode::kIo, std::string("waiting for the answer: ") + std::strerror(errno));
  }
  // Once its exit status is there, nothing more is wanted of it.
  if (std::ranges::all_of(waited, [](const pollfd& item) { return item.revents == 0; }))
    return status_ ? Result<>() : patience_.Look();
  if ((waited[0].revents & POLLOUT) != 0) DIRSYNC_CHECK(SendSome());
  if ((waited[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) DIRSYNC_CHECK(ReceiveSome());
  if (waited[1].revents != 0) DIRSYNC_CHECK(ReadLine());
  if (waited[2].revents != 0) DIRSYNC_CHECK(spool_.WriteSome());
  return {};
}

Result<> Conversation::SendSome() {
  const ssize_t sent =
      send(socket_, outgoing_.data(), outgoing_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  // A server that is gone shows when reading: what it said last is read first.
  if (sent > 0) outgoing_.erase(0, static_cast<std::size_t>(sent));
  if (sent < 0 && errno != EAGAIN && errno != EINTR) outgoing_.clear();
  return {};
}

Result<> Conversation::ReceiveSome() {
  std::array<char, 65536> buffer;
  const ssize_t got = recv(socket_, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
  if (got <= 0)
    return Fail(ErrorCode::kIo,
                "running the command: the process that has the store open went away",
                "look at its log; what it acknowledged is safe");
  patience_.Heard();
  reader_.Append({buffer.data(), static_cast<std::size_t>(got)});
  for (;;) {
    DIRSYNC_TRY(frame, reader_.Next());
    if (!frame) return {};
    DIRSYNC_CHECK(Take(*frame));
  }
}

Result<> Conversation::Take(const Frame& frame) {
  switch (frame.kind) {
    case FrameKind::kOutput:
      return spool_.Add(streams_.out, frame.body);
    case FrameKind::kErrors:
      return spool_.Add(streams_.err, frame.body);
    case FrameKind::kAsk:
      asked_ = true;
      AnswerIfWhole(false);
      return {};
    case FrameKind::kExit:
      if (frame.body.size() != 1) break;
      status_ = static_cast<unsigned char>(frame.body.front());
      asked_ = false;
      return {};
    default:
      break;
  }
  return Fail(ErrorCode::kInvalid, "reading the answer: no frame of a server");
}

Result<> Conversation::ReadLine() {
  std::array<char, 4096> buffer;
  const ssize_t got = read(streams_.in, buffer.data(), buffer.size());
  if (got < 0 && (errno == EINTR || errno == EAGAIN)) return {};
  if (got > 0) typed_.append(buffer.data(), static_cast<std::size_t>(got));
  AnswerIfWhole(got <= 0);
  return {};
}

void Conversation::AnswerIfWhole(bool at_end) {
  const std::size_t end = typed_.find('\n');
  std::size_t size = end == std::string::npos ? typed_.size() : end + 1;
  if (end == std::string::npos && !at_end && size < limits::kCommandFrameBytes) return;
  size = std::min(size, limits::kCommandFrameBytes);
  Send(FrameKind::kInput, std::string_view(typed_).substr(0, size));
  typed_.erase(0, size);
  asked_ = false;
}

Error ConnectError(const std::string& folder, int why) {
  const bool refused = why == EACCES || why == EPERM;
  return {
      refused ? ErrorCode::kNotPermitted : ErrorCode::kIo,
      "reaching the process that has store " + Printable(folder) + " open: " + std::strerror(why),
      refused ? "use the account that it runs under, or root" : ""};
}

// -1: nobody is there.
Result<int> Connect(const std::string& folder, pid_t holder, const std::atomic<bool>& interrupted) {
  auto address = SocketAddress::In(folder, kCommandSocketName);
  if (!address) return -1;
  const int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor < 0)
    return Fail(ErrorCode::kIo, std::string("opening a socket: ") + std::strerror(errno));
  Patience patience(holder);
  while (connect(descriptor, address->get(), address->size()) != 0) {
    const int why = errno;
    Result<> goes_on;
    // Its queue is full: others wait for a long command, or it stands still.
    if ((why == EAGAIN || why == EINTR) && !interrupted && (goes_on = patience.Look())) {
      Wait({}, kRetry);
      continue;
    }
    close(descriptor);
    DIRSYNC_CHECK(goes_on);
    if (why == ENOENT || why == ECONNREFUSED) return -1;
    if (interrupted) return Fail(ErrorCode::kInterrupted, "interrupted");
    return std::unexpected(ConnectError(folder, why));
  }
  return descriptor;
}

}  // namespace

Result<std::optional<int>> ForwardCommand(const std::string& folder, const CommandRequest& request,
                                          const ClientStreams& streams,
                                          const std::atomic<bool>& interrupted, pid_t holder) {
  const std::string body = EncodeRequest(request);
  DIRSYNC_TRY(descriptor, Connect(folder, holder, interrupted));
  if (descriptor < 0) return std::nullopt;
  Conversation conversation(descriptor, streams, interrupted);
  if (body.size() > limits::kCommandBytes)
    return Fail(ErrorCode::kTooLarge, "running the command: its command line is too long",
                "give it in parts");
  conversation.Send(FrameKind::kRequest, body);
  DIRSYNC_TRY(status, conversation.Run());
  return status;
}

}  // namespace dirsync
