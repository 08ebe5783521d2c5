#include "proto/daemon/command_call.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <streambuf>
#include <utility>

#include "proto/base/limits.h"

namespace dirsync {
namespace {

using Clock = std::chrono::steady_clock;

int MillisUntil(Clock::time_point deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::max<std::int64_t>(left, 0));
}

// The client's end of the line: frames out, frames in, and whether it is still there.
class Client {
 public:
  Client(int descriptor, FrameReader reader) : descriptor_(descriptor), reader_(std::move(reader)) {
    TakeFrames();
  }
  ~Client() { close(descriptor_); }

  void set_while_asked(std::function<void()> turn) { while_asked_ = std::move(turn); }
  bool gone() const { return gone_; }
  bool interrupted() const { return interrupted_ || gone_; }

  void Send(FrameKind kind, std::string_view body) {
    const std::string bytes = EncodeFrame(kind, body);
    std::string_view rest = bytes;
    while (!rest.empty() && !gone_) {
      const ssize_t sent = send(descriptor_, rest.data(), rest.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent >= 0) {
        rest.remove_prefix(static_cast<std::size_t>(sent));
      } else if (errno == EAGAIN) {
        gone_ = !Wait(POLLOUT, Clock::now() + std::chrono::seconds(limits::kClientSilenceSeconds));
      } else if (errno != EINTR) {
        gone_ = true;
      }
    }
  }

  // Takes what has arrived, without waiting.
  void Look() {
    std::array<char, 4096> buffer;
    while (!gone_) {
      const ssize_t got = recv(descriptor_, buffer.data(), buffer.size(), MSG_DONTWAIT);
      if (got > 0) {
        reader_.Append({buffer.data(), static_cast<std::size_t>(got)});
        TakeFrames();
      } else if (got < 0 && errno == EAGAIN) {
        return;
      } else if (got == 0 || errno != EINTR) {
        gone_ = true;
      }
    }
  }

  // The answer to an ASK; nullopt: none came.
  std::optional<std::string> Ask() {
    asked_ = true;
    answer_.reset();
    Send(FrameKind::kAsk, "");
    const auto deadline = Clock::now() + std::chrono::seconds(limits::kQuestionSeconds);
    while (!interrupted() && !answer_ && Clock::now() < deadline) {
      if (!while_asked_) {
        Wait(POLLIN, deadline);
      } else if (!Wait(POLLIN, Clock::now())) {
        while_asked_();
      }
      Look();
    }
    asked_ = false;
    return std::exchange(answer_, std::nullopt);
  }

 private:
  bool Wait(short events, Clock::time_point deadline) {
    pollfd waited{descriptor_, events, 0};
    for (;;) {
      const int ready = poll(&waited, 1, MillisUntil(deadline));
      if (ready > 0) return true;
      if (ready == 0 || errno != EINTR) return false;
    }
  }

  void TakeFrames() {
    for (;;) {
      auto frame = reader_.Next();
      if (!frame) {
        gone_ = true;
        return;
      }
      if (!*frame) return;
      Take(**frame);
    }
  }

  // An answer that nobody asked for is late, and dropped.
  void Take(Frame& frame) {
    if (frame.kind == FrameKind::kInterrupt) {
      interrupted_ = true;
    } else if (frame.kind == FrameKind::kInput) {
      if (asked_) answer_ = std::move(frame.body);
    } else {
      gone_ = true;
    }
  }

  int descriptor_;
  FrameReader reader_;
  std::function<void()> while_asked_;
  bool interrupted_ = false;
  bool gone_ = false;
  bool asked_ = false;
  std::optional<std::string> answer_;
};

// Fails, so that whoever writes much stops, when nobody is there; output also after Ctrl-C, while
// messages still go out.
class OutBuffer : public std::streambuf {
 public:
  OutBuffer(Client& client, FrameKind kind) : client_(client), kind_(kind) { Reset(); }

 protected:
  int_type overflow(int_type c) override {
    if (sync() != 0) return traits_type::eof();
    if (c != traits_type::eof()) sputc(traits_type::to_char_type(c));
    return traits_type::not_eof(c);
  }
  int sync() override {
    const std::string_view text(pbase(), static_cast<std::size_t>(pptr() - pbase()));
    if (!text.empty()) client_.Send(kind_, text);
    Reset();
    const bool stop = kind_ == FrameKind::kOutput ? client_.interrupted() : client_.gone();
    return stop ? -1 : 0;
  }

 private:
  void Reset() { setp(buffer_.data(), buffer_.data() + buffer_.size()); }

  Client& client_;
  FrameKind kind_;
  std::array<char, limits::kCommandFrameBytes> buffer_;
};

class InBuffer : public std::streambuf {
 public:
  explicit InBuffer(Client& client) : client_(client) {}

 protected:
  int_type underflow() override {
    auto line = client_.Ask();
    if (!line || line->empty()) return traits_type::eof();
    line_ = std::move(*line);
    setg(line_.data(), line_.data(), line_.data() + line_.size());
    return traits_type::to_int_type(*gptr());
  }

 private:
  Client& client_;
  std::string line_;
};

}  // namespace

struct CommandCall::State {
  State(int descriptor, FrameReader reader)
      : client(descriptor, std::move(reader)),
        out_buffer(client, FrameKind::kOutput),
        err_buffer(client, FrameKind::kErrors),
        in_buffer(client),
        out(&out_buffer),
        err(&err_buffer),
        in(&in_buffer) {
    // As the standard streams are: messages leave at once, and never before earlier output.
    err.tie(&out);
    err << std::unitbuf;
    in.tie(&out);
  }
  Client client;
  OutBuffer out_buffer;
  OutBuffer err_buffer;
  InBuffer in_buffer;
  std::ostream out;
  std::ostream err;
  std::istream in;
  bool finished = false;
};

CommandCall::CommandCall(int descriptor, FrameReader reader, CommandRequest request)
    : request_(std::move(request)),
      state_(std::make_unique<State>(descriptor, std::move(reader))) {}

CommandCall::~CommandCall() {
  if (!state_->finished) Finish(InfoOf(ErrorCode::kInternal).exit_status);
}

std::istream& CommandCall::in() { return state_->in; }
void CommandCall::WhileAsked(std::function<void()> turn) {
  state_->client.set_while_asked(std::move(turn));
}
std::ostream& CommandCall::out() { return state_->out; }
std::ostream& CommandCall::err() { return state_->err; }

bool CommandCall::Interrupted() {
  state_->client.Look();
  return state_->client.interrupted();
}

void CommandCall::Finish(int status) {
  state_->finished = true;
  // The streams may have failed: the buffers send what they hold all the same.
  state_->out_buffer.pubsync();
  state_->err_buffer.pubsync();
  const char byte = static_cast<char>(status);
  state_->client.Send(FrameKind::kExit, {&byte, 1});
}

}  // namespace dirsync
